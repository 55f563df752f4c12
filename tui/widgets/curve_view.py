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
        speeds: Sequence[Any],
        field: FieldJob | None,
    ) -> None:
        """Show these; `field` is drawn in their place."""
        self._cache = cache
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
