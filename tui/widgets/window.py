"""What small windows over a screen share: their frame, lines to type numbers into, and a way out."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label

from tui.widgets.typing import Field

Result = TypeVar("Result")

WINDOW = """
    align: center middle;
    & > Vertical {
        width: 66; max-width: 100%; height: auto; max-height: 100%; overflow-y: auto;
        background: $surface; border: round $primary; padding: 0 2;
        border-title-color: $primary; border-title-style: bold;
    }
    & .text { height: auto; margin: 1 0 0 0; }
    & .buttons { height: 1; margin: 1 0; align-horizontal: right; }
    & Button { margin-left: 2; }
    & .field { height: 1; margin-top: 1; }
    & .field Label { width: 22; color: $foreground; }
    & .field Input { width: 1fr; }
"""
"""CSS of a frame in the middle of the screen."""

RANKS = {"np": "ranks per trial", "gangs": "trials side by side"}
"""What a launch is asked for besides the sweep."""


class Window(ModalScreen[Result | None]):
    """A window that `esc` and its button `#cancel` leave without an answer."""

    BINDINGS: ClassVar = [("escape", "cancel", "Cancel")]

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(None)

    def typed(self) -> dict[str, str]:
        """Id of a line -> what stands in it."""
        return {str(field.id): field.value.strip() for field in self.query(Input)}


def field(name: str, title: str, value: str) -> ComposeResult:
    """A line to type into."""
    with Horizontal(classes="field"):
        yield Label(title)
        yield Field(value, id=name, compact=True)


def whole_number(title: str, text: str) -> int | str:
    """The number, or what is wrong with it."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**6:
        return f"{title}: {text or 'nothing'}: give a whole number of at least 1"
    return int(text)
