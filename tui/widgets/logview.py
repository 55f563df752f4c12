"""Lines of a log: it follows the end until the user scrolls up, then says how many lines came since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.widgets.lines import in_lines, line_of

MOST_LINES = 5000
"""Older lines are forgotten."""


class LogView(ScrollView, can_focus=True):
    """Plain lines, the last ones in view while `following`."""

    BINDINGS = [*bindings("log")]  # noqa: RUF012
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--badge", "log--empty"}
    DEFAULT_CSS = """
    LogView {
        height: 1fr; width: 1fr; background: $background; color: $foreground;
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & > .log--badge { background: $accent; color: $background; text-style: bold; }
        & > .log--empty { color: $foreground-muted; }
    }
    LogView:nocolor > .log--badge { text-style: bold reverse; }
    """

    following: reactive[bool] = reactive(True)
    """Whether the view stays at the end as lines come."""
    unread: reactive[int] = reactive(0)
    """Lines that came while the user looked further up."""

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        """`empty`: the text shown if there are no lines."""
        super().__init__(id=id)
        self.empty = empty
        self.lines: list[str] = []

    def clear(self, empty: str | None = None) -> None:
        self.lines = []
        self.unread = 0
        self.following = True
        if empty is not None:
            self.empty = empty
        self._lay_out()

    def extend(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        self.lines += lines
        forgotten = max(0, len(self.lines) - MOST_LINES)
        if forgotten:
            del self.lines[:forgotten]
        self._lay_out()
        if self.following:
            self._to_end()
            # How far one may scroll is known only once the new height is laid out.
            self.call_after_refresh(self._keep_up)
        else:
            self.unread += len(lines)
            if forgotten:
                self.scroll_to(y=max(0, self.scroll_y - forgotten), animate=False, immediate=True)

    def _lay_out(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.lines))
        self.refresh()

    def _to_end(self) -> None:
        self.scroll_to(y=max(0, len(self.lines) - self.size.height), animate=False, immediate=True)

    def _keep_up(self) -> None:
        if self.following:
            self._to_end()

    def on_resize(self) -> None:
        self._lay_out()
        if self.following:
            self._to_end()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = int(self.scroll_y) + y
        if not self.lines and y < len(said := in_lines(self.empty, width)):
            return line_of(self, Content(said[y]), width, "log--empty")
        text = self.lines[index] if index < len(self.lines) else ""
        strip = line_of(self, Content(" " + text), width)
        if self.unread and y == self.size.height - 1:
            words = f" ↓ {self.unread} new line{'s' if self.unread > 1 else ''} · G follows "[:width]
            badge = line_of(self, Content(words), len(words), "log--badge")
            strip = Strip.join([strip.crop(0, width - len(words)), badge])
        return strip

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        at_end = new_value >= len(self.lines) - self.size.height
        if at_end:
            self.following = True
        elif new_value < old_value:
            self.following = False

    def watch_following(self, following: bool) -> None:
        if following:
            self.unread = 0

    def watch_unread(self) -> None:
        self.refresh(Region(0, max(0, self.size.height - 1), self.size.width, 1))

    def on_click(self, event: events.Click) -> None:
        if self.unread and event.y == self.size.height - 1:
            self.action_follow()

    def action_follow(self) -> None:
        self.following = True
        self._to_end()
        self.refresh()

    def action_scroll_up(self) -> None:
        self.scroll_to(y=self.scroll_y - 1, animate=False, immediate=True)

    def action_scroll_down(self) -> None:
        self.scroll_to(y=self.scroll_y + 1, animate=False, immediate=True)

    def action_page_up(self) -> None:
        self.scroll_to(y=self.scroll_y - self.size.height + 1, animate=False, immediate=True)

    def action_page_down(self) -> None:
        self.scroll_to(y=self.scroll_y + self.size.height - 1, animate=False, immediate=True)

    def action_scroll_home(self) -> None:
        self.following = False
        self.scroll_to(y=0, animate=False, immediate=True)
