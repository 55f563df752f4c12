"""Analysis of scaling curves: pure functions on numpy arrays, from tables of running-best records.

`WorkloadTable` is the input of all of them; `curve` answers most questions at once; the other names are its parts and
further questions. Everything here needs only numpy, and names are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvdsweep.lazy import on_first_use

if TYPE_CHECKING:
    from hvdsweep.curves.comparison import Comparison, GoalSweep, compare, goal_sweep
    from hvdsweep.curves.costs import Costs, Throughput, TimeToGoal, time_to_goal
    from hvdsweep.curves.curve_data import Curve, CurvePoint
    from hvdsweep.curves.fit import Estimate, HyperbolaFit, fit_hyperbola
    from hvdsweep.curves.measurements import (
        BestMeasurements,
        BudgetCurves,
        best_measurements,
        best_under_budgets,
        trial_best,
    )
    from hvdsweep.curves.metaparameters import (
        Outcome,
        PowerLaw,
        Scatter,
        StabilityMap,
        best_parameter,
        fit_exponent,
        heuristics,
        scatter,
        stability_map,
    )
    from hvdsweep.curves.noise import NoiseScale, gradient_noise_scale
    from hvdsweep.curves.outcomes import NEVER, StepsToResult, steps_to_result
    from hvdsweep.curves.resampling import BestOf, best_of, minimum_interval, resampled_minima
    from hvdsweep.curves.scaling import (
        Critical,
        Region,
        Rules,
        Useful,
        critical_batch_size,
        max_useful_batch_size,
        overhead,
        perfect_scaling,
        regions,
    )
    from hvdsweep.curves.scaling_curve import curve, curve_of
    from hvdsweep.curves.table import COMPLETE_ONLY, LIVE, WorkloadTable
    from hvdsweep.curves.warnings import CurveWarning, Limits, WarningKind, warnings_for
    from hvdsweep.curves.words import answer, verdict
    from hvdsweep.curves.written import curve_json, point_json, to_csv

__all__ = [
    "COMPLETE_ONLY",
    "LIVE",
    "NEVER",
    "BestMeasurements",
    "BestOf",
    "BudgetCurves",
    "Comparison",
    "Costs",
    "Critical",
    "Curve",
    "CurvePoint",
    "CurveWarning",
    "Estimate",
    "GoalSweep",
    "HyperbolaFit",
    "Limits",
    "NoiseScale",
    "Outcome",
    "PowerLaw",
    "Region",
    "Rules",
    "Scatter",
    "StabilityMap",
    "StepsToResult",
    "Throughput",
    "TimeToGoal",
    "Useful",
    "WarningKind",
    "WorkloadTable",
    "answer",
    "best_measurements",
    "best_of",
    "best_parameter",
    "best_under_budgets",
    "compare",
    "critical_batch_size",
    "curve",
    "curve_json",
    "curve_of",
    "fit_exponent",
    "fit_hyperbola",
    "goal_sweep",
    "gradient_noise_scale",
    "heuristics",
    "max_useful_batch_size",
    "minimum_interval",
    "overhead",
    "perfect_scaling",
    "point_json",
    "regions",
    "resampled_minima",
    "scatter",
    "stability_map",
    "steps_to_result",
    "time_to_goal",
    "to_csv",
    "trial_best",
    "verdict",
    "warnings_for",
]

_HOME = {
    "warnings": ("CurveWarning", "WarningKind", "Limits", "warnings_for"),
    "comparison": ("Comparison", "GoalSweep", "compare", "goal_sweep"),
    "costs": ("Costs", "Throughput", "TimeToGoal", "time_to_goal"),
    "fit": ("Estimate", "HyperbolaFit", "fit_hyperbola"),
    "measurements": (
        "BestMeasurements",
        "BudgetCurves",
        "best_measurements",
        "best_under_budgets",
        "trial_best",
    ),
    "metaparameters": (
        "Outcome",
        "PowerLaw",
        "Scatter",
        "StabilityMap",
        "best_parameter",
        "fit_exponent",
        "heuristics",
        "scatter",
        "stability_map",
    ),
    "noise": ("NoiseScale", "gradient_noise_scale"),
    "outcomes": ("NEVER", "StepsToResult", "steps_to_result"),
    "resampling": ("BestOf", "best_of", "minimum_interval", "resampled_minima"),
    "scaling": (
        "Critical",
        "Region",
        "Rules",
        "Useful",
        "critical_batch_size",
        "max_useful_batch_size",
        "overhead",
        "perfect_scaling",
        "regions",
    ),
    "curve_data": ("Curve", "CurvePoint"),
    "scaling_curve": ("curve", "curve_of"),
    "table": ("COMPLETE_ONLY", "LIVE", "WorkloadTable"),
    "words": ("answer", "verdict"),
    "written": ("curve_json", "point_json", "to_csv"),
}
"""Module -> the public names it holds."""

__getattr__, __dir__ = on_first_use(__name__, _HOME)
