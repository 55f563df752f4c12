"""A chart of `hvdsweep.charts` as a widget: zoom, pan, a cursor that reads points out; drawn again only where it must be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from hvdsweep.charts import render
from tui.actions import bindings

if TYPE_CHECKING:
    from hvdsweep.charts import Canvas, Chart, Frame, Reading, Series, View
    from tui.widgets.chart_cursor import Way

PAN = 0.2
"""Share of the plot that one key moves the window by."""

WHEEL = 1.3
"""Closer by so much with one notch of the wheel."""

REACH = (6, 3)
"""Columns and rows from the mouse within which a point is read out."""


class ChartMessage(Message):
    """About the point of a chart that is read out; None if there is none any more."""

    def __init__(self, view: ChartView, reading: Reading | None) -> None:
        super().__init__()
        self.view = view
        self.reading = reading

    @property
    def control(self) -> ChartView:
        return self.view


class ChartView(Widget, can_focus=True):
    """Shows `chart` through `view`, which the user holds while data arrive.

    A point is read out under the mouse, or under the cursor that arrow keys move while the chart has the keyboard.
    """

    BINDINGS = [*bindings("plot")]  # noqa: RUF012
    DEFAULT_CSS = """
    ChartView { width: 1fr; height: 1fr; background: $background; }
    """

    chart: reactive[Chart | None] = reactive(None)
    """What is shown; None is blank."""

    class ViewChanged(Message):
        """The user took hold of the window, or let go of it."""

    class Pointed(ChartMessage):
        """Another point is read out, or none any more."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ChartView.Pointed) and message.view is self.view

    class Opened(ChartMessage):
        """A point was clicked twice."""

    def __init__(self, *, id: str | None = None, describe: Callable[[Reading], str] | None = None) -> None:
        """`describe` says a point in words; by default in those of `hvdsweep.charts.sentence`."""
        super().__init__(id=id)
        from hvdsweep.charts import View

        self.view: View = View()
        self.reading: Reading | None = None
        """The point that is read out."""
        self.describe = describe
        self.preferred = ""
        """The series on which the cursor begins."""
        self.drawn = 0
        """How often a canvas was turned into lines."""
        self._linear: bool | None = None
        self._hidden: frozenset[str] = frozenset()
        self._hovering = False
        self._drag: tuple[int, int, View, Frame] | None = None
        self._dragged = False
        self._wanted: tuple[object, ...] = ()
        self._shown: Chart | None = None
        self._base = RichStyle()
        """The widget's own style when it was last drawn."""
        self._drawn: tuple[tuple[object, ...], list[Strip]] | None = None

    # What is shown

    @property
    def shown(self) -> Chart | None:
        """The chart as the user wants it: on the y scale chosen here, without the series hidden here."""
        chart = self.chart
        if chart is None:
            return None
        wanted = (id(chart), self._linear, self._hidden)
        if wanted != self._wanted or self._shown is None:
            changed = chart
            if self._linear is not None:
                y = dataclasses.replace(changed.y, scale="linear" if self._linear else "log10")
                changed = dataclasses.replace(changed, y=y)
            if self._hidden & {series.name for series in chart.series}:
                changed = dataclasses.replace(changed, series=tuple(self._seen(changed)))
            self._wanted, self._shown = wanted, changed
        return self._shown

    def _seen(self, chart: Chart) -> Iterable[Series]:
        from hvdsweep.charts import Series

        for one in chart.series:
            if one.name not in self._hidden:
                yield one
                continue
            yield Series(
                one.name, one.x, one.y, line=one.line, steps=one.steps, marker=one.marker, y_low=one.y_low,
                y_high=one.y_high, censored=one.censored, color=one.color, visible=False,
            )  # fmt: skip

    @property
    def ascii(self) -> bool:
        """Whether the user asked for plain characters."""
        return bool(getattr(self.app, "plain_charts", False))

    def canvas(self) -> Canvas | None:
        """The chart as drawn now; None if nothing is."""
        chart, (width, height) = self.shown, self.size
        if chart is None or not self.size:
            return None
        return render(chart, width, height, self.view, ascii=self.ascii, color=not self.app.no_color)

    def frame(self) -> Frame | None:
        """The plot area as drawn now."""
        canvas = self.canvas()
        return None if canvas is None else canvas.frame

    def watch_chart(self) -> None:
        frame = self.frame()
        if self.reading is not None:
            from tui.widgets.chart_cursor import same_reading

            chart = self.shown
            self.reading = (
                None if chart is None or frame is None else same_reading(chart, frame, self.reading)
            )
            self.post_message(self.Pointed(self, self.reading))
        self.refresh()

    def toggle_log(self) -> None:
        """The other y scale."""
        shown = self.shown
        if shown is not None:
            self._linear = shown.y.scale != "linear"
            self._look(dataclasses.replace(self.view, y=None))

    def toggle_series(self, name: str) -> None:
        """Hide a series, or show it again; the last one in view stays."""
        chart = self.chart
        if chart is None:
            return
        hidden = self._hidden ^ {name}
        if any(series.name not in hidden for series in chart.series):
            self._hidden = hidden
            self._look(self.view)

    def zoom(self, factor: float, at: tuple[int, int] | None = None) -> None:
        """Closer by `factor`, around a cell (default: the cursor, else the middle); the view then stays while data arrive."""
        frame = self.frame()
        if frame is None:
            return
        if at is None and self.reading is not None:
            at = (self.reading.column, self.reading.row)
        self._look(self.view.zoom(frame, factor, at))

    def fit(self) -> None:
        """The whole chart, following the data."""
        from hvdsweep.charts import View

        self._look(View())

    def _look(self, view: View) -> None:
        """Through another window."""
        self.view = view
        chart, frame = self.shown, self.frame()
        if self.reading is not None and chart is not None and frame is not None:
            from tui.widgets.chart_cursor import reading_of

            self._read(reading_of(chart, frame, self.reading.series, self.reading.index))
        self.post_message(self.ViewChanged())
        self.refresh()

    def _read(self, reading: Reading | None) -> None:
        if reading != self.reading:
            self.reading = reading
            self.post_message(self.Pointed(self, reading))
            self.refresh()

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        # Once for all lines: it takes longer than a line.
        self._base = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        lines = self._lines(self._base)
        return lines[y] if y < len(lines) else Strip.blank(self.size.width, self._base)

    def _lines(self, base: RichStyle) -> list[Strip]:
        chart = self.shown
        if chart is None or not self.size:
            return []
        key = (
            id(chart), self.size, self.view, self.reading, self.ascii, self.app.theme, self.app.no_color, base,
            self.has_focus,
        )  # fmt: skip
        if self._drawn is None or self._drawn[0] != key:
            canvas, said = self.canvas(), None
            if canvas is None:
                return []
            if self.reading is not None:
                canvas = canvas.with_cursor(self.reading.column, self.reading.row)
                said = (self.describe or self.sentence)(self.reading)
            self._drawn = (key, self._strips(canvas, said, base))
            self.drawn += 1
        return self._drawn[1]

    def _strips(self, canvas: Canvas, said: str | None, base: RichStyle) -> list[Strip]:
        from hvdsweep.charts import DARK, LIGHT, MONO, style_of

        theme = dict(MONO if self.app.no_color else DARK if self.app.current_theme.dark else LIGHT)
        if self.has_focus:
            # The frame of the chart that the keys are for.
            theme["axis"] = (
                "bold" if self.app.no_color else self.app.theme_variables["primary"].removeprefix("ansi_")
            )

        @cache
        def style(key: str) -> RichStyle:
            return base + RichStyle.parse(style_of(key, theme))

        strips = [
            Strip([Segment(text, style(key)) for text, key in canvas.runs(row)], canvas.width)
            for row in range(canvas.height)
        ]
        if said is not None:
            # Where the x axis says its name, else over the title.
            place = canvas.height - 1 if canvas.frame.top + canvas.frame.rows + 2 < canvas.height else 0
            if cell_len(said) > canvas.width - 1:
                said = set_cell_size(said, max(0, canvas.width - 2)).rstrip() + "…"
            strips[place] = Strip([Segment(f" {said}", style("annotation"))]).adjust_cell_length(
                canvas.width, base
            )
        return strips

    def sentence(self, reading: Reading) -> str:
        """A point in words: its coordinates."""
        from hvdsweep.charts import sentence

        chart = self.shown
        return "" if chart is None else sentence(reading, chart.x.title, chart.y.title)

    # Keys

    def action_move(self, way: Way) -> None:
        from tui.widgets.chart_cursor import first_reading, moved

        chart, frame = self.shown, self.frame()
        if chart is None or frame is None:
            return
        self._hovering = False
        if self.reading is None:
            self._read(first_reading(chart, frame, self.preferred))
        else:
            self._read(moved(chart, frame, self.reading, way) or self.reading)

    def action_pan(self, across: int, down: int) -> None:
        frame = self.frame()
        if frame is not None:
            columns = max(1.0, frame.columns * PAN) * across
            rows = max(1.0, frame.rows * PAN) * down
            self._look(self.view.pan(frame, columns, rows))

    def action_hide(self) -> None:
        if self.reading is not None:
            self.toggle_series(self.reading.series)
        elif self._hidden:
            self._hidden = frozenset()
            self._look(self.view)

    async def action_fill(self) -> None:
        await self.run_action("app.full")

    def read_point(self, series: str, index: int) -> None:
        """Put the cursor on a point; nothing changes where it is outside the window."""
        from tui.widgets.chart_cursor import reading_of

        chart, frame = self.shown, self.frame()
        if chart is not None and frame is not None:
            found = reading_of(chart, frame, series, index)
            if found is not None:
                self._hovering = False
                self._read(found)

    def unread(self) -> bool:
        """Take the cursor away; whether there was one."""
        had = self.reading is not None
        self._read(None)
        return had

    # The mouse

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._drag is not None:
            column, row, view, frame = self._drag
            across, down = event.x - column, event.y - row
            if across or down:
                self._dragged = True
            if self._dragged:
                self._look(view.pan(frame, -across, -down))
            return
        chart, frame_now = self.shown, self.frame()
        if chart is None or frame_now is None:
            return
        from hvdsweep.charts import nearest

        found = None
        if frame_now.contains(event.x, event.y):
            found = nearest(chart, frame_now, event.x, event.y)
        if found is not None and (
            abs(found.column - event.x) > REACH[0] or abs(found.row - event.y) > REACH[1]
        ):
            found = None
        if found is not None or self._hovering:
            self._hovering = True
            self._read(found)

    def on_leave(self) -> None:
        if self._hovering:
            self._hovering = False
            self._read(None)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        frame = self.frame()
        if event.button == 1 and frame is not None:
            self._drag = (event.x, event.y, self.view, frame)
            self._dragged = False
            self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._drag is not None:
            self._drag = None
            self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        if self._dragged:
            self._dragged = False
            return
        canvas = self.canvas()
        if canvas is None:
            return
        name = canvas.legend_at(event.x, event.y)
        if name is not None:
            self.toggle_series(name)
        elif self.reading is not None:
            self._hovering = False
            if event.chain > 1:
                self.post_message(self.Opened(self, self.reading))
        elif event.chain > 1:
            self.fit()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 1 / WHEEL)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        frame = self.frame()
        if frame is not None and frame.contains(event.x, event.y):
            event.stop()
            self.zoom(factor, (event.x, event.y))
