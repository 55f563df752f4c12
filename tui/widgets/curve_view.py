"""The curves of several workloads in one chart, or one of the views in `tui.field_views` of the current workload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tui.comparison import MEASURES, ChartedCurves, Compared, Measure, awaited, compared, smallest_reached
from tui.field_views import VIEWS, FieldJob, View
from tui.scaling_words import point_words
from tui.widgets.drawn_chart import DrawnChart

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.curves.curve_data import CurvePoint
    from tui.curve_cache import CurveCache
    from tui.questions import Questions


class CurveView(DrawnChart):
    """Draws what `put_curves` gives it, in the measure and the view that the user has chosen."""

    def __init__(self, questions: Questions, *, id: str | None = None) -> None:
        super().__init__(questions, id=id, describe=self._describe)
        self.measure: Measure = "steps"
        self.shows: View = "curve"
        self.normalised = False
        self.comparison = ChartedCurves()

    def put_curves(
        self,
        cache: CurveCache,
        workloads: Sequence[Compared],
        current: int | None,
        speeds: Sequence[Any],
        field: FieldJob | None,
    ) -> None:
        """Show these; `field` is drawn in their place."""
        base = smallest_reached(cache, workloads) if self.normalised else None
        self.comparison = compared(
            cache, workloads, current, measure=self.measure, normalise=base, measured=speeds
        )
        if field is not None:
            self.draw(field.about, field.draw)
        elif workloads:
            self.put(self.comparison.chart())
        elif self.chart is None or self.chart.series:
            self.put(awaited())

    def next_view(self) -> None:
        self.show_view(VIEWS[(VIEWS.index(self.shows) + 1) % len(VIEWS)])

    def show_view(self, view: View) -> None:
        """Draw this from now on."""
        self.shows = view
        self.forget()
        self.unread()
        self.fit()

    def next_measure(self) -> None:
        """The curves in the next measure."""
        self.shows = "curve"
        self.measure = MEASURES[(MEASURES.index(self.measure) + 1) % len(MEASURES)]
        self.fit()

    # Points

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
        """A point of a curve in words."""
        found = self.point_of(reading)
        if found is None:
            return None
        place, point = found
        return point_words(reading.series, self.comparison.curves[place], point, self.measure)
