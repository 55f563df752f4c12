"""A trial's running best: the measurements that beat every earlier finite one, from which all curves are drawn."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from hvdsweep.store.schema import metric_id, naturally_maximised

Record = tuple[int, int, int, float]
"""A row of `best_records`: metric id, trial id, step, value."""


class RunningBest:
    """The best value so far per metric of one trial, fed its measurements in the order of steps."""

    def __init__(self, trial_id: int) -> None:
        self.trial_id = trial_id
        self._best: dict[int, float] = {}
        """Metric id -> best value, negated if the metric is maximised, so that smaller is always better."""

    @classmethod
    def stored(cls, conn: sqlite3.Connection, trial_id: int) -> RunningBest:
        """As stored: for a trial that continues under another writer."""
        best = cls(trial_id)
        rows = conn.execute(
            "SELECT m.id, m.maximize, (SELECT r.value FROM best_records r WHERE r.metric_id = m.id AND"
            " r.trial_id = ?"
            " ORDER BY r.step DESC LIMIT 1) FROM metrics m",
            (trial_id,),
        )
        best._best = {
            mid: -value if maximize else value for mid, maximize, value in rows if value is not None
        }
        return best

    def feed(self, step: int, metric: int, value: float, maximize: bool) -> Record | None:
        """The record that this measurement sets, or None. Values that are not finite never set one."""
        if not math.isfinite(value):
            return None
        signed = -value if maximize else value
        if signed < self._best.get(metric, math.inf):
            self._best[metric] = signed
            return (metric, self.trial_id, step, value)
        return None


class Directions:
    """Which way each metric is better, and its id in the store; ids are looked up once per connection."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, bool], int] = {}

    def of(self, conn: sqlite3.Connection, metric: str, goal: Mapping[str, bool]) -> tuple[int, bool]:
        """(metric id, maximize) of `metric`; by `goal` (metric -> maximize), else the natural direction."""
        key = (metric, goal.get(metric, naturally_maximised(metric)))
        if key not in self._ids:
            self._ids[key] = metric_id(conn, *key)
        return self._ids[key], key[1]

    def forget(self) -> None:
        """After a rollback: drop ids assigned in it, which may not exist."""
        self._ids.clear()


def records_of(
    best: RunningBest,
    measurements: Iterable[tuple[int, Mapping[str, float]]],
    ids: Mapping[str, tuple[int, bool]],
) -> Iterator[Record]:
    """The records that `measurements` (step, metric -> value) set, in their order; `ids` maps metric -> (id, maximize)."""
    for step, values in measurements:
        for metric, value in values.items():
            identity, maximize = ids[metric]
            record = best.feed(step, identity, value, maximize)
            if record is not None:
                yield record


def imports_keep(metric: str) -> bool:
    """Whether an imported trial must keep records of this metric: those of the validation set, for which goals are set.

    Records of the other splits would add a third to the published database (71.6 million measurements); questions about
    them are answered exactly from `measurements`.
    """
    return metric.startswith(("val/", "validation/")) or "/" not in metric


def strict_records(group: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """[N], whether each value is strictly below all earlier ones of its `group`; groups contiguous, values finite."""
    n = len(values)
    if n == 0:
        return np.zeros(0, np.bool_)
    # Ranks allow one running minimum over all groups: each later group is shifted below every earlier one.
    _, rank = np.unique(values, return_inverse=True)
    starts = np.concatenate([[True], group[1:] != group[:-1]])
    shifted = rank - np.cumsum(starts) * np.int64(n + 1)
    least = np.minimum.accumulate(shifted)
    record: npt.NDArray[np.bool_] = np.concatenate([[True], shifted[1:] < least[:-1]])
    return record
