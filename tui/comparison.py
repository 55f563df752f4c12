"""The curves of several workloads, their times and costs, and one chart of them. Knows no Textual."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hvdsweep.charts import Axis, Chart
from hvdsweep.curves.chart import CROWDED, curve_chart, goal_text
from hvdsweep.curves.cost_chart import cost_chart
from hvdsweep.curves.costs import Costs, time_to_goal
from hvdsweep.curves.curve_data import Curve
from hvdsweep.curves.speeds import speeds, throughputs

if TYPE_CHECKING:
    from hvdsweep.curves.question import Question
    from tui.curve_cache import CurveCache

Measure = Literal["steps", "examples", "time", "cost"]
MEASURES: tuple[Measure, ...] = ("steps", "examples", "time", "cost")


@dataclass(frozen=True)
class Compared:
    """A workload to compare."""

    id: int
    """Its row in the store."""
    name: str
    goal: float
    question: Question


@dataclass(frozen=True)
class ChartedCurves:
    """The curves in one chart."""

    workloads: Sequence[Compared] = ()
    curves: Sequence[Curve] = ()
    costs: Sequence[Costs] = ()
    """Time and cost of each, where speeds are known; as long as they are not drawn, only that of the current one."""
    focus: int | None = None
    """Place of the current workload."""
    measure: Measure = "steps"

    @property
    def current(self) -> Curve | None:
        return None if self.focus is None else self.curves[self.focus]

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.workloads]

    def chart(self) -> Chart:
        if self.measure in ("time", "cost"):
            chart = cost_chart(self.curves, self.costs, self.names, cost=self.measure == "cost")
        else:
            examples = self.measure == "examples"
            chart = curve_chart(self.curves, self.names, examples=examples, focus=self.focus)
        if len(self.curves) > 1 and self.focus is not None:
            # Regions and fit are those of the current workload: the title says which one that is.
            current = self.curves[self.focus]
            others = ", ".join(name for place, name in enumerate(self.names) if place != self.focus)
            title = f"{current.workload}  {goal_text(current)}  and {others}"
            chart = dataclasses.replace(chart, title=title)
        return chart


def compared(
    cache: CurveCache,
    workloads: Sequence[Compared],
    current: int | None,
    *,
    measure: Measure,
    normalise: int | None,
    measured: Sequence[Any],
) -> ChartedCurves:
    """The comparison of `workloads`, whose tables are in the cache.

    `normalise`: batch size whose steps the others' are divided by; `measured`: rows of the store's throughput.
    """
    # In one chart all count alike.
    tokens = all(cache.has_tokens(one.id) for one in workloads)
    curves = [
        cache.curve(
            one.id,
            one.goal,
            one.question,
            normalise=normalise,
            whole=one.id == current,
            intervals=one.id == current or len(workloads) <= CROWDED,
            tokens=tokens,
        )
        for one in workloads
    ]
    focus = next((place for place, one in enumerate(workloads) if one.id == current), None)
    known = speeds(measured)
    costs = []
    for place, curve in enumerate(curves):
        wanted = place == focus or measure in ("time", "cost")
        steps = {point.batch_size: point.steps for point in curve.points} if wanted else {}
        costs.append(time_to_goal(steps, throughputs(known, curve.workload) if wanted else ()))
    return ChartedCurves(workloads, curves, costs, focus, measure)


def smallest_reached(cache: CurveCache, workloads: Sequence[Compared]) -> int | None:
    """The smallest batch size at which all of them reached their goals."""
    reached: set[int] | None = None
    for one in workloads:
        curve = cache.curve(one.id, one.goal, one.question, whole=False, intervals=False)
        here = {point.batch_size for point in curve.points if point.steps}
        reached = here if reached is None else reached & here
    return min(reached, default=None) if reached else None


def awaited() -> Chart:
    """Shown until the first table is there."""
    return Chart(x=Axis("log2", title="batch size"), y=Axis("log10"), empty="reading the trials …")
