"""A few choices on one line, one of them taken: batch sizes, workloads, measures. A click takes another."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.reactive import reactive

from tui.widgets.pick_line import PickLine


class Chips(PickLine):
    """`label  a  b [c] d`; where they do not fit, those around the taken one, with an ellipsis at the cut ends."""

    DEFAULT_CSS = """
    Chips { height: 1; width: 1fr; background: $surface; color: $foreground; padding: 0 1; }
    """

    choices: reactive[tuple[tuple[str, str | Content], ...]] = reactive(())
    """(name, words) of each."""
    taken: reactive[str] = reactive("")
    """Name of the one that is taken."""

    class Picked(PickLine.Picked):
        """One was clicked."""

    def __init__(self, label: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.label = label

    def put(self, choices: Sequence[tuple[str, str | Content]], taken: str) -> None:
        self.choices, self.taken = tuple(choices), taken

    @property
    def index(self) -> int:
        """Place of the taken one; -1 for none."""
        return next((place for place, (name, _) in enumerate(self.choices) if name == self.taken), -1)

    def neighbour(self, way: int) -> str | None:
        """The name before (-1) or after (1) the taken one, from the last round to the first; None if there is none."""
        if not self.choices:
            return None
        return self.choices[(self.index + way) % len(self.choices)][0]

    def render(self) -> Content:
        parts = [Content.styled(f"{self.label} ", "$foreground-muted")] if self.label else []
        at = sum(part.cell_length for part in parts)
        said = [Content.assemble(" ", words, " ") for _, words in self.choices]
        first, last = self._window([part.cell_length for part in said], self.size.width - at)
        self.cells = []
        if first > 0:
            parts.append(Content.styled("…", "$foreground-muted"))
            at += 1
        for place in range(first, last):
            name, part = self.choices[place][0], said[place]
            if name == self.taken:
                part = Content.styled(
                    part.plain, "bold reverse" if self.app.no_color else "bold $background on $primary"
                )
            elif name == self.hovered:
                part = part.stylize("underline")
            self.cells.append((at, at + part.cell_length, name))
            at += part.cell_length
            parts.append(part)
        if last < len(said):
            parts.append(Content.styled("…", "$foreground-muted"))
        return Content("").join(parts)

    def _window(self, widths: Sequence[int], room: int) -> tuple[int, int]:
        """Which of them are shown: all, or as many as fit with the taken one among them."""
        if sum(widths) <= room:
            return 0, len(widths)
        room -= 2
        first = last = max(0, self.index)
        used = 0
        while last < len(widths) and used + widths[last] <= room:
            used += widths[last]
            last += 1
        while first > 0 and used + widths[first - 1] <= room:
            first -= 1
            used += widths[first]
        return first, max(last, first + 1) if widths else 0

    def action_step(self, way: int) -> None:
        name = self.neighbour(way)
        if name is not None and name != self.taken:
            self.post_message(self.Picked(self, name))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_step(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_step(1)
