"""The metaparameter search as charts: every trial with its outcome, and the best learning rate against batch size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hvdsweep.charts import Axis, Chart, Reference, Series
from hvdsweep.curves.chart import goal_text, warnings_of
from hvdsweep.curves.curve_data import Curve
from hvdsweep.curves.measurements import trial_best
from hvdsweep.curves.metaparameters import (
    EFFECTIVE,
    Outcome,
    best_parameter,
    fit_exponent,
    heuristics,
    scatter,
    times_off,
)
from hvdsweep.curves.outcomes import NEVER, step_limits
from hvdsweep.curves.table import Floats, Ints, WorkloadTable
from hvdsweep.curves.warnings import space_from
from hvdsweep.search import Range, Space

MOMENTUM = "1 - momentum"
BEST = "best measurement"
STEPS = "steps to the goal"

OUTCOMES = (
    (Outcome.INFEASIBLE, "diverged", "×", "reference"),
    (Outcome.NOT_REACHED, "goal not reached", "▲", "s5"),
    (Outcome.REACHED, "goal reached", "●", "s0"),
    (Outcome.BEST, "fewest steps", "★", "s1"),
)
"""Outcome, word, marker and style, in drawing order."""


@dataclass(frozen=True, eq=False)
class SearchPlot:
    """The trials of one study on two axes, with their outcomes: N points."""

    batch_size: int
    y_name: str
    """MOMENTUM, BEST, STEPS or a metaparameter."""
    x: Floats
    """[N], learning rate."""
    y: Floats
    """[N]; NaN if a trial has none."""
    outcome: Ints
    """[N], `Outcome`."""
    trial: Ints
    """[N], indices into the table's trials."""

    def of(self, outcome: Outcome) -> Ints:
        """Indices [M] of the points with this outcome: those of its series in the chart."""
        return np.flatnonzero(self.outcome == outcome)


def y_names(table: WorkloadTable) -> list[str]:
    """Choices for the vertical axis against the learning rate, most informative first: 1 - momentum if it varies, then
    the trial's results, then the other metaparameters that vary."""
    varying = [
        name
        for name, values in sorted(table.parameters.items())
        if name != "learning_rate" and len(np.unique(values[~np.isnan(values)])) > 1
    ]
    first = [MOMENTUM] if "momentum" in varying else []
    return [*first, BEST, STEPS, *(name for name in varying if name != "momentum")]


def search_points(
    table: WorkloadTable,
    batch_size: int,
    goal: float | None = None,
    *,
    y_name: str | None = None,
    step_budget: float | None = None,
    example_budget: float | None = None,
) -> SearchPlot:
    """The ended trials of one study, as points. UserError: no such study, no goal, no learning rate."""
    found = scatter(table, batch_size, goal, step_budget=step_budget, example_budget=example_budget)
    first = int(table.study_starts[table.study_of(batch_size)])
    mine = table.trials_of(batch_size)
    trial = first + np.searchsorted(table.number[mine], found.number)
    y_name = y_name or y_names(table)[0]
    if y_name == MOMENTUM:
        y = found.one_minus_momentum
    elif y_name in (BEST, STEPS):
        value, _ = trial_best(table, step_limits(table, step_budget, example_budget))
        y = value[trial] if y_name == BEST else _steps(table, trial, goal, step_budget, example_budget)
    else:
        y = table.parameters[y_name][trial]
    return SearchPlot(batch_size, y_name, found.learning_rate, y, found.outcome.astype(np.int64), trial)


def _steps(
    table: WorkloadTable,
    trial: Ints,
    goal: float | None,
    step_budget: float | None,
    example_budget: float | None,
) -> Floats:
    """Steps to the goal, or the steps made if it was not reached."""
    from hvdsweep.curves.outcomes import steps_to_result

    result = steps_to_result(table, goal, step_budget=step_budget, example_budget=example_budget)
    steps = np.where(result.trial_steps == NEVER, table.steps, result.trial_steps)
    return steps[trial].astype(np.float64)


def search_chart(
    table: WorkloadTable,
    search: SearchPlot,
    space: Mapping[str, Any] | Space | None = None,
    *,
    title: str = "",
) -> Chart:
    """Learning rate against `search.y_name`, a series per outcome; dashed lines at the ends of the searched ranges."""
    space = space_from(space)
    series = []
    for outcome, word, marker, style in OUTCOMES:
        points = search.of(outcome)
        series.append(
            Series(word, search.x[points], search.y[points], line=False, marker=marker, color=style)
        )
    x, x_ends = _axis("learning_rate", "learning rate", search.x, space)
    y, y_ends = _axis(search.y_name, _title(table, search.y_name), search.y, space)
    lines = [Reference("", vertical=end) for end in x_ends] + [
        Reference("", horizontal=end) for end in y_ends
    ]
    reached = int(np.count_nonzero(np.isin(search.outcome, (Outcome.REACHED, Outcome.BEST))))
    diverged = len(search.of(Outcome.INFEASIBLE))
    said = [f"{reached} of {len(search.x) - diverged} trials reached the goal"]
    stopped = int(np.count_nonzero(table.stopped[search.trial] & (search.outcome == Outcome.NOT_REACHED)))
    if stopped:
        said.append(f"{stopped} stopped before reaching it")
    if diverged:
        said.append(f"{diverged} diverged")
    missing = int(np.count_nonzero(np.isnan(search.y)))
    if missing:
        said.append(f"{missing} without {search.y_name.replace('_', ' ')}")
    return Chart(
        series=tuple(series),
        x=x,
        y=y,
        title=title or f"{table.workload}  batch size {search.batch_size:,}",
        subtitle=", ".join(said),
        references=tuple(lines),
        legend=True,
        empty="no trial has ended yet",
    )


def _title(table: WorkloadTable, name: str) -> str:
    if name == BEST:
        return f"best {table.metric}"
    if name == STEPS:
        return "steps to the goal (▲ ×: steps done)"
    return name.replace("_", " ")


def _axis(name: str, title: str, values: Floats, space: Space | None) -> tuple[Axis, tuple[float, ...]]:
    """The axis, over the whole searched range if there is one, and the ends of that range."""
    wanted = "momentum" if name == MOMENTUM else name
    dimension = None if space is None else space.dimensions.get(wanted)
    known = values[np.isfinite(values)]
    if isinstance(dimension, Range):
        low, high = dimension.min, dimension.max
        if name == MOMENTUM:
            low, high = 1.0 - high, 1.0 - low
        log = name in ("learning_rate", MOMENTUM) or dimension.scale == "log" or dimension.log
        if log and low > 0:
            room = (high / low) ** 0.06
            return Axis("log10", limits=(low / room, high * room), title=title), (low, high)
        room = 0.06 * (high - low)
        return Axis("linear", limits=(low - room, high + room), title=title), (low, high)
    log = bool(len(known)) and float(known.min()) > 0
    return Axis("log10" if log or not len(known) else "linear", title=title), ()


@dataclass(frozen=True, eq=False)
class BestRates:
    """The learning rates of the trials that reached the goal first: S batch sizes."""

    name: str
    """`effective_learning_rate`, or `learning_rate` if there is no momentum."""
    batch_sizes: Ints
    """[S]"""
    value: Floats
    """[S], NaN if the goal was not reached."""
    linear: Floats
    """[S], the smallest batch size's value scaled linearly."""
    square_root: Floats
    """[S], scaled by the square root."""


def best_rates(curve: Curve) -> BestRates | None:
    """How the best trial's effective learning rate grows with batch size (paper, section 8.6); None without learning
    rates."""
    table = curve.result.table
    if "learning_rate" not in table.parameters:
        return None
    name = EFFECTIVE if "momentum" in table.parameters else "learning_rate"
    value = best_parameter(curve.result, name)
    return BestRates(name, table.batch_sizes, value, *heuristics(table.batch_sizes, value))


def rate_chart(curve: Curve) -> Chart:
    """Best effective learning rate against batch size, with the linear and the square-root heuristic."""
    rates = best_rates(curve)
    title = f"{curve.workload}  {goal_text(curve)}"
    if rates is None:
        return Chart(x=Axis("log2"), y=Axis("log10"), title=title, empty="no learning rates are known")
    words = "best effective learning rate" if rates.name == EFFECTIVE else "best learning rate"
    lines = [
        Reference(word, points=_path(rates.batch_sizes, heuristic), color=style)
        for word, heuristic, style in (
            ("linear scaling", rates.linear, "reference"),
            ("square root", rates.square_root, "annotation"),
        )
        if np.count_nonzero(~np.isnan(heuristic)) > 1
    ]
    law = fit_exponent(rates.batch_sizes, rates.value)
    said = ""
    if law is not None:
        spread = "" if law.low is None or law.high is None else f" ({law.low:.2f}–{law.high:.2f})"
        linear, root = times_off(law.linear_misfit), times_off(law.square_root_misfit)
        said = f"as B^{law.exponent:.2f}{spread}; off linear ×{linear}, square root ×{root}"
    return Chart(
        series=(Series(words, rates.batch_sizes, rates.value, color="s1", marker="★"),),
        x=Axis("log2", title="batch size"),
        y=Axis("log10", title=words),
        title=title,
        subtitle=said,
        references=tuple(lines),
        warnings=warnings_of([curve]),
        empty="no batch size reached the goal",
    )


def _path(sizes: Ints, values: Floats) -> tuple[tuple[float, float], ...]:
    """The corners of a straight line on log-log axes."""
    known = np.flatnonzero(~np.isnan(values))
    return tuple((float(sizes[i]), float(values[i])) for i in (known[0], known[-1]))
