"""A trial's running best: the measurements that beat every earlier finite one, from which all curves are drawn."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

Record = tuple[int, int, int, float]
"""A row of `best_records`: metric id, trial id, step, value."""


class RunningBest:
    """The best value so far per metric of one trial, whose measurements come in the order of steps."""

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

    def records(
        self,
        measurements: Iterable[tuple[int, Mapping[str, float]]],
        ids: Mapping[str, tuple[int, bool]],
    ) -> Iterator[Record]:
        """The records that `measurements` (step, metric -> value) set, in their order; values that are not finite never set
        one. `ids`: metric -> (id, maximize)."""
        for step, values in measurements:
            for name, value in values.items():
                metric, maximize = ids[name]
                signed = -value if maximize else value
                if math.isfinite(value) and signed < self._best.get(metric, math.inf):
                    self._best[metric] = signed
                    yield metric, self.trial_id, step, value


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
