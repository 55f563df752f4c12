"""The row of every kind of field; lines with a list, search spaces and notes do more than hold a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import events
from textual.suggester import Suggester
from textual.widgets import Label, Static

from tui.composing.fields import FieldSpec, choices_of, path_of, says
from tui.composing.offers import Entry
from tui.composing.toml_text import REMOVED, Change, value_at
from tui.composing.words import FIXED, HOWS, LEFT_OUT, OTHER, how_of, range_of, value_of, words_of
from tui.widgets.form_dialogs import ListDialog
from tui.widgets.form_row import Choice, Edit, FormRow, Ticks, id_of
from tui.widgets.typing import Field
from tui.widgets.window import open_window


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
        self.field = Field(compact=True, placeholder=spec.hint, id=id_of(spec))
        mark = ListMark(" ▾ " if self.choices else "", classes="list")
        super().__init__(spec, self.field, mark)
        self.set_class(bool(self.choices) or spec.kind in ("sizes", "text"), "-two-lines")
        if self.choices:
            self.field.suggester = Listed(self)

    def put(self, tables: Mapping[str, Any]) -> None:
        if self.choices:
            self.choices = choices_of(self.key, tables) or self.choices
        super().put(tables)

    def open_list(self) -> None:
        """Open the list of its choices."""
        entries = [Entry(value, value, about) for value, about in self.choices]

        def as_typed(text: str) -> Entry | None:
            """What no entry matches may still be a value."""
            listed = any(text.lower() in f"{entry.words} {entry.about}".lower() for entry in entries)
            return None if listed else Entry(text, text, "as typed")

        title, current = self.spec.label.strip().capitalize(), self.field.value.strip()
        open_window(self.app, ListDialog(title, entries, current=current, free=as_typed), self._chosen)

    def _chosen(self, value: str | None) -> None:
        if value is not None:
            self.field.value = value
            self.field.cursor_position = len(value)
            self.screen.set_focus(self.field)


TEXTS = ("value", "min", "max", "values")
"""What can be typed for a metaparameter."""


class SpaceRow(FormRow):
    """A metaparameter: its scale, and the numbers that go with it. Those of other scales are remembered while it is in view."""

    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    SpaceRow Input { width: 11; }
    SpaceRow Input.-list { width: 25; }
    SpaceRow .to { width: 3; color: $foreground-muted; content-align: center middle; }
    .-tiny SpaceRow { height: auto; layout: grid; grid-size: 3; grid-columns: 17 3 1fr; grid-rows: 1; }
    .-tiny SpaceRow Choice { column-span: 2; }
    .-tiny SpaceRow Input { width: 100%; }
    .-tiny SpaceRow .note { column-span: 3; }
    """

    def __init__(self, spec: FieldSpec) -> None:
        self.how = Choice(list(HOWS), id=id_of(spec, "-how"))
        first, second = (Field(compact=True, id=id_of(spec, part)) for part in ("-first", "-second"))
        self._to = Label("…", classes="to")
        super().__init__(spec, self.how, first, self._to, second)
        self._example = _examples(spec.example)
        self._texts = dict.fromkeys(TEXTS, "")

    @property
    def _used(self) -> tuple[str, ...]:
        """The texts that go with the chosen scale."""
        ways = {FIXED: ("value",), "choice": ("values",), LEFT_OUT: (), OTHER: ()}
        return ways.get(self.how.value, ("min", "max"))

    @property
    def held(self) -> tuple[str, ...]:
        used = len(self._used)
        return (self.how.value, *(field.value for field in self.fields[:used]))

    def put(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, path_of(self.key))
        self.how.value = how_of(value)
        self.how.disabled = self.how.value == OTHER
        for name in self._used:
            text = words_of(value if name == "value" else value_at(value, (name,)))
            if not says("numbers" if name == "values" else "number", self._texts[name], text):
                self._texts[name] = text
        self._arrange()
        self.say(fact=words_of(value) if self.how.value == OTHER else "")

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
        if not before or before[0] != self.how.value:
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
        if self.how.value in (LEFT_OUT, FIXED):
            return value_of("number", self._texts["value"]) if used else REMOVED
        return range_of(self.how.value, *(self._texts[name] for name in ("min", "max", "values")))


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


def row_of(spec: FieldSpec) -> FormRow:
    """The row of a field."""
    words = list(spec.choices or {})
    match spec.kind:
        case "choice":
            return FormRow(spec, Choice(words, id=id_of(spec)))
        case "ticks":
            row = FormRow(spec, Ticks(words, id=id_of(spec)))
            return row.add_class("-two-lines")
        case "amount":
            field = Field(compact=True, id=id_of(spec, "-amount"))
            return FormRow(spec, field, Choice(words, id=id_of(spec, "-unit")))
        case "space":
            return SpaceRow(spec)
        case "note":
            return NoteRow(spec)
    return LineRow(spec)
