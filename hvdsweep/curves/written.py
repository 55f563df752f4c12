"""A scaling curve as JSON and as CSV: what `hvdsweep curve --json` and `--csv` print."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from hvdsweep.curves.curve_data import Curve, CurvePoint, finite
from hvdsweep.curves.fit import Estimate
from hvdsweep.curves.fitted import CRITERION, FREE_KNEE, HYPERBOLA, ScalingFit
from hvdsweep.curves.scaling import Critical, Rules, Useful
from hvdsweep.curves.words import verdict
from hvdsweep.visible import csv_cell


def curve_json(curve: Curve) -> dict[str, Any]:
    """The object of `hvdsweep curve --json`: plain values, nothing that is not finite."""
    useful, interval = curve.useful, curve.useful_interval
    return {
        "workload": curve.workload,
        "metric": curve.metric,
        "goal": finite(curve.goal),
        "maximize": curve.maximize,
        "verdict": verdict(curve),
        "unit": curve.unit,
        "tokens_per_example": curve.tokens_per_example,
        "points": [point_json(point, curve.per_example) for point in curve.points],
        "fit": {"reason": curve.no_fit} if curve.fit is None else fit_to_json(curve.fit, curve.per_example),
        "noise_scale": None if curve.noise is None else curve.noise.to_json(),
        "critical": None if curve.critical is None else _critical_json(curve.critical),
        "max_useful": None if useful is None else _useful_json(useful, curve.rules),
        "max_useful_batch_size": curve.max_useful_batch_size,
        "max_useful_is_lower_bound": None if useful is None else useful.at_least,
        "max_useful_interval": None if interval is None else [finite(end) for end in interval],
        "max_useful_rule": curve.rules.useful,
        "critical_batch_size": None if curve.critical is None else curve.critical.batch_size,
        "critical_is_lower_bound": None if curve.critical is None else curve.critical.at_least,
        "critical_rule": curve.rules.critical,
        "step_budget": finite(curve.step_budget),
        "example_budget": finite(curve.example_budget),
        "num_trials": curve.num_trials,
        "normalise": curve.normalise,
        "level": curve.level,
    }


def point_json(point: CurvePoint, per_example: int = 1) -> dict[str, Any]:
    """Plain values; what is not finite becomes null. `per_example`: what an example counts in the unit of data."""
    return {
        "batch_size": point.batch_size,
        "steps": point.steps,
        "trial": point.trial,
        "trial_id": point.trial_id,
        "reached": point.reached,
        "budget": point.budget,
        "examples": None if point.examples is None else point.examples * per_example,
        "interval": None if point.interval is None else list(point.interval),
        "interval_of": point.interval_of,
        "perfect_scaling": finite(point.perfect_scaling),
        "overhead": finite(point.overhead),
        "normalised": finite(point.normalised),
        "region": None if point.region is None else str(point.region),
        "trials": point.trials,
        "trials_reached": point.trials_reached,
        "infeasible": point.infeasible,
        "leans_on_stopped": point.trials_undecided,
        "trials_censored": point.trials_censored,
        "trials_stopped_early": point.trials_stopped_early,
        "best_value": finite(point.best_value),
        "best_step": point.best_step,
        "best_trial": point.best_trial,
        "parameters": {name: finite(value) for name, value in point.parameters.items()},
        "effective_learning_rate": finite(point.effective_learning_rate),
        "warnings": [warning.to_json() for warning in point.warnings],
        "repeats": None if point.repeats is None else point.repeats.to_json(),
    }


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
        # The curves of one table count alike.
        data = curves[0].data if curves else "examples"
        columns = [data if name == "examples" else name for name in _COLUMNS]
        writer.writerow(
            ["workload", "metric", "goal", "maximize", *columns, *map(csv_cell, names), "warnings"]
        )
    for curve in curves:
        for point in curve.points:
            row = point_json(point, curve.per_example)
            row["interval_low"], row["interval_high"] = row.pop("interval") or (None, None)
            again = row["repeats"] or {}
            row["repeats_low"], row["repeats_high"] = again.get("interval") or (None, None)
            for name in ("reached", "mean", "sd"):
                row[f"repeats_{name}"] = again.get(name)
            row["repeats"], row["luck"] = again.get("repeats"), again.get("luck")
            values = [*(row[name] for name in _COLUMNS), *(point.parameters.get(name) for name in names)]
            kinds = " ".join(str(warning.kind) for warning in point.warnings)
            fixed = [curve.workload, curve.metric, curve.goal, curve.maximize]
            writer.writerow([csv_cell(value) for value in (*fixed, *values, kinds)])
    return out.getvalue()


def fit_to_json(fit: ScalingFit, per_example: int = 1) -> dict[str, Any]:
    """The formula that is used with its parameters' intervals and lack of fit, and both formulas. `per_example`: as
    `point_json`, for E_min."""

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
        "e_min": estimate(fit.e_min.times(per_example)),
        "lack_of_fit": fit.lack_of_fit_percent / 100,
        "lack_of_fit_percent": fit.lack_of_fit_percent,
        "expected_scatter": None if expected is None else expected / 100,
        "misfit": fit.misfit,
        "points": fit.points,
        "best_of": fit.trials,
        "level": fit.level,
        "criterion": CRITERION,
        "hyperbola": None
        if hyperbola is None
        else {
            "formula": HYPERBOLA,
            "b_crit": hyperbola.b_crit.value,
            "s_min": hyperbola.s_min.value,
            "e_min": hyperbola.e_min.value * per_example,
            "lack_of_fit": hyperbola.lack_of_fit_percent / 100,
        },
        "free_knee": None
        if free is None
        else {
            "formula": FREE_KNEE,
            "knee": free.knee,
            "b_crit": free.b_crit,
            "s_min": free.s_min,
            "e_min": free.e_min * per_example,
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
