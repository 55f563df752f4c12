"""Several curves side by side: one workload at many goals, and two workloads or sweeps at the same batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvdsweep.curves.outcomes import StepsToResult, steps_to_result
from hvdsweep.curves.resampling import LEVEL, RESAMPLES, percentile_interval, resampled_minima
from hvdsweep.curves.table import COMPLETE_ONLY, Floats, Ints, WorkloadTable
from hvdsweep.states import Status


@dataclass(frozen=True, eq=False)
class GoalSweep:
    """Steps to result at G goals and S batch sizes (the paper's Figure 2)."""

    goals: Floats
    """[G]"""
    batch_sizes: Ints
    """[S]"""
    steps: Floats
    """[G, S], NaN where not reached."""
    leans_on_stopped: Ints
    """[G, S], see `StepsToResult.leans_on_stopped`."""


def goal_sweep(
    table: WorkloadTable,
    goals: Sequence[float],
    *,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = COMPLETE_ONLY,
) -> GoalSweep:
    """One curve per goal. UserError: see `steps_to_result`."""
    shape = (len(goals), len(table.batch_sizes))
    steps, leaning = np.full(shape, np.nan), np.zeros(shape, np.int64)
    for row, goal in enumerate(goals):
        result = steps_to_result(
            table,
            goal,
            step_budget=step_budget,
            example_budget=example_budget,
            num_trials=num_trials,
            statuses=statuses,
        )
        steps[row] = np.where(result.reached, result.steps, np.nan)
        leaning[row] = result.leans_on_stopped
    return GoalSweep(np.asarray(goals, np.float64), table.batch_sizes, steps, leaning)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Steps of `second` over steps of `first` at the C batch sizes that both have."""

    batch_sizes: Ints
    """[C]"""
    ratio: Floats
    """[C]; inf where only `first` reached its goal, 0 where only `second` did, NaN where neither."""
    low: Floats
    """[C], bootstrap interval over the trials of both."""
    high: Floats
    """[C]"""
    leans_on_stopped: Ints
    """[C], stopped trials that either side's answer leans on."""


def compare(
    first: StepsToResult,
    second: StepsToResult,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """How many times the steps of `first` does `second` need, batch size by batch size?

    Each side has the goal, budgets and trials of its own question. Both are resampled independently.
    """
    sizes, mine, theirs = np.intersect1d(
        first.table.batch_sizes, second.table.batch_sizes, assume_unique=True, return_indices=True
    )
    ratio = _ratio(_or_infinite(first)[mine], _or_infinite(second)[theirs])
    draws = _ratio(
        resampled_minima(first, resamples, 2 * seed)[:, mine],
        resampled_minima(second, resamples, 2 * seed + 1)[:, theirs],
    )
    ends = np.array([percentile_interval(draws[:, column], level) for column in range(len(sizes))]).reshape(
        -1, 2
    )
    leaning = first.leans_on_stopped[mine] + second.leans_on_stopped[theirs]
    return Comparison(sizes, ratio, ends[:, 0], ends[:, 1], leaning)


def _or_infinite(result: StepsToResult) -> Floats:
    return np.where(result.reached, result.steps, np.inf)


def _ratio(first: Floats, second: Floats) -> Floats:
    # inf / inf and 0 / 0 say nothing: NaN, which intervals leave out.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = second / first
    return ratio
