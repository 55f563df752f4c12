"""How certain the steps to the goal of a study are, as one number, and what depends on them: what rounds of trials go by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.scaling import Rules, resampled_max_useful
from hvdsweep.curves.table import Floats, Ints

FEWEST = 4
"""Trials without which there is no interval."""


def relative_half_width(steps: npt.ArrayLike, level: float = LEVEL) -> float:
    """Half the width of the interval in which the best trial of a repeated search of the same size would lie, as a share: 0.1
    is "within 10 %".

    `steps` [n]: of every trial that counts, inf if one did not reach the goal or is only known to need more than was
    looked at. Near the best, the logarithms of the steps of a search lie evenly, like arrivals at a constant rate (two
    searched metaparameters, steps that grow quadratically off the optimum): their mean distance, over the better half of the
    trials, times the distance in ranks between the quantiles of the least of n. inf where fewer than four steps are known.
    """
    ordered = np.sort(np.asarray(steps, np.float64))
    n, known = len(ordered), int(np.isfinite(ordered).sum())
    if known < FEWEST or ordered[0] <= 0:
        return math.inf
    wanted = max(FEWEST, -(-n // 2))
    used = min(wanted, known)
    apart = math.log(ordered[used - 1] / ordered[0]) / (used - 1)
    if known < wanted:
        # Looked at up to some limit beyond the last: on average, so much farther.
        apart *= known / (known - 1)
    ranks = [n * -math.expm1(math.log1p(-p) / n) for p in ((1 - level) / 2, (1 + level) / 2)]
    return math.expm1(apart * (ranks[1] - ranks[0]) / 2)


def known_steps(steps: npt.ArrayLike, margin: float | None) -> Floats:
    """`steps` with those beyond (1 + margin) times the least as inf; all of them where `margin` is None.

    Where trials end once they are beaten, how far beyond depends on which trial ran beside which; up to there every number
    of steps is exact, whatever the order and the number of gangs.
    """
    values = np.asarray(steps, np.float64)
    if margin is None or not len(values):
        return values
    return np.where(values <= (1 + margin) * values.min() * (1 + 1e-12), values, np.inf)


def least_margin(until: float) -> float:
    """The margin up to which steps must be known to find whether an interval is within `until`: about five trials lie there."""
    return round((1 + until) ** 3 - 1, 4)


def influence(batch_sizes: Ints, steps: Sequence[Floats], rules: Rules | None = None) -> Floats:
    """[S], the probability that the maximum useful batch size is another when this study's best trial is resampled.

    `steps`: of the trials of each study, as for `relative_half_width`. Exact: each order statistic has its probability.
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
