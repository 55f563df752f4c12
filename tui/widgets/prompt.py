"""One line to type into, shown only while it is used: a filter, a number to jump to."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Static

from hvdsweep.visible import visible
from tui.widgets.typing import Field


class Prompt(Vertical):
    """A label, a line, and under it what is wrong with what was typed."""

    DEFAULT_CSS = """
    Prompt { height: auto; width: 1fr; display: none; background: $surface; }
    Prompt.-open { display: block; }
    Prompt Horizontal { height: 1; }
    Prompt Label { width: auto; padding: 0 1; color: $accent; text-style: bold; }
    Prompt Input { width: 1fr; }
    Prompt > Static { height: auto; max-height: 3; padding: 0 1; color: $error; display: none; }
    Prompt.-wrong > Static { display: block; }
    """

    @dataclass
    class Typed(Message):
        """The text has changed."""

        purpose: str
        text: str

    class Entered(Typed):
        """Enter was pressed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.purpose = ""
        """What it is open for; "" while it is closed."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label("")
            yield Field(compact=True)
        yield Static(markup=False)

    def open(self, purpose: str, label: str, text: str = "", placeholder: str = "") -> None:
        """Show it and give it the keyboard."""
        self.purpose = purpose
        self.query_one(Label).update(label)
        field = self.query_one(Input)
        field.placeholder = placeholder
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.wrong("")
        self.add_class("-open")
        # At once: what arrives together with the key that opened it belongs into it.
        self.screen.set_focus(field)

    def close(self) -> None:
        self.purpose = ""
        self.remove_class("-open")

    @property
    def text(self) -> str:
        return self.query_one(Input).value

    def wrong(self, problem: str) -> None:
        """Say what is wrong; "" nothing."""
        self.query_one(Static).update(visible(problem, lines=True))
        self.set_class(bool(problem), "-wrong")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.purpose:
            self.post_message(self.Typed(self.purpose, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.purpose:
            self.post_message(self.Entered(self.purpose, event.value))
