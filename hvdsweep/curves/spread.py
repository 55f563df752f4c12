"""How far the best of a study's trials would move in another search: from its trials alone, and from evaluation spacing.

Both in ln S, in which the fit is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hvdsweep.curves.outcomes import NEVER, StepsToResult, fastest_first
from hvdsweep.curves.resampling import best_weights
from hvdsweep.curves.table import Floats, Ints, WorkloadTable
from hvdsweep.curves.trend import trend_of

COARSE_ROUNDS = 3
"""How often the scatter that gaps are weighed by is found again."""

FASTEST = 8
"""Trials of a study whose last record before the goal is used for the evaluation spacing."""


@dataclass(frozen=True, eq=False)
class Spread:
    """The scatter of the best trials of S studies."""

    spacing: Floats
    """[S], steps from the previous evaluation to the one at which the goal was reached; NaN if not known."""
    coarseness: Floats
    """[S], variance of ln S because the goal was reached at an unknown step between two evaluations; 0 if not known."""
    relative: Floats
    """[S], how much more than usual a study's best scatters, by its number of trials and a trend with the batch size; where they
    leave room, not too little."""
    trials: Floats
    """[S], standard deviation of ln S of the best of the study's trials, from the gaps between the fastest two; NaN if no
    study has a known gap."""
    gaps: float
    """Number of gaps behind `trials`; gaps that are known less well count for less."""
    typical: int
    """The usual number of trials: the median over the studies."""
    later: Floats
    """[S], ln of how much slower the best of `typical` trials is than the best of the study's own number."""
    luck: Floats
    """[S], by how much more than on average ln S of the best gained from seeds, where their scatter changes with the
    batch size; 0 where it does not."""


def spread_of(result: StepsToResult) -> Spread:
    """The scatter of every study's best, as far as its trials show it."""
    steps = np.where(result.steps > 0, result.steps, np.nan)
    spacing = np.minimum(evaluation_spacing(result), steps)
    # The true S may be anywhere between the two evaluations.
    coarseness = np.nan_to_num((spacing / steps) ** 2 / 12)
    mean, count = _mean_gap(result, coarseness)
    by_trials = _by_trials(result)
    scatter, luck = trend_of(result, coarseness, by_trials)
    relative = by_trials * scatter
    return Spread(spacing, coarseness, relative, mean * relative, count, *_as_typical(result), luck)


def _as_typical(result: StepsToResult) -> tuple[int, Floats]:
    """(`typical`, `later`), from how the best of k of a study's trials depends on k, averaged over the studies that have more."""
    counted, shown = result.trials_counted, result.steps > 0
    later = np.zeros(len(counted))
    some = np.sort(counted[shown])
    if not len(some) or some[0] == some[-1]:
        return int(some[0]) if len(some) else 0, later
    typical = int(some[len(some) // 2])
    between = np.geomspace(some[0], some[-1], 257).astype(np.int64)
    k = np.union1d(some, np.arange(some[0], some[-1]) if some[-1] - some[0] < len(between) else between)
    # [studies, numbers of trials], how much sooner the best of the next number comes.
    sooner = np.full((len(some), len(k) - 1), np.nan)
    steps, starts = result.ranked
    weights: dict[int, Floats] = {}
    for row, study in enumerate(np.flatnonzero(shown).tolist()):
        reached = steps[starts[study] : starts[study + 1]]
        found = np.log(reached[reached <= result.horizon[study]])
        trials = int(counted[study])
        if trials not in weights:
            weights[trials] = best_weights(trials, k[k <= trials])
        among = weights[trials][:, : len(found)]
        expected = among @ found[: among.shape[1]] / np.minimum(among.sum(axis=1), 1.0)
        sooner[row, : len(expected) - 1] = expected[:-1] - expected[1:]
    total = np.append(0.0, np.cumsum(np.nanmean(sooner, axis=0)))
    later[shown] = total[np.searchsorted(k, counted[shown])] - total[np.searchsorted(k, typical)]
    return typical, later


def _by_trials(result: StepsToResult) -> Floats:
    """[S], scatter of the best of so many trials relative to the usual number: as 1 over a power of trials.

    If the gap behind the i-th fastest trial is as i^-k, the best of n scatters as n^(k - 1): as 1 / n if trials are evenly
    spread (k = 0), independently of n if few are fast (k = 1). The likelihood of gaps that scatter exponentially gives k; not
    too little for any k within a standard deviation.
    """
    trials = np.maximum(result.trials_counted, 1).astype(np.float64)
    some = trials[result.trials_counted > 0]
    if len(some) == 0 or bool((some == some[0]).all()):
        return np.ones(len(trials))
    k, likelihood = np.linspace(0, 1, 11), np.zeros(11)
    steps, starts = result.ranked
    for study in np.flatnonzero(result.steps > 0).tolist():
        fastest = steps[starts[study] : starts[study + 1]]
        gaps = np.diff(np.log(fastest[fastest <= result.horizon[study]][: FASTEST + 1]))
        if gaps.any():
            rank = np.log(np.arange(1, len(gaps) + 1))
            likelihood += k * rank.sum() - len(gaps) * np.log(np.exp(np.outer(k, rank)) @ gaps)
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    mean = float(weight @ k)
    sd = math.sqrt(float(weight @ (k - mean) ** 2))
    both = [trials ** (power - 1) for power in (mean - sd, mean + sd)]
    ratio: Floats = np.maximum(
        *(one / math.sqrt(float(np.mean(one[result.trials_counted > 0] ** 2))) for one in both)
    )
    return ratio


def _mean_gap(result: StepsToResult, coarseness: Floats) -> tuple[float, float]:
    """(mean of ln of the second fastest trial over the fastest, studies behind it); NaN if there is none.

    The least of many values is about exponentially distributed: its standard deviation is then the mean gap to the
    next. A gap that was cut off, by trials stopped early or by the budget, counts up to where it was cut. If evaluations
    are coarser than the scatter, most gaps are 0 and a few are large, so they count for less.
    """
    steps, starts = result.ranked
    horizon = np.where(result.budget > 0, result.budget, NEVER).astype(np.float64)
    horizon[horizon == NEVER] = np.inf
    table = result.table
    cut = result.unanswered(np.full(len(horizon), NEVER))
    np.minimum.at(horizon, table.study[cut], table.steps[cut].astype(np.float64))
    horizon = np.minimum(horizon, result.horizon)
    gaps: list[tuple[float, bool, float]] = []
    for study in np.flatnonzero((result.trials_counted > 1) & (result.steps > 0)).tolist():
        first = float(steps[starts[study]])
        second = float(steps[starts[study] + 1]) if starts[study + 1] - starts[study] > 1 else math.inf
        end = min(second, max(float(horizon[study]), first))
        if not math.isfinite(end):
            continue
        gaps.append((math.log(end / first), second <= end, float(coarseness[study])))
    seen, known, coarse = np.array(gaps).reshape(-1, 3).T
    if not known.any():
        return math.nan, 0
    mean = float(seen.sum() / known.sum())
    for _ in range(COARSE_ROUNDS):
        weight = 1 / (mean**2 + 2 * coarse) if mean else np.ones(len(seen))
        mean = float((weight @ seen) / (weight @ known))
    own = weight * known
    return mean, float(own.sum() ** 2 / (own @ own))


def evaluation_spacing(result: StepsToResult) -> Floats:
    """[S], steps between evaluations near the step at which the goal was reached; NaN: not known.

    The least distance from a record beyond the goal to the record before it, or between two trials' records beyond the
    goal, among the FASTEST trials: evaluations are no further apart than either.
    """
    found = np.full(len(result.steps), np.inf)
    fastest = fastest_trials(result.table, result.trial_steps, result.fastest_first)
    if len(fastest) == 0:
        return np.full(len(found), np.nan)
    steps, study, before = result.trial_steps[fastest], result.table.study[fastest], result.before
    if before is None:
        before = records_before(result.table, fastest, steps)
    known = steps <= result.horizon[study]
    steps, study, before = steps[known], study[known], before[known]
    gap = steps - before
    known = (before != NEVER) & (gap > 0)
    np.minimum.at(found, study[known], gap[known])
    apart = np.diff(steps)
    known = (study[1:] == study[:-1]) & (apart > 0)
    np.minimum.at(found, study[1:][known], apart[known])
    return np.where(np.isfinite(found), found, np.nan)


def fastest_trials(table: WorkloadTable, trial_steps: Ints, ordered: Ints | None = None) -> Ints:
    """Indices of the FASTEST trials of every study that reached the goal after step 0, by steps, then number. `ordered`: the
    result of `fastest_first`, if known."""
    if ordered is None:
        ordered = fastest_first(table, trial_steps)
    ordered = ordered[trial_steps[ordered] > 0]
    study = table.study[ordered]
    fastest: Ints = ordered[np.arange(len(study)) - np.searchsorted(study, study) < FASTEST]
    return fastest


def records_before(table: WorkloadTable, trials: Ints, steps: Ints) -> Ints:
    """The step of each trial's last record before `steps`, NEVER if it has none."""
    found = np.full(len(trials), NEVER)
    for index, (trial, step) in enumerate(zip(trials.tolist(), steps.tolist(), strict=True)):
        own = table.record_step[table.offsets[trial] : table.offsets[trial + 1]]
        place = int(np.searchsorted(own, step))
        if place:
            found[index] = own[place - 1]
    return found
