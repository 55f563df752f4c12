"""How certain a study's steps to the goal are, as one number, and what depends on it; used by rounds of trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.scaling import Rules, resampled_max_useful
from hvdsweep.curves.table import Floats, Ints

FEWEST = 4
"""Least number of trials for an interval."""


def relative_half_width(steps: npt.ArrayLike, level: float = LEVEL) -> float:
    """Half the width of the interval in which the best trial of a repeated search of the same size would lie, relative
    to the steps: 0.1 means "within 10 %".

    `steps` [n]: of every trial that counts; inf if one did not reach the goal, or is only known to need more than was
    observed. Near the best, the logarithms of a search's steps are evenly spaced, like arrivals at a constant rate (two
    searched metaparameters, steps that grow quadratically away from the optimum). The width is their mean distance over
    the better half of the trials, times the distance in ranks between the quantiles of the least of n. inf if fewer
    than four steps are known.
    """
    ordered = np.sort(np.asarray(steps, np.float64))
    n, known = len(ordered), int(np.isfinite(ordered).sum())
    if known < FEWEST or ordered[0] <= 0:
        return math.inf
    wanted = max(FEWEST, -(-n // 2))
    used = min(wanted, known)
    apart = math.log(ordered[used - 1] / ordered[0]) / (used - 1)
    if known < wanted:
        # Observed up to some limit beyond the last: on average this much farther.
        apart *= known / (known - 1)
    ranks = [n * -math.expm1(math.log1p(-p) / n) for p in ((1 - level) / 2, (1 + level) / 2)]
    return math.expm1(apart * (ranks[1] - ranks[0]) / 2)


def known_steps(steps: npt.ArrayLike, margin: float | None) -> Floats:
    """`steps` with those beyond (1 + margin) times the least set to inf; unchanged if `margin` is None.

    If trials end once they are beaten, how far they get depends on which trials ran at the same time. Up to the margin
    every number of steps is exact, for any order and number of gangs.
    """
    values = np.asarray(steps, np.float64)
    if margin is None or not len(values):
        return values
    return np.where(values <= (1 + margin) * values.min() * (1 + 1e-12), values, np.inf)


def least_margin(until: float) -> float:
    """The margin up to which steps must be known to decide whether an interval is within `until`: about five trials."""
    return round((1 + until) ** 3 - 1, 4)


def influence(batch_sizes: Ints, steps: Sequence[Floats], rules: Rules | None = None) -> Floats:
    """[S], the probability that the maximum useful batch size changes if this study's best trial is resampled.

    `steps`: of each study's trials, as for `relative_half_width`. Exact: sums the probability of each order statistic.
    """
    ordered = [np.sort(np.asarray(values, np.float64)) for values in steps]
    best = np.array([values[0] if len(values) else np.inf for values in ordered])
    found = np.zeros(len(ordered))
    now = resampled_max_useful(batch_sizes, best[None, :], rules)[0]
    for index, values in enumerate(ordered):
        n = len(values)
        if not n or not math.isfinite(values[0]):
            continue
        rows = np.repeat(best[None, :], n, axis=0)
        rows[:, index] = values
        useful = resampled_max_useful(batch_sizes, rows, rules)
        survival = (1 - np.arange(n + 1) / n) ** n
        found[index] = float((survival[:-1] - survival[1:])[useful != now].sum())
    return found
