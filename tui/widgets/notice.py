"""A message in place of missing data: what is wrong, and what to do."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from hvdsweep.visible import visible


class Notice(Vertical):
    """A heading, a text and a hint, in the middle of whatever room there is."""

    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    Notice {
        width: 1fr; height: 1fr; align: center middle; overflow: hidden;
        & > Vertical { width: 76; max-width: 100%; height: auto; padding: 0 1; }
        & Static { width: 100%; }
        & .heading { text-style: bold; color: $foreground; }
        & .text { color: $foreground-muted; margin-top: 1; }
        & .hint { color: $primary; margin-top: 1; }
    }
    .-low Notice .text, .-low Notice .hint { margin-top: 0; }
    """

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(classes="heading", markup=False)
            yield Static(classes="text", markup=False)
            yield Static(classes="hint", markup=False)

    def say(self, heading: str, text: str = "", hint: str = "") -> None:
        for name, words in (("heading", heading), ("text", text), ("hint", hint)):
            line = self.query_one(f".{name}", Static)
            line.update(visible(words, lines=True))
            line.display = bool(words)
