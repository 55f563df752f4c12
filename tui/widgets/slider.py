"""A value on a ladder of values: moved by keys, by dragging and by the wheel, typed after a click on it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from textual import events, on
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui.actions import bindings
from tui.widgets.messages import WidgetMessage

LEAST_TRACK = 7
"""Cells; with less the track is left out and the two arrows stay."""


class Slider(Widget, can_focus=True):
    """`label value ◂───●───▸`. Above the last rung lies "no limit", if `unlimited` has a word for it."""

    BINDINGS = [*bindings("slider")]  # noqa: RUF012
    DEFAULT_CSS = """
    Slider { height: 1; width: 1fr; background: $surface; color: $foreground; padding: 0 1; }
    Slider:focus { background: $panel; }
    """

    ladder: reactive[tuple[float, ...]] = reactive(())
    """Ascending."""
    value: reactive[float | None] = reactive(None)
    """On the ladder or between its rungs; None is no limit."""
    home: reactive[float | None] = reactive(None)
    """A value that is marked on the track."""
    words: reactive[str] = reactive("")
    """The value as it is said."""
    room: reactive[int] = reactive(0)
    """Cells kept for the words, so that the track stays where it is while the handle is dragged."""
    hovered: reactive[str] = reactive("")

    @dataclass
    class Moved(WidgetMessage):
        """The user moved it."""

        value: float | None

    class Asked(WidgetMessage):
        """The user clicked the value, to type another."""

    def __init__(self, label: str, *, unlimited: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.label = label
        self.unlimited = unlimited
        self._track = (0, 0)
        """First cell of the track and its length."""
        self._dragging = False

    @property
    def rungs(self) -> int:
        """Places the handle can be at."""
        return len(self.ladder) + self.unlimited

    @property
    def place(self) -> int:
        """The rung at or next above the value."""
        if self.value is None:
            return max(0, self.rungs - 1)
        return min(bisect_left(self.ladder, self.value), max(0, self.rungs - 1))

    def render(self) -> Content:
        width = self.size.width
        head = f"{self.label} "
        said = max(len(self.words), self.room)
        room = width - len(head) - said - 4
        parts = [
            Content.styled(head, "$foreground-muted"),
            Content.styled(
                self.words, "bold $accent underline" if self.hovered == "value" else "bold $accent"
            ),
            Content(" " * (said - len(self.words))),
        ]
        lit = "bold $primary" if self.has_focus else "$foreground-muted"
        if self.rungs < 2:
            self._track = (0, 0)
            return Content("").join(parts)
        track = room if room >= LEAST_TRACK else 0
        self._track = (len(head) + said + 3, track)
        parts.append(Content.styled(" ◂ ", "bold $foreground" if self.hovered == "less" else lit))
        if track:
            parts.append(self._rail(track))
        parts.append(Content.styled("▸", "bold $foreground" if self.hovered == "more" else lit))
        return Content("").join(parts)

    def _rail(self, track: int) -> Content:
        handle = self._cell(self.place, track)
        home = None
        if self.home is not None and self.ladder:
            home = self._cell(min(bisect_left(self.ladder, self.home), self.rungs - 1), track)
        done, rest = "$primary", "$foreground-muted 60%"
        cells = []
        for cell in range(track):
            if cell == handle:
                cells.append(Content.styled("●", "bold $accent"))
            elif cell == home:
                cells.append(Content.styled("┼", "$foreground"))
            else:
                cells.append(Content.styled("━" if cell < handle else "─", done if cell < handle else rest))
        return Content("").join(cells)

    def _cell(self, place: int, track: int) -> int:
        return round(place * (track - 1) / max(1, self.rungs - 1))

    def action_step(self, steps: int) -> None:
        """So many rungs up (negative: down); posts `Moved`."""
        if self.rungs < 2:
            return
        place = self.place
        between = self.value is not None and (place >= len(self.ladder) or self.ladder[place] != self.value)
        # From between two rungs the first step goes to the nearer end of the gap.
        if between and steps > 0:
            steps -= 1
        self._go(place + steps)

    def _go(self, place: int) -> None:
        place = max(0, min(place, self.rungs - 1))
        value = self.ladder[place] if place < len(self.ladder) else None
        if value != self.value:
            self.post_message(self.Moved(self, value))

    def put(
        self,
        ladder: Sequence[float],
        value: float | None,
        words: str,
        *,
        home: float | None = None,
        room: int = 0,
    ) -> None:
        """Show this, without posting a message. `room`: cells that the longest words take."""
        self.ladder, self.value, self.words = tuple(ladder), value, words
        self.home, self.room = home, room

    def action_first(self) -> None:
        self._go(0)

    def action_last(self) -> None:
        self._go(self.rungs - 1)

    def _part_at(self, x: int) -> str:
        start, track = self._track
        if start == 0:
            return "value"
        x -= self.gutter.left
        if x < start - 3:
            return "value"
        if x < start:
            return "less"
        return "track" if x < start + track else "more"

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1 and self._part_at(event.x) == "track":
            self._dragging = True
            self.capture_mouse()
            self._to(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._to(event.x)
        else:
            self.hovered = self._part_at(event.x)

    def on_mouse_up(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def on_leave(self) -> None:
        self.hovered = ""

    def _to(self, x: int) -> None:
        start, track = self._track
        share = (x - self.gutter.left - start) / max(1, track - 1)
        self._go(round(share * (self.rungs - 1)))

    def on_click(self, event: events.Click) -> None:
        part = self._part_at(event.x)
        if part == "value":
            self.post_message(self.Asked(self))
        elif part in ("less", "more"):
            self.action_step(1 if part == "more" else -1)

    @on(events.MouseScrollUp)
    @on(events.MouseScrollDown)
    def _wheel(self, event: events.MouseEvent) -> None:
        event.stop()
        self.action_step(1 if isinstance(event, events.MouseScrollUp) else -1)
