"""One workload under one metric as flat arrays: the only input of curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hvdsweep.curves.table import WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason
from hvdsweep.store.records import strict_records
from hvdsweep.store.rows import KEY, RECORD, SHIFT
from hvdsweep.store.schema import SEARCH_TRIAL
from hvdsweep.words import as_float

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader
    from hvdsweep.store.rows import WorkloadRow

PREFERRED = ("val/average_precision", "val/classification_error", "val/cross_entropy_error")
"""The metric if neither the question nor the sweep names one: the first of these that was measured."""


def repeats_table(
    reader: Reader, workload: WorkloadRow, metric: str | None = None, maximize: bool | None = None
) -> WorkloadTable | None:
    """The repeats of the best trials of a workload's studies; None if there are none."""
    some = (
        "SELECT 1 FROM studies s CROSS JOIN trials t ON t.study_id = s.id WHERE s.workload_id = ?"
        f" AND NOT {SEARCH_TRIAL} LIMIT 1"
    )
    with reader.snapshot():
        if not reader.rows(some, (workload.id,)):
            return None
        return workload_table(reader, workload, metric, maximize, repeats=True)


def workload_table(
    reader: Reader, workload: WorkloadRow, metric: str | None, maximize: bool | None, *, repeats: bool = False
) -> WorkloadTable:
    """See `Store.workload_table`. Inside a snapshot."""
    which = f"NOT {SEARCH_TRIAL}" if repeats else SEARCH_TRIAL
    measured = reader.metrics()
    if metric is None:
        metric = workload.metric or preferred(reader, workload.id)
    elif metric not in measured and metric != workload.metric:
        there = ", ".join(measured) or "none yet"
        raise UserError(f"{reader.path}: metric: {metric}: was never measured. Measured: {there}.")
    direction = workload.maximizes(metric)
    if maximize is None:
        maximize = direction
    studies = np.array(
        reader.rows(
            "SELECT id, batch_size, train_steps, target_trials FROM studies WHERE workload_id = ? ORDER BY batch_size",
            (workload.id,),
        ),
        np.int64,
    ).reshape(-1, 4)
    trials = reader.rows(
        "SELECT t.id, s.batch_size, t.number, t.status, t.stop_reason, t.steps, t.parameters FROM studies s"
        f" JOIN trials t ON t.study_id = s.id AND {which} WHERE s.workload_id = ? ORDER BY s.batch_size, t.number",
        (workload.id,),
    )
    columns: list[tuple[Any, ...]] = list(zip(*trials, strict=True)) or [()] * 7
    ids = np.array(columns[0], np.int64)
    statuses = {status.name: status.value for status in Status}
    reasons = {reason.word: reason.value for reason in StopReason}
    offsets, steps, values = _records(reader, workload.id, ids, metric, maximize, metric in measured, which)
    return WorkloadTable(
        workload=workload.name,
        metric=metric,
        maximize=maximize,
        goal=workload.goal if metric == workload.metric and maximize == direction else None,
        train_examples=workload.train_examples,
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
        margin=workload.margin,
    )


def newest(reader: Reader, workloads: Sequence[WorkloadRow], name: str, sweep: int | None) -> WorkloadRow:
    """The last of `workloads`, those of a sweep or of all, that has this name; UserError with similar names if none has."""
    found = [row for row in workloads if row.name == name]
    if found:
        return max(found, key=lambda row: row.sweep_id)
    from difflib import get_close_matches

    names = sorted({row.name for row in workloads})
    close = get_close_matches(name, names, n=3, cutoff=0.5) or names[:10]
    place = f"{reader.path}" if sweep is None else f"{reader.path}: sweep {sweep}"
    there = f"There is {', '.join(close)}." if close else "It holds no workload yet."
    raise UserError(f"{place}: workload: {name}: is not in the database. {there}")


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
