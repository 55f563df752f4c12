"""One line that names the panes behind one another, marks the one in front, and has a note about it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive

from tui.widgets.pick_line import PickLine


class TabLine(PickLine):
    """Names at the left, each opened by a click; `note` at the right."""

    DEFAULT_CSS = """
    TabLine { height: 1; width: 1fr; background: $surface; color: $foreground; }
    """

    active: reactive[str] = reactive("")
    names: reactive[tuple[tuple[str, str], ...]] = reactive(())
    """(name, words) of each pane."""
    note: reactive[str | Content] = reactive("")

    class Picked(PickLine.Picked):
        """A pane's name was clicked."""

    def __init__(self, names: Sequence[tuple[str, str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(TabLine.names, tuple(names))
        self.set_reactive(TabLine.active, names[0][0])

    def render(self) -> Content:
        parts: list[Content] = []
        self.cells, at = [], 0
        for name, words in self.names:
            text = f" {words} "
            chosen = "bold reverse" if self.app.no_color else "bold $primary"
            style = chosen if name == self.active else "$foreground-muted"
            if name == self.hovered and name != self.active:
                style = "underline $foreground"
            parts.append(Content.styled(text, style))
            self.cells.append((at, at + len(text), name))
            at += len(text)
        note = self.note if isinstance(self.note, Content) else Content.styled(self.note, "$foreground-muted")
        room = self.size.width - at - 2
        if room > 8 and note.cell_length:
            note = note.truncate(room, ellipsis=True)
            parts.append(Content(" " * (room + 1 - note.cell_length)))
            parts.append(note)
        return Content("").join(parts)
