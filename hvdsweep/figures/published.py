"""Figures 1 to 11 of the paper, panel by panel, from the data in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hvdsweep.curves import curve as curve_of_table
from hvdsweep.curves.question import Question
from hvdsweep.errors import UserError
from hvdsweep.figures import panels, search_panels
from hvdsweep.figures.figure import Figure, Panel
from hvdsweep.figures.paper import PaperFigure, PaperPanel, PaperSeries, figures
from hvdsweep.figures.source import Absent, FigureSource

if TYPE_CHECKING:
    from hvdsweep.curves import Curve, WorkloadTable
    from hvdsweep.store.store import Store


def paper_figure(reader: Store, name: str, sweep: int | None = None) -> Figure:
    """Figure `name` ("1" to "11") from the newest sweep that has each workload, or from one sweep alone.

    Panels without data, and missing lines, are reported. If a study has fewer COMPLETE trials than the paper
    counts, all of them count. KeyError for another name.
    """
    found: PaperFigure = figures()[name]
    source = FigureSource(reader, sweep)
    made: list[Panel] = []
    for panel in found.panels:
        try:
            one = KINDS[panel.kind](source, panel)
        except (Absent, UserError) as error:
            one = panels.missing_panel(panel.title, str(error), [series.workload for series in panel.series])
        # One legend explains the marks of all scatters.
        legend = False if panel.kind == "scatter" and made else one.chart.legend
        made.append(replace(one, heading=panel.row, chart=replace(one.chart, legend=legend)))
    return Figure(found.name, f"Figure {found.name}. {found.title}", found.columns, tuple(made))


def _limits(options: Mapping[str, Any], key: str) -> panels.Limits:
    low, high = options.get(key, (None, None))
    return low, high


def _trials(source: FigureSource, series: PaperSeries) -> tuple[int | None, list[str]]:
    """How many trials count, and notes if they are not those of the paper."""
    row = source.row(series.workload)
    trials = source.enough(row, series.trials)
    if trials is None and series.trials is not None:
        return None, [
            f"{series.workload}: not every batch size has {series.trials} complete trials, so all count"
        ]
    return trials, []


def _curve(
    source: FigureSource, series: PaperSeries, goal: float | None, normalise: int | None = None
) -> tuple[Curve, list[str]]:
    row = source.row(series.workload)
    trials, notes = _trials(source, series)
    question = Question(series.metric, series.maximize, num_trials=trials)
    return source.curve(row, goal, question, normalise=normalise), notes


def _table(source: FigureSource, series: PaperSeries) -> tuple[WorkloadTable, list[str]]:
    """The table of the trials that count, or of all COMPLETE ones if the paper counts them all."""
    row = source.row(series.workload)
    trials, notes = _trials(source, series)
    table = source.table(row, series.metric, series.maximize)
    return table.restrict(num_trials=trials), notes


def _steps(source: FigureSource, panel: PaperPanel) -> Panel:
    normalise = panel.options.get("normalise")
    curves, names, notes = [], [], []
    for series in panel.series:
        try:
            curve, more = _curve(source, series, series.goal, normalise)
        except (Absent, UserError) as error:
            notes.append(str(error))
            continue
        curves.append(curve)
        # A single line needs no name: the panel's title names it.
        names.append(series.label if len(panel.series) > 1 else "fewest steps")
        notes += more
    if not curves:
        raise Absent("; ".join(notes))
    scaling = panel.options.get("scaling")
    return panels.steps_panel(
        curves,
        names,
        panel.title,
        scaling=None if scaling is None else [scaling],
        notes=notes,
        x_limits=_limits(panel.options, "xlim"),
        y_limits=_limits(panel.options, "ylim"),
    )


def _goals(source: FigureSource, panel: PaperPanel) -> Panel:
    (series,) = panel.series
    curves = []
    notes: list[str] = []
    for goal in panel.options["goals"]:
        curve, notes = _curve(source, series, goal)
        curves.append(curve)
    return panels.steps_panel(
        curves,
        [f"goal {goal:g}" for goal in panel.options["goals"]],
        panel.title,
        scaling=[],
        notes=notes,
        subtitle=series.metric,
        ordered=True,
    )


def _split(source: FigureSource, panel: PaperPanel) -> tuple[list[WorkloadTable], list[str], list[str]]:
    """(one table per value of the metaparameter, their names, notes)."""
    (series,) = panel.series
    table, notes = _table(source, series)
    name, missing = panel.options["split"], panel.options["missing"]
    parts = table.split(name, missing=missing)
    wanted = [value for value in panel.options["values"] if value in parts]
    notes += [f"no trial has {name} {value:g}" for value in panel.options["values"] if value not in parts]
    label = name.replace("_", " ").title()
    return [parts[value] for value in wanted], [f"{label} = {value:.2f}" for value in wanted], notes


def _split_best(source: FigureSource, panel: PaperPanel) -> Panel:
    tables, names, notes = _split(source, panel)
    return panels.best_panel(tables, names, panel.title, notes=notes)


def _split_steps(source: FigureSource, panel: PaperPanel) -> Panel:
    tables, names, notes = _split(source, panel)
    curves = [curve_of_table(table, panel.series[0].goal, resamples=0) for table in tables]
    return panels.steps_panel(curves, names, panel.title, scaling=[panel.options["scaling"]], notes=notes)


def _metaparameter(source: FigureSource, panel: PaperPanel) -> Panel:
    (series,) = panel.series
    curve, notes = _curve(source, series, series.goal)
    return search_panels.metaparameter_panel(curve.result, search_panels.EFFECTIVE, panel.title, notes=notes)


def _scatter(source: FigureSource, panel: PaperPanel) -> Panel:
    (series,) = panel.series
    row = source.row(series.workload)
    options = panel.options
    # All complete and infeasible trials: the scatter distinguishes them itself.
    return search_panels.scatter_panel(
        source.table(row, series.metric, series.maximize),
        options["batch_size"],
        series.goal,
        panel.title,
        step_budget=options.get("step_budget"),
        example_budget=options.get("example_budget"),
        x_limits=_limits(options, "xlim"),
        y_limits=_limits(options, "ylim"),
    )


def _budgets(source: FigureSource, panel: PaperPanel) -> Panel:
    (series,) = panel.series
    table, notes = _table(source, series)
    options = panel.options
    if "examples" in options:
        # The paper's number of training examples, not the sweep's.
        table = replace(table, train_examples=options["examples"])
    return panels.budgets_panel(
        table,
        panel.title,
        steps=options.get("steps"),
        epochs=options.get("epochs"),
        notes=notes,
        y_limits=_limits(options, "ylim"),
    )


KINDS: Mapping[str, Callable[[FigureSource, PaperPanel], Panel]] = {
    "steps": _steps,
    "goals": _goals,
    "split best": _split_best,
    "split steps": _split_steps,
    "metaparameter": _metaparameter,
    "scatter": _scatter,
    "budgets": _budgets,
}
