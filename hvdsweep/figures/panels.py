"""Panels about steps and errors against batch size; all numbers come from `hvdsweep.curves`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.charts import Axis, Chart, Reference, Series
from hvdsweep.curves import best_measurements, best_under_budgets, compare
from hvdsweep.curves.chart import curve_chart
from hvdsweep.figures.figure import Panel
from hvdsweep.words import goal_words, short

if TYPE_CHECKING:
    import numpy.typing as npt

    from hvdsweep.curves import Curve, StepsToResult, WorkloadTable

Limits = tuple[float | None, float | None]

ROOM = 1.4
"""Factor between a point and the end of an axis that was extended for it."""

MOST_INTERVALS = 2
"""Most lines of a panel that have intervals."""


def steps_panel(
    curves: Sequence[Curve],
    names: Sequence[str],
    title: str,
    *,
    scaling: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    subtitle: str | None = None,
    ordered: bool = False,
    x_limits: Limits = (None, None),
    y_limits: Limits = (None, None),
) -> Panel:
    """Steps against batch size on power-of-two axes. `scaling`: the names whose perfect scaling is drawn (None: all)."""
    chart = curve_chart(curves, names)
    references = []
    for curve, name in zip(curves, names, strict=True):
        if scaling is None or name in scaling:
            references += [
                line for line in curve_chart([curve]).references if line.label == "perfect scaling"
            ]
    chart = replace(
        chart,
        series=without_crowd(chart.series),
        title=title,
        subtitle=_goals(curves) if subtitle is None else subtitle,
        x=Axis("log2", holding(x_limits, [one.x for one in chart.series]), "batch size"),
        y=Axis("log2", holding(y_limits, [one.y for one in chart.series]), chart.y.title),
        references=tuple(_labelled(references)),
        bands=(),
        annotations=(),
    )
    workloads = tuple(dict.fromkeys(curve.workload for curve in curves))
    return Panel(chart, tuple(notes), workloads=workloads, ordered=ordered)


def holding(limits: Limits, values: Sequence[npt.NDArray[np.float64]]) -> Limits:
    """Limits of a log axis, extended to values beyond them: the paper's limits must not hide your own points."""
    known = np.concatenate([np.empty(0), *values])
    known = known[np.isfinite(known) & (known > 0)]
    low, high = limits
    if not len(known):
        return limits
    least, most = float(known.min()), float(known.max())
    return (
        low if low is None or low <= least else least / ROOM,
        high if high is None or high >= most else most * ROOM,
    )


def without_crowd(series: Sequence[Series]) -> tuple[Series, ...]:
    """The same lines, without intervals if there are too many to tell apart."""
    if len(series) <= MOST_INTERVALS:
        return tuple(series)
    return tuple(Series(one.name, one.x, one.y, marker=one.marker, censored=one.censored) for one in series)


def own_steps_panel(curves: Sequence[Curve], names: Sequence[str], *, examples: bool = False) -> Panel:
    """The chart of `hvdsweep curve`: with one curve also regions, fit and the maximum useful batch size."""
    chart = curve_chart(curves, names, examples=examples)
    workloads = {curve.workload for curve in curves}
    title = workloads.pop() if len(workloads) == 1 else f"{chart.y.title.capitalize()} against batch size"
    if len(curves) > 1:
        chart = replace(chart, references=tuple(_labelled(chart.references)))
    return Panel(
        replace(chart, series=without_crowd(chart.series), title=title, subtitle=_goals(curves)),
        workloads=tuple(dict.fromkeys(curve.workload for curve in curves)),
    )


def _labelled(lines: Sequence[Reference]) -> list[Reference]:
    """The same lines, with each label only once."""
    seen: set[str] = set()
    found = []
    for line in lines:
        found.append(replace(line, label="") if line.label in seen else line)
        seen.add(line.label)
    return found


def _goals(curves: Sequence[Curve]) -> str:
    """The goal that the curves share; empty if they have several."""
    words = {goal_words(curve.metric, curve.goal, curve.maximize) for curve in curves}
    return words.pop() if len(words) == 1 else ""


def best_panel(
    tables: Sequence[WorkloadTable], names: Sequence[str], title: str, *, notes: Sequence[str] = ()
) -> Panel:
    """Best error against batch size, one line per table."""
    series = []
    for table, name in zip(tables, names, strict=True):
        series.append(Series(name, table.batch_sizes, best_measurements(table).value))
    metric = tables[0].metric if tables else "error"
    chart = Chart(
        tuple(series),
        x=Axis("log2", title="batch size"),
        y=Axis("linear", title=f"best {metric}"),
        title=title,
    )
    return Panel(chart, tuple(notes), workloads=tuple(dict.fromkeys(table.workload for table in tables)))


def budgets_panel(
    table: WorkloadTable,
    title: str,
    *,
    steps: Sequence[float] | None = None,
    epochs: Sequence[float] | None = None,
    examples: Sequence[float] | None = None,
    tokens_per_example: int | None = None,
    notes: Sequence[str] = (),
    y_limits: Limits = (None, None),
) -> Panel:
    """Best error against batch size under budgets in steps, epochs or training examples (or tokens), one line each
    (Figure 11)."""
    lines = best_under_budgets(
        table, steps=steps, epochs=epochs, examples=examples, tokens_per_example=tokens_per_example
    )
    series = tuple(
        Series(f"{short(budget)} {lines.unit}", lines.batch_sizes, value)
        for budget, value in zip(lines.budgets.tolist(), lines.value, strict=True)
    )
    chart = Chart(
        series,
        x=Axis("log2", title="batch size"),
        y=Axis("linear", y_limits, f"best {table.metric}"),
        title=title,
        subtitle=f"under {lines.unit.removesuffix('s')} budgets",
        empty="no study has so large a budget",
    )
    return Panel(chart, tuple(notes), workloads=(table.workload,), ordered=True)


def comparison_panel(first: StepsToResult, second: StepsToResult, names: tuple[str, str]) -> Panel:
    """Steps of the second divided by those of the first, with intervals, at their common batch sizes."""
    found = compare(first, second)
    notes: tuple[str, ...] = ()
    if found.differs.any():
        sizes = ", ".join(f"{size:,}" for size in found.batch_sizes[found.differs].tolist())
        notes = (f"{names[1]} and {names[0]} differ at {sizes} (95 % for all batch sizes together)",)
    elif np.isfinite(found.low).any():
        notes = (f"{names[1]} and {names[0]} do not differ for certain at any batch size",)
    ratio = np.where(np.isfinite(found.ratio) & (found.ratio > 0), found.ratio, np.nan)
    chart = Chart(
        (Series(f"{names[1]} / {names[0]}", found.batch_sizes, ratio, y_low=found.low, y_high=found.high),),
        x=Axis("log2", title="batch size"),
        y=Axis("log2", title="ratio of steps"),
        title="Ratio of steps",
        references=(Reference("equal", horizontal=1.0),),
        bars="95 % for all batch sizes together",
        empty="no batch size in which both reached their goals",
    )
    return Panel(chart, notes, workloads=tuple(dict.fromkeys((first.table.workload, second.table.workload))))


def missing_panel(title: str, why: str, workloads: Sequence[str] = ()) -> Panel:
    """An empty panel that gives the reason."""
    chart = Chart(
        x=Axis("log2", title="batch size"), y=Axis("log2", title="steps to the goal"), title=title, empty=why
    )
    return Panel(chart, (why,), workloads=tuple(workloads))
