"""A line of words that can be picked by the mouse."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.messages import WidgetMessage


class PickLine(Widget):
    """`render` notes in `cells` where each name lies; the one under the mouse is `hovered`, and a click posts `Picked`."""

    hovered: reactive[str] = reactive("")

    @dataclass
    class Picked(WidgetMessage):
        """A name was clicked."""

        name: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cells: list[tuple[int, int, str]] = []
        """(first cell, the one after the last, name), without the padding at the left."""
        self._clicked = ""

    def _name_at(self, x: int) -> str:
        x -= self.gutter.left
        return next((name for start, end, name in self.cells if start <= x < end), "")

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self.hovered = self._name_at(event.x)

    def on_leave(self) -> None:
        self.hovered = ""

    def on_click(self, event: events.Click) -> None:
        name = self._name_at(event.x)
        if event.chain > 1 and name != self._clicked:
            return  # The first click of a double click has put another name under the mouse.
        self._clicked = name
        if name:
            self.post_message(self.Picked(self, name))
