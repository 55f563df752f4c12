"""The kinds of rows of a form: a line, a choice, ticks, an amount with its unit, a search space, a note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Label, Static

from tui.composing.fields import FieldSpec, choices_of
from tui.composing.offers import Entry
from tui.composing.toml_text import REMOVED, Change, value_at
from tui.composing.words import FIXED, HOWS, LEFT_OUT, OTHER, how_of, range_of, value_of, words_of
from tui.widgets.form_dialogs import ListDialog
from tui.widgets.form_row import Choice, Edit, FormRow, Tick, path_of
from tui.widgets.typing import Field


class Listed(Suggester):
    """Suggests what the list of a field holds."""

    def __init__(self, row: LineRow) -> None:
        super().__init__(use_cache=False)
        self._row = row

    async def get_suggestion(self, value: str) -> str | None:
        return next((name for name, _ in self._row.choices if name.casefold().startswith(value)), None)


class ListMark(Static):
    """The arrow that a click opens a list with."""

    def on_click(self, event: events.Click) -> None:
        event.stop()
        row = self.query_ancestor(LineRow)
        if not row.field.disabled:
            row.open_list()


class LineRow(FormRow):
    """A line to type into; with choices also a list of them."""

    DEFAULT_CSS = "LineRow .list { width: 3; color: $accent; } LineRow .list:hover { background: $panel; }"

    def __init__(self, spec: FieldSpec) -> None:
        self.choices = choices_of(spec.key, {}) or []
        """(value, what it is) of the list."""
        super().__init__(spec)
        self.set_class(bool(self.choices) or spec.kind in ("sizes", "text"), "-two-lines")
        self.field = Field(compact=True, placeholder=spec.hint, id=self.id_of())
        self.fields = (self.field,)
        if self.choices:
            self.field.suggester = Listed(self)

    def controls(self) -> ComposeResult:
        yield self.field
        yield ListMark(" ▾ " if self.choices else "", classes="list")

    @property
    def held(self) -> tuple[str, ...]:
        return (self.field.value,)

    def put(self, tables: Mapping[str, Any]) -> None:
        if self.choices:
            self.choices = choices_of(self.key, tables) or self.choices
        text = words_of(value_at(tables, path_of(self.key)))
        value = value_of(self.spec.kind, self.field.value)
        # An equal value stays as it was typed.
        if self.spec.kind == "text" or value is REMOVED or words_of(value) != text:
            self.field.value = text

    def edit(self, before: tuple[str, ...]) -> Edit:
        return self.key, [Change(path_of(self.key), value_of(self.spec.kind, self.field.value))]

    def open_list(self) -> None:
        """Open the list of its choices."""
        entries = [Entry(value, value, about) for value, about in self.choices]

        def as_typed(text: str) -> Entry | None:
            """What no entry matches may still be a value."""
            listed = any(text.lower() in f"{entry.words} {entry.about}".lower() for entry in entries)
            return None if listed else Entry(text, text, "as typed")

        title, current = self.spec.label.strip().capitalize(), self.field.value.strip()
        self.app.push_screen(ListDialog(title, entries, current=current, free=as_typed), self._chosen)

    def _chosen(self, value: str | None) -> None:
        if value is not None:
            self.field.value = value
            self.field.cursor_position = len(value)
            self.screen.set_focus(self.field)


class ChoiceRow(FormRow):
    """One of a few words."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.choice = Choice(list(spec.choices or {}), id=self.id_of())

    def controls(self) -> ComposeResult:
        yield self.choice

    @property
    def held(self) -> tuple[str, ...]:
        return (self.choice.word,)

    def put(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        words = (self.spec.choices or {}).items()
        named = next((word for word, known in words if type(known) is type(value) and known == value), None)
        self.choice.word = self.spec.default if value is None else named or words_of(value)

    def edit(self, before: tuple[str, ...]) -> Edit:
        value = (self.spec.choices or {}).get(self.choice.word)
        return self.key, [Change(path_of(self.key), REMOVED if value is None else value)]


class TicksRow(FormRow):
    """Any number of a few words."""

    DEFAULT_CSS = "TicksRow Horizontal { column-span: 2; height: 1; }"

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.add_class("-two-lines")
        self.ticks = {
            word: Tick(word, compact=True, id=self.id_of(f"-{word}")) for word in spec.choices or {}
        }
        self._others: tuple[str, ...] = ()
        """Words in the text that are not offered."""

    def controls(self) -> ComposeResult:
        with Horizontal():
            yield from self.ticks.values()

    @property
    def value(self) -> tuple[str, ...]:
        """The ticked words, those that are not offered behind them."""
        return (*(word for word, tick in self.ticks.items() if tick.value), *self._others)

    held = value

    def put(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        if value is None and self.spec.single:
            one = value_at(tables, path_of(self.spec.single))
            value = None if one is None else [one]
        listed = value if isinstance(value, list) else []
        if value is None and self.spec.default:
            listed = self.spec.default.split(", ")
        for word, tick in self.ticks.items():
            tick.value = word in listed
        self._others = tuple(str(word) for word in listed if word not in self.ticks)

    def edit(self, before: tuple[str, ...]) -> Edit:
        instead = (path_of(self.spec.single),) if self.spec.single else ()
        return self.key, [Change(path_of(self.key), list(self.value), instead)]


class AmountRow(FormRow):
    """A number and what it counts: exactly one of a few keys of one table."""

    DEFAULT_CSS = "AmountRow Choice { margin-left: 1; }"

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._units = dict(spec.choices or {})
        self.field = Field(compact=True, id=self.id_of("-amount"))
        self.fields = (self.field,)
        self.unit = Choice(list(self._units), id=self.id_of("-unit"))

    def controls(self) -> ComposeResult:
        yield self.field
        yield self.unit

    @property
    def held(self) -> tuple[str, ...]:
        return self.field.value, self.unit.word

    def put(self, tables: Mapping[str, Any]) -> None:
        table = value_at(tables, path_of(self.key))
        there = [word for word, key in self._units.items() if isinstance(table, Mapping) and key in table]
        if there and self.unit.word not in there:
            self.unit.word = there[0]
        text = words_of(value_at(table, (self._units.get(self.unit.word, ""),)))
        if words_of(value_of("number", self.field.value)) != text or not text:
            self.field.value = text

    def edit(self, before: tuple[str, ...]) -> Edit:
        chosen = self._units[self.unit.word]
        others = tuple((self.key, key) for key in self._units.values() if key != chosen)
        return self.key, [Change((self.key, chosen), value_of("number", self.field.value), others)]


TEXTS = ("value", "min", "max", "values")
"""What can be typed for a metaparameter."""


class SpaceRow(FormRow):
    """A metaparameter: its scale, and the numbers that go with it. Those of other scales are remembered while it is in view."""

    DEFAULT_CSS = """
    SpaceRow Input { width: 11; }
    SpaceRow Input.-list { width: 25; }
    SpaceRow .to { width: 3; color: $foreground-muted; content-align: center middle; }
    """

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._example = _examples(spec.example)
        self._texts = dict.fromkeys(TEXTS, "")
        self._other = ""
        """A value that only the text can hold."""
        self.how = Choice(list(HOWS), id=self.id_of("-how"))
        self.fields = tuple(Field(compact=True, id=self.id_of(part)) for part in ("-first", "-second"))
        self._to = Label("…", classes="to")

    def controls(self) -> ComposeResult:
        yield self.how
        yield self.fields[0]
        yield self._to
        yield self.fields[1]

    @property
    def _used(self) -> tuple[str, ...]:
        """The texts that go with the chosen scale."""
        ways = {FIXED: ("value",), "choice": ("values",), LEFT_OUT: (), OTHER: ()}
        return ways.get(self.how.word, ("min", "max"))

    @property
    def held(self) -> tuple[str, ...]:
        used = len(self._used)
        return (self.how.word, *(field.value for field in self.fields[:used]))

    def put(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        self.how.word = how_of(value)
        self.how.disabled = self.how.word == OTHER
        for name in self._used:
            text = words_of(value if name == "value" else value_at(value, (name,)))
            if words_of(_meaning(name, self._texts[name])) != text:
                self._texts[name] = text
        self._arrange()
        self.say(fact=words_of(value) if self.how.word == OTHER else "")

    def follow(self, tables: Mapping[str, Any], *, always: bool = False) -> None:
        if always:
            self._texts = dict.fromkeys(TEXTS, "")  # Of another sweep.
        super().follow(tables, always=always)

    def _arrange(self) -> None:
        """Show the fields of the chosen scale, with their texts."""
        used = self._used
        for place, field in enumerate(self.fields):
            field.display = place < len(used)
            if not field.display:
                field.value = ""
            else:
                field.placeholder = self._example[used[place]]
                field.set_class(used[place] == "values", "-list")
                field.value = self._texts[used[place]]
        self._to.display = len(used) > 1

    def edit(self, before: tuple[str, ...]) -> Edit:
        if not before or before[0] != self.how.word:
            return self.key, [Change(path_of(self.key), self._turned())]
        changes, path = [], path_of(self.key)
        for name, field, old in zip(self._used, self.fields, before[1:], strict=False):
            if field.value != old:
                self._texts[name] = field.value
                value = value_of("numbers" if name == "values" else "number", field.value)
                if name == "values" and value is REMOVED:
                    value = []
                changes.append((name, Change(path if name == "value" else (*path, name), value)))
        return f"{self.key}.{changes[0][0]}" if changes else self.key, [change for _, change in changes]

    def _turned(self) -> Any:
        """Another scale: with the numbers typed for it before, else those of the last scale, else examples."""
        used = self._used
        if used and not any(self._texts[name].strip() for name in used):
            low, high = self._texts["min"].strip(), self._texts["max"].strip()
            others = {"value": low, "values": f"{low}, {high}" if low and high else ""}
            self._texts |= {name: others.get(name) or self._example[name] for name in used}
        self._arrange()
        self._known = self.held
        if self.how.word in (LEFT_OUT, FIXED):
            return value_of("number", self._texts["value"]) if used else REMOVED
        return range_of(self.how.word, *(self._texts[name] for name in ("min", "max", "values")))


def _examples(given: Any) -> dict[str, str]:
    """Numbers to start from on each scale: the examples of the file's reference."""
    tables = [entry for entry in given or [] if isinstance(entry, Mapping)]
    ends = next((entry for entry in tables if "min" in entry), {})
    values = next((entry["values"] for entry in tables if "values" in entry), [*ends.values()][1:])
    fixed = next(
        (entry for entry in given or [] if not isinstance(entry, Mapping)), values[0] if values else ""
    )
    shown = {"value": fixed, "min": ends.get("min"), "max": ends.get("max"), "values": values}
    return {name: words_of(value) for name, value in shown.items()}


def _meaning(name: str, text: str) -> Any:
    """The value of a text; None for nothing."""
    value = value_of("numbers" if name == "values" else "number", text)
    return None if value is REMOVED else value


class NoteRow(FormRow):
    """A value that only the text can hold: shown, not edited."""

    DEFAULT_CSS = "NoteRow .note { color: $secondary; }"

    def put(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        self.display = value not in (None, [], {})
        entries = [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
        said = []
        for entry in entries[:3]:
            sizes = words_of(entry.get("batch_sizes"))
            values = (
                f"{key.replace('_', ' ')} {words_of(value)}"
                for key, value in entry.items()
                if key != "batch_sizes"
            )
            said.append(", ".join(values) + (f" for {sizes}" if sizes else ""))
        more = f" and {len(entries) - 3} more" if len(entries) > 3 else ""
        self.say(fact=f"{'; '.join(said)}{more} (in the TOML)")


KINDS = {"choice": ChoiceRow, "ticks": TicksRow, "amount": AmountRow, "space": SpaceRow, "note": NoteRow}
"""Kind of a field -> its row, where that is no line."""


def row_of(spec: FieldSpec) -> FormRow:
    """The row of a field."""
    return KINDS.get(spec.kind, LineRow)(spec)
