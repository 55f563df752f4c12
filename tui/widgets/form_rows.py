"""Rows of a form: a label, what is typed or chosen, and below it what the check says of it.

A row shows what the tables of a text say, and tells by `Edited` what is to change in them. It judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from tui.composing import words
from tui.composing.toml_text import REMOVED, Change, Path, value_at
from tui.composing.words import value_of, words_of
from tui.widgets.form_controls import Pick, Ticks, Words

Choices = Callable[[], Sequence[tuple[str, str]]]
"""(value, a few words about it) of everything that may be chosen."""


SHORT = 24
"""Characters of a fact that has room beside its control."""


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
    FormRow.-wrong > .said, FormRow.-doubtful > .said { display: block; }
    FormRow.-doubtful > .said { color: $warning; }
    FormRow.-wrong .label { color: $error; }
    FormRow Input { width: 1fr; max-width: 36; background: $panel; padding: 0 1; }
    FormRow Input.-short { width: 12; min-width: 12; }
    AmountRow Pick { margin-left: 1; }
    FormRow Input:focus { background: $block-cursor-blurred-background; background-tint: $foreground 0%; }
    .-tiny FormRow .label { width: 12; }
    .-tiny FormRow > .said { padding: 0 1; }
    """

    class Edited(Message):
        """Something else is to be said in the text."""

        def __init__(self, row: FormRow, field: str, changes: Sequence[Change]) -> None:
            super().__init__()
            self.row = row
            self.field = field
            """What was typed into or chosen; typing on in one field is one edit."""
            self.changes = tuple(changes)

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
        long = len(self._fact) > SHORT
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


class LineRow(FormRow):
    """A line to type into, with a list to choose from where there is one."""

    DEFAULT_CSS = """
    LineRow .list { width: 3; color: $accent; background: $panel; }
    LineRow .list:hover { background: $primary; color: $background; }
    """

    class Opened(Message):
        """The list is wanted."""

        def __init__(self, row: LineRow) -> None:
            super().__init__()
            self.row = row

    def __init__(
        self,
        key: str,
        label: str,
        kind: str,
        *,
        unit: str = "",
        hint: str = "",
        short: bool = False,
        choices: Choices | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        super().__init__(key, label, keys=keys)
        self._kind = kind
        self._unit = unit
        self._hint = hint
        self._short = short
        self._comes_to = ""
        self.choices = choices

    def controls(self) -> ComposeResult:
        field = Input(
            compact=True, placeholder=self._hint, classes="-short" if self._short else "", id=_id(self.key)
        )
        if self.choices is not None:
            field.suggester = SuggestFromList([value for value, _ in self.choices()])
        yield field
        if self.choices is not None:
            yield ListMark(" ▾ ", classes="list")
        if self._unit:
            yield Label(self._unit, classes="unit")

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    def show(self, tables: Mapping[str, Any]) -> None:
        self.put(words_of(value_at(tables, path_of(self.key))))

    def put(self, text: str) -> None:
        """Show a text, without telling of it; one that says the same is left as it was typed."""
        field = self.query_one(Input)
        if not self._alike(field.value, text):
            self.put_into(field, text)

    def _alike(self, typed: str, text: str) -> bool:
        """Whether what is typed already says this."""
        if self._kind == "text":
            return False
        value = value_of(self._kind, typed)
        return value is not REMOVED and words_of(value) == text

    def guide(self, meaning: str, hint: str) -> None:
        super().guide(meaning, hint)
        if not self._hint and not self._comes_to:
            self.query_one(Input).placeholder = hint

    def hint(self, text: str) -> None:
        """What an empty field comes to."""
        self._comes_to = text
        self.query_one(Input).placeholder = text

    def take(self, value: str) -> None:
        """What was chosen from the list."""
        field = self.query_one(Input)
        field.value = value
        field.cursor_position = len(value)
        self.screen.set_focus(field)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if self.hear(event):
            self.tell(self.key, Change(path_of(self.key), value_of(self._kind, event.value)))

    def confirm(self) -> bool:
        if self.choices is None:
            return False
        self.post_message(self.Opened(self))
        return True


class ListMark(Static):
    """The arrow that a click opens a list with."""

    def on_click(self, event: events.Click) -> None:
        event.stop()
        row = self.parent.parent if self.parent is not None else None
        if isinstance(row, LineRow) and not row.query_one(Input).disabled:
            row.post_message(LineRow.Opened(row))


class RanksRow(LineRow):
    """Ranks or gangs: they belong to a launch, not to the text."""

    class Typed(Message):
        """Another number."""

        def __init__(self, row: RanksRow, text: str) -> None:
            super().__init__()
            self.row = row
            self.text = text

    def show(self, tables: Mapping[str, Any]) -> None:
        """The text says nothing of it."""

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.prevent_default()
        self.hear(event)
        wrong = words.ranks_of(event.value) is None
        shown = event.value.strip() or "nothing"
        self.say(f"{shown} is not a whole number from 1 to {words.MAXIMUM:,}" if wrong else "")
        self.pending += 1
        self.post_message(self.Typed(self, event.value))


class PickRow(FormRow):
    """One of a few words."""

    def __init__(
        self,
        key: str,
        label: str,
        offered: Sequence[str],
        *,
        default: str,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """`default` is the word for a key that is not there; `values`: word -> what the text says for it."""
        super().__init__(key, label)
        self._offered = tuple(offered)
        self._default = default
        self._values = values or {word: word for word in offered}

    def controls(self) -> ComposeResult:
        yield Pick(self._offered, id=_id(self.key))

    def show(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        word = next((word for word, said in self._values.items() if said is value or said == value), "")
        self.query_one(Pick).value = self._default if value is None else word

    @on(Words.Changed)
    def _changed(self, message: Words.Changed) -> None:
        message.stop()
        value = self._values.get(self.query_one(Pick).value, REMOVED)
        self.tell(self.key, Change(path_of(self.key), value))


class TicksRow(FormRow):
    """Any number of a few words. `single` is another key that may give one of them."""

    def __init__(
        self, key: str, label: str, offered: Sequence[str], *, default: Sequence[str] = (), single: str = ""
    ) -> None:
        super().__init__(key, label, keys=(single,) if single else ())
        self._offered = tuple(offered)
        self._default = tuple(default)
        self._single = single

    def controls(self) -> ComposeResult:
        yield Ticks(self._offered, id=_id(self.key))

    def show(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        if value is None and self._single:
            one = value_at(tables, path_of(self._single))
            value = None if one is None else [one]
        listed = value if isinstance(value, list) else self._default if value is None else ()
        ticks = self.query_one(Ticks)
        ticks.value = tuple(str(word) for word in listed)

    @on(Words.Changed)
    def _changed(self, message: Words.Changed) -> None:
        message.stop()
        value = list(self.query_one(Ticks).value)
        instead = (path_of(self._single),) if self._single else ()
        self.tell(self.key, Change(path_of(self.key), value, instead))


class AmountRow(FormRow):
    """A number and what it counts: exactly one of a few keys of one table."""

    def __init__(
        self, table: str, label: str, units: Mapping[str, str], *, hints: Mapping[str, str] | None = None
    ) -> None:
        """`units`: key -> its word; the first one is where nothing is said."""
        super().__init__(table, label, keys=[f"{table}.{key}" for key in units])
        self._units = dict(units)
        self._hints = hints or {}

    def controls(self) -> ComposeResult:
        yield Input(compact=True, classes="-short", id=_id(f"{self.key}_amount"))
        yield Pick(tuple(self._units.values()), id=_id(f"{self.key}_unit"))

    def on_mount(self) -> None:
        pick = self.query_one(Pick)
        pick.value = next(iter(self._units.values()))
        self._hint()

    @property
    def _chosen(self) -> str:
        """The key whose word is chosen."""
        value = self.query_one(Pick).value
        return next((key for key, word in self._units.items() if word == value), next(iter(self._units)))

    def show(self, tables: Mapping[str, Any]) -> None:
        there = [key for key in self._units if value_at(tables, path_of(f"{self.key}.{key}")) is not None]
        if there and self._chosen not in there:
            self.query_one(Pick).value = self._units[there[0]]
        field = self.query_one(Input)
        text = words_of(value_at(tables, path_of(f"{self.key}.{self._chosen}")))
        if words_of(words.number_of(field.value)) != text:
            self.put_into(field, text)
        self._hint()

    def _hint(self) -> None:
        self.query_one(Input).placeholder = self._hints.get(self._chosen, "")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self.hear(event):
            self._tell()

    @on(Words.Changed)
    def _turned(self, event: Words.Changed) -> None:
        event.stop()
        self._hint()
        self._tell()

    def _tell(self) -> None:
        chosen = self._chosen
        others = tuple(path_of(f"{self.key}.{key}") for key in self._units if key != chosen)
        value = value_of("number", self.query_one(Input).value)
        self.tell(self.key, Change(path_of(f"{self.key}.{chosen}"), value, others))


class NoteRow(FormRow):
    """What only the text can say: shown, and left alone."""

    DEFAULT_CSS = """
    NoteRow .note { width: 1fr; height: auto; color: $secondary; }
    NoteRow > .line { height: auto; }
    """

    def __init__(self, key: str, label: str, note: Callable[[Any], str]) -> None:
        """`note` says in words what stands at `key`."""
        super().__init__(key, label)
        self._note = note

    def controls(self) -> ComposeResult:
        yield Static(classes="note", markup=False)

    def show(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        self.display = value not in (None, [], {})
        if self.display:
            self.query_one(".note", Static).update(self._note(value))


def _id(key: str) -> str:
    return key.replace(".", "-")
