"""Help for the current screen: its keys, from the table of actions, and its words and numbers, from the glossary."""

from __future__ import annotations

from textwrap import wrap

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from hvdsweep.glossary import SCREENS, entries
from tui.actions import WIDGETS, Action, actions_of, bindings
from tui.screens import PLACES
from tui.screens.base import AppScreen
from tui.widgets.window import Window

WIDTH = 84
"""Cells of the window, if there is room."""

MOST = 26
"""Cells for keys or a word, at most: what needs more stands on a line before what it means."""


class HelpScreen(Window[None]):
    """A list of keys by where they work; its own keys close it."""

    BINDINGS = [("q,question_mark,f1,enter", "cancel", "Close"), *bindings("log")]  # noqa: RUF012
    DEFAULT_CSS = f"""
    HelpScreen > VerticalScroll {{
        width: {WIDTH}; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; border: round $primary; padding: 0 1;
        border-title-color: $primary; border-subtitle-color: $foreground-muted;
    }}
    HelpScreen Static {{ width: 1fr; height: auto; }}
    """

    def __init__(self, place: AppScreen) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes"
            yield Static()

    def on_resize(self) -> None:
        self.query_one(Static).update(self._text(min(WIDTH, self.size.width) - 6))

    def _text(self, width: int) -> Content:
        """The lines for a width in cells; what does not fit continues indented below."""
        groups: list[tuple[str, list[tuple[str, str]]]] = [
            (
                "Screens",
                [(place.key, f"{place.title}: {place.help}") for place in PLACES],
            ),
            (SCREENS[self._place.PLACE], [_line(action) for action in actions_of(self._place.PLACE)]),
        ]
        if self._place.chart is not None:
            groups.append(("Chart", [_line(action) for action in actions_of("chart")]))
            groups.append((WIDGETS["plot"], [_line(action) for action in actions_of("plot")]))
        for owner in self._place.HELPS:
            groups.append((WIDGETS[owner], [_line(action) for action in actions_of(owner)]))
        groups.append(("Everywhere", [_line(action) for action in actions_of("app")]))
        groups.append(
            ("Words and numbers", [(entry.heading, entry.rule) for entry in entries(self._place.PLACE)])
        )
        lines: list[Content] = []
        for title, rows in groups:
            if rows:
                lines.append(Content.styled(title, "bold $primary"))
                indent = min(MOST, max(len(keys) for keys, _ in rows)) + 4
                for keys, words in rows:
                    first, *more = wrap(words, max(20, width - indent)) or [""]
                    if len(keys) > MOST:
                        first, more = "", [first, *more]
                    lines.append(
                        Content.assemble((f"  {keys:<{indent - 2}}", "bold $footer-key-foreground"), first)
                    )
                    lines += [Content(" " * indent + line) for line in more]
                lines.append(Content(""))
        return Content("\n").join(lines[:-1])

    def action_scroll_up(self) -> None:
        self.query_one(VerticalScroll).scroll_up(animate=False)

    def action_scroll_down(self) -> None:
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_scroll_home(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_follow(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False)


def _line(action: Action) -> tuple[str, str]:
    return " ".join(action.key_names), action.help
