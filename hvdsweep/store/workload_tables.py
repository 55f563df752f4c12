"""One workload under one metric as flat arrays: the only input of curves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hvdsweep.curves.table import WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason
from hvdsweep.store.records import strict_records
from hvdsweep.store.rows import KEY, RECORD, SHIFT
from hvdsweep.store.schema import MARGIN, SEARCH_TRIAL, naturally_maximised
from hvdsweep.words import as_float

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader
    from hvdsweep.store.rows import WorkloadRow

PREFERRED = ("val/average_precision", "val/classification_error", "val/cross_entropy_error")
"""The metric if neither the question nor the sweep names one: the first of these that was measured."""


def workload_table(
    reader: Reader,
    workload: str,
    metric: str | None,
    sweep: int | None,
    maximize: bool | None,
    repeats: bool = False,
) -> WorkloadTable:
    """See `Store.workload_table`."""
    with reader.snapshot():
        return _table(
            reader, workload, metric, sweep, maximize, f"NOT {SEARCH_TRIAL}" if repeats else SEARCH_TRIAL
        )


def repeats_table(
    reader: Reader, workload: WorkloadRow, metric: str | None = None, maximize: bool | None = None
) -> WorkloadTable | None:
    """The repeats of the best trials of a workload's studies; None if there are none."""
    some = (
        "SELECT 1 FROM studies s CROSS JOIN trials t ON t.study_id = s.id WHERE s.workload_id = ?"
        f" AND NOT {SEARCH_TRIAL} LIMIT 1"
    )
    if not reader.rows(some, (workload.id,)):
        return None
    return workload_table(reader, workload.name, metric, workload.sweep_id, maximize, repeats=True)


def _table(
    reader: Reader, workload: str, metric: str | None, sweep: int | None, maximize: bool | None, which: str
) -> WorkloadTable:
    workload_id, own_metric, goal, own_maximize, examples, margin = _found(reader, workload, sweep)
    measured = reader.metrics()
    if metric is None:
        metric = own_metric or preferred(reader, workload_id)
    elif metric not in measured and metric != own_metric:
        there = ", ".join(measured) or "none yet"
        raise UserError(f"{reader.path}: metric: {metric}: was never measured. Measured: {there}.")
    direction = bool(own_maximize) if metric == own_metric else naturally_maximised(metric)
    if maximize is None:
        maximize = direction
    studies = np.array(
        reader.rows(
            "SELECT id, batch_size, train_steps, target_trials FROM studies WHERE workload_id = ? ORDER BY batch_size",
            (workload_id,),
        ),
        np.int64,
    ).reshape(-1, 4)
    trials = reader.rows(
        "SELECT t.id, s.batch_size, t.number, t.status, t.stop_reason, t.steps, t.parameters FROM studies s"
        f" JOIN trials t ON t.study_id = s.id AND {which} WHERE s.workload_id = ? ORDER BY s.batch_size, t.number",
        (workload_id,),
    )
    columns: list[tuple[Any, ...]] = list(zip(*trials, strict=True)) or [()] * 7
    ids = np.array(columns[0], np.int64)
    statuses = {status.name: status.value for status in Status}
    reasons = {reason.word: reason.value for reason in StopReason}
    offsets, steps, values = _records(reader, workload_id, ids, metric, maximize, metric in measured, which)
    return WorkloadTable(
        workload=workload,
        metric=metric,
        maximize=maximize,
        goal=goal if metric == own_metric and maximize == direction else None,
        train_examples=examples,
        batch_sizes=studies[:, 1],
        train_steps=studies[:, 2],
        target_trials=studies[:, 3],
        study=np.searchsorted(studies[:, 1], np.array(columns[1], np.int64)),
        trial_id=ids,
        number=np.array(columns[2], np.int64),
        status=np.array([statuses[word] for word in columns[3]], np.uint8),
        stop_reason=np.array([reasons[word] for word in columns[4]], np.uint8),
        steps=np.array(columns[5], np.int64),
        parameters=_parameters(columns[6]),
        offsets=offsets,
        record_step=steps,
        record_value=values,
        margin=margin,
    )


def _found(
    reader: Reader, workload: str, sweep: int | None
) -> tuple[int, str | None, float | None, int, int | None, float | None]:
    rows = reader.rows(
        f"SELECT id, metric, goal, maximize, train_examples, {MARGIN} FROM workloads"
        " WHERE name = ?1 AND (?2 IS NULL OR sweep_id = ?2) ORDER BY sweep_id DESC LIMIT 1",
        (workload, sweep),
    )
    if rows:
        found: tuple[int, str | None, float | None, int, int | None, float | None] = rows[0]
        return found
    names = [
        row[0]
        for row in reader.rows(
            "SELECT DISTINCT name FROM workloads WHERE ?1 IS NULL OR sweep_id = ?1 ORDER BY name", (sweep,)
        )
    ]
    from difflib import get_close_matches

    close = get_close_matches(workload, names, n=3, cutoff=0.5) or names[:10]
    place = f"{reader.path}" if sweep is None else f"{reader.path}: sweep {sweep}"
    there = f"There is {', '.join(close)}." if close else "It holds no workload yet."
    raise UserError(f"{place}: workload: {workload}: is not in the database. {there}")


def preferred(reader: Reader, workload_id: int) -> str:
    """The default metric: the first of PREFERRED that this workload has records of."""
    for name in PREFERRED:
        for (metric,) in reader.rows("SELECT id FROM metrics WHERE name = ?", (name,)):
            if reader.rows(
                "SELECT 1 FROM studies s CROSS JOIN trials t ON t.study_id = s.id"
                " CROSS JOIN best_records r ON r.metric_id = ? AND r.trial_id = t.id WHERE s.workload_id = ? LIMIT 1",
                (metric, workload_id),
            ):
                return name
    return PREFERRED[1]


def _parameters(texts: tuple[str, ...]) -> dict[str, npt.NDArray[np.float64]]:
    """Metaparameter -> [T]; NaN for anything but a number."""
    # Parsing all trials at once is several times as fast as parsing each.
    trials: list[dict[str, Any]] = json.loads("[" + ",".join(texts) + "]")
    names = dict.fromkeys(name for trial in trials for name in trial)
    nan = float("nan")
    found = {}
    for name in names:
        values = [trial.get(name, nan) for trial in trials]
        try:
            found[name] = np.array(values, np.float64)
        except (TypeError, ValueError, OverflowError):
            found[name] = np.array([as_float(value) for value in values], np.float64)
    return found


def _records(
    reader: Reader,
    workload_id: int,
    ids: npt.NDArray[np.int64],
    metric: str,
    maximize: bool,
    measured: bool,
    which: str,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(offsets [T + 1], steps [R], values [R]) of the trials `ids`, in their order."""
    records = np.empty(0, RECORD)
    for (metric_id,) in reader.rows(
        "SELECT id FROM metrics WHERE name = ? AND maximize = ?", (metric, int(maximize))
    ):
        # CROSS JOIN makes SQLite walk the records of the trials, not all records of the metric.
        records = reader.array(
            RECORD,
            f"SELECT {KEY}, r.value FROM studies s CROSS JOIN trials t ON t.study_id = s.id AND {which}"
            " CROSS JOIN best_records r ON r.metric_id = ? AND r.trial_id = t.id WHERE s.workload_id = ?",
            (metric_id, workload_id),
        )
    if measured:
        without = np.setdiff1d(ids, records["key"] >> SHIFT)
        records = np.concatenate([records, _from_measurements(reader, without, metric, maximize)])
    position = np.empty(0, np.int64)
    if len(records):
        by_id = np.argsort(ids)
        position = by_id[np.searchsorted(ids[by_id], records["key"] >> SHIFT)]
    step = records["key"] & ((1 << SHIFT) - 1)
    order = np.lexsort((step, position))
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(np.bincount(position, minlength=len(ids)), out=offsets[1:])
    return offsets, step[order], records["value"][order]


def _from_measurements(
    reader: Reader, ids: npt.NDArray[np.int64], metric: str, maximize: bool
) -> npt.NDArray[np.void]:
    """The records of trials that have none in this direction, from all their measurements."""
    rows = reader.measured(ids.tolist(), metric)
    return rows[strict_records(rows["key"] >> SHIFT, -rows["value"] if maximize else rows["value"])]
