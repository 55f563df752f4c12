"""A row of a form: a label, controls that each hold a text, and a note for the check's finding.

What the controls hold, and what that says in the sweep file, is in `composing.fields`. Wide rows (`-two-lines`) have their note
in a line below, which is always there, so that nothing jumps. A row checks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Checkbox, Label, Static

from tui.actions import bindings
from tui.composing.fields import Entry, FieldSpec, changes_of, choices_of, left_to_the_text, texts_of
from tui.composing.toml_text import Change
from tui.composing.words import HOWS, NUMBERS, OTHER, examples_of, used_by
from tui.widgets.form_dialogs import ListDialog
from tui.widgets.typing import Field
from tui.widgets.window import open_window


class Choice(Static, can_focus=True):
    """One of a few words; arrows choose at once, space and Enter or a click open the list.

    Textual's Select is seven widgets: with the twenty of the form, the screen took 0.6 s longer to open (1.7 s instead of 1.1 s
    of processor time).
    """

    BINDINGS = [*bindings("choice")]  # noqa: RUF012
    DEFAULT_CSS = """
    Choice { height: 1; }
    Choice:hover { text-style: underline; }
    Choice:focus { color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold; }
    Choice:disabled { color: $foreground-muted; }
    """

    value: reactive[str] = reactive("", init=False)
    """The chosen word; one that is not offered is shown until another one is chosen."""

    class Changed(Message):
        """Another word is chosen."""

    def __init__(self, words: Sequence[str], *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self.words = tuple(words)
        self.styles.width = max(map(len, words)) + 3
        self.set_reactive(Choice.value, self.words[0])

    def render(self) -> str:
        return f"{self.value} ▾" if not self.disabled else self.value

    def watch_value(self) -> None:
        self.post_message(self.Changed())

    def action_step(self, way: int) -> None:
        at = self.words.index(self.value) if self.value in self.words else -1
        self.value = self.words[(at + way) % len(self.words)]

    def action_take(self) -> None:
        dialog = ListDialog("Choose", [Entry(word, word) for word in self.words], current=self.value)
        open_window(self.app, dialog, self._taken)

    def _taken(self, word: str | None) -> None:
        if word is not None:
            self.value = word

    def on_click(self) -> None:
        self.action_take()


class Tick(Checkbox):
    """One word to tick; arrows go to its neighbours."""

    BINDINGS = [*bindings("choice")]  # noqa: RUF012
    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "□"
    DEFAULT_CSS = """
    Tick.-textual-compact { background: transparent; margin-right: 1; }
    Tick > .toggle--button { color: $foreground-muted; }
    """

    def watch_value(self) -> None:
        # The state is seen without colours, too.
        self.BUTTON_INNER = "■" if self.value else "□"
        super().watch_value()

    def action_take(self) -> None:
        self.toggle()

    def action_step(self, way: int) -> None:
        ticks = self.query_ancestor(Ticks).ticks
        self.screen.set_focus(ticks[(ticks.index(self) + way) % len(ticks)])


class Ticks(Horizontal):
    """Any number of a few words in one line; Textual's SelectionList has a line for each."""

    DEFAULT_CSS = "Ticks { column-span: 2; height: 1; }"

    def __init__(self, words: Iterable[str], *, id: str) -> None:
        self.ticks = tuple(Tick(word, compact=True, id=f"{id}-{word}", name=word) for word in words)
        super().__init__(*self.ticks)
        self._others: list[str] = []
        """Words in the text that are not offered."""

    @property
    def value(self) -> str:
        """The ticked words in lines, those that are not offered behind them."""
        return "\n".join([*(str(tick.name) for tick in self.ticks if tick.value), *self._others])

    @value.setter
    def value(self, text: str) -> None:
        words = text.splitlines()
        for tick in self.ticks:
            tick.value = tick.name in words
        names = {tick.name for tick in self.ticks}
        self._others = [word for word in words if word not in names]


Part = Field | Choice | Ticks
"""A control: its `value` is what it holds, as a text."""


class FormRow(Horizontal):
    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    FormRow { height: 1; width: 1fr; }
    FormRow .label { width: 17; padding: 0 1; color: $foreground-muted; }
    FormRow:focus-within .label { color: $primary; text-style: bold; }
    FormRow .note {
        width: 1fr; height: 1; padding: 0 0 0 1; color: $foreground-muted; text-wrap: nowrap; text-overflow: ellipsis;
    }
    FormRow.-wrong .label { color: $error; text-style: bold; }
    FormRow Input { width: 12; background: $panel; padding: 0 1; }
    FormRow Input:focus { background: $block-cursor-blurred-background; background-tint: $foreground 0%; }
    FormRow .list { width: 3; color: $accent; }
    FormRow .list:hover { background: $panel; }
    FormRow.-two-lines { height: 2; layout: grid; grid-size: 3 2; grid-columns: 17 1fr 3; grid-rows: 1; }
    FormRow.-two-lines Input { width: 100%; }
    FormRow.-two-lines .note { column-span: 3; padding: 0 0 0 18; }
    FormRow.-amount Choice { margin-left: 1; }
    FormRow.-space Input { width: 11; }
    FormRow.-space .values { width: 25; }
    FormRow.-space .to { width: 3; color: $foreground-muted; content-align: center middle; }
    FormRow.-note .note { color: $secondary; }
    .-tiny FormRow.-amount Input { width: 7; }
    .-tiny FormRow.-ticks { height: auto; grid-rows: auto 1; }
    .-tiny FormRow Ticks { height: auto; layout: vertical; }
    .-tiny FormRow.-space { height: auto; layout: grid; grid-size: 3; grid-columns: 17 3 1fr; grid-rows: 1; }
    .-tiny FormRow.-space Choice { column-span: 2; }
    .-tiny FormRow.-space Input { width: 100%; }
    .-tiny FormRow.-space .note { column-span: 3; }
    """

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(classes=f"-{spec.kind}")
        self.spec = spec
        self.key = spec.key
        self.choices = choices_of(spec.key, {})
        """The list of a line that has one."""
        self._line = _line(spec)
        self.parts = tuple(part for part in self._line if isinstance(part, Part))
        self.fields = tuple(part for part in self.parts if isinstance(part, Field))
        """What is typed into."""
        for field in self.fields:
            field.takes_files = True
        self.sentences = ("", "", "")
        """(mistakes, warnings, fact) as they are shown."""
        self._own_fact = ""
        """What it says of a value that only the text can hold."""
        self._note = Static(classes="note", markup=False)
        self._known: tuple[str, ...] | None = None
        """Its values when it last agreed with the text; None until it has followed the text once."""
        self.set_class(bool(self.choices) or spec.kind in ("sizes", "text", "ticks"), "-two-lines")

    def compose(self) -> ComposeResult:
        label = Label(self.spec.label, classes="label", markup=False)
        label.tooltip = self.spec.meaning or None
        yield label
        yield from self._line
        yield self._note

    @property
    def held(self) -> tuple[str, ...]:
        """The values in its controls."""
        return tuple(part.value for part in self.parts)

    def follow(self, tables: Mapping[str, Any], *, always: bool = False) -> None:
        """Show the tables' values, unless it is being typed into or was just now; `always`: even then, since this is another
        sweep."""
        if not self.is_mounted or (not always and (self.in_use or self.is_ahead)):
            return
        held = self.held
        kept = tuple("" if always and isinstance(part, Field) else part.value for part in self.parts)
        for part, text in zip(self.parts, texts_of(self.spec, tables, kept), strict=True):
            part.value = text
        self._known = self.held
        if self._known != held:
            for field in self.fields:
                field.forget()
        self._own_fact = left_to_the_text(self.spec, tables)
        if self.spec.kind == "note":
            self.display = bool(self._own_fact)
        if self.spec.kind == "space":
            self._show_used()
        if self.choices:
            self.choices = choices_of(self.key, tables)
            names = [entry.value for entry in self.choices]
            self.fields[0].suggester = SuggestFromList(names, case_sensitive=False)

    def _show_used(self) -> None:
        """Show the fields that go with the chosen way of a metaparameter; the others remember what they hold."""
        how, *numbers = self._line
        used = used_by(self.parts[0].value)
        how.disabled = self.parts[0].value == OTHER
        for widget in numbers:
            widget.display = any(widget.has_class(name) for name in used)

    @property
    def is_ahead(self) -> bool:
        """Whether it holds something that is not in the text yet."""
        return self.is_mounted and self._known not in (None, self.held)

    def take(self) -> list[Change]:
        """What writes its values into the text."""
        before, self._known = self._known or (), self.held
        return changes_of(self.spec, self.held, before)

    @property
    def in_use(self) -> bool:
        """Whether the cursor is in one of its fields, which are then left alone."""
        return any(field.has_focus for field in self.fields)

    def say(self, wrong: str, doubtful: str, fact: str) -> None:
        """Show mistakes, else warnings, else a fact."""
        said = (wrong, doubtful, self._own_fact or fact)
        if said != self.sentences:
            self.sentences = said
            self.set_class(bool(wrong), "-wrong")
            styles = ("$error", "$warning", "")
            words = next(((text, style) for text, style in zip(said, styles, strict=True) if text), ("", ""))
            self._note.update(Content.styled(words[0].replace("\n", " "), words[1]))

    def first(self) -> Widget | None:
        """Where the keyboard goes."""
        return next((widget for widget in self.query("*").results(Widget) if widget.focusable), None)

    def open_list(self) -> None:

        def as_typed(text: str) -> Entry | None:
            """What no entry matches may still be a value."""
            listed = any(text.lower() in f"{entry.words} {entry.about}".lower() for entry in self.choices)
            return None if listed else Entry(text, text, "as typed")

        title, current = self.spec.label.strip().capitalize(), self.fields[0].value.strip()
        open_window(self.app, ListDialog(title, self.choices, current=current, free=as_typed), self._chosen)

    def _chosen(self, value: str | None) -> None:
        if value is not None:
            field = self.fields[0]
            field.value = value
            field.cursor_position = len(value)
            self.screen.set_focus(field)

    def on_click(self, event: events.Click) -> None:
        on_mark = event.widget is not None and event.widget.has_class("list")
        if on_mark and self.choices and not self.fields[0].disabled:
            self.open_list()


def _line(spec: FieldSpec) -> list[Widget]:
    """The controls of a field, and what stands among them."""
    name, words = spec.key.replace(".", "-"), list(spec.choices or {})
    match spec.kind:
        case "note":
            return []
        case "choice":
            return [Choice(words, id=name)]
        case "ticks":
            return [Ticks(words, id=name)]
        case "amount":
            return [Field(compact=True, id=f"{name}-amount"), Choice(words, id=f"{name}-unit")]
        case "space":
            examples = examples_of(spec.example)
            value, low, high, values = (
                Field(compact=True, id=f"{name}-{number}", classes=number, placeholder=examples[number])
                for number in NUMBERS
            )
            return [Choice(HOWS, id=f"{name}-how"), value, low, Label("…", classes="to max"), high, values]
    mark = Static(" ▾ " if choices_of(spec.key, {}) else "", classes="list")
    return [Field(compact=True, placeholder=spec.hint, id=name), mark]
