"""Plots common in papers on batch size: critical batch size against budget, data or model size; ranks against hours;
sensitivity to each metaparameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.curves.costs import Throughput, TimeToGoal, time_to_goal
from hvdsweep.curves.curve_data import Curve
from hvdsweep.curves.ladders import goal_ladder
from hvdsweep.curves.metaparameters import PowerLaw, column, fit_exponent
from hvdsweep.curves.scaling_curve import curve
from hvdsweep.curves.table import Floats, WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status

if TYPE_CHECKING:
    from hvdsweep.store.rows import WorkloadRow

BUDGETS = 8
"""Number of goals of `critical_by_budget` if none are given."""

BINS_PER_DOUBLING = 2
"""Bins per doubling of a metaparameter, in `sensitivity`."""

SIZES = {"data": "training examples", "model": "trainable weights"}
"""Sizes to which `scaling_law` can relate critical batch sizes, in words."""


@dataclass(frozen=True, eq=False)
class Law:
    """Critical batch sizes of N workloads or goals against a size, and the power law through them."""

    x: Floats
    """[N], ascending."""
    x_title: str
    batch_size: Floats
    """[N]"""
    low: Floats
    """[N] lower ends of the intervals, NaN if there is none."""
    high: Floats
    """[N] upper ends; inf if open."""
    at_least: tuple[bool, ...]
    """[N], whether the batch size is only known to be larger: such points are left out of the fit."""
    labels: tuple[str, ...]
    """[N], the workload or the goal."""
    law: PowerLaw | None
    """batch size = c x^exponent, least squares in logarithms; None below two different sizes."""


def critical_by_budget(
    table: WorkloadTable,
    goals: Sequence[float] = (),
    *,
    num_trials: int | None = None,
    tokens_per_example: int | None = None,
) -> Law:
    """B_crit of the fit against the least training examples for the goal (E_min), one point per goal.

    A goal stands for a budget: the examples it takes without waste. `goals`: by default BUDGETS of those that the
    measurements allow. Goals without a fit are left out. `tokens_per_example`: E_min in tokens. (Power Lines, arXiv
    2505.13738, D_min and B_crit.)
    """
    if not goals:
        ladder = goal_ladder([table])
        goals = [ladder[index] for index in evenly(len(ladder), 3 * BUDGETS)]
    found = []
    for goal in goals:
        one = curve(table, goal, num_trials=num_trials, resamples=0)
        if one.fit is not None and math.isfinite(one.fit.e_min.value):
            found.append((one.fit.e_min.value * (tokens_per_example or 1), one.fit.b_crit, one))
    return _law(
        [(e_min, b.value, b.low, b.high, False, f"{one.goal:g}") for e_min, b, one in found],
        f"training {'tokens' if tokens_per_example else 'examples'} to the goal at least (E_min)",
    )


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the indices below `count`, evenly spread, both ends included."""
    if count <= most:
        return list(range(count))
    return sorted({round(index * (count - 1) / (most - 1)) for index in range(most)})


def scaling_law(curves: Sequence[tuple[WorkloadRow, str, Curve]], against: str | None = None) -> Law:
    """Critical batch sizes of workloads (row, label, curve) against the size of their data or their model.

    `against`: a key of SIZES; by default the one that differs. Data are in tokens if the curves' are. UserError if
    neither differs, or the size is not known. Workloads without a critical batch size are left out. (Zhang et al. 2024,
    arXiv 2410.21676: c D^beta and c N^beta.)
    """
    sizes: Mapping[str, list[int | None]] = {
        "data": [row.train_examples and row.train_examples * one.per_example for row, _, one in curves],
        "model": [row.parameters for row, _, _ in curves],
    }
    if against is None:
        different = [name for name, values in sizes.items() if None not in values and len(set(values)) > 1]
        if len(different) != 1:
            why = "both differ" if different else "neither is known and different for every workload"
            raise UserError(
                f"scaling-law: the size of data or model: {why}; say which (--against data|model)"
            )
        against = different[0]
    points = []
    for size, (_, label, one) in zip(sizes[against], curves, strict=True):
        if size is None:
            raise UserError(f"{one.workload}: {SIZES[against]}: not known, so it has no place on the axis")
        if one.critical is not None:
            low, high = one.critical.interval or (math.nan, math.nan)
            points.append(
                (
                    float(size),
                    one.critical.batch_size,
                    low,
                    math.inf if high is None else high,
                    one.critical.at_least,
                    label,
                )
            )
    tokens = against == "data" and all(one.unit == "tokens" for _, _, one in curves)
    return _law(points, "training tokens" if tokens else SIZES[against])


def _law(points: Sequence[tuple[float, float, float | None, float | None, bool, str]], x_title: str) -> Law:
    points = sorted(points, key=lambda point: point[0])

    def row(place: int) -> Floats:
        return np.array([math.nan if point[place] is None else point[place] for point in points], np.float64)

    known = np.array([not point[4] for point in points], np.bool_)
    x, y = row(0), row(1)
    law = power_law(x[known], y[known])
    return Law(
        x,
        x_title,
        y,
        row(2),
        row(3),
        tuple(point[4] for point in points),
        tuple(point[5] for point in points),
        law,
    )


def power_law(x: Floats, y: Floats) -> PowerLaw | None:
    """y = c x^exponent by least squares in logarithms, with a t interval of the exponent; None below two different x."""
    return fit_exponent(x, y)


@dataclass(frozen=True, eq=False)
class IsoLoss:
    """The N choices for one goal that no other beats in both time and ranks, fastest first."""

    goal: float
    reached: bool
    """Whether any batch size reached it."""
    hours: Floats
    """[N]"""
    ranks: Floats
    """[N]"""
    batch_sizes: tuple[int, ...]
    """[N]"""


def iso_loss(curves: Sequence[Curve], speeds: Sequence[Throughput]) -> list[IsoLoss]:
    """For each curve (a goal of one workload) the front of ranks against hours to that goal, by measured speeds.

    (Essential AI 2025, arXiv 2505.02222: the compute-time front.)
    """
    found = []
    for one in curves:
        costs = time_to_goal({point.batch_size: point.steps for point in one.points}, speeds)
        front: list[TimeToGoal] = []
        for choice in sorted(costs.choices, key=lambda choice: (choice.seconds, choice.np)):
            if not front or choice.np < front[-1].np:
                front.append(choice)
        found.append(
            IsoLoss(
                one.goal,
                any(point.reached for point in one.points),
                np.array([choice.seconds / 3600 for choice in front]),
                np.array([choice.np for choice in front], np.float64),
                tuple(choice.batch_size for choice in front),
            )
        )
    return found


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """The cost of a metaparameter's distance from its best value, at one batch size: N bins."""

    batch_size: int
    best: float
    """The value of the best trial."""
    ratio: Floats
    """[N], value over the best one, ascending: centres of bins of a half doubling."""
    excess: Floats
    """[N], best measurement in the bin less the study's best, in the worse direction; 0 at ratio 1."""
    trials: tuple[int, ...]
    """[N], trials in the bin."""


def sensitivity(table: WorkloadTable, name: str, *, num_trials: int | None = None) -> list[Sensitivity]:
    """The lower envelope of the loss above the best against a metaparameter over its best value, one per batch size.

    COMPLETE trials with a measurement and a positive value count. The other metaparameters are free, so each bin shows
    the best that is possible there. UserError if no trial has the metaparameter.
    """
    values = column(table, name)
    usable = table.counted((Status.COMPLETE,), num_trials) & ~np.isnan(table.best_value)
    usable &= (values > 0) & np.isfinite(values)
    found = []
    for study, size in enumerate(table.batch_sizes.tolist()):
        own = np.flatnonzero(usable & (table.study == study))
        if not len(own):
            continue
        losses = -table.best_value[own] if table.maximize else table.best_value[own]
        first = int(np.argmin(losses))
        # Subtract logarithms, since a quotient of extreme values overflows.
        away = np.log2(values[own]) - np.log2(values[own[first]])
        place = np.rint(away * BINS_PER_DOUBLING).astype(np.int64)
        bins, inside = np.unique(place, return_inverse=True)
        least = np.full(len(bins), np.inf)
        np.minimum.at(least, inside, losses - losses[first])
        found.append(
            Sensitivity(
                size,
                float(values[own[first]]),
                np.exp2(np.clip(bins / BINS_PER_DOUBLING, -1074, 1023)),
                least,
                tuple(np.bincount(inside).tolist()),
            )
        )
    return found
