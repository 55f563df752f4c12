"""The stored estimates of the gradient noise scale."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hvdsweep.curves.noise import Estimates
    from hvdsweep.store.reader import Reader

_ROWS = "SELECT n.trial_id, n.step, n.grad_sq, n.trace_sigma FROM {} n.layer = '' ORDER BY n.trial_id, n.step"


def noise_of_trials(reader: Reader, trials: Sequence[int]) -> dict[int, Estimates]:
    """The estimates of all weights together, by trial; trials without any are left out."""
    marks = ", ".join("?" * len(trials))
    return _estimates(reader, f"gradient_noise n WHERE n.trial_id IN ({marks}) AND", trials)


def noise_of_workload(reader: Reader, workload: int) -> dict[int, Estimates]:
    """The same for every trial of a workload (its row)."""
    joined = "studies s JOIN trials t ON t.study_id = s.id JOIN gradient_noise n ON n.trial_id = t.id"
    return _estimates(reader, f"{joined} WHERE s.workload_id = ? AND", [workload])


def _estimates(reader: Reader, source: str, values: Sequence[int]) -> dict[int, Estimates]:
    # A store of an older schema has no such table, and a reader cannot migrate it.
    there = reader.rows("SELECT 1 FROM sqlite_master WHERE name = 'gradient_noise'")
    if not there or not reader.rows("SELECT 1 FROM gradient_noise LIMIT 1"):
        return {}
    found: dict[int, Estimates] = {}
    for trial, rows in itertools.groupby(reader.rows(_ROWS.format(source), values), key=lambda row: row[0]):
        table = np.array([row[1:] for row in rows], np.float64)
        found[trial] = (table[:, 0].astype(np.int64), table[:, 1], table[:, 2])
    return found
