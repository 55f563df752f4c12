"""Small windows that ask something before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui.composing.words import AUTO
from tui.launching import Changes
from tui.widgets.window import RANKS, WINDOW, Window, field, whole_number


class Confirm(ModalScreen[bool]):
    """A question with two answers; `y` and `n`, Enter on the button, or the mouse. The safe answer has the keyboard first."""

    BINDINGS: ClassVar = [("y", "answer(True)", "Yes"), ("n,escape,q", "answer(False)", "No")]
    DEFAULT_CSS = f"Confirm {{ {WINDOW} }}"

    def __init__(self, title: str, text: str, yes: str) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical() as window:
            window.border_title = self._title
            yield Static(self._text, classes="text", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("No (n)", id="no", compact=True)
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


@dataclass(frozen=True)
class Extent:
    """What a sweep asks for now, to begin a dialog with."""

    name: str
    np: int | str
    """Or `auto`."""
    gangs: int
    slots: int | None
    """Of `auto`."""
    trials: int
    batch_sizes: tuple[int, ...]


class LaunchDialog(Window[Changes]):
    """How to go on with a sweep: ranks and gangs, and with `extend` also trials and batch sizes."""

    DEFAULT_CSS = f"""
    LaunchDialog {{
        {WINDOW}
        & .problem {{ height: auto; min-height: 1; margin-top: 1; color: $error; }}
        & .problem.-fine {{ color: $foreground-muted; }}
    }}
    """

    def __init__(self, extent: Extent, *, extend: bool) -> None:
        super().__init__()
        self._extent = extent
        self._extend = extend

    def compose(self) -> ComposeResult:
        from hvdsweep.sweep.batch_sizes import format_batch_sizes

        extent = self._extent
        with Vertical() as window:
            window.border_title = f"{'Extend' if self._extend else 'Start'} {extent.name}"
            if self._extend:
                sizes = format_batch_sizes(list(extent.batch_sizes))
                yield from field("trials", "trials per study", str(extent.trials))
                yield from field(
                    "batch_sizes", "batch sizes", sizes or ", ".join(map(str, extent.batch_sizes))
                )
            for name, title in RANKS.items():
                yield from field(name, title, str(getattr(extent, name)))
            yield Static(classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Extend" if self._extend else "Start", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query(Input).first().focus()
        self._check()

    def _changes(self) -> Changes | str:
        """What is asked for, or what is wrong with it."""
        from hvdsweep.sweep.batch_sizes import parse_batch_sizes

        texts = self.typed()
        numbers: dict[str, int] = {}
        for name, title in (*RANKS.items(), ("trials", "trials")):
            if name in texts:
                if (name, texts[name]) == ("np", AUTO):
                    continue
                value = whole_number(title, texts[name])
                if isinstance(value, str):
                    return value
                numbers[name] = value
        sizes: Sequence[int] = self._extent.batch_sizes
        if "batch_sizes" in texts:
            try:
                sizes = parse_batch_sizes(texts["batch_sizes"])
            except ValueError as problem:
                return f"batch sizes: {problem}"
        if self._extend:
            if not set(sizes) >= set(self._extent.batch_sizes):
                gone = sorted(set(self._extent.batch_sizes) - set(sizes))
                return f"batch sizes: {', '.join(map(str, gone))} would be withdrawn; extending only adds"
            if numbers["trials"] < self._extent.trials:
                return f"trials: {numbers['trials']} are fewer than the {self._extent.trials} now; extending only adds"
            if numbers["trials"] == self._extent.trials and set(sizes) == set(self._extent.batch_sizes):
                return ""
        return Changes(
            numbers.get("np", AUTO),
            numbers["gangs"],
            None if "np" in numbers else self._extent.slots,
            numbers.get("trials"),
            tuple(sizes) if self._extend else None,
        )

    def _check(self) -> None:
        changes = self._changes()
        line = self.query_one(".problem", Static)
        line.update(changes if isinstance(changes, str) else self._outlook(changes))
        line.set_class(not isinstance(changes, str), "-fine")
        self.query_one("#ok", Button).disabled = isinstance(changes, str)

    def _outlook(self, changes: Changes) -> str:
        if isinstance(changes.np, int):
            ranks = changes.np * changes.gangs
            words = f"{ranks} rank{'s' if ranks > 1 else ''} in all"
        else:
            words = (
                f"{changes.slots or 'All'} slots, each batch size on the ranks that finish the sweep soonest"
            )
        words += ", as a process of its own: leaving the interface does not stop it."
        if self._extend:
            old = self._extent.trials * len(self._extent.batch_sizes)
            new = (changes.trials or 0) * len(changes.batch_sizes or ())
            return f"{new - old} more trials per workload. {words}"
        return words

    @on(Input.Changed)
    def _changed(self) -> None:
        self._check()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._finish()

    @on(Button.Pressed, "#ok")
    def _ok(self) -> None:
        self._finish()

    def _finish(self) -> None:
        changes = self._changes()
        if isinstance(changes, Changes):
            self.dismiss(changes)
