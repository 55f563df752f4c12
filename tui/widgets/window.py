"""What small windows over a screen share: their frame, lines to type into, what is wrong with them, and a way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from tui.launching import AUTO, MAXIMUM, Changes, ranks_of
from tui.room import HEIGHTS, WIDTHS
from tui.widgets.typing import Field

Result = TypeVar("Result")

RANKS = {"np": "ranks per trial", "gangs": "trials side by side"}
"""The options of a launch that the window asks for."""

Lines = Sequence[tuple[str, str, str]]
"""(id, title, text) of each line to type into."""


class Window(ModalScreen[Result | None]):
    """A window that `esc`, its button `#cancel` and a click outside it leave without an answer."""

    BINDINGS: ClassVar = [("escape", "cancel", "Cancel")]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    DEFAULT_CSS = """
    Window {
        align: center middle;
        & > Vertical {
            width: 66; max-width: 100%; height: auto; max-height: 100%; overflow-y: auto;
            background: $surface; border: round $primary; padding: 0 2;
            border-title-color: $primary; border-title-style: bold;
        }
        & .text { height: auto; margin: 1 0 0 0; }
        & .buttons { height: 1; margin: 1 0; align-horizontal: right; }
        & Button { margin-left: 2; }
        & Button:disabled {
            opacity: 100% !important; text-opacity: 100% !important; color: $foreground-muted !important;
            background: $panel !important;
        }
        & .field { height: 1; margin-top: 1; }
        & .field Label { width: 22; color: $foreground; }
        & .field Input { width: 1fr; }
        & .problem { height: auto; min-height: 1; margin-top: 1; color: $error; }
        & .problem.-fine { color: $foreground-muted; }
        & .problem.-doubtful { color: $warning; }
        &.-low .field, &.-low .text, &.-low .problem { margin-top: 0; }
        &.-low .buttons { margin: 0; }
        &.-tiny .buttons { height: auto; layout: vertical; align-horizontal: right; }
    }
    """

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(None)

    @property
    def is_begun(self) -> bool:
        """Whether something was typed that a click outside must not throw away."""
        return False

    def on_click(self, event: events.Click) -> None:
        if not self.is_begun and self.get_widget_at(*event.screen_offset)[0] is self:
            self.action_cancel()


def open_window(
    app: App[Any], window: Window[Result], then: Callable[[Result | None], None] | None = None
) -> None:
    """Open a window, and do `then` with its answer. One at a time: a second key or click that came before the first window was
    drawn opens none."""
    if not isinstance(app.screen, ModalScreen):
        app.push_screen(window, then)


class AskingWindow(Window[Result]):
    """Lines to type into, which `answer` reads; while something is wrong with them, the window says so and Enter does nothing."""

    FIRST: ClassVar = "Input"
    """What has the keyboard first."""

    def __init__(
        self, title: str, lines: Lines, buttons: Mapping[str, str], text: Content | str = ""
    ) -> None:
        """`buttons`: id -> label; `#ok`, the last one, takes the answer."""
        super().__init__()
        self._title = title
        self._lines = lines
        self._buttons = buttons
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical() as window:
            window.border_title = self._title
            if self._text:
                yield Static(self._text, classes="text", markup=False)
            for name, title, value in self._lines:
                with Horizontal(classes="field"):
                    yield Label(title)
                    yield Field(value, id=name, compact=True)
            yield Static(classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                for name, label in {"cancel": "Cancel", **self._buttons}.items():
                    yield Button(
                        label, id=name, variant="primary" if name == "ok" else "default", compact=True
                    )

    def on_mount(self) -> None:
        self.query(self.FIRST).first().focus()
        self.look()

    @property
    def typed(self) -> dict[str, str]:
        """Id of a line -> what stands in it."""
        return {str(field.id): field.value.strip() for field in self.query(Input)}

    @property
    def is_begun(self) -> bool:
        return self.typed != {name: value for name, _, value in self._lines}

    def answer(self) -> Result | str:
        """What is asked for, or what is wrong with it; "" if nothing is asked for yet."""
        raise NotImplementedError

    def consequence(self, answer: Result) -> str:
        """What an answer without a mistake would do."""
        return ""

    def look(self) -> None:
        """Say what is wrong, or what would be done."""
        answer = self.answer()
        line, problem = self.query_one(".problem", Static), isinstance(answer, str)
        line.update(answer if isinstance(answer, str) else self.consequence(answer))
        line.set_class(not problem, "-fine")
        self.query_one("#ok", Button).disabled = problem

    @on(Input.Changed)
    def _changed(self) -> None:
        self.look()

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def finish(self) -> None:
        """Leave with the answer."""
        answer = self.answer()
        if not isinstance(answer, str):
            self.dismiss(answer)


def rank_lines(np: int | str, gangs: int) -> Lines:
    """The lines for the ranks of a launch."""
    return [
        (name, title, str(value)) for (name, title), value in zip(RANKS.items(), (np, gangs), strict=True)
    ]


def ranks_asked(texts: Mapping[str, str], slots: int | None) -> Changes | str:
    """What those lines ask for, or what is wrong with them; `slots` where ranks are `auto`."""
    numbers: dict[str, int] = {}
    for name, title in RANKS.items():
        text = texts[name]
        if (name, text) == ("np", AUTO):
            continue
        number = ranks_of(text)
        if number is None:
            return f"{title}: {text or 'nothing'}: give a whole number from 1 to {MAXIMUM:,}"
        numbers[name] = number
    return Changes(numbers.get("np", AUTO), numbers["gangs"], None if "np" in numbers else slots)
