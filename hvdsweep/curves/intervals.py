"""Intervals of S(B): where the best of another search of the same size would lie.

The scatter about the fitted curve, and between the fastest trials of each study, shows how far the best of so many
trials moves from one search to the next; two searches differ by sqrt(2) times that. Without a fit only an upper end is
known: the best of n new trials is beyond the k-th fastest of the n old ones with probability C(n, k) / C(2n, k), for
any distribution.
"""

from __future__ import annotations

import math

import numpy as np

from hvdsweep.curves.fitted import Fitted
from hvdsweep.curves.outcomes import NEVER, StepsToResult
from hvdsweep.curves.spread import Spread
from hvdsweep.curves.table import Floats

Interval = tuple[int, int | None]
"""Steps; an upper end of None is unknown."""

FLOOR = 0.75
"""The best of a repeated search has at least this share of the variance between a study's trials."""

OF_REPEATED = "the best of a repeated search with as many trials, from the scatter about the fit"
OF_OPEN = "the best of a repeated search with as many trials, from the scatter about the fit; it may not reach the goal"
OF_UPPER_END = "the best of a repeated search with as many trials; only the upper end is known, from the order of the trials"


def repeat_intervals(
    result: StepsToResult, fitted: Fitted, spread: Spread, level: float
) -> list[Interval | None]:
    """Each of the S studies' interval for the best of another search of the same size. None: not reached, reached
    before any training, fewer than two trials, or nothing known."""
    variance = variances(result, fitted, spread)
    if variance is not None and fitted.residual is not None:
        factor = np.exp(math.sqrt(2) * fitted.residual.quantile(level) * np.sqrt(variance))
        # The other search may reach the goal one evaluation earlier or later.
        spacing = np.nan_to_num(spread.spacing)
        low = np.floor(np.minimum(result.steps / factor, np.maximum(result.steps - spacing, spacing)))
        high = np.ceil(np.maximum(result.steps * factor, result.steps + spacing))
        # If few trials reach the goal, none of the other search may. Those stopped early might have reached it.
        counted = np.maximum(result.trials_counted, 1)
        none = (1 - (result.trials_reached + result.trials_censored) / counted) ** counted
        return [
            None if math.isnan(end) else (max(int(least), 1), None if missed > (1 - level) / 2 else int(end))
            for least, end, missed in zip(low.tolist(), high.tolist(), none.tolist(), strict=True)
        ]
    upper = upper_ends(result, level)
    return [(0, int(end)) if math.isfinite(end) else None for end in upper.tolist()]


def variances(result: StepsToResult, fitted: Fitted, spread: Spread) -> Floats | None:
    """[S], variance of ln S of the best of each study's trials, from one search to the next; NaN if the study has fewer
    than two trials. None without a fit."""
    counted = result.trials_counted
    shown = (counted > 1) & (result.steps > 0)
    if not fitted.fit_found or fitted.residual is None or not shown.any():
        return None
    own = fitted.residual.own
    if spread.gaps:
        # If evaluations are as coarse as the scatter, the points may show none by chance.
        own = max(own, min(FLOOR * float(np.mean(spread.trials[shown] ** 2)), fitted.residual.variance))
    return np.where(shown, own * spread.relative**2 + spread.coarseness, np.nan)


def upper_ends(result: StepsToResult, level: float) -> Floats:
    """[S], steps within which the best of as many new trials lies with at least this probability; NaN if no trial's
    steps are known to be."""
    ends = np.full(len(result.steps), np.nan)
    steps, starts = result.ranked
    for study in np.flatnonzero(result.steps > 0).tolist():
        rank = upper_rank(int(result.trials_counted[study]), level)
        if rank is not None and starts[study] + rank <= starts[study + 1]:
            ends[study] = steps[starts[study] + rank - 1]
    # If stopped trials might have reached the goal before that end, it is unknown.
    until = np.where(np.isfinite(ends), np.nan_to_num(ends), NEVER).astype(np.int64)
    unknown = np.unique(result.table.study[result.unanswered(until)])
    ends[unknown] = np.nan
    ends[ends > result.horizon] = np.nan
    return ends


def upper_rank(trials: int, level: float) -> int | None:
    """The least k with C(n, k) / C(2n, k) <= 1 - level; None if even the slowest trial is not enough."""
    beyond = 1.0
    for k in range(1, trials + 1):
        beyond *= (trials - k + 1) / (2 * trials - k + 1)
        if beyond <= 1 - level + 1e-12:
            return k
    return None


def relative_width(steps: int | None, interval: Interval | None) -> float | None:
    """The interval's extent relative to S(B): half its width, or the distance of the upper end if only that is known.
    None if there is no interval."""
    if steps is None or not steps or interval is None or interval[1] is None:
        return None
    low, high = interval[0], interval[1]
    return (high - low) / (2 * steps) if low > 0 else (high - steps) / steps
