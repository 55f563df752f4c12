"""Pages of trials, sorted and filtered by the database, for any number of trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason
from hvdsweep.store.rows import TrialFilter, TrialPage, TrialRow
from hvdsweep.store.schema import REACHED
from hvdsweep.visible import visible

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader

BEST = "(SELECT r.{} FROM best_records r WHERE r.metric_id = m.id AND r.trial_id = t.id ORDER BY r.step DESC LIMIT 1)"
"""The last record of a trial is its best."""

GOAL_STEP = (
    f"(SELECT min(r.step) FROM best_records r WHERE r.metric_id = m.id AND r.trial_id = t.id AND {REACHED})"
)

JOINS = (
    " FROM trials t JOIN studies s ON s.id = t.study_id JOIN workloads w ON w.id = s.workload_id"
    " LEFT JOIN metrics m ON m.name = w.metric AND m.maximize = w.maximize"
)

SORTS = {
    "id": "t.id",
    "workload": "w.name",
    "batch_size": "s.batch_size",
    "number": "t.number",
    "status": "CASE t.status " + " ".join(f"WHEN '{s.name}' THEN {s.value}" for s in Status) + " END",
    "steps": "t.steps",
    "attempts": "t.attempts",
    "started": "t.started",
    "seconds": "t.ended - t.started",
    "best": BEST.format("value"),
    "goal_step": GOAL_STEP,
}
"""Fields to sort trials by, in addition to "parameters.NAME"; trials without a value come last."""

OWNERS = {"sweep": "w.sweep_id", "study": "t.study_id", "gang": "t.gang_id"}
"""Further fields to filter trials by."""


def trial_page(
    reader: Reader, where: TrialFilter, sort: str, descending: bool, offset: int, limit: int | None
) -> TrialPage:
    """See `Reader.trials`."""
    conditions, values = _conditions(where)
    order, bound = _expression(sort)
    turn = "DESC" if descending else "ASC"
    with reader.snapshot():
        if conditions:
            total = reader.rows(f"SELECT count(*){JOINS} WHERE {conditions}", values)[0][0]
        else:
            total = reader.rows("SELECT count(*) FROM trials")[0][0]
        ids = reader.rows(
            f"SELECT t.id{JOINS} WHERE {conditions or 'TRUE'} ORDER BY {order} {turn} NULLS LAST, t.id LIMIT ? OFFSET ?",
            [*values, *bound, -1 if limit is None else limit, offset],
        )
        return TrialPage(tuple(trial_rows(reader, [row[0] for row in ids])), offset, total)


def trial_rows(reader: Reader, trial_ids: Sequence[int]) -> list[TrialRow]:
    """The trials with these ids, in that order; unknown ids are left out."""
    found: dict[int, TrialRow] = {}
    chosen = reader.column("trials", "chosen")
    rows = reader.rows(
        f"SELECT t.id, w.sweep_id, w.name, s.id, s.batch_size, t.number, t.status, t.stop_reason, t.steps,"
        f" s.train_steps, t.attempts, t.seed, t.parameters, t.gang_id, t.started, t.ended, t.message,"
        f" {BEST.format('value')}, {BEST.format('step')}, {GOAL_STEP}, {chosen}{JOINS}"
        " WHERE t.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(trial_ids)),),
    )
    for row in rows:
        status, reason, parameters = Status[row[6]], StopReason.of(row[7]), json.loads(row[12])
        message = None if row[16] is None else visible(row[16], lines=True)
        found[row[0]] = TrialRow(
            *[*row[:6], status, reason, *row[8:12], parameters, *row[13:16], message, *row[17:]]
        )
    return [found[trial_id] for trial_id in trial_ids if trial_id in found]


def _conditions(where: TrialFilter) -> tuple[str, list[Any]]:
    """The filter as SQL, and the values of its placeholders."""
    parts: list[str] = []
    values: list[Any] = []
    for column, value in {"w.sweep_id": where.sweep_id, "w.name": where.workload}.items():
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    if where.statuses:
        parts.append(f"t.status IN ({', '.join('?' * len(where.statuses))})")
        values += [status.name for status in where.statuses]
    for what, intervals in where.ranges:
        expression, bound = _expression(what)
        parts.append(f"({' OR '.join([f'{expression} BETWEEN ? AND ?'] * len(intervals))})")
        for low, high in intervals:
            values += [*bound, low, high]
    if where.stop_reasons:
        marks = ", ".join("?" * len(where.stop_reasons))
        parts.append(f"coalesce(t.stop_reason, 'none') IN ({marks})")
        values += [reason.word or "none" for reason in where.stop_reasons]
    for word in where.words:
        parts.append("instr(lower(w.name), ?)")
        values.append(word.lower())
    return " AND ".join(parts), values


def _expression(what: str) -> tuple[str, list[Any]]:
    """The SQL of a field to sort or filter by, and the values of its placeholders."""
    if what.startswith("parameters."):
        return "json_extract(t.parameters, ?)", [_path(what.removeprefix("parameters."))]
    if what in SORTS:
        return SORTS[what], []
    if what in OWNERS:
        return OWNERS[what], []
    raise UserError(f"sort: {what}: no such column. Sort by {', '.join(SORTS)} or parameters.NAME.")


def _path(name: str) -> str:
    """The path of a metaparameter in the JSON of `trials.parameters`."""
    if '"' in name:
        raise UserError(f"{name}: no metaparameter has such a name.")
    return f'$."{name}"'
