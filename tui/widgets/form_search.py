"""The row of a metaparameter: left out, fixed, or searched on a scale between two ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label, Static

from tui.composing.toml_text import REMOVED, Change, value_at
from tui.composing.words import FIXED, HOWS, LEFT_OUT, OTHER, how_of, number_of, range_of, value_of, words_of
from tui.widgets.form_controls import Cycle, Words
from tui.widgets.form_rows import FormRow

INPUTS = ("value", "min", "max", "values")


class MetaparameterRow(FormRow):
    """How it is given, and the numbers that belong to that way. Numbers of another way are remembered while it is in view."""

    DEFAULT_CSS = """
    MetaparameterRow Input { max-width: 11; min-width: 6; }
    MetaparameterRow .-values { max-width: 24; }
    MetaparameterRow .to { width: 3; color: $foreground-muted; content-align: center middle; }
    MetaparameterRow Cycle { margin: 0 1 0 0; }
    MetaparameterRow .other { width: 1fr; color: $secondary; display: none; }
    """

    def __init__(self, name: str, label: str, example: tuple[str, str, str, str]) -> None:
        """`example`: a fixed value, both ends of a range, and a list of values, to begin with."""
        super().__init__(f"search.{name}", label)
        self.name_in_search = name
        self._example = dict(zip(INPUTS, example, strict=True))

    def controls(self) -> ComposeResult:
        yield Cycle(HOWS, id=f"{self.name_in_search}_how")
        for name in INPUTS:
            if name == "max":
                yield Label("…", classes="to")
            hint = self._example[name]
            yield Input(
                compact=True,
                id=f"{self.name_in_search}_{name}",
                placeholder=hint,
                classes=f"-{name}",
                name=name,
            )
        yield Static(classes="other", markup=False)

    def on_mount(self) -> None:
        self.query_one(Cycle).value = LEFT_OUT
        self._arrange()

    @property
    def how(self) -> str:
        """One of HOWS, or OTHER."""
        return self.query_one(Cycle).value

    def _input(self, name: str) -> Input:
        return self.query_one(f"#{self.name_in_search}_{name}", Input)

    def show(self, tables: Mapping[str, Any]) -> None:
        value = value_at(tables, ("search", self.name_in_search))
        how = how_of(value)
        cycle = self.query_one(Cycle)
        cycle.value = how
        cycle.disabled = how == OTHER
        texts: dict[str, str] = {}
        if how == FIXED:
            texts["value"] = words_of(value)
        elif isinstance(value, Mapping) and how != OTHER:
            texts = {name: words_of(value.get(name)) for name in ("min", "max", "values")}
            texts = {name: text for name, text in texts.items() if name in self._used(how)}
        for name, text in texts.items():
            field = self._input(name)
            if words_of(self._meaning(name, field.value)) != text:
                self.put_into(field, text)
        self.query_one(".other", Static).update(words_of(value) if how == OTHER else "")
        self._arrange()

    @staticmethod
    def _used(how: str) -> tuple[str, ...]:
        """The inputs that belong to a way."""
        if how == FIXED:
            return ("value",)
        if how == "choice":
            return ("values",)
        return () if how in (LEFT_OUT, OTHER) else ("min", "max")

    @staticmethod
    def _meaning(name: str, text: str) -> Any:
        value = value_of("numbers", text) if name == "values" else number_of(text)
        return None if value is REMOVED or text.strip() == "" else value

    def _arrange(self) -> None:
        used = self._used(self.how)
        for name in INPUTS:
            self._input(name).display = name in used
        self.query_one(".to", Label).display = "max" in used
        self.query_one(".other", Static).display = self.how == OTHER

    @on(Words.Changed)
    def _turned(self, message: Words.Changed) -> None:
        """Another way: with the numbers that were typed for it, else with those of the way before, else with examples."""
        message.stop()
        used = self._used(self.how)
        if used and not any(self._input(name).value.strip() for name in used):
            for name in used:
                self.put_into(self._input(name), self._from_others(name))
        self._arrange()
        path = ("search", self.name_in_search)
        if self.how == LEFT_OUT:
            value: Any = REMOVED
        elif self.how == FIXED:
            value = value_of("number", self._input("value").value)
        else:
            value = range_of(self.how, *(self._input(name).value for name in ("min", "max", "values")))
        self.tell(self.key, Change(path, value))

    def _from_others(self, name: str) -> str:
        low, high = (self._input(end).value.strip() for end in ("min", "max"))
        if name == "value" and low:
            return low
        if name == "values" and low and high:
            return f"{low}, {high}"
        return self._example[name]

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if not self.hear(event):
            return
        name = str(event.input.name)
        path = ("search", self.name_in_search)
        if name == "value":
            change = Change(path, value_of("number", event.value))
        elif name == "values":
            change = Change(
                (*path, "values"), value_of("numbers", event.value) if event.value.strip() else []
            )
        else:
            change = Change((*path, name), value_of("number", event.value))
        self.tell(f"{self.key}.{name}", change)

    @on(Input.Submitted)
    def _submitted(self, event: Message) -> None:
        event.stop()
        self.screen.focus_next()
