"""The last line of every screen: the keys that have an effect now, as many as fit; each can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive

from tui.actions import Action
from tui.widgets.pick_line import PickLine


class KeyBar(PickLine):
    """Keys at the left in the table's order; the last ones (help, quit) keep their place at the right."""

    DEFAULT_CSS = """
    KeyBar {
        dock: bottom; height: 1; width: 100%; background: $panel; color: $foreground-muted;
    }
    """

    actions: reactive[tuple[Action, ...]] = reactive(())
    """Those that do something now."""
    pinned: reactive[tuple[Action, ...]] = reactive(())
    """Shown at the right, before all others get a place."""
    note: reactive[str] = reactive("")
    """What became of a key that did nothing: shown first."""

    class Picked(PickLine.Picked):
        """A key was clicked; `name` is the command of its action."""

    def render(self) -> Content:
        width = self.size.width
        pinned = self._fitting(self.pinned, width)
        room = width - sum(_width(action) for action in pinned)
        note = (
            Content.styled(f" {self.note} ", "$warning").truncate(room, ellipsis=True)
            if self.note
            else Content("")
        )
        free = room - note.cell_length
        left = self._fitting(self.actions, free)
        self.cells = []
        parts = [note, *self._said(left, note.cell_length)]
        parts.append(Content(" " * (free - sum(_width(action) for action in left))))
        parts += self._said(pinned, room)
        return Content("").join(parts)

    @staticmethod
    def _fitting(actions: Sequence[Action], room: int) -> list[Action]:
        kept: list[Action] = []
        for action in actions:
            if _width(action) > room:
                break
            room -= _width(action)
            kept.append(action)
        return kept

    def _said(self, actions: Sequence[Action], at: int) -> list[Content]:
        parts = []
        for action in actions:
            label = "underline $foreground" if self.hovered == action.command else "$foreground-muted"
            key = action.key_names[0]
            parts.append(
                Content.assemble((f" {key}", "bold $footer-key-foreground"), " ", (action.label, label), " ")
            )
            self.cells.append((at, at + _width(action), action.command))
            at += _width(action)
        return parts


def _width(action: Action) -> int:
    return len(action.key_names[0]) + len(action.label) + 3
