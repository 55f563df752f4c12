"""The scaling curve of one workload as one public object: what the command line prints and the charts draw."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hvdsweep.curves import scaling
from hvdsweep.curves.decisions import critical_of, regions_of, useful_of
from hvdsweep.curves.doubts import Caution, Limits, cautions
from hvdsweep.curves.fit import Estimate
from hvdsweep.curves.fitted import CRITERION, FREE_KNEE, HYPERBOLA, ScalingFit, fit_curve
from hvdsweep.curves.intervals import (
    OF_REPEATED,
    OF_UPPER_END,
    Interval,
    relative_width,
    repeat_intervals,
    variances,
)
from hvdsweep.curves.measurements import BestMeasurements, best_measurements
from hvdsweep.curves.noise import CurveNoise, Estimates, curve_noise
from hvdsweep.curves.outcomes import NEVER, StepsToResult, steps_to_result
from hvdsweep.curves.repeated import Repeats, repeats_of
from hvdsweep.curves.resampling import LEVEL, RESAMPLES, percentile_interval
from hvdsweep.curves.scaling import Critical, Region, Rules, Useful
from hvdsweep.curves.spread import spread_of
from hvdsweep.curves.table import COMPLETE_ONLY, Floats, WorkloadTable
from hvdsweep.search import Space
from hvdsweep.states import Status
from hvdsweep.visible import visible


@dataclass(frozen=True)
class Point:
    """One batch size of a curve."""

    batch_size: int
    steps: int | None
    """Steps to the goal: the least over the trials; None where no trial reached it."""
    trial: int | None
    """Number of the trial that reached it first, the smallest on ties."""
    trial_id: int | None
    """The same trial's row in the store."""
    reached: bool
    budget: int
    """Steps within which the goal was reached or not: the study's budget, or the asked one where that is less."""
    examples: int | None
    """Training examples to the goal: steps x batch size."""
    interval: Interval | None
    """Where the best of a repeated search with as many trials would come, see `hvdsweep.curves.intervals`. A lower end of 0:
    only the upper end is known. None: not reached, reached before any training, a single trial, or nothing known."""
    perfect_scaling: float | None
    """Steps that perfect scaling from the smallest batch size would need."""
    overhead: float | None
    """Examples to the goal over those of the smallest batch size, less 1."""
    normalised: float | None
    """Steps over those at the batch size asked for; None where none was."""
    region: Region | None
    trials: int
    """Trials that counted."""
    trials_reached: int
    """How many of them reached the goal."""
    infeasible: int
    """Trials of the study that diverged."""
    leans_on_stopped: int
    """Trials stopped because of the sweep's own goal that might have changed this answer; 0: nothing was lost."""
    trials_censored: int
    """Trials stopped because of the sweep's own goal before they reached this one: of those not among `trials_reached`,
    these might have reached it later."""
    trials_stopped_early: int
    """Trials that ended before their budget, at the sweep's own goal or beaten: they might have diverged later."""
    best_value: float | None
    """Best objective of the study within the budgets."""
    best_step: int | None
    best_trial: int | None
    """Number of the trial that measured it."""
    parameters: Mapping[str, float]
    """Metaparameters of the trial that reached the goal first; of the best measurement where none did."""
    effective_learning_rate: float | None
    """Initial learning rate / (1 - momentum) of that trial."""
    warnings: tuple[Caution, ...]
    repeats: Repeats | None = None
    """What the repeats of trial `trial` say; None where there are none."""

    @property
    def interval_of(self) -> str | None:
        """What the interval is one of, in words."""
        if self.interval is None:
            return None
        return OF_REPEATED if self.interval[0] > 0 else OF_UPPER_END

    @property
    def relative_width(self) -> float | None:
        """Half the interval's width over the steps: how unsure this point is. None where there is no interval."""
        return relative_width(self.steps, self.interval)

    @property
    def standing(self) -> str:
        """Where the point lies on the curve, in words; or why it lies nowhere."""
        if self.reached:
            return str(self.region) if self.steps else "reached at the start"
        if self.trials:
            return "not reached"
        return "all diverged" if self.infeasible else "not tried yet"

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not finite becomes null."""
        return {
            "batch_size": self.batch_size,
            "steps": self.steps,
            "trial": self.trial,
            "trial_id": self.trial_id,
            "reached": self.reached,
            "budget": self.budget,
            "examples": self.examples,
            "interval": None if self.interval is None else list(self.interval),
            "interval_of": self.interval_of,
            "perfect_scaling": _finite(self.perfect_scaling),
            "overhead": _finite(self.overhead),
            "normalised": _finite(self.normalised),
            "region": None if self.region is None else str(self.region),
            "trials": self.trials,
            "trials_reached": self.trials_reached,
            "infeasible": self.infeasible,
            "leans_on_stopped": self.leans_on_stopped,
            "trials_censored": self.trials_censored,
            "trials_stopped_early": self.trials_stopped_early,
            "best_value": _finite(self.best_value),
            "best_step": self.best_step,
            "best_trial": self.best_trial,
            "parameters": {name: _finite(value) for name, value in self.parameters.items()},
            "effective_learning_rate": _finite(self.effective_learning_rate),
            "warnings": [caution.to_json() for caution in self.warnings],
            "repeats": None if self.repeats is None else self.repeats.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Curve:
    """Steps to a goal against batch size, with what can be read from it."""

    workload: str
    metric: str
    goal: float
    maximize: bool
    points: tuple[Point, ...]
    """Ascending by batch size; every study of the table is here, reached or not."""
    fit: ScalingFit | None
    """None where fewer than three batch sizes reached the goal, or the curve does not bend."""
    no_fit: str | None
    """Why there is no fit; None where there is one, or none was asked for."""
    useful: Useful | None
    """The maximum useful batch size; None where no batch size reached the goal."""
    critical: Critical | None
    """Critical batch size at the rules' overhead over perfect scaling."""
    rules: Rules
    level: float
    """Level of the intervals."""
    step_budget: float | None
    example_budget: float | None
    num_trials: int | None
    normalise: int | None
    """Batch size by whose steps `Point.normalised` divides."""
    result: StepsToResult
    """The arrays behind it all."""
    noise: CurveNoise | None = None
    """The gradient noise scale of the best trials; None where it was not estimated."""

    def with_noise(self, estimates: Mapping[int, Estimates]) -> Curve:
        """The curve with the noise scale of its trials; `estimates` by row of the trial."""
        best = [
            (point.batch_size, point.steps, estimates[point.trial_id])
            for point in self.points
            if point.steps and point.trial_id is not None and point.trial_id in estimates
        ]
        return replace(self, noise=curve_noise(best, self.level)) if best else self

    @property
    def max_useful_batch_size(self) -> int | None:
        """The smallest batch size within the rule's tolerance of the fewest steps; None where none reached the goal."""
        return None if self.useful is None else self.useful.batch_size

    @property
    def useful_interval(self) -> tuple[float, float] | None:
        """Batch sizes that may be the maximum useful one; an upper end of inf is open. None where not known."""
        interval = None if self.useful is None else self.useful.interval
        if interval is None:
            return None
        return float(interval[0]), math.inf if interval[1] is None else float(interval[1])

    @cached_property
    def verdict(self) -> str:
        """What the curve says, in a sentence or two."""
        from hvdsweep.curves.verdict import verdict

        return verdict(self)

    @cached_property
    def answer(self) -> str:
        """The verdict's first sentence, without what makes it uncertain."""
        from hvdsweep.curves.verdict import answer

        return answer(self)

    @property
    def batch_sizes(self) -> list[int]:
        return [point.batch_size for point in self.points]

    @property
    def steps(self) -> list[int | None]:
        return [point.steps for point in self.points]

    def to_json(self) -> dict[str, Any]:
        """The object of `hvdsweep curve --json`: plain values, nothing that is not finite."""
        useful, interval = self.useful, self.useful_interval
        return {
            "workload": self.workload,
            "metric": self.metric,
            "goal": _finite(self.goal),
            "maximize": self.maximize,
            "verdict": self.verdict,
            "points": [point.to_json() for point in self.points],
            "fit": {"reason": self.no_fit} if self.fit is None else fit_to_json(self.fit),
            "noise_scale": None if self.noise is None else self.noise.to_json(),
            "critical": None if self.critical is None else _critical_json(self.critical),
            "max_useful": None if useful is None else _useful_json(useful, self.rules),
            "max_useful_batch_size": self.max_useful_batch_size,
            "max_useful_is_lower_bound": None if useful is None else useful.at_least,
            "max_useful_interval": None if interval is None else [_finite(end) for end in interval],
            "max_useful_rule": self.rules.useful,
            "critical_batch_size": None if self.critical is None else self.critical.batch_size,
            "critical_is_lower_bound": None if self.critical is None else self.critical.at_least,
            "critical_rule": self.rules.critical,
            "step_budget": _finite(self.step_budget),
            "example_budget": _finite(self.example_budget),
            "num_trials": self.num_trials,
            "normalise": self.normalise,
            "level": self.level,
        }

    def to_csv(self, *, header: bool = True) -> str:
        """One line per batch size, empty where there is no value; metaparameters as columns of their own."""
        names = sorted(self.result.table.parameters)
        return to_csv([self], names, header=header)


_COLUMNS = [
    "batch_size",
    "steps",
    "trial",
    "reached",
    "budget",
    "examples",
    "interval_low",
    "interval_high",
    "perfect_scaling",
    "overhead",
    "normalised",
    "region",
    "trials",
    "trials_reached",
    "infeasible",
    "leans_on_stopped",
    "trials_censored",
    "trials_stopped_early",
    "best_value",
    "best_step",
    "best_trial",
    "effective_learning_rate",
    "repeats",
    "repeats_reached",
    "repeats_mean",
    "repeats_sd",
    "repeats_low",
    "repeats_high",
    "luck",
]


def to_csv(curves: Sequence[Curve], names: Sequence[str] | None = None, *, header: bool = True) -> str:
    """Several curves as one CSV table; `names`: metaparameters to give columns (default: all that any has)."""
    if names is None:
        names = sorted({name for curve in curves for name in curve.result.table.parameters})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(["workload", "metric", "goal", "maximize", *_COLUMNS, *map(_cell, names), "warnings"])
    for curve in curves:
        for point in curve.points:
            row = point.to_json()
            row["interval_low"], row["interval_high"] = row.pop("interval") or (None, None)
            again = row["repeats"] or {}
            row["repeats_low"], row["repeats_high"] = again.get("interval") or (None, None)
            for name in ("reached", "mean", "sd"):
                row[f"repeats_{name}"] = again.get(name)
            row["repeats"], row["luck"] = again.get("repeats"), again.get("luck")
            values = [*(row[name] for name in _COLUMNS), *(point.parameters.get(name) for name in names)]
            doubts = " ".join(str(caution.doubt) for caution in point.warnings)
            fixed = [curve.workload, curve.metric, curve.goal, curve.maximize]
            writer.writerow([_cell(value) for value in (*fixed, *values, doubts)])
    return out.getvalue()


def fit_to_json(fit: ScalingFit) -> dict[str, Any]:
    """The formula that is used with its parameters' intervals and lack of fit, and both formulas."""

    def estimate(value: Estimate) -> dict[str, float | None]:
        return {
            "value": value.value,
            "log_standard_error": value.standard_error,
            "low": value.low,
            "high": value.high,
        }

    hyperbola, free = fit.hyperbola, fit.free_knee
    expected = fit.expected_scatter_percent
    return {
        "formula": fit.formula,
        "knee": fit.knee,
        "knee_interval": list(fit.knee_interval),
        "b_crit": estimate(fit.b_crit),
        "s_min": estimate(fit.s_min),
        "e_min": estimate(fit.e_min),
        "lack_of_fit": fit.lack_of_fit_percent / 100,
        "lack_of_fit_percent": fit.lack_of_fit_percent,
        "expected_scatter": None if expected is None else expected / 100,
        "misfit": fit.misfit,
        "points": fit.points,
        "level": fit.level,
        "criterion": CRITERION,
        "hyperbola": None
        if hyperbola is None
        else {
            "formula": HYPERBOLA,
            "b_crit": hyperbola.b_crit.value,
            "s_min": hyperbola.s_min.value,
            "e_min": hyperbola.e_min.value,
            "lack_of_fit": hyperbola.lack_of_fit_percent / 100,
        },
        "free_knee": None
        if free is None
        else {
            "formula": FREE_KNEE,
            "knee": free.knee,
            "b_crit": free.b_crit,
            "s_min": free.s_min,
            "e_min": free.e_min,
            "lack_of_fit": free.lack_of_fit_percent / 100,
        },
    }


def _critical_json(critical: Critical) -> dict[str, Any]:
    return {
        "batch_size": critical.batch_size,
        "interval": None if critical.interval is None else list(critical.interval),
        "reference_batch_size": critical.reference_batch_size,
        "definition": critical.definition,
        "at_least": critical.at_least,
    }


def _useful_json(useful: Useful, rules: Rules) -> dict[str, Any]:
    return {
        "batch_size": useful.batch_size,
        "interval": None if useful.interval is None else list(useful.interval),
        "at_least": useful.at_least,
        "rule": rules.useful,
    }


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
    warnings. `reference_batch_size`: B0 of the critical batch size, by default the smallest. `resamples`: draws behind the
    interval of a critical batch size that is read from the points, 0 for none. Semantics: section 8 of the paper's
    protocol, see `steps_to_result`. UserError: no goal, fewer trials than `num_trials`, a `normalise` batch size that did
    not reach the goal.
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

    Not `whole`: without fit and warnings, which nobody asks for where several curves are drawn together. Without
    `intervals` as well: neither intervals nor anything else that a fit is needed for, for where many are. `repeats`: the table
    of the best trials' repeats.
    """
    rules = rules or Rules()
    table = result.table
    sizes = table.batch_sizes
    steps = np.where(result.reached, result.steps, np.nan)
    # A study bounded by wall time, or not finished, is not known to have failed for any number of steps.
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
    warnings: list[tuple[Caution, ...]] = [()] * len(sizes)
    if whole:
        warnings = cautions(result, best, searches, limits)
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
    warnings: list[tuple[Caution, ...]],
    repeats: Sequence[Repeats | None],
) -> tuple[Point, ...]:
    table = result.table
    sizes = table.batch_sizes
    studies = len(sizes)
    perfect = scaling.perfect_scaling(sizes, steps)
    excess = scaling.overhead(sizes, steps)
    ratio = None if normalise is None else scaling.normalised(table.workload, sizes, steps, normalise)
    regions = regions_of(sizes, steps, excess, critical, useful)
    infeasible = np.bincount(table.study[table.status == Status.INFEASIBLE], minlength=studies)
    # As lists: one number of an array costs more than a whole list of twenty.
    first_steps, first_trials, best_trials = result.steps.tolist(), result.trial.tolist(), best.trial.tolist()
    best_values, best_steps, budgets = best.value.tolist(), best.step.tolist(), result.budget.tolist()
    counted, reached_it = result.trials_counted.tolist(), result.trials_reached.tolist()
    leaning, reaching = result.leans_on_stopped.tolist(), result.reached.tolist()
    censored, early = result.trials_censored.tolist(), result.trials_stopped_early.tolist()
    points = []
    for index, size in enumerate(sizes.tolist()):
        reached, first, measured = reaching[index], first_trials[index], best_trials[index]
        shown = first if reached else measured
        rate = math.nan if shown == NEVER else float(table.effective_learning_rate[shown])
        points.append(
            Point(
                batch_size=size,
                steps=first_steps[index] if reached else None,
                trial=int(table.number[first]) if reached else None,
                trial_id=int(table.trial_id[first]) if reached else None,
                reached=reached,
                budget=budgets[index],
                examples=first_steps[index] * size if reached else None,
                interval=intervals[index],
                perfect_scaling=_finite(perfect[index]),
                overhead=_finite(excess[index]),
                normalised=None if ratio is None else _finite(ratio[index]),
                region=regions[index],
                trials=counted[index],
                trials_reached=reached_it[index],
                infeasible=int(infeasible[index]),
                leans_on_stopped=leaning[index],
                trials_censored=censored[index],
                trials_stopped_early=early[index],
                best_value=_finite(best_values[index]),
                best_step=None if measured == NEVER else best_steps[index],
                best_trial=None if measured == NEVER else int(table.number[measured]),
                parameters={} if shown == NEVER else table.parameters_of(shown),
                effective_learning_rate=_finite(rate),
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
    """The critical batch size of the points with its interval over points scattered as far as those of a repeated search.

    `scatter` [S]: variance of ln S of each point, NaN where not known; no interval where none is.
    """
    sizes = result.table.batch_sizes
    start = int(sizes[result.reached][0])
    interval = None
    if np.isfinite(scatter).any():
        # A point of a single trial scatters at least as far as those of more.
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


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _cell(value: object) -> object:
    if isinstance(value, str):
        # A spreadsheet would run what begins like a formula; an apostrophe makes it text there.
        value = visible(value)
        return f"'{value}" if value[:1] in tuple("=+-@") else value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value
