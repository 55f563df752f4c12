"""A row of a form: a label, what is typed or chosen, and below it what the check says of it.

A row shows what the tables of a text say, and tells by `Edited` what is to change in them. It judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from tui.composing.toml_text import Change, Path


def path_of(key: str) -> Path:
    """`goal.metric` -> ("goal", "metric")."""
    return tuple(key.split("."))


class FormRow(Vertical):
    """One row. `keys` are those whose mistakes it shows: itself and all below it."""

    DEFAULT_CSS = """
    FormRow { height: auto; width: 1fr; }
    FormRow > .line { height: 1; width: 1fr; }
    FormRow .label { width: 17; padding: 0 1; color: $foreground-muted; }
    FormRow.-current .label { color: $primary; text-style: bold; }
    FormRow .unit { width: auto; padding: 0 1; color: $foreground-muted; }
    FormRow .fact { width: auto; max-width: 26; padding: 0 0 0 1; color: $foreground-muted 60%; height: 1; }
    FormRow > .below { height: auto; width: 1fr; padding: 0 1 0 17; color: $foreground-muted 60%; display: none; }
    FormRow > .said { height: auto; width: 1fr; padding: 0 1 0 17; display: none; color: $error; }
    FormRow.-wrong .label { color: $error; }
    FormRow Input { width: 1fr; max-width: 36; background: $panel; padding: 0 1; }
    FormRow Input.-short { width: 12; min-width: 12; }
    FormRow Input:focus { background: $block-cursor-blurred-background; background-tint: $foreground 0%; }
    .-tiny FormRow .label { width: 12; }
    .-tiny FormRow > .said { padding: 0 1; }
    """

    ROOM: ClassVar[int] = 24
    """Characters of a fact that has room beside the control."""

    class Edited(Message):
        """Something else is to be said in the text."""

        def __init__(self, row: FormRow, field: str, changes: Sequence[Change]) -> None:
            super().__init__()
            self.row = row
            self.field = field
            """What was typed into or chosen; typing on in one field is one edit."""
            self.changes = tuple(changes)

    class Left(Message):
        """The keyboard has left this row: it may follow the text again."""

        def __init__(self, row: FormRow) -> None:
            super().__init__()
            self.row = row

    class Focused(Message):
        """The keyboard is in this row."""

        def __init__(self, row: FormRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, key: str, label: str, *, keys: Sequence[str] = ()) -> None:
        super().__init__()
        self.key = key
        self.label = label
        self.keys = (key, *keys)
        self.gone = False
        """Whether it is on its way out of the form."""
        self.meaning = ""
        """What the reference says of it."""
        self.pending = 0
        """Edits that were told and have not come into the text yet."""
        self._heard: dict[str | None, str] = {}
        """Input -> the text that was put there, or of which was told."""
        self._sentence: tuple[str, str] = ("", "")
        self._fact = ""
        self._parts: dict[str, Static] = {}
        """What is only there once there is something to say: `fact` in the line, `said` below it."""

    def compose(self) -> ComposeResult:
        with Horizontal(classes="line"):
            yield Label(self.label, classes="label", markup=False)
            yield from self.controls()

    def controls(self) -> ComposeResult:
        """What is typed into or chosen from."""
        yield from ()

    def show(self, tables: Mapping[str, Any]) -> None:
        """Follow the text; nothing is told of it."""

    def tell(self, field: str, *changes: Change) -> None:
        """Something else is to be said in the text."""
        self.pending += 1
        self.post_message(self.Edited(self, field, changes))

    def put_into(self, field: Input, text: str) -> None:
        """Show a text in an input, without telling of it."""
        self._heard[field.id] = text
        if field.value != text:
            with field.prevent(Input.Changed):
                field.value = text

    def hear(self, event: Input.Changed) -> bool:
        """Take note of what was typed; whether it is still there."""
        event.stop()
        self._heard[event.input.id] = event.value
        return event.value == event.input.value

    @property
    def typed_on(self) -> bool:
        """Whether more was typed or chosen than the text knows yet: then what is in the row must stay."""
        return self.pending > 0 or any(
            field.value != self._heard.get(field.id, "") for field in self.query(Input)
        )

    @property
    def in_use(self) -> bool:
        """Whether the cursor is in one of its fields: then nobody else writes there."""
        return any(field.has_focus for field in self.query(Input))

    def say(self, wrong: str, doubtful: str = "") -> None:
        """What the check says; "" nothing."""
        self.set_class(bool(wrong), "-wrong")
        if (wrong, doubtful) != self._sentence:
            self._sentence = (wrong, doubtful)
            self._speak()

    def fact(self, text: str) -> None:
        """What is known of what it says: beside the control, or below it where that takes more than a few words."""
        if text != self._fact:
            self._fact = text
            self._speak()

    def _speak(self) -> None:
        wrong, doubtful = self._sentence
        long = len(self._fact) > self.ROOM
        self._write("fact", Content("" if long else self._fact))
        lines = [
            Content.styled(self._fact if long else "", "$foreground-disabled"),
            Content.styled(wrong, "$error"),
            Content.styled("" if wrong else doubtful, "$warning"),
        ]
        self._write("said", Content("\n").join([line for line in lines if line.plain]))

    def _write(self, name: str, content: Content) -> None:
        part = self._parts.get(name)
        if part is None:
            if not content.plain:
                return
            part = self._parts[name] = Static(classes=name)
            home = self.query_one(".line") if name == "fact" else self
            home.mount(part)
        part.update(content)
        part.display = bool(content.plain)

    def guide(self, meaning: str, hint: str) -> None:
        """What the reference says of its key, and what to show in an empty field."""
        self.meaning = meaning
        self.query_one(".label", Label).tooltip = meaning or None

    def first(self) -> Widget | None:
        """Where the keyboard goes."""
        return next((widget for widget in self.query("*").results(Widget) if widget.focusable), None)

    def confirm(self) -> bool:
        """Enter was pressed: whether that means something here."""
        return False

    def on_descendant_focus(self) -> None:
        self.add_class("-current")
        self.post_message(self.Focused(self))

    def on_descendant_blur(self) -> None:
        self.set_class(self.has_focus_within, "-current")
        self.post_message(self.Left(self))
