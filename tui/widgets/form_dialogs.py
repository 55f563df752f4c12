"""Windows of the Compose screen: a list to choose from, and a path to save under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Input, OptionList
from textual.widgets.option_list import Option

from tui.composing.fields import Entry
from tui.widgets.typing import Field
from tui.widgets.window import AskingWindow, Window
from tui.words import plural


class ListDialog(Window[str]):
    """A list and a line that narrows it; arrows and Enter, or a click."""

    BINDINGS: ClassVar = [
        ("down", "move(1)", "Down"),
        ("up", "move(-1)", "Up"),
        ("pagedown", "move(10)", "Page down"),
        ("pageup", "move(-10)", "Page up"),
    ]
    DEFAULT_CSS = """
    ListDialog {
        & > Vertical { width: 84; height: 80%; min-height: 7; padding: 0 1; }
        & Input { margin-bottom: 1; background: $panel; padding: 0 1; }
        & OptionList {
            height: 1fr; border: none; padding: 0; background: $surface; scrollbar-size-vertical: 1;
            text-wrap: nowrap; text-overflow: ellipsis;
            &:focus { border: none; background-tint: $foreground 0%; }
        }
    }
    ListDialog.-low Input { margin-bottom: 0; }
    """

    def __init__(
        self,
        title: str,
        entries: Sequence[Entry],
        *,
        current: str = "",
        hint: str = "type to narrow the list",
        free: Callable[[str], Entry | None] = lambda text: None,
    ) -> None:
        """`free` makes an entry of what is typed, where that is something by itself."""
        super().__init__()
        self._title = title
        self._entries = tuple(entries)
        self._current = current
        self._hint = hint
        self._free = free

    def compose(self) -> ComposeResult:
        with Vertical() as window:
            window.border_title = self._title
            window.border_subtitle = "enter takes · esc leaves"
            yield Field(placeholder=self._hint, compact=True)
            yield OptionList()

    def on_mount(self) -> None:
        self._fill("")
        self.query_one(Input).focus()

    def _fill(self, text: str) -> None:
        """The entries in which every word of `text` occurs, under their headings."""
        terms = text.lower().split()
        found = [
            entry
            for entry in self._entries
            if not entry.value or all(term in f"{entry.words} {entry.about}".lower() for term in terms)
        ]
        typed = self._free(text.strip()) if terms else None
        if typed is not None and typed.value not in [entry.value for entry in found]:
            found.insert(0, typed)
        # A heading without entries is left out.
        after = [*(entry.value for entry in found[1:]), ""]
        found = [entry for entry, value in zip(found, after, strict=False) if entry.value or value]
        width = min(34, max((len(entry.words) for entry in found if entry.value), default=0))
        options = self.query_one(OptionList)
        options.set_options(_option(entry, width) for entry in found)
        values = [entry.value for entry in found]
        wanted = self._current if self._current in values and not terms else ""
        first = next((value for value in values if value), None)
        options.highlighted = values.index(wanted or first) if first else None

    def action_move(self, way: int) -> None:
        options = self.query_one(OptionList)
        for _ in range(abs(way)):
            (options.action_cursor_down if way > 0 else options.action_cursor_up)()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self.dismiss(options.get_option_at_index(options.highlighted).id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)


def _option(entry: Entry, width: int) -> Option:
    if not entry.value:
        return Option(Content.styled(entry.words, "bold $primary"), disabled=True)
    words = (f"  {entry.words:<{width}}", "$foreground"), (f"  {entry.about}", "$foreground-muted")
    return Option(Content.assemble(*words), id=entry.value)


@dataclass(frozen=True)
class Target:
    """Where to save, and whether a file there may be replaced."""

    path: Path
    replace: bool


class SaveDialog(AskingWindow[Target]):
    """A path. A file that holds something else is replaced only after a second confirmation."""

    DEFAULT_CSS = """
    SaveDialog {
        & .field Label { width: 8; }
        & .field Input { background: $panel; padding: 0 1; }
        & .problem { min-height: 2; }
    }
    """

    def __init__(self, path: Path, *, own: Path | None, what: str, launch: bool, mistakes: int) -> None:
        """`own`: the file that holds an earlier state of this very text. `what`: what is saved and begun, in words. `launch`:
        whether it is launched, too."""
        title = "Save and launch" if launch else "Save"
        super().__init__(title, [("file", "file", str(path))], {"ok": "Save"})
        self._own = own
        self._what = what
        self._launch = launch
        self._mistakes = mistakes

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.select_on_focus = False
        field.cursor_position = len(field.value)

    @property
    def path(self) -> Path | None:
        """What is typed, as an absolute path; None if it is none."""
        text = self.query_one(Input).value.strip()
        if not text:
            return None
        try:
            path = Path(text).expanduser().absolute()
            return path if path.suffix or path.is_dir() else path.with_suffix(".toml")
        except (OSError, RuntimeError, ValueError):
            return None

    def answer(self) -> Target | str:
        path = self.path
        try:
            if path is None:
                return "Give the name of a file, such as digits.toml."
            if path.is_dir():
                return f"{path} is a directory: add the name of a file."
            if not path.parent.is_dir():
                return f"There is no directory {path.parent}."
            return Target(path, replace=path.exists())
        except OSError as error:
            return f"{path}: {error.strerror}"

    def _is_foreign(self, answer: Target | str) -> bool:
        """Whether a file there holds something else."""
        return isinstance(answer, Target) and answer.replace and answer.path != self._own

    def consequence(self, answer: Target) -> str:
        if self._is_foreign(answer):
            said = f"{answer.path} already exists with other content. It will be replaced."
        else:
            said = f"{answer.path}{' will be overwritten with this text' if answer.replace else ''}"
            said += f"\n{self._what}" if self._what else ""
        if self._mistakes:
            said += f"\n{plural(self._mistakes, 'mistake')} left: it can be saved but not launched."
        return said

    def look(self) -> None:
        super().look()
        foreign, button = self._is_foreign(self.answer()), self.query_one("#ok", Button)
        self.query_one(".problem").set_class(foreign, "-doubtful")
        verb = "Replace" if foreign else "Save"
        button.label = f"{verb} and launch" if self._launch else verb
        button.variant = "warning" if foreign else "primary"

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if self._is_foreign(self.answer()):
            # Enter in the field never replaces a file that holds something else; the button does.
            event.prevent_default()
            self.query_one("#ok", Button).focus()
