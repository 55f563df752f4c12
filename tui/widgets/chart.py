"""A chart of `hvdsweep.charts` as a widget: zoom, pan, a cursor that reads points out; drawn again only where it must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events, on
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from hvdsweep.charts import DARK, LIGHT, MONO, View, render, sentence, style_of
from tui.actions import bindings
from tui.questions import questions_of
from tui.widgets.chart_choices import ChartChoices
from tui.widgets.chart_cursor import Way, first_reading, moved, reading_of, same_reading, under
from tui.widgets.messages import KeysChanged, WidgetMessage

if TYPE_CHECKING:
    from hvdsweep.charts import Canvas, Chart, Frame, Reading
    from tui.interface import Interface

PAN = 0.2
"""Share of the plot that one key moves the window by."""

WHEEL = 1.3
"""Closer by so much with one notch of the wheel."""


@dataclass
class ChartMessage(WidgetMessage, KeysChanged):
    """About the point of a chart that is read out; None if there is none any more."""

    reading: Reading | None


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
    reading: reactive[Reading | None] = reactive(None, init=False)
    """The point that is read out."""
    view: reactive[View] = reactive(View(), init=False)
    choices: reactive[ChartChoices] = reactive(ChartChoices(), init=False)

    class ViewChanged(KeysChanged):
        """The user took hold of the window, or let go of it."""

    class Pointed(ChartMessage):
        """Another point is read out, or none any more."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ChartView.Pointed) and message.widget is self.widget

    class Opened(ChartMessage):
        """A point was clicked twice."""

    def __init__(
        self, *, id: str | None = None, describe: Callable[[Reading], str | None] | None = None
    ) -> None:
        """`describe` says a point in words; where it has none, `hvdsweep.charts.sentence` does."""
        super().__init__(id=id)
        self.describe = describe
        self.preferred = ""
        """The series on which the cursor begins."""
        self.drawn = 0
        """How often a canvas was turned into lines."""
        self._chosen: tuple[Chart, ChartChoices, Chart] | None = None
        """A chart, what was chosen of it, and what it looks like."""
        self._hovering = False
        self._drag: tuple[int, int, View, Frame] | None = None
        self._dragged = False
        self._strips: list[Strip] = []
        self._drawn: tuple[Canvas, tuple[object, ...]] | None = None
        """The canvas that those are, and what else they depend on."""

    # What is shown

    @property
    def shown(self) -> Chart | None:
        """The chart as the user wants it: on the y scale chosen here, without the series hidden here."""
        chart = self.chart
        if chart is None:
            return None
        if self._chosen is None or self._chosen[0] is not chart or self._chosen[1] != self.choices:
            self._chosen = chart, self.choices, self.choices.of(chart)
        return self._chosen[2]

    def canvas(self) -> Canvas | None:
        """The chart as drawn now; None if nothing is."""
        chart, (width, height) = self.shown, self.size
        if chart is None or not self.size:
            return None
        # Whether the user asked for plain characters.
        ascii = bool(getattr(self.app, "plain_charts", False))
        return render(chart, width, height, self.view, ascii=ascii, color=not self.app.no_color)

    def frame(self) -> Frame | None:
        """The plot area as drawn now."""
        canvas = self.canvas()
        return None if canvas is None else canvas.frame

    @property
    def is_zoomed(self) -> bool:
        return not self.view.follows

    def watch_chart(self) -> None:
        chart, frame, before = self.shown, self.frame(), self.reading
        if before is not None:
            self.reading = None if chart is None or frame is None else same_reading(chart, frame, before)

    def watch_reading(self) -> None:
        self.post_message(self.Pointed(self, self.reading))

    def watch_view(self) -> None:
        chart, frame = self.shown, self.frame()
        if self.reading is not None and chart is not None and frame is not None:
            self.reading = reading_of(chart, frame, self.reading.series, self.reading.index)
        self.post_message(self.ViewChanged())

    watch_choices = watch_view

    def zoom(self, factor: float, at: tuple[int, int] | None = None) -> None:
        """Closer by `factor`, around a cell (default: the cursor, else the middle); the view then stays while data arrive."""
        frame = self.frame()
        if frame is None:
            return
        if at is None and self.reading is not None:
            at = (self.reading.column, self.reading.row)
        self.view = self.view.zoom(frame, factor, at)

    def fit(self) -> None:
        """The whole chart, following the data."""
        self.view = View()

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        # Once for all lines: what they depend on takes longer to find out than a line.
        canvas, base, reading = self.canvas(), self.rich_style, self.reading
        key = (reading, base, self.app.theme, self.has_focus)
        if canvas is None:
            self._strips, self._drawn = [], None
        elif self._drawn is None or self._drawn[0] is not canvas or self._drawn[1] != key:
            self._drawn = canvas, key
            app, chart, said = self.app, self.shown, None
            if reading is not None and chart is not None:
                canvas = canvas.with_cursor(reading.column, reading.row)
                said = None if self.describe is None else self.describe(reading)
                if said is None:
                    said = sentence(reading, chart.x.title, chart.y.title)
            theme = dict(MONO if app.no_color else DARK if app.current_theme.dark else LIGHT)
            if self.has_focus:
                # The frame of the chart that the keys are for.
                theme["axis"] = (
                    "bold" if app.no_color else app.theme_variables["primary"].removeprefix("ansi_")
                )
            self._strips = strips_of(canvas, theme, base, said)
            self.drawn += 1
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    # Keys

    action_chart_zoom, action_chart_reset = zoom, fit

    def action_chart_log(self) -> None:
        shown = self.shown
        if shown is not None:
            self.choices = replace(self.choices, linear=shown.y.scale != "linear")
            self.view = replace(self.view, y=None)

    def action_chart_plain(self) -> None:
        app = cast("Interface", self.app)
        app.remember(layout=("charts.plain", "no" if app.plain_charts else "yes"))
        for chart in self.screen.query(ChartView):
            chart.refresh()

    def action_export(self) -> None:
        if self.shown is not None:
            cast("Interface", self.app).export(self.shown, self.view)

    def action_move(self, way: Way) -> None:
        chart, frame = self.shown, self.frame()
        if chart is None or frame is None:
            return
        self._hovering = False
        if self.reading is None:
            self.reading = first_reading(chart, frame, self.preferred)
        else:
            self.reading = moved(chart, frame, self.reading, way) or self.reading

    def action_pan(self, across: int, down: int) -> None:
        frame = self.frame()
        if frame is not None:
            columns = max(1.0, frame.columns * PAN) * across
            rows = max(1.0, frame.rows * PAN) * down
            self.view = self.view.pan(frame, columns, rows)

    def action_hide(self, series: str | None = None) -> None:
        """Hide a series (the one under the cursor), or show it again; without a cursor show all."""
        name = self.reading.series if series is None and self.reading is not None else series
        if name is None:
            self.choices = replace(self.choices, hidden=frozenset())
        elif self.chart is not None:
            self.choices = self.choices.toggled(name, self.chart)

    def read_point(self, series: str, index: int) -> None:
        """Put the cursor on a point; nothing changes where it is outside the window."""
        chart, frame = self.shown, self.frame()
        found = None if chart is None or frame is None else reading_of(chart, frame, series, index)
        if found is not None:
            self._hovering = False
            self.reading = found

    def unread(self) -> None:
        self.reading = None

    # The mouse

    @on(events.MouseMove)
    @on(events.Leave)
    def _hover(self, event: events.MouseMove | events.Leave) -> None:
        chart, now, found = self.shown, self.frame(), None
        if isinstance(event, events.MouseMove):
            if self._drag is not None:
                column, row, view, frame = self._drag
                across, down = event.x - column, event.y - row
                self._dragged = self._dragged or bool(across or down)
                if self._dragged:
                    self.view = view.pan(frame, -across, -down)
                return
            if chart is not None and now is not None:
                found = under(chart, now, event.x, event.y)
        if found is not None or self._hovering:
            self._hovering = found is not None
            self.reading = found

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
            self.action_hide(name)
        elif self.reading is not None:
            self._hovering = False
            if event.chain > 1:
                self.post_message(self.Opened(self, self.reading))
        elif event.chain > 1:
            self.fit()

    @on(events.MouseScrollUp)
    @on(events.MouseScrollDown)
    def _wheel(self, event: events.MouseEvent) -> None:
        frame = self.frame()
        if frame is not None and frame.contains(event.x, event.y):
            event.stop()
            closer = isinstance(event, events.MouseScrollUp)
            self.zoom(WHEEL if closer else 1 / WHEEL, (event.x, event.y))


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


def strips_of(canvas: Canvas, theme: Mapping[str, str], base: RichStyle, said: str | None) -> list[Strip]:
    """The lines of a canvas; `said` stands where the x axis says its name, else over the title."""

    @cache
    def style(key: str) -> RichStyle:
        return base + RichStyle.parse(style_of(key, theme))

    strips = [
        Strip([Segment(text, style(key)) for text, key in canvas.runs(row)], canvas.width)
        for row in range(canvas.height)
    ]
    if said is not None:
        place = canvas.height - 1 if canvas.frame.top + canvas.frame.rows + 2 < canvas.height else 0
        if cell_len(said) > canvas.width - 1:
            said = set_cell_size(said, max(0, canvas.width - 2)).rstrip() + "…"
        strip = Strip([Segment(f" {said}", style("annotation"))])
        strips[place] = strip.adjust_cell_length(canvas.width, base)
    return strips
