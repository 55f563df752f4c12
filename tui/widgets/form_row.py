"""A row of a form: a label, controls that each hold a text, and a note for the check's finding.

What the controls hold, and what that says in the sweep file, is in `composing.fields`. Wide rows (`-two-lines`) have their note
in a line below, which is always there, so that nothing jumps. `form_rows` has the rows that need more.

`follow` shows the values of a text; `edit` returns what to change in it. A row checks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Checkbox, Label, Static

from tui.actions import bindings
from tui.composing.fields import FieldSpec, change_of, says, texts_of
from tui.composing.offers import Entry
from tui.composing.toml_text import Change
from tui.widgets.form_dialogs import ListDialog
from tui.widgets.typing import Field
from tui.widgets.window import open_window

Edit = tuple[str, list[Change]]
"""The field that was edited, and the changes; further typing in the same field belongs to the same edit."""


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
        ticks = list(self.query_ancestor(Ticks).ticks)
        self.screen.set_focus(ticks[(ticks.index(self) + way) % len(ticks)])


class Ticks(Horizontal):
    """Any number of a few words."""

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
    """One row."""

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
    FormRow.-two-lines { height: 2; layout: grid; grid-size: 3 2; grid-columns: 17 1fr 3; grid-rows: 1; }
    FormRow.-two-lines Input { width: 100%; }
    FormRow.-two-lines .note { column-span: 3; padding: 0 0 0 18; }
    FormRow.-amount Choice { margin-left: 1; }
    .-tiny FormRow.-amount Input { width: 7; }
    .-tiny FormRow.-ticks { height: auto; grid-rows: auto 1; }
    .-tiny FormRow Ticks { height: auto; layout: vertical; }
    """

    def __init__(self, spec: FieldSpec, *line: Widget) -> None:
        """`line`: the controls, and what stands among them."""
        super().__init__(classes=f"-{spec.kind}")
        self.spec = spec
        self.key = spec.key
        self._line = line
        self.parts = tuple(part for part in line if isinstance(part, Part))
        self.fields = tuple(part for part in line if isinstance(part, Field))
        """What is typed into."""
        self.ready = False
        """Whether it is mounted with its controls."""
        self.sentences = ("", "", "")
        """(mistakes, warnings, fact) as they are shown."""
        self._note = Static(classes="note", markup=False)
        self._known: tuple[str, ...] = ()
        """Its values when it last agreed with the text; empty until it has followed the text once."""

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

    def put(self, tables: Mapping[str, Any]) -> None:
        """Show what the tables say."""
        for part, text in zip(self.parts, texts_of(self.spec, tables, self.held), strict=True):
            if not isinstance(part, Field) or not says(self.spec.kind, part.value, text):
                part.value = text

    def edit(self, before: tuple[str, ...]) -> Edit:
        """What to change in the text, where the row held `before` until now."""
        return self.key, [change_of(self.spec, self.held)]

    def follow(self, tables: Mapping[str, Any], *, always: bool = False) -> None:
        """Show the tables' values, unless it is being typed into or was just now; `always`: even then."""
        if self.ready and (always or not (self.in_use or self.is_ahead)):
            held = self.held
            self.put(tables)
            self._known = self.held
            if self.held != held:
                for field in self.fields:
                    field.forget()

    @property
    def is_ahead(self) -> bool:
        """Whether it holds something that is not in the text yet."""
        return self.ready and bool(self._known) and self.held != self._known

    def take(self) -> Edit:
        """The edit that writes its values into the text."""
        before, self._known = self._known, self.held
        return self.edit(before)

    @property
    def in_use(self) -> bool:
        """Whether the cursor is in one of its fields, which are then left alone."""
        return any(field.has_focus for field in self.fields)

    def say(self, wrong: str | None = None, doubtful: str | None = None, fact: str | None = None) -> None:
        """Show mistakes, warnings or a fact; None leaves what is shown."""
        old = self.sentences
        new = tuple(
            now if now is not None else was for now, was in zip((wrong, doubtful, fact), old, strict=True)
        )
        if new != old:
            self.sentences = (new[0], new[1], new[2])
            self.set_class(bool(new[0]), "-wrong")
            styles = ("$error", "$warning", "$foreground-muted")
            words = next(((text, style) for text, style in zip(new, styles, strict=True) if text), ("", ""))
            self._note.update(Content.styled(words[0].replace("\n", " "), words[1]))

    def first(self) -> Widget | None:
        """Where the keyboard goes."""
        return next((widget for widget in self.query("*").results(Widget) if widget.focusable), None)

    def on_mount(self) -> None:
        self.ready = True
        for field in self.fields:
            field.takes_files = True

    def on_unmount(self) -> None:
        self.ready = False


def id_of(spec: FieldSpec, part: str = "") -> str:
    """The id of a control."""
    return spec.key.replace(".", "-") + part
