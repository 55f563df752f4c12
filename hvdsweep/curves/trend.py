"""How the scatter of a study's best changes with the batch size, and what that does to the curve of best trials.

Where seeds scatter more, the best of n trials gains more from them. Its distance from the mean of the fastest trials
shows both: it is fitted as exp(a line in ln B).
"""

from __future__ import annotations

import math

import numpy as np

from hvdsweep.curves.outcomes import StepsToResult
from hvdsweep.curves.table import Floats

SHARE, LEAST, MOST = 0.25, 3, 10
"""The fastest of a study's trials: this share of the usual number, within these limits."""

CHANCE, CERTAIN = 1.2, 2.0
"""Scatter: a trend of less than the first times its standard error is taken for chance; from the second on it counts in full."""

POSSIBLE = 0.9
"""Gain from seeds: from so many standard errors on it counts in full, since intervals hold the curve with and without it."""

POWERS, LUCK = (1.0, 1.5), 1.4
"""The best's scatter changes as its distance from the mean of the fastest if only seeds differ, and by the second power if
metaparameters do too; then its gain from seeds changes by LUCK times that distance. In simulated searches of 8 to 100
trials (benchmarks/coverage.py)."""

STEEPEST = 2.3
"""Greatest change of ln of the distance over the batch sizes."""


def trend_of(result: StepsToResult, coarseness: Floats, by_trials: Floats) -> tuple[Floats, Floats]:
    """([S] scatter of the best relative to its mean over the studies, not too little at either end; [S] by how much more
    than on average ln S of the best gained from seeds). Ones and zeros if nothing shows a trend.

    `by_trials` [S]: relative scatter due to the number of trials alone.
    """
    studies = len(result.steps)
    flat = np.ones(studies), np.zeros(studies)
    steps, starts = result.ranked
    counted = result.trials_counted
    shown = np.flatnonzero((counted > 1) & (result.steps > 0))
    if len(shown) < 3:
        return flat
    usual = float(np.median(counted[shown]))
    share = min(max(SHARE, LEAST / usual), MOST / usual)
    rows = []
    for study in shown.tolist():
        wanted = max(LEAST, round(share * int(counted[study])))
        fastest = steps[starts[study] : starts[study + 1]][:wanted]
        y = np.log(fastest[fastest <= result.horizon[study]])
        if len(y) > 1:
            # Evenly spread trials: independent exponential gaps, each of which moves all trials behind it.
            behind = np.arange(1, len(y))
            variance = (behind**2).sum() / behind.sum() ** 2
            rows.append((study, max(y.mean() - y[0], 0.0), behind.sum() / len(y), variance))
    if len(rows) < 3:
        return flat
    place, distance, gaps, variance = np.array(rows).T
    known = place.astype(np.int64)
    unit = gaps * by_trials[known]
    coarse = 2 * coarseness[known]
    x = np.log(result.table.batch_sizes.astype(np.float64))
    # Neighbouring sizes of many digits have the same logarithm.
    if not distance.any() or not np.ptp(x[known]):
        return flat
    x = (np.clip(x, x[known[0]], x[known[-1]]) - x[known].mean()) / np.ptp(x[known])
    at = x[known]
    # Fisher scoring of the line's height and slope, a pair of equations.
    height, slope = float(np.log(distance.sum() / unit.sum())), 0.0
    for _ in range(12):
        mean = unit * np.exp(height + slope * at)
        weight = 1 / (variance + coarse / mean**2)
        rest = distance / mean - 1
        tilted = weight * at
        of_height, both, of_slope = float(weight.sum()), float(tilted.sum()), float(tilted @ at)
        up, turn = float(weight @ rest), float(tilted @ rest)
        determinant = max(of_height * of_slope - both**2, 1e-300)
        height += min(max((of_slope * up - both * turn) / determinant, -0.5), 0.5)
        slope += min(max((of_height * turn - both * up) / determinant, -0.5), 0.5)
        slope = min(max(slope, -STEEPEST), STEEPEST)
    seen = float(weight @ rest**2) / (len(known) - 2)
    error = math.sqrt(of_height / determinant * max(seen, 1.0))
    size = abs(slope) / error
    if size < POSSIBLE:
        return flat
    certain = min(max((size - CHANCE) / (CERTAIN - CHANCE), 0.0), 1.0)
    powers = [np.exp(power * certain * slope * x) for power in POWERS]
    scatter = np.maximum(*(one / one[shown].mean() for one in powers))
    gained = LUCK * np.median(gaps) * by_trials * np.exp(height + slope * x)
    return scatter, gained - gained[shown].mean()
