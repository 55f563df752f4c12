"""Several curves side by side: one workload at many goals, and two workloads or sweeps at the same batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvdsweep.curves import student
from hvdsweep.curves.fitted import fit_curve
from hvdsweep.curves.intervals import variances
from hvdsweep.curves.outcomes import StepsToResult, steps_to_result
from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.spread import spread_of
from hvdsweep.curves.table import COMPLETE_ONLY, Bools, Floats, Ints, WorkloadTable
from hvdsweep.states import Status


@dataclass(frozen=True, eq=False)
class GoalSweep:
    """Steps to result at G goals and S batch sizes (the paper's Figure 2)."""

    goals: Floats
    """[G]"""
    batch_sizes: Ints
    """[S]"""
    steps: Floats
    """[G, S], NaN if not reached."""
    trials_undecided: Ints
    """[G, S], see `StepsToResult.trials_undecided`."""


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
        leaning[row] = result.trials_undecided
    return GoalSweep(np.asarray(goals, np.float64), table.batch_sizes, steps, leaning)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Steps of `second` over steps of `first` at the C batch sizes that both have."""

    batch_sizes: Ints
    """[C]"""
    ratio: Floats
    """[C]; inf if only `first` reached its goal, 0 if only `second` did, NaN if neither did."""
    low: Floats
    """[C], interval of the ratio between what searches of these sizes find on average; all C intervals hold together
    with the level's probability. NaN if a side has no fit to give its scatter."""
    high: Floats
    """[C]"""
    differs: Bools
    """[C], whether the interval excludes 1. For two equal workloads any does in 1 - level of all comparisons."""
    trials_undecided: Ints
    """[C], stopped trials that could have changed either side's answer."""


def compare(first: StepsToResult, second: StepsToResult, *, level: float = LEVEL) -> Comparison:
    """How many times the steps of `first` does `second` need, per batch size?

    Each side has the goal, budgets and trials of its own question. The scatter of each side's best is that about its
    own fit, see `hvdsweep.curves.intervals`.
    """
    sizes, mine, theirs = np.intersect1d(
        first.table.batch_sizes, second.table.batch_sizes, assume_unique=True, return_indices=True
    )
    ratio = _ratio(_or_infinite(first)[mine], _or_infinite(second)[theirs])
    low, high = np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    one, other = _scatter(first, level), _scatter(second, level)
    compared = np.isfinite(ratio) & (ratio > 0)
    if one is not None and other is not None and compared.any():
        # All ratios together: each at the level whose power by their number is the level asked for.
        each = level ** (1 / int(compared.sum()))
        t = student.quantile((1 + each) / 2, one[1] + other[1])
        half = t * np.sqrt(one[0][mine] + other[0][theirs])[compared]
        low[compared], high[compared] = ratio[compared] * np.exp(-half), ratio[compared] * np.exp(half)
    with np.errstate(invalid="ignore"):
        differs = (low > 1) | (high < 1)
    leaning = first.trials_undecided[mine] + second.trials_undecided[theirs]
    return Comparison(sizes, ratio, low, high, differs, leaning)


def _scatter(result: StepsToResult, level: float) -> tuple[Floats, int] | None:
    """(variance of ln S [S], its degrees of freedom); None without a fit."""
    spread = spread_of(result)
    steps = np.where(result.reached, result.steps, np.nan)
    fitted = fit_curve(result.table.batch_sizes, steps, spread, level, whole=False)
    found = variances(result, fitted, spread)
    return None if found is None or fitted.residual is None else (found, fitted.residual.degrees)


def _or_infinite(result: StepsToResult) -> Floats:
    return np.where(result.reached, result.steps, np.inf)


def _ratio(first: Floats, second: Floats) -> Floats:
    # inf / inf and 0 / 0 are undefined: NaN, which intervals leave out.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = second / first
    return ratio
