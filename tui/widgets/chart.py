"""A chart of `hvdsweep.charts` as a widget: drawn again only where it, its size, its view or the theme differs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from hvdsweep.charts import Canvas, Chart, View


class ChartView(Widget, can_focus=True):
    """Shows `chart` through `view`, which the reader holds while data arrive."""

    DEFAULT_CSS = """
    ChartView { width: 1fr; height: 1fr; background: $background; }
    """

    chart: reactive[Chart | None] = reactive(None)
    """What is shown; None is blank."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        from hvdsweep.charts import View

        self.view: View = View()
        self._linear: bool | None = None

    @property
    def shown(self) -> Chart | None:
        """The chart as the reader wants it: on the y scale chosen here, if any."""
        chart = self.chart
        if chart is None or self._linear is None:
            return chart
        return dataclasses.replace(
            chart, y=dataclasses.replace(chart.y, scale="linear" if self._linear else "log10")
        )

    def toggle_log(self) -> None:
        """The other y scale."""
        if self.chart is not None:
            now_linear = self.shown is not None and self.shown.y.scale == "linear"
            self._linear = not now_linear
            self.view = dataclasses.replace(self.view, y=None)
            self.refresh()

    def zoom(self, factor: float) -> None:
        """Closer by `factor`; the view then stays while data arrive."""
        chart = self.shown
        if chart is not None:
            frame = chart.frame(self.size.width, self.size.height, self.view)
            self.view = self.view.zoom(frame, factor)
            self.refresh()

    def fit(self) -> None:
        """The whole chart, following the data."""
        from hvdsweep.charts import View

        self.view = View()
        self.refresh()

    def watch_chart(self) -> None:
        self.refresh()

    def _canvas(self) -> Canvas | None:
        chart = self.shown
        if chart is None or not self.size:
            return None
        return chart.render(self.size.width, self.size.height, self.view, color=not self.app.no_color)

    def render_line(self, y: int) -> Strip:
        from hvdsweep.charts import DARK, LIGHT, MONO, style_of

        canvas = self._canvas()
        if canvas is None or y >= canvas.height:
            return Strip.blank(self.size.width, self.rich_style)
        theme = MONO if self.app.no_color else DARK if self.app.current_theme.dark else LIGHT
        base = self.rich_style
        return Strip(
            [Segment(text, base + RichStyle.parse(style_of(key, theme))) for text, key in canvas.runs(y)],
            canvas.width,
        )
