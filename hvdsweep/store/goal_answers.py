"""One question answered inside SQLite: steps to result and best measurements at one goal, without loading the records.

A workload table answers every later goal in milliseconds but takes a row of Python per record to load. Where a process
asks once, as the command line does, SQLite finds each trial's first record beyond the goal itself and hands over one
text of integers per study. The meaning of counted, limit and tie is that of `hvdsweep.curves`, by the same functions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hvdsweep.curves.measurements import BestMeasurements, stopped_below
from hvdsweep.curves.outcomes import NEVER, StepsToResult, first_of_each, resolve_goal, step_limits
from hvdsweep.curves.table import COMPLETE_ONLY, Ints, WorkloadTable
from hvdsweep.states import Status, StopReason
from hvdsweep.store.schema import naturally_maximised

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader
    from hvdsweep.store.rows import WorkloadRow

_UNMEASURED = -2
"""Instead of a step: the trial keeps no record of this metric at all."""

_STATUS = "CASE t.status " + " ".join(f"WHEN '{s.name}' THEN {s.value}" for s in Status) + " END"
_REASON = "CASE t.stop_reason " + " ".join(f"WHEN '{r.word}' THEN {r.value}" for r in StopReason if r.word)


def answer_at_goal(
    reader: Reader,
    workload: WorkloadRow,
    goal: float | None = None,
    *,
    metric: str | None = None,
    maximize: bool | None = None,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = COMPLETE_ONLY,
) -> tuple[StepsToResult, BestMeasurements] | None:
    """What `steps_to_result` and `best_measurements` say of the workload's table; their tables hold no records, and
    metaparameters only of the trials that either names.

    None where the kept records do not answer it (another direction, nothing measured yet): ask the workload table.
    UserError: as `steps_to_result`.
    """
    metric = metric or workload.metric
    if metric is None:
        return None
    own = metric == workload.metric
    natural = workload.maximize if own else naturally_maximised(metric)
    maximize = natural if maximize is None else maximize
    kept = reader.rows("SELECT id FROM metrics WHERE name = ? AND maximize = ?", (metric, int(maximize)))
    if not kept:
        return None
    studies = reader.rows(
        "SELECT id, batch_size, train_steps, target_trials FROM studies WHERE workload_id = ? ORDER BY batch_size",
        (workload.id,),
    )
    ids = [study[0] for study in studies]
    empty = _table(
        workload, metric, maximize, workload.goal if own and maximize == natural else None, studies
    )
    wanted = resolve_goal(empty, goal)
    limit = step_limits(empty, step_budget, example_budget)
    parts = [
        _trials(reader, study, kept[0][0], wanted, maximize, int(last))
        for study, last in zip(ids, limit, strict=True)
    ]
    columns = np.concatenate([np.empty((6, 0), np.int64), *parts], axis=1)
    trials = dict(zip(("number", "trial_id", "status", "stop_reason", "steps"), columns, strict=False))
    table = replace(
        empty,
        **trials,
        study=np.repeat(np.arange(len(ids)), [part.shape[1] for part in parts]),
        offsets=np.zeros(columns.shape[1] + 1, np.int64),
    )
    counted = table.counted(statuses, num_trials)
    reached = columns[5]
    if bool((counted & (reached == _UNMEASURED) & (table.steps > 0)).any()):
        # Its evaluations may all have failed, or count in the other direction: the full table knows.
        return None
    trial_steps = np.where(counted & (reached >= 0), reached, NEVER)
    crossing = np.flatnonzero(trial_steps != NEVER)
    steps, first = first_of_each(table, crossing, trial_steps[crossing])
    best = _best(reader, table, ids, kept[0][0], counted, limit, statuses)
    table = replace(
        table, parameters=_parameters(reader, table, {*first.tolist(), *best.trial.tolist()} - {NEVER})
    )
    budgets = (step_budget, example_budget, num_trials)
    result = StepsToResult(table, wanted, counted, limit, trial_steps, steps, first, *budgets)
    return result, replace(best, table=table)


def _table(
    workload: WorkloadRow, metric: str, maximize: bool, goal: float | None, studies: Sequence[Sequence[int]]
) -> WorkloadTable:
    """The table of these studies, without trials."""
    columns = np.array(studies, np.int64).reshape(-1, 4)
    none = np.empty(0, np.int64)
    return WorkloadTable(
        workload=workload.name,
        metric=metric,
        maximize=maximize,
        goal=goal,
        train_examples=workload.train_examples,
        batch_sizes=columns[:, 1],
        train_steps=columns[:, 2],
        target_trials=columns[:, 3],
        study=none,
        trial_id=none,
        number=none,
        status=np.empty(0, np.uint8),
        stop_reason=np.empty(0, np.uint8),
        steps=none,
        parameters={},
        offsets=np.zeros(1, np.int64),
        record_step=none,
        record_value=np.empty(0),
    )


def _trials(reader: Reader, study: int, metric: int, goal: float, maximize: bool, limit: int) -> Ints:
    """[6, T] numbers, ids, statuses, reasons, steps and the step beyond the goal of a study's trials, by number."""
    record = "FROM best_records r WHERE r.metric_id = ?1 AND r.trial_id = t.id"
    beyond = f"SELECT r.step {record} AND r.value {'>' if maximize else '<'} ?2 AND r.step <= ?3 ORDER BY r.step LIMIT 1"
    # coalesce asks the second question only where the first has no answer; the order of rows is restored below.
    step = f"coalesce(({beyond}), CASE WHEN EXISTS (SELECT 1 {record}) THEN {NEVER} ELSE {_UNMEASURED} END)"
    fields = ("t.number", "t.id", _STATUS, f"{_REASON} ELSE 0 END", "t.steps", step)
    texts = reader.rows(
        f"SELECT {', '.join(f'group_concat({field})' for field in fields)} FROM trials t WHERE t.study_id = ?4",
        (metric, goal, limit, study),
    )[0]
    if texts[0] is None:
        return np.empty((6, 0), np.int64)
    columns = np.array([np.fromstring(text, np.int64, sep=",") for text in texts])
    ordered: Ints = columns[:, np.argsort(columns[0], kind="stable")]
    return ordered


def _best(
    reader: Reader,
    table: WorkloadTable,
    ids: Sequence[int],
    metric: int,
    counted: np.ndarray[Any, np.dtype[np.bool_]],
    limit: Ints,
    statuses: Sequence[Status],
) -> BestMeasurements:
    """Per study the best last record within the limit, earliest step, smallest number."""
    value, step, trial = np.full(len(ids), np.nan), np.full(len(ids), NEVER), np.full(len(ids), NEVER)
    words = ", ".join(f"'{status.name}'" for status in statuses)
    for index, study in enumerate(ids):
        mine = np.flatnonzero(counted & (table.study == index))
        if len(mine) == 0:
            continue
        rows = reader.rows(
            "SELECT t.number, r.step, r.value FROM trials t CROSS JOIN best_records r ON r.metric_id = ?1"
            " AND r.trial_id = t.id AND r.step = (SELECT max(q.step) FROM best_records q WHERE q.metric_id = ?1"
            " AND q.trial_id = t.id AND q.step <= ?2)"
            f" WHERE t.study_id = ?3 AND t.status IN ({words}) AND t.number <= ?4"
            f" ORDER BY r.value {'DESC' if table.maximize else 'ASC'}, r.step, t.number LIMIT 1",
            (metric, int(limit[index]), study, int(table.number[mine[-1]])),
        )
        for number, step[index], value[index] in rows:
            trial[index] = mine[np.searchsorted(table.number[mine], number)]
    return BestMeasurements(table, value, step, trial, stopped_below(table, counted, limit))


def _parameters(reader: Reader, table: WorkloadTable, trials: set[int]) -> dict[str, Any]:
    """Metaparameter -> [T], NaN but for these trials."""
    place = {int(table.trial_id[trial]): trial for trial in trials}
    found: dict[str, Any] = {}
    for trial_id, text in reader.rows(
        "SELECT id, parameters FROM trials WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps([*place]),),
    ):
        for name, value in json.loads(text).items():
            if isinstance(value, int | float):
                found.setdefault(name, np.full(len(table.study), np.nan))[place[trial_id]] = value
    return found
