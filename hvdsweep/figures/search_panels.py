"""Panels about the search: best metaparameters, every trial by its outcome, where trials diverge, best of k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.charts import Axis, Chart, Reference, Series
from hvdsweep.curves import NEVER, Outcome, best_of, best_parameter, heuristics, scatter, stability_map
from hvdsweep.curves.search_chart import OUTCOMES
from hvdsweep.figures.figure import CONTOUR, Heat, Panel
from hvdsweep.figures.panels import Limits, without_crowd
from hvdsweep.words import goal_words

if TYPE_CHECKING:
    import numpy.typing as npt

    from hvdsweep.curves import StepsToResult, WorkloadTable

EFFECTIVE = "effective_learning_rate"

NAMES = {EFFECTIVE: "learning rate / (1 - momentum)", "one_minus_momentum": "1 - momentum"}

LINEAR, SQUARE_ROOT = "linear heuristic", "square-root heuristic"

SHARES = ((0.0, "none diverged", "○", "s2"), (0.5, "up to half", "◐", "s1"), (1.0, "more", "●", "s5"))
"""Classes of the share of diverged trials, by their upper end."""


def metaparameter_panel(result: StepsToResult, name: str, title: str, *, notes: Sequence[str] = ()) -> Panel:
    """A metaparameter of the steps-to-result trial against batch size; for learning rates with the two heuristics
    (Figure 8). `one_minus_momentum` shows 1 - momentum."""
    sizes = result.table.batch_sizes
    turned = name == "one_minus_momentum"
    found = best_parameter(result, "momentum" if turned else name)
    values = 1.0 - found if turned else found
    references: list[Reference] = []
    if name in ("learning_rate", EFFECTIVE):
        linear, root = heuristics(sizes, values)
        for label, line, color in ((LINEAR, linear, "reference"), (SQUARE_ROOT, root, "s2")):
            points = tuple((float(x), float(y)) for x, y in zip(sizes, line, strict=True) if y == y)
            # The heuristics start at the smallest batch size that reached the goal.
            points = tuple(point for point in points if point[0] >= _first(sizes.tolist(), values.tolist()))
            if len(points) > 1:
                references.append(Reference(label, points=points, color=color))
    positive = bool((values[~np.isnan(values)] > 0).all())
    chart = Chart(
        (Series(f"best {NAMES.get(name, name.replace('_', ' '))}", sizes, values),),
        x=Axis("log2", title="batch size"),
        y=Axis("log2" if positive else "linear", title=NAMES.get(name, name.replace("_", " "))),
        title=title,
        subtitle=goal_words(result.table.metric, result.goal, result.table.maximize),
        references=tuple(references),
        empty="the goal was not reached",
    )
    return Panel(chart, tuple(notes), workloads=(result.table.workload,))


def _first(sizes: Sequence[int], values: Sequence[float]) -> float:
    return next((size for size, value in zip(sizes, values, strict=True) if value == value), math.inf)


def scatter_panel(
    table: WorkloadTable,
    batch_size: int,
    goal: float | None,
    title: str,
    *,
    step_budget: float | None = None,
    example_budget: float | None = None,
    x_limits: Limits = (None, None),
    y_limits: Limits = (None, None),
) -> Panel:
    """Learning rate against 1 - momentum of one study, each trial by its outcome, the best as a star (Figures 9, 10).

    UserError: no goal, no such study, no learning rate.
    """
    points = scatter(table, batch_size, goal, step_budget=step_budget, example_budget=example_budget)
    series = []
    for outcome, name, marker, color in OUTCOMES:
        here = points.outcome == outcome
        series.append(
            Series(
                name,
                points.learning_rate[here],
                points.one_minus_momentum[here],
                line=False,
                marker=marker,
                color=color,
            )
        )
    counts = {outcome: int((points.outcome == outcome).sum()) for outcome in Outcome}
    reached = counts[Outcome.REACHED] + counts[Outcome.BEST]
    subtitle = f"{reached} reached, {counts[Outcome.NOT_REACHED]} not, {counts[Outcome.INFEASIBLE]} diverged"
    # The paper shows only a part of the space; trials outside are counted in a note.
    beyond = int(
        (_beyond(points.learning_rate, x_limits) | _beyond(points.one_minus_momentum, y_limits)).sum()
    )
    subtitle += f", {beyond} beyond the axes" if beyond else ""
    chart = Chart(
        tuple(series),
        x=Axis("log10", x_limits, "learning rate"),
        y=Axis("log10", y_limits, "1 - momentum"),
        title=title,
        subtitle=subtitle,
        references=_contours(points.learning_rate, points.one_minus_momentum, x_limits, y_limits),
        empty="no trial of this batch size has ended",
    )
    return Panel(chart, workloads=(table.workload,))


def _contours(
    rates: np.ndarray[tuple[int], np.dtype[np.float64]],
    rests: np.ndarray[tuple[int], np.dtype[np.float64]],
    x_limits: Limits,
    y_limits: Limits,
) -> tuple[Reference, ...]:
    """Lines of equal learning rate / (1 - momentum), one per decade."""
    usable = (rates > 0) & (rests > 0) & np.isfinite(rates) & np.isfinite(rests)
    if not usable.any():
        return ()
    left, right = _span(x_limits, rates[usable])
    low, high = _span(y_limits, rests[usable])
    # Subtract logarithms, since a quotient of extreme values overflows.
    first = math.ceil(math.log10(left) - math.log10(high))
    last = math.floor(math.log10(right) - math.log10(low))
    lines = []
    with np.errstate(all="ignore"):
        for power in range(first, min(last, first + 24) + 1):
            ends = np.array([left / 10, right * 10])
            across = 10.0 ** (np.log10(ends) - power)
            # Nothing to draw where it overflows.
            if np.isfinite([ends, across]).all() and (across > 0).all():
                points = ((float(ends[0]), float(across[0])), (float(ends[1]), float(across[1])))
                lines.append(Reference("", points=points, color=CONTOUR))
    return tuple(lines)


def _beyond(values: npt.NDArray[np.float64], limits: Limits) -> npt.NDArray[np.bool_]:
    """[N], which values are outside the limits; an end of None is that of the data."""
    low, high = limits
    return (values < (-math.inf if low is None else low)) | (values > (math.inf if high is None else high))


def _span(limits: Limits, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    low, high = limits
    return (
        float(values.min()) if low is None else low,
        float(values.max()) if high is None else high,
    )


def stability_panel(table: WorkloadTable, parameter: str, title: str) -> Panel:
    """The share of trials that diverged over a metaparameter and batch size. UserError: no such metaparameter."""
    found = stability_map(table, parameter)
    log = bool((found.edges > 0).all())
    low, high = found.edges[:-1], found.edges[1:]
    # Not of their product or sum, which may overflow.
    centres = np.sqrt(low) * np.sqrt(high) if log else low / 2 + high / 2
    share = found.share
    series = []
    below = -1.0
    for upper, name, marker, color in SHARES:
        rows, columns = np.nonzero((share > below) & (share <= upper))
        series.append(
            Series(name, found.batch_sizes[columns], centres[rows], line=False, marker=marker, color=color)
        )
        below = upper
    chart = Chart(
        tuple(series),
        x=Axis("log2", title="batch size"),
        y=Axis("log10" if log else "linear", title=parameter.replace("_", " ")),
        title=title,
        subtitle=f"{int(found.infeasible.sum())} of {int(found.trials.sum())} trials diverged",
        empty="no trial has ended",
    )
    heat = Heat(found.batch_sizes.astype(np.float64), found.edges, share, "share of trials that diverged")
    return Panel(chart, workloads=(table.workload,), heat=heat)


def best_of_panel(result: StepsToResult, title: str) -> Panel:
    """Median steps of the best of k trials against k, per batch size: whether the search was long enough."""
    table = result.table
    series = []
    for index, size in enumerate(table.batch_sizes.tolist()):
        mine = result.counted & (table.study == index)
        steps = np.where(result.trial_steps[mine] == NEVER, np.inf, result.trial_steps[mine])
        if not np.isfinite(steps).any():
            continue
        found = best_of(steps)
        low, middle, high = found.quantiles.T
        middle = np.where(np.isfinite(middle), middle, np.nan)
        series.append(Series(f"batch size {size:,}", found.k, middle, y_low=low, y_high=high, marker=""))
    chart = Chart(
        without_crowd(series),
        x=Axis("log2", title="trials"),
        y=Axis("log2", title="steps to the goal, best of so many trials"),
        title=title,
        subtitle=goal_words(table.metric, result.goal, table.maximize) + ", median",
        bars="half of all draws",
        empty="the goal was not reached",
    )
    return Panel(chart, workloads=(table.workload,), ordered=True)
