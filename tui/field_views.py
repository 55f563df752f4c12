"""Views that the Scaling and Metaparameters screens can draw instead of their charts, as `hvdsweep figure` makes them.

Knows no widgets; called in a thread, so only tables and numbers go in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from hvdsweep.curves.field import iso_loss, sensitivity
from hvdsweep.curves.scaling_curve import curve
from hvdsweep.curves.speeds import speeds, throughputs
from hvdsweep.figures.field_panels import iso_loss_panel, sensitivity_panel
from hvdsweep.figures.panels import budgets_panel

if TYPE_CHECKING:
    from hvdsweep.charts import Chart
    from hvdsweep.curves.costs import Throughput
    from hvdsweep.curves.question import Question
    from hvdsweep.curves.table import WorkloadTable
    from tui.curve_cache import CurveCache

View = Literal["curve", "steps", "examples", "ranks"]
VIEWS: tuple[View, ...] = ("curve", "steps", "examples", "ranks")
"""The curve; the best measurement at equal steps, and at equal examples; ranks against hours to the same loss."""


@dataclass(frozen=True)
class FieldJob:
    """A chart that is yet to be drawn."""

    about: object
    """What it depends on: as long as this is the same, so is the chart."""
    draw: Callable[[], Chart]
    lines: Sequence[float]
    """The budgets or goals in it."""


def field_job(
    view: View,
    cache: CurveCache,
    workload: int,
    name: str,
    question: Question,
    goal: float | None,
    own: float | None,
) -> FieldJob:
    """What a view other than the curve shows of a workload: `goal` is what is asked, `own` the sweep's."""
    table = cache.table(workload)
    about: tuple[object, ...] = (view, workload, id(table), question)
    if view in ("steps", "examples"):
        examples = view == "examples"
        upto = question.example_budget if examples else question.step_budget
        lines = spread(cache.budgets([workload], examples=examples), upto)
        return FieldJob((*about, *lines), partial(budgets_chart, table, name, view, lines), lines)
    ladder = sorted(cache.goals([workload], own), reverse=not table.maximize)
    # The goal asked for is the hardest of them.
    easier = [rung for rung in ladder if goal is None or (rung < goal if table.maximize else rung > goal)]
    lines = [*spread(easier)[1:], *([] if goal is None else [goal])]
    known = throughputs(speeds(cache.speeds), table.workload)
    draw = partial(ranks_chart, table, name, lines, question, known)
    return FieldJob((*about, *lines, len(cache.speeds)), draw, lines)


LINES = 4
"""Budgets or goals that are drawn together."""


def spread(rungs: Sequence[float], upto: float | None = None) -> list[float]:
    """Some of a ladder's rungs, ascending: the highest that counts, and others evenly below it."""
    found = [rung for rung in rungs if upto is None or rung <= upto]
    if len(found) <= LINES:
        return found
    return [found[round(index * (len(found) - 1) / LINES)] for index in range(1, LINES + 1)]


def budgets_chart(table: WorkloadTable, name: str, unit: View, budgets: Sequence[float]) -> Chart:
    """The best measurement against batch size at equal budgets, a line for each budget."""
    if unit == "examples":
        return budgets_panel(table, name, examples=budgets).chart
    return budgets_panel(table, name, steps=budgets).chart


def ranks_chart(
    table: WorkloadTable,
    name: str,
    goals: Sequence[float],
    question: Question,
    speeds: Sequence[Throughput],
) -> Chart:
    """The fewest ranks for so many hours to each goal."""
    curves = [curve(table, goal, **question.limits, resamples=0) for goal in goals]
    chart = iso_loss_panel(iso_loss(curves, speeds), name, name).chart
    return replace(chart, subtitle=f"to {table.metric}")


def sensitivity_chart(table: WorkloadTable, parameter: str, name: str) -> Chart:
    """How much worse each batch size is if a metaparameter is off its best value."""
    return sensitivity_panel(sensitivity(table, parameter), parameter, table.metric, name, name).chart
