"""One question answered inside SQLite: steps to result and best measurements at one goal, without loading the records.

A workload table answers every later goal in milliseconds, but loading it takes a row of Python per record: on a store of
100,000 trials `hvdsweep curve` takes 16.6 s with the table and 1.8 s without (benchmarks/curves.py, two cores). So for a
process that asks once, such as the command line, SQLite finds each trial's first record beyond the goal and returns one
text of integers per study. The meaning of counted, limit and tie is that of `hvdsweep.curves`, through the same
functions.

numpy is imported only after the long queries, which run without the interpreter's lock: a caller can import it in a
thread meanwhile.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hvdsweep.repeats import FIRST_REPEAT
from hvdsweep.states import Status, StopReason
from hvdsweep.store.schema import SEARCH_TRIAL
from hvdsweep.words import as_float

if TYPE_CHECKING:
    from hvdsweep.curves.measurements import BestMeasurements
    from hvdsweep.curves.outcomes import StepsToResult
    from hvdsweep.curves.question import Question
    from hvdsweep.curves.table import Bools, Ints, WorkloadTable
    from hvdsweep.store.reader import Reader
    from hvdsweep.store.rows import WorkloadRow

_NEVER, _UNMEASURED = -1, -2
"""In place of a step: the goal was not reached; the trial has no record of this metric."""

_STATUS = "CASE t.status " + " ".join(f"WHEN '{s.name}' THEN {s.value}" for s in Status) + " END"
_REASON = "CASE t.stop_reason " + " ".join(f"WHEN '{r.word}' THEN {r.value}" for r in StopReason if r.word)
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class _Asked:
    """A question in the form that SQL needs."""

    metric_id: int
    maximize: bool
    goal: float
    statuses: tuple[Status, ...]


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
    statuses: Sequence[Status] = (Status.COMPLETE,),
) -> tuple[StepsToResult, BestMeasurements] | None:
    """The results of `steps_to_result` and `best_measurements` for the workload's table. Their tables hold no records,
    and metaparameters only of the trials that they name.

    None if the stored records do not answer it (another direction, nothing measured yet): ask the workload table.
    UserError: as `steps_to_result`.
    """
    metric = metric or workload.metric
    if metric is None:
        return None
    direction = workload.maximizes(metric)
    maximize = direction if maximize is None else maximize
    kept = reader.rows("SELECT id FROM metrics WHERE name = ? AND maximize = ?", (metric, int(maximize)))
    if not kept:
        return None
    studies = reader.rows(
        "SELECT id, batch_size, train_steps, target_trials FROM studies WHERE workload_id = ? ORDER BY batch_size",
        (workload.id,),
    )
    own_goal = workload.goal if metric == workload.metric and maximize == direction else None
    wanted = own_goal if goal is None else goal
    # Invalid questions find nothing here; the functions called below refuse them with a reason.
    asked = _Asked(kept[0][0], maximize, math.nan if wanted is None else wanted, tuple(statuses))
    limits = [_limit(study[1], step_budget, example_budget) for study in studies]
    limited = list(zip(studies, limits, strict=True))
    texts = [_trials(reader, asked, study[0], last) for study, last in limited]
    found = (
        [] if num_trials is not None else [_best(reader, asked, study[0], last) for study, last in limited]
    )

    import numpy as np

    from hvdsweep.curves.measurements import BestMeasurements, stopped_below
    from hvdsweep.curves.outcomes import StepsToResult, first_of_each, resolve_goal, step_limits
    from hvdsweep.curves.spread import fastest_trials

    table, reached = _table(workload, metric, maximize, own_goal, studies, texts)
    value = resolve_goal(table, goal)
    limit = step_limits(table, step_budget, example_budget)
    counted = table.counted(statuses, num_trials)
    if bool((counted & (reached == _UNMEASURED) & (table.steps > 0)).any()):
        # Its evaluations may all have failed, or count in the other direction; the full table can tell.
        return None
    if num_trials is not None:
        last_numbers = _last_numbers(table, counted)
        rows = zip(limited, last_numbers, strict=True)
        found = [_best(reader, asked, study[0], last, number) for (study, last), number in rows]
    trial_steps = np.where(counted & (reached >= 0), reached, _NEVER)
    crossing = np.flatnonzero(trial_steps != _NEVER)
    steps, first = first_of_each(table, crossing, trial_steps[crossing])
    best = np.array(
        [_NEVER if row is None else _place(table, index, row[0]) for index, row in enumerate(found)]
    )
    named = {*first.tolist(), *best.tolist()} - {_NEVER}
    table = replace(table, parameters=_parameters(reader, table, named))
    before = _records_before(reader, asked, table, fastest_trials(table, trial_steps), trial_steps)
    budgets = (step_budget, example_budget, num_trials, before)
    return StepsToResult(table, value, counted, limit, trial_steps, steps, first, *budgets), BestMeasurements(
        table,
        np.array([math.nan if row is None else row[2] for row in found], np.float64),
        np.array([_NEVER if row is None else row[1] for row in found], np.int64),
        best.astype(np.int64),
        stopped_below(table, counted, limit),
    )


def value_range(
    reader: Reader, workload: WorkloadRow, metric: str | None = None, maximize: bool | None = None
) -> tuple[str, float | None, float | None]:
    """(metric, first and last running-best value over all trials, in the order of training); None if there are none.

    `metric` and `maximize` default as in `Reader.workload_table`.
    """
    from hvdsweep.store.workload_tables import preferred

    metric = metric or workload.metric or preferred(reader, workload.id)
    if maximize is None:
        maximize = workload.maximizes(metric)
    least, most = reader.rows(
        "SELECT min(r.value), max(r.value) FROM metrics m CROSS JOIN studies s CROSS JOIN trials t ON t.study_id = s.id"
        " CROSS JOIN best_records r ON r.metric_id = m.id AND r.trial_id = t.id"
        " WHERE m.name = ? AND m.maximize = ? AND s.workload_id = ?",
        (metric, int(maximize), workload.id),
    )[0]
    return (metric, least, most) if maximize else (metric, most, least)


def _limit(batch_size: int, step_budget: float | None, example_budget: float | None) -> int:
    """The last step inside both budgets, as in `step_limits`; an invalid budget counts as none."""
    limit = _LARGEST
    for budget, per_step in ((step_budget, 1), (example_budget, batch_size)):
        if budget is not None and math.isfinite(budget):
            limit = min(limit, math.floor(budget) // per_step)
    return limit


def _trials(reader: Reader, asked: _Asked, study: int, limit: int) -> tuple[str | None, ...]:
    """Numbers, ids, statuses, reasons, steps and the step beyond the goal of a study's trials, each as one text."""
    record = "FROM best_records r WHERE r.metric_id = ?1 AND r.trial_id = t.id"
    sign = ">" if asked.maximize else "<"
    beyond = f"SELECT r.step {record} AND r.value {sign} ?2 AND r.step <= ?3 ORDER BY r.step LIMIT 1"
    # coalesce evaluates the second query only if the first gives NULL.
    step = f"coalesce(({beyond}), CASE WHEN EXISTS (SELECT 1 {record}) THEN {_NEVER} ELSE {_UNMEASURED} END)"
    fields = ("t.number", "t.id", _STATUS, f"{_REASON} ELSE 0 END", "t.steps", step)
    columns = ", ".join(f"group_concat({field})" for field in fields)
    (texts,) = reader.rows(
        f"SELECT {columns} FROM trials t WHERE t.study_id = ?4 AND {SEARCH_TRIAL}",
        (asked.metric_id, asked.goal, limit, study),
    )
    return tuple(texts)


def _best(
    reader: Reader, asked: _Asked, study: int, limit: int, last_number: int = FIRST_REPEAT - 1
) -> Any | None:
    """(number, step, value) of a study's best record within the limit; ties: earliest step, then smallest number."""
    words = ", ".join(f"'{status.name}'" for status in asked.statuses)
    last = "SELECT r.{} FROM best_records r WHERE r.metric_id = ?1 AND r.trial_id = t.id AND r.step <= ?2"
    last += " ORDER BY r.step DESC LIMIT 1"
    rows = reader.rows(
        f"SELECT t.number, t.id, ({last.format('value')}) AS best FROM trials t WHERE t.study_id = ?3"
        f" AND t.status IN ({words}) AND t.number <= ?4"
        f" ORDER BY best {'DESC' if asked.maximize else 'ASC'} NULLS LAST, t.number LIMIT 2",
        (asked.metric_id, limit, study, last_number),
    )
    # A condition that excludes trials without records would look up every one of them twice.
    rows = [row for row in rows if row[2] is not None]
    if not rows:
        return None
    if len(rows) == 2 and rows[0][2] == rows[1][2]:
        return reader.rows(
            f"SELECT t.number, ({last.format('step')}) AS step, ?5 FROM trials t WHERE t.study_id = ?3"
            f" AND t.status IN ({words}) AND t.number <= ?4 AND ({last.format('value')}) = ?5"
            " ORDER BY step, t.number LIMIT 1",
            (asked.metric_id, limit, study, last_number, rows[0][2]),
        )[0]
    number, trial, value = rows[0]
    ((step,),) = reader.rows(
        "SELECT max(step) FROM best_records WHERE metric_id = ? AND trial_id = ? AND step <= ?",
        (asked.metric_id, trial, limit),
    )
    return number, step, value


def answered(
    reader: Reader,
    workload: WorkloadRow,
    goal: float | None,
    question: Question,
    table: Callable[[], WorkloadTable],
    *,
    load: bool = False,
) -> tuple[StepsToResult, BestMeasurements]:
    """The answer at one goal, by SQLite, or from `table()` if SQLite cannot answer it; `load`: from the table directly,
    as several goals share it."""
    asked = question.limits
    if not load:
        found = answer_at_goal(
            reader, workload, goal, metric=question.metric, maximize=question.maximize, **asked
        )
        if found is not None:
            return found
    from hvdsweep.curves.measurements import best_measurements
    from hvdsweep.curves.outcomes import steps_to_result

    return steps_to_result(table(), goal, **asked), best_measurements(table(), **asked)


def _table(
    workload: WorkloadRow,
    metric: str,
    maximize: bool,
    goal: float | None,
    studies: Sequence[Sequence[int]],
    texts: Sequence[tuple[str | None, ...]],
) -> tuple[WorkloadTable, Ints]:
    """The table of these trials without their records, and [T] the step at which each went beyond the goal."""
    import numpy as np

    from hvdsweep.curves.table import WorkloadTable

    parts = []
    for study in texts:
        numbers = [np.fromstring(text, np.int64, sep=",") for text in study if text is not None]
        part = np.array(numbers, np.int64).reshape(6, -1)
        # SQLite returns rows in the order of whichever index it used.
        parts.append(part[:, np.argsort(part[0], kind="stable")])
    number, trial_id, status, reason, steps, reached = np.concatenate(
        [np.empty((6, 0), np.int64), *parts], axis=1
    )
    columns = np.array(studies, np.int64).reshape(-1, 4)
    table = WorkloadTable(
        workload=workload.name,
        metric=metric,
        maximize=maximize,
        goal=goal,
        train_examples=workload.train_examples,
        batch_sizes=columns[:, 1],
        train_steps=columns[:, 2],
        target_trials=columns[:, 3],
        study=np.repeat(np.arange(len(studies)), [part.shape[1] for part in parts]),
        trial_id=trial_id,
        number=number,
        status=status.astype(np.uint8),
        stop_reason=reason.astype(np.uint8),
        steps=steps,
        parameters={},
        offsets=np.zeros(len(number) + 1, np.int64),
        record_step=np.empty(0, np.int64),
        record_value=np.empty(0),
        margin=workload.margin,
    )
    return table, reached


def _last_numbers(table: WorkloadTable, counted: Bools) -> list[int]:
    """[S], the number of each study's last counted trial; -1 if none counts."""
    last = [table.number[(table.study == index) & counted] for index in range(len(table.batch_sizes))]
    return [int(numbers[-1]) if len(numbers) else -1 for numbers in last]


def _records_before(
    reader: Reader, asked: _Asked, table: WorkloadTable, trials: Ints, trial_steps: Ints
) -> Ints:
    """The step of each trial's last record before it went beyond the goal, NEVER if there is none."""
    import numpy as np

    pairs = zip(table.trial_id[trials].tolist(), trial_steps[trials].tolist(), strict=True)
    found = reader.rows(
        "SELECT (SELECT r.step FROM best_records r WHERE r.metric_id = ?1 AND r.trial_id = p.value ->> 0"
        " AND r.step < p.value ->> 1 ORDER BY r.step DESC LIMIT 1) FROM json_each(?2) p ORDER BY p.key",
        (asked.metric_id, json.dumps(list(pairs))),
    )
    return np.array([_NEVER if step is None else step for (step,) in found], np.int64)


def _place(table: WorkloadTable, study: int, number: int) -> int:
    """The index of a trial, from its number."""
    start, end = table.study_starts[study], table.study_starts[study + 1]
    return int(start + table.number[start:end].searchsorted(number))


def _parameters(reader: Reader, table: WorkloadTable, trials: set[int]) -> dict[str, Any]:
    """Metaparameter -> [T], NaN except for these trials."""
    import numpy as np

    place = {int(table.trial_id[trial]): trial for trial in trials}
    found: dict[str, Any] = {}
    for trial_id, text in reader.rows(
        "SELECT id, parameters FROM trials WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps([*place]),),
    ):
        for name, value in json.loads(text).items():
            if isinstance(value, int | float):
                found.setdefault(name, np.full(len(table.study), np.nan))[place[trial_id]] = as_float(value)
    return found
