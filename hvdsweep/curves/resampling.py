"""How certain the best of a study's trials is: bootstrap over trials, and the best of k trials as a function of k.

Both are exact. The least of n values drawn with replacement from s_1 <= ... <= s_n has distribution P(min <= s_i) = 1 -
(1 - i/n)^n; without replacement, P(min of k > s_i) = C(n - i, k) / C(n, k). Simulation is needed only for values that
depend on several studies at once, and it draws the minima themselves from the first formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hvdsweep.curves.outcomes import StepsToResult
from hvdsweep.curves.table import Floats, Ints

RESAMPLES = 1000
"""Default number of simulated resamplings of all studies."""

LEVEL = 0.95
"""Default level of every interval."""


def minimum_interval(values: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval of the bootstrap distribution of the least of `values` (inf if not reached), exactly.

    The lower end is the least value itself: resampling cannot find a better trial, so this shows how much worse the
    answer would be if the best trials had not been drawn, not how much a longer search would gain (see `best_of`). NaN
    if there is no value.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    if len(ordered) == 0:
        return math.nan, math.nan
    low, high = (int(minimum_ranks(p, np.array([len(ordered)]))[0]) for p in _tails(level))
    return float(ordered[low]), float(ordered[high])


def minimum_intervals(result: StepsToResult, level: float = LEVEL) -> tuple[Floats, Floats]:
    """`minimum_interval` of every study's steps to result: lower and upper ends [S]; inf if not reached there."""
    low, high = (
        _at_ranks(result, minimum_ranks(p, result.trials_counted)[None, :])[0] for p in _tails(level)
    )
    return low, high


def minimum_ranks(probability: float | Floats, n: Ints) -> Ints:
    """0-based rank i, among n ordered values, of the least i with 1 - (1 - (i+1)/n)^n >= probability."""
    trials = np.maximum(n, 1)
    exact = trials * -np.expm1(np.log1p(-np.asarray(probability)) / trials)
    # 1e-9 keeps rounding from moving up a rank whose probability is met exactly.
    ranks: Ints = np.clip(np.ceil(exact - 1e-9) - 1, 0, trials - 1).astype(np.int64)
    return ranks


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2


def resampled_minima(result: StepsToResult, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """[resamples, S] steps to result of studies whose trials are resampled with replacement; inf: not reached.

    The same seed gives the same draws for every goal. NaN columns: studies without counted trials.
    """
    return _at_ranks(result, _ranks(tuple(result.trials_counted.tolist()), resamples, seed))


def _at_ranks(result: StepsToResult, ranks: Ints) -> Floats:
    """[N, S] steps of the trial at each rank [N, S] of its study; inf beyond those that reached the goal."""
    steps, starts = result.ranked
    within = ranks < np.diff(starts)
    found = np.append(steps, 0)[np.where(within, starts[:-1] + ranks, len(steps))]
    minima = np.where(within, found, np.inf)
    minima[:, result.trials_counted == 0] = np.nan
    return minima


@lru_cache(maxsize=256)
def _ranks(counts: tuple[int, ...], resamples: int, seed: int) -> Ints:
    """[resamples, S], the rank of the least trial of each resampled study."""
    uniform = np.random.default_rng(seed).random((resamples, len(counts)))
    return minimum_ranks(uniform, np.array(counts, np.int64))


def percentile_interval(samples: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval of resampled values; infinite ones count as such. NaN if there is no value."""
    ordered = np.sort(samples[~np.isnan(samples)])
    if len(ordered) == 0:
        return math.nan, math.nan
    last = len(ordered) - 1
    low, high = (min(max(math.ceil(len(ordered) * p) - 1, 0), last) for p in _tails(level))
    return float(ordered[low]), float(ordered[high])


@dataclass(frozen=True, eq=False)
class BestOf:
    """The least of k trials drawn without replacement from a study's n, for each k of K."""

    k: Ints
    """[K]"""
    expected: Floats
    """[K], its expectation over the draws that reach the goal; NaN if none does."""
    quantiles: Floats
    """[K, Q], its quantiles over all draws; inf if the draw at that quantile does not reach the goal."""
    levels: Floats
    """[Q]"""
    probability: Floats
    """[K], the probability that any of the k trials reaches the goal."""


def best_of(
    values: npt.ArrayLike, k: Sequence[int] | Ints | None = None, levels: Sequence[float] = (0.25, 0.5, 0.75)
) -> BestOf:
    """The best (least) of k of these n values, exactly, by order statistics; inf or NaN: the goal was not reached.

    `k` defaults to 1..n. ValueError for a k outside 1..n. A quantile is the least value whose cumulative
    probability is at least the level.
    """
    array = np.asarray(values, np.float64)
    ordered = np.sort(np.where(np.isnan(array), np.inf, array))
    n = len(ordered)
    chosen = np.arange(1, n + 1) if k is None else np.asarray(k, np.int64)
    if len(chosen) and not (int(chosen.min()) >= 1 and int(chosen.max()) <= n):
        raise ValueError(f"k: must be between 1 and the number of trials, {n}")
    weights = best_weights(n, chosen)
    ordered = ordered[: weights.shape[1]]
    finite = np.isfinite(ordered)
    probability = np.minimum(weights[:, finite].sum(axis=1), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (weights[:, finite] @ ordered[finite]) / probability
    cumulative = np.cumsum(weights, axis=1)
    quantiles = np.empty((len(chosen), len(levels)))
    for column, level in enumerate(levels):
        quantiles[:, column] = ordered[np.argmax(cumulative >= level - 1e-12, axis=1)] if n else np.nan
    return BestOf(chosen, expected, quantiles, np.asarray(levels, np.float64), probability)


def best_weights(n: int, k: Ints) -> Floats:
    """[K, m], the probability that the least of k of n trials is the i-th fastest; m: those further behind have less than
    rounding. Each k is within 1..n."""
    # P(min of k > s_i) = C(n - i, k) / C(n, k), each from the one before: no large factorials, no cancellation.
    left = n - np.arange(n)
    if len(k):
        # The fastest of many trials are hardly ever all left out.
        beyond = np.cumprod(np.maximum(left - k.min(), 0) / left) < 1e-18
        left = left[: int(np.argmax(beyond)) + 1 if beyond.any() else n]
    ratios = np.maximum(left[None, :] - k[:, None], 0) / left[None, :]
    survival = np.cumprod(ratios, axis=1)
    weights: Floats = np.concatenate((np.ones((len(k), 1)), survival[:, :-1]), axis=1) - survival
    return weights
