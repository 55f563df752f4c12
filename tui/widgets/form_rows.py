"""The rows of a form by what they hold: a line, a choice, ticks, an amount with its unit, a note."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label, Static

from tui.composing import words
from tui.composing.toml_text import REMOVED, Change, value_at
from tui.composing.words import value_of, words_of
from tui.widgets.form_controls import Pick, Ticks, Words
from tui.widgets.form_row import FormRow, path_of
from tui.widgets.typing import Field

Choices = Callable[[], Sequence[tuple[str, str]]]
"""(value, a few words about it) of everything that may be chosen."""


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
        field = Field(
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
        wrong = not words.is_ranks(self.key, event.value)
        shown = event.value.strip() or "nothing"
        self.say(
            f"{shown} is not a whole number from 1 to {words.MAXIMUM:,}{', and not auto' if self.key == 'np' else ''}"
            if wrong
            else ""
        )
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

    ROOM = 0
    DEFAULT_CSS = """
    AmountRow Pick { margin-left: 1; }
    """

    def __init__(
        self, table: str, label: str, units: Mapping[str, str], *, hints: Mapping[str, str] | None = None
    ) -> None:
        """`units`: key -> its word; the first one is where nothing is said."""
        super().__init__(table, label, keys=[f"{table}.{key}" for key in units])
        self._units = dict(units)
        self._hints = hints or {}

    def controls(self) -> ComposeResult:
        yield Field(compact=True, classes="-short", id=_id(f"{self.key}_amount"))
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
