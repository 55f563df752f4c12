"""The row of a metaparameter: left out, fixed, or searched on a scale between two ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Label, Static

from tui.composing.toml_text import REMOVED, Change, value_at
from tui.composing.words import FIXED, HOWS, LEFT_OUT, OTHER, how_of, range_of, value_of, words_of
from tui.widgets.form_controls import Cycle, Words
from tui.widgets.form_row import FormRow
from tui.widgets.typing import Field

TEXTS = ("value", "min", "max", "values")


class MetaparameterRow(FormRow):
    """How it is given, and the numbers that belong to that way. Numbers of another way are remembered while it is in view."""

    DEFAULT_CSS = """
    MetaparameterRow Input { max-width: 11; min-width: 6; }
    MetaparameterRow Input.-list { max-width: 25; }
    MetaparameterRow .to { width: 3; color: $foreground-muted; content-align: center middle; }
    MetaparameterRow Cycle { margin: 0 1 0 0; }
    MetaparameterRow .other { width: 1fr; color: $secondary; }
    """

    def __init__(self, name: str, label: str, example: tuple[str, str, str, str]) -> None:
        """`example`: a fixed value, both ends of a range, and a list of values, to begin with."""
        super().__init__(f"search.{name}", label)
        self._metaparameter = name
        self._example = dict(zip(TEXTS, example, strict=True))
        self._texts = dict.fromkeys(TEXTS, "")
        """What was typed for each way."""

    def controls(self) -> ComposeResult:
        yield Cycle(HOWS, id=f"{self._metaparameter}_how")
        yield Field(compact=True, id=f"{self._metaparameter}_first")
        yield Label("…", classes="to")
        yield Field(compact=True, id=f"{self._metaparameter}_second")
        yield Static(classes="other", markup=False)

    def on_mount(self) -> None:
        self.query_one(Cycle).value = LEFT_OUT
        self._arrange()

    @property
    def how(self) -> str:
        """One of HOWS, or OTHER."""
        return self.query_one(Cycle).value

    @property
    def _used(self) -> tuple[str, ...]:
        """The texts that belong to the present way, as the inputs show them."""
        if self.how == FIXED:
            return ("value",)
        if self.how == "choice":
            return ("values",)
        return () if self.how in (LEFT_OUT, OTHER) else ("min", "max")

    def show(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, ("search", self._metaparameter))
        how = how_of(value)
        cycle = self.query_one(Cycle)
        cycle.value = how
        cycle.disabled = how == OTHER
        for name in self._used:
            said = value if name == "value" else value.get(name) if isinstance(value, Mapping) else None
            text = words_of(said)
            if words_of(_meaning(name, self._texts[name])) != text:
                self._texts[name] = text
        self._arrange()
        other = self.query_one(".other", Static)
        other.update(words_of(value) if how == OTHER else "")

    def _arrange(self) -> None:
        """The inputs of the present way, with its texts."""
        used = self._used
        for place, field in enumerate(self.query(Input)):
            field.display = place < len(used)
            if field.display:
                field.placeholder = self._example[used[place]]
                field.set_class(used[place] == "values", "-list")
                self.put_into(field, self._texts[used[place]])
        self.query_one(".to", Label).display = len(used) > 1
        self.query_one(".other", Static).display = self.how == OTHER

    @on(Words.Changed)
    def _turned(self, message: Words.Changed) -> None:
        """Another way: with the numbers that were typed for it, else with those of the way before, else with examples."""
        message.stop()
        used = self._used
        if used and not any(self._texts[name].strip() for name in used):
            self._texts |= {name: self._from_others(name) for name in used}
        self._arrange()
        if self.how == LEFT_OUT:
            value: Any = REMOVED
        elif self.how == FIXED:
            value = value_of("number", self._texts["value"])
        else:
            value = range_of(self.how, *(self._texts[name] for name in ("min", "max", "values")))
        self.tell(self.key, Change(("search", self._metaparameter), value))

    def _from_others(self, name: str) -> str:
        low, high = self._texts["min"].strip(), self._texts["max"].strip()
        if name == "value" and low:
            return low
        if name == "values" and low and high:
            return f"{low}, {high}"
        return self._example[name]

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if not self.hear(event) or not self._used:
            return
        place = list(self.query(Input)).index(event.input)
        name = self._used[min(place, len(self._used) - 1)]
        self._texts[name] = event.value
        path = ("search", self._metaparameter)
        if name == "value":
            change = Change(path, value_of("number", event.value))
        elif name == "values":
            change = Change(
                (*path, "values"), value_of("numbers", event.value) if event.value.strip() else []
            )
        else:
            change = Change((*path, name), value_of("number", event.value))
        self.tell(f"{self.key}.{name}", change)


def _meaning(name: str, text: str) -> Any:
    """What a text says, as the file would; None for nothing."""
    value = value_of("numbers" if name == "values" else "number", text)
    return None if value is REMOVED else value
