"""How the best learning rate grows with the batch size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hvdsweep.curves.search_chart import rate_chart
from tui.search_words import best_words
from tui.widgets.chart import ChartView

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.curves.curve_data import Curve, CurvePoint


class RateView(ChartView):
    """Draws the best trials of the curve that `put_curve` gives it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, describe=self._describe)
        self._points: Sequence[CurvePoint] = ()

    def put_curve(self, name: str, curve: Curve) -> None:
        """Show the best learning rates of the workload `name`."""
        self._points = curve.points
        self.chart = dataclasses.replace(rate_chart(curve), title=f"{name}: the best trials")

    @property
    def point(self) -> CurvePoint | None:
        """The batch size that is read out."""
        return None if self.reading is None else self._points[self.reading.index]

    def _describe(self, reading: Reading) -> str:
        return best_words(self._points[reading.index], reading.y)
