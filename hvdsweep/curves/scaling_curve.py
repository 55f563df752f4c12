"""From the answers of a workload's studies to its scaling curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hvdsweep.curves import scaling
from hvdsweep.curves.curve_data import Curve, CurvePoint, finite
from hvdsweep.curves.decisions import critical_of, regions_of, useful_of
from hvdsweep.curves.fitted import fit_curve
from hvdsweep.curves.intervals import (
    Interval,
    repeat_intervals,
    variances,
)
from hvdsweep.curves.measurements import BestMeasurements, best_measurements
from hvdsweep.curves.outcomes import NEVER, StepsToResult, steps_to_result
from hvdsweep.curves.repeated import Repeats, repeats_of
from hvdsweep.curves.resampling import LEVEL, RESAMPLES, percentile_interval
from hvdsweep.curves.scaling import Critical, Rules, Useful
from hvdsweep.curves.spread import spread_of
from hvdsweep.curves.table import COMPLETE_ONLY, Floats, WorkloadTable
from hvdsweep.curves.warnings import CurveWarning, Limits, warnings_for
from hvdsweep.search import Space
from hvdsweep.states import Status


def curve(
    table: WorkloadTable,
    goal: float | None = None,
    *,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = COMPLETE_ONLY,
    normalise: int | None = None,
    rules: Rules | None = None,
    limits: Limits | None = None,
    searches: Mapping[int, Mapping[str, Any] | Space] | None = None,
    level: float = LEVEL,
    reference_batch_size: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Curve:
    """Steps to `goal` (default: the table's own) against batch size, with regions, fit, intervals and warnings.

    `statuses`: the trials that count (`LIVE` adds running ones). `searches`: batch size -> search space, for boundary
    warnings. `reference_batch_size`: B0 of the critical batch size, by default the smallest. `resamples`: draws for the
    interval of a critical batch size that is read from the points, 0 for none. Definitions: section 8 of the paper's
    protocol, see `steps_to_result`. UserError: no goal, fewer trials than `num_trials`, a `normalise` batch size that
    did not reach the goal.
    """
    question: dict[str, Any] = {
        "step_budget": step_budget,
        "example_budget": example_budget,
        "num_trials": num_trials,
        "statuses": statuses,
    }
    result = steps_to_result(table, goal, **question)
    best = best_measurements(table, **question)
    return curve_of(
        result,
        best,
        normalise=normalise,
        rules=rules,
        limits=limits,
        searches=searches,
        level=level,
        reference_batch_size=reference_batch_size,
        resamples=resamples,
        seed=seed,
    )


def curve_of(
    result: StepsToResult,
    best: BestMeasurements,
    *,
    normalise: int | None = None,
    rules: Rules | None = None,
    limits: Limits | None = None,
    searches: Mapping[int, Mapping[str, Any] | Space] | None = None,
    level: float = LEVEL,
    reference_batch_size: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    whole: bool = True,
    intervals: bool = True,
    repeats: WorkloadTable | None = None,
) -> Curve:
    """The curve of an answered question: `best` within the same budgets, over the same trials, as `result`.

    Not `whole`: without fit and warnings, which are not shown if several curves are drawn together. Without `intervals`
    as well: neither intervals nor anything else that needs a fit, to draw many curves fast. `repeats`: the table of the
    best trials' repeats.
    """
    rules = rules or Rules()
    table = result.table
    sizes = table.batch_sizes
    steps = np.where(result.reached, result.steps, np.nan)
    # A study with a wall-time budget, or an unfinished one, is not known to have failed for any number of steps.
    failed_within = np.where(
        result.reached | (table.train_steps == 0) | (result.trials_counted == 0), 0, result.budget
    )
    fitted = None
    intervals_found: list[Interval | None] = [None] * len(sizes)
    useful = scaling.max_useful_batch_size(sizes, steps, rules, failed_within)
    critical = scaling.critical_batch_size(sizes, steps, replace(rules, critical_from="points"))
    if whole or intervals:
        spread = spread_of(result)
        fitted = fit_curve(sizes, steps, spread, level, whole=whole)
        useful = useful_of(fitted, rules, sizes, level, failed_within) or useful
        if intervals:
            intervals_found = repeat_intervals(result, fitted, spread, level)
        if rules.critical_from == "fit":
            critical = critical_of(fitted, rules, reference_batch_size)
        elif critical is not None and resamples > 0:
            known = variances(result, fitted, spread)
            if known is None:
                known = np.where(result.trials_counted > 1, spread.trials**2 + spread.coarseness, np.nan)
            critical = _repeated(critical, result, known, rules, level, resamples, seed)
    warnings: list[tuple[CurveWarning, ...]] = [()] * len(sizes)
    if whole:
        warnings = warnings_for(result, best, searches, limits)
    return Curve(
        workload=table.workload,
        metric=table.metric,
        goal=result.goal,
        maximize=table.maximize,
        points=_points(
            result,
            best,
            steps,
            critical,
            useful,
            normalise,
            intervals_found,
            warnings,
            repeats_of(result, repeats, level),
        ),
        fit=None if fitted is None else fitted.fit,
        no_fit=None if fitted is None else fitted.reason,
        useful=useful,
        critical=critical,
        rules=rules,
        level=level,
        step_budget=result.step_budget,
        example_budget=result.example_budget,
        num_trials=result.num_trials,
        normalise=normalise,
        result=result,
    )


def _points(
    result: StepsToResult,
    best: BestMeasurements,
    steps: Floats,
    critical: Critical | None,
    useful: Useful | None,
    normalise: int | None,
    intervals: Sequence[Interval | None],
    warnings: list[tuple[CurveWarning, ...]],
    repeats: Sequence[Repeats | None],
) -> tuple[CurvePoint, ...]:
    table = result.table
    sizes = table.batch_sizes
    studies = len(sizes)
    perfect = scaling.perfect_scaling(sizes, steps)
    excess = scaling.overhead(sizes, steps)
    ratio = None if normalise is None else scaling.normalised(table.workload, sizes, steps, normalise)
    regions = regions_of(sizes, steps, excess, critical, useful)
    infeasible = np.bincount(table.study[table.status == Status.INFEASIBLE], minlength=studies)
    # As lists: reading one number of an array costs more than a whole list of twenty.
    first_steps, first_trials, best_trials = result.steps.tolist(), result.trial.tolist(), best.trial.tolist()
    best_values, best_steps, budgets = best.value.tolist(), best.step.tolist(), result.budget.tolist()
    counted, reached_it = result.trials_counted.tolist(), result.trials_reached.tolist()
    leaning, reaching = result.trials_undecided.tolist(), result.reached.tolist()
    censored, early = result.trials_censored.tolist(), result.trials_stopped_early.tolist()
    points = []
    for index, size in enumerate(sizes.tolist()):
        reached, first, measured = reaching[index], first_trials[index], best_trials[index]
        shown = first if reached else measured
        rate = math.nan if shown == NEVER else float(table.effective_learning_rate[shown])
        points.append(
            CurvePoint(
                batch_size=size,
                steps=first_steps[index] if reached else None,
                trial=int(table.number[first]) if reached else None,
                trial_id=int(table.trial_id[first]) if reached else None,
                reached=reached,
                budget=budgets[index],
                examples=first_steps[index] * size if reached else None,
                interval=intervals[index],
                perfect_scaling=finite(perfect[index]),
                overhead=finite(excess[index]),
                normalised=None if ratio is None else finite(ratio[index]),
                region=regions[index],
                trials=counted[index],
                trials_reached=reached_it[index],
                infeasible=int(infeasible[index]),
                trials_undecided=leaning[index],
                trials_censored=censored[index],
                trials_stopped_early=early[index],
                best_value=finite(best_values[index]),
                best_step=None if measured == NEVER else best_steps[index],
                best_trial=None if measured == NEVER else int(table.number[measured]),
                parameters={} if shown == NEVER else table.parameters_of(shown),
                effective_learning_rate=finite(rate),
                warnings=warnings[index],
                repeats=repeats[index],
            )
        )
    return tuple(points)


def _repeated(
    critical: Critical,
    result: StepsToResult,
    scatter: Floats,
    rules: Rules,
    level: float,
    resamples: int,
    seed: int,
) -> Critical:
    """The critical batch size of the points, with its interval over points scattered like those of a repeated search.

    `scatter` [S]: variance of ln S of each point, NaN if not known; then without an interval.
    """
    sizes = result.table.batch_sizes
    start = int(sizes[result.reached][0])
    interval = None
    if np.isfinite(scatter).any():
        # A point of a single trial scatters at least as far as those of several.
        spread = np.sqrt(2 * np.where(np.isfinite(scatter), scatter, np.nanmax(scatter)))
        steps = np.where(result.reached, result.steps, np.nan)
        draws = np.random.default_rng(seed).standard_normal((resamples, len(sizes)))
        found = np.full(resamples, np.nan)
        for index, row in enumerate(steps * np.exp(spread * draws)):
            one = scaling.critical_batch_size(sizes, row, rules)
            if one is not None:
                found[index] = math.inf if one.at_least else one.batch_size
        low, high = percentile_interval(found, level)
        open_above = critical.at_least or not math.isfinite(high)
        interval = (min(low, critical.batch_size), None if open_above else max(high, critical.batch_size))
    definition = rules.critical_definition(start, hyperbola=True)
    return replace(critical, interval=interval, reference_batch_size=start, definition=definition)
