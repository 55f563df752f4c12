"""Fields and editors whose keys take effect in the order in which they are typed, with undo, and with room for what is pasted."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input


async def key_in_order(widget: Widget, event: events.Key) -> None:
    """Perform a widget's own binding (backspace, home, ctrl+u) as soon as its key arrives.

    Textual passes a bound key up to the app first, while letters are inserted at once: letters typed in the meantime were
    inserted before the action of an earlier key, and ctrl+u deleted what was typed after it.
    """
    if event.is_printable:
        return
    for binding in widget._bindings.key_to_bindings.get(event.key, ()):
        if await widget.app.run_action(binding.action, widget):
            event.stop()
            event.prevent_default()
            return


class Field(Input):
    """One line to type into. Textual's own has no undo, and takes the first line only of what is pasted."""

    DEFAULT_CSS = "Field > .input--placeholder { color: $foreground-muted; }"
    BINDINGS: ClassVar = [("ctrl+z", "undo", "Undo"), ("ctrl+y", "redo", "Redo")]

    takes_files = False
    """Whether pasting a whole file posts `FilePasted`."""

    @dataclass
    class FilePasted(Message):
        """A TOML file was pasted."""

        text: str

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._past: list[str] = []
        """What it held before."""
        self._future: list[str] = []
        """What was undone."""
        self._undoing = False
        super().__init__(*arguments, **options)

    def watch_value(self, before: str, now: str) -> None:
        if self._undoing:
            return
        self._future.clear()
        self._past.append(before)

    def forget(self) -> None:
        """There is nothing to take back: the program has written here."""
        self._past.clear()
        self._future.clear()

    def on_mount(self) -> None:
        self.forget()

    def _go_back(self, source: list[str], target: list[str]) -> None:
        if source:
            self._undoing = True
            target.append(self.value)
            self.value = source.pop()
            self.cursor_position = len(self.value)
            self._undoing = False

    def action_undo(self) -> None:
        self._go_back(self._past, self._future)

    def action_redo(self) -> None:
        self._go_back(self._future, self._past)

    async def _on_key(self, event: events.Key) -> None:
        # Textual calls the `_on_key` of Input next, unless the default is prevented.
        await key_in_order(self, event)

    def _on_paste(self, event: events.Paste) -> None:
        # Most terminals send the ends of pasted lines as CR.
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) > 1:
            # Textual calls the `_on_paste` of Input next, which would take the first line.
            event.prevent_default()
            event.stop()
            if self.takes_files and _is_file(text):
                self.post_message(self.FilePasted(text))
            else:
                start, end = self.selection
                self.replace(" ".join(lines), start, end)


def _is_file(text: str) -> bool:
    """Whether a text is TOML with a key at least."""
    try:
        return bool(tomllib.loads(text.removeprefix("\ufeff")))
    except (ValueError, RecursionError):
        return False
