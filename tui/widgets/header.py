"""The first line of every screen: tabs to the other screens, the database, and its state."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive

from tui.screens import PLACES
from tui.widgets.pick_line import PickLine


class Header(PickLine):
    """Tabs that a click opens, and at the right the database with its state."""

    DEFAULT_CSS = """
    Header {
        dock: top; height: 1; width: 100%; background: $panel; color: $foreground;
    }
    """

    database: reactive[str] = reactive("")
    """Its name, at the right end if there is room."""
    state: reactive[str] = reactive("")
    """How it fares, right of its name: "● 2 training"."""
    state_style: reactive[str] = reactive("$foreground-muted")

    typing: reactive[bool] = reactive(False)
    """Whether a field has the cursor: digits are text then, and are not shown as keys."""

    class Picked(PickLine.Picked):
        """A tab was clicked."""

    def __init__(self, active: str) -> None:
        super().__init__()
        self._active = active

    def render(self) -> Content:
        width = self.size.width
        texts, words = self._said(width)
        parts, self.cells, at = [], [], 0
        for place, text in zip(PLACES, texts, strict=True):
            if self.typing:
                text = text.replace(place.key, "·", 1)
            self.cells.append((at, at + len(text), place.name))
            at += len(text)
            chosen = "bold reverse" if self.app.no_color else "bold $background on $primary"
            style = chosen if place.name == self._active else "$foreground-muted"
            if place.name == self.hovered and place.name != self._active:
                style = "underline $foreground"
            parts.append(Content.styled(text, style))
        if words:
            parts.append(Content(" " * (width - at - len(words) - 1)))
            parts.append(Content.styled(words + " ", self.state_style))
        return Content("").join(parts)

    def _said(self, width: int) -> tuple[list[str], str]:
        """The tabs and the words at the right: the longest that fit, words of tabs before those of the database."""
        long = [f" {place.key} {place.title} " for place in PLACES]
        short = [f" {place.key} {place.short} " for place in PLACES]
        one = [
            text if place.name == self._active else f" {place.key} "
            for place, text in zip(PLACES, short, strict=True)
        ]
        digits = [place.key for place in PLACES]
        both = f"{self.database} {self.state}".strip()
        for tabs in (long, short, one, digits):
            for words in (both, self.state):
                if sum(map(len, tabs)) + len(words) + 2 <= width:
                    return tabs, words
        return next((tabs for tabs in (long, short, one) if sum(map(len, tabs)) <= width), digits), ""
