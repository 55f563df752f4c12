"""The curves of several workloads in one chart, with their times and costs, or one of the views in `tui.field_views` of the
current workload."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hvdsweep.charts import Axis, Chart
from hvdsweep.curves.chart import CROWDED, curve_chart, goal_text
from hvdsweep.curves.cost_chart import cost_chart
from hvdsweep.curves.costs import Costs, time_to_goal
from hvdsweep.curves.curve_data import Curve
from hvdsweep.curves.speeds import speeds, throughputs
from tui.field_views import VIEWS, FieldJob, View
from tui.scaling_words import point_words
from tui.widgets.chart import DrawnChart

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.curves.curve_data import CurvePoint
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


class CurveView(DrawnChart):
    """Draws what `put_curves` gives it, in the measure and the view that the user has chosen."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, describe=self._describe)
        self.measure: Measure = "steps"
        self.shows: View = "curve"
        self.normalised = False
        self.comparison = ChartedCurves()
        self._cache: CurveCache | None = None

    def put_curves(
        self,
        cache: CurveCache,
        workloads: Sequence[Compared],
        current: int | None,
        field: FieldJob | None,
    ) -> None:
        """Show these; `field` is drawn in their place."""
        self._cache = cache
        self.comparison = self._compared(cache, workloads, current)
        if field is not None:
            self.draw(field.about, field.draw)
        elif workloads:
            self.put(self.comparison.chart())
        elif self.chart is None or self.chart.series:
            chart = Chart(x=Axis("log2", title="batch size"), y=Axis("log10"), empty="reading the trials …")
            self.put(chart)

    def _compared(
        self, cache: CurveCache, workloads: Sequence[Compared], current: int | None
    ) -> ChartedCurves:
        base = smallest_reached(cache, workloads) if self.normalised else None
        # In one chart all count alike.
        tokens = all(cache.has_tokens(one.id) for one in workloads)
        curves = [
            cache.curve(
                one.id,
                one.goal,
                one.question,
                normalise=base,
                whole=one.id == current,
                intervals=one.id == current or len(workloads) <= CROWDED,
                tokens=tokens,
            )
            for one in workloads
        ]
        focus = next((place for place, one in enumerate(workloads) if one.id == current), None)
        known = speeds(cache.speeds)
        costs = []
        for place, curve in enumerate(curves):
            wanted = place == focus or self.measure in ("time", "cost")
            steps = {point.batch_size: point.steps for point in curve.points} if wanted else {}
            costs.append(time_to_goal(steps, throughputs(known, curve.workload) if wanted else ()))
        return ChartedCurves(workloads, curves, costs, focus, self.measure)

    def show_view(self, view: View) -> None:
        self.shows = view
        self.forget()
        self.unread()
        self.fit()
        self.post_message(self.Changed())

    def action_view(self) -> None:
        self.show_view(VIEWS[(VIEWS.index(self.shows) + 1) % len(VIEWS)])

    def action_measure(self) -> None:
        self.shows = "curve"
        self.measure = MEASURES[(MEASURES.index(self.measure) + 1) % len(MEASURES)]
        self.fit()
        self.post_message(self.Changed())

    def action_normalise(self) -> None:
        workloads = self.comparison.workloads
        self.normalised = not self.normalised
        self.fit()
        if self.normalised and self._cache and workloads and smallest_reached(self._cache, workloads) is None:
            self.normalised = False
            self.notify("No batch size reached the goal of every curve: nothing to divide by.", markup=False)
        self.post_message(self.Changed())

    # Points

    def read_batch_size(self, size: int) -> None:
        """Put the cursor on the current curve."""
        shown = self.comparison
        sizes = [] if shown.current is None else list(shown.current.batch_sizes)
        if shown.focus is not None and size in sizes and self.shows_points:
            self.read_point(shown.names[shown.focus], sizes.index(size))

    @property
    def shows_points(self) -> bool:
        """Whether its points are those of the curves, in their order."""
        return self.shows == "curve" and self.measure not in ("time", "cost")

    def point_of(self, reading: Reading) -> tuple[int, CurvePoint] | None:
        """The place of the curve, and its point, that a reading stands for; None if they are not drawn."""
        names = self.comparison.names
        if not self.shows_points or reading.series not in names:
            return None
        place = names.index(reading.series)
        return place, self.comparison.curves[place].points[reading.index]

    def _describe(self, reading: Reading) -> str | None:
        found = self.point_of(reading)
        if found is None:
            return None
        place, point = found
        return point_words(reading.series, self.comparison.curves[place], point, self.measure)


def smallest_reached(cache: CurveCache, workloads: Sequence[Compared]) -> int | None:
    """The smallest batch size at which all of them reached their goals."""
    reached: set[int] | None = None
    for one in workloads:
        curve = cache.curve(one.id, one.goal, one.question, whole=False, intervals=False)
        here = {point.batch_size for point in curve.points if point.steps}
        reached = here if reached is None else reached & here
    return min(reached, default=None) if reached else None
