"""A chart that may take long to draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from tui.questions import questions_of
from tui.widgets.chart import ChartView

if TYPE_CHECKING:
    from hvdsweep.charts import Chart


class DrawnChart(ChartView):
    """Shows a chart at once, or draws it in a thread, again only if what it depends on has changed."""

    class Changed(Message):
        """Something else is to be drawn."""

    _about: object = None
    """What the picture drawn in a thread depends on; None: none was drawn, or it has to be drawn again."""

    def put(self, chart: Chart | None) -> None:
        self._about = None
        self.chart = chart

    def draw(self, about: object, job: Callable[[], Chart]) -> None:
        """Show what `job` makes, unless it was drawn for the same `about`."""
        if about != self._about:
            self._about = about
            questions_of(self).work_out(self.answer_chart, about, job)

    def forget(self) -> None:
        """Draw the next picture even if nothing that it depends on has changed."""
        self._about = None

    def answer_chart(self, about: object, value: Chart) -> None:
        if about == self._about:
            self.chart = value
