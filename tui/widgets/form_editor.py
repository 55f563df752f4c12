"""An editor for a sweep file: TOML in colours, with the lines of mistakes and warnings marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text
from textual import events
from textual.color import Color
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from tui.composing.colours import coloured, key_lines
from tui.widgets.typing import key_in_order

if TYPE_CHECKING:
    from tui.composing.outlook import Outlook

COLOURS = {
    "comment": "foreground-muted",
    "table": "primary",
    "key": "secondary",
    "string": "success",
    "number": "accent",
    "word": "accent",
    "mark": "foreground-muted",
}
"""What a part of a line is -> a colour of the theme."""


class TomlEditor(TextArea):
    """The text of the draft. The form edits it in place, so that cursor and undo stay."""

    DEFAULT_CSS = """
    TomlEditor { height: 1fr; width: 1fr; background: $background; scrollbar-size: 1 1; }
    TomlEditor .text-area--gutter { color: $foreground-muted; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            compact=True,
            show_line_numbers=True,
            soft_wrap=True,
            tab_behavior="focus",
            # The style of the cursor's line would take the colours of its words.
            highlight_cursor_line=False,
        )
        self._marks: dict[int, str] = {}
        """Line -> `error` or `warning`."""

    async def _on_key(self, event: events.Key) -> None:
        await key_in_order(self, event)

    def follow(self, text: str) -> None:
        """Show this text, changing only what differs: cursor, selection and undo stay."""
        old = self.text
        if text == old:
            return
        head = _alike(old, text)
        tail = _alike(old[head:][::-1], text[head:][::-1])
        start, end = (
            (before.count("\n"), len(before) - before.rfind("\n") - 1)
            for before in (old[:head], old[: len(old) - tail])
        )
        self.replace(text[head : len(text) - tail], start, end, maintain_selection_offset=True)

    def begin(self, text: str) -> None:
        self.load_text(text)
        self.selection = Selection.cursor((0, 0))

    def mark(self, outlook: Outlook) -> None:
        """Mark the lines that findings are about, and the line where the text stops being TOML."""
        marks: dict[int, str] = {}
        if outlook.place is not None:
            marks[outlook.place[0] - 1] = "error"
        elif outlook.problems or outlook.warnings:
            lines = key_lines(self.text)
            for finding in (*outlook.warnings, *outlook.problems):
                key = finding.key
                # Of the longest name in the text that the key is, or lies in.
                names = [name for name in lines if key == name or key.startswith((f"{name}.", f"{name}["))]
                if names:
                    marks[lines[max(names, key=len)]] = "error" if finding in outlook.problems else "warning"
        if marks != self._marks:
            self._marks = marks
            self.notify_style_update()
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        for start, end, kind in coloured(line.plain):
            line.stylize(self._style(COLOURS[kind], bold=kind == "table"), start, end)
        mark = self._marks.get(line_index)
        if mark is not None:
            line.stylize(self._style(mark) + Style(underline=True))
        return line

    def _style(self, name: str, *, bold: bool = False) -> Style:
        if self.app.no_color:
            return Style(bold=bold)
        colour = self.background_colors[1] + Color.parse(self.app.theme_variables[name])
        return Style(color=colour.rich_color, bold=bold)


def _alike(one: str, other: str) -> int:
    """With how many characters both begin alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))
