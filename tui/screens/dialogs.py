"""Small windows that ask something before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from hvdsweep.words import counted
from tui.launching import Changes, Extent
from tui.widgets.window import AskingWindow, Lines, Window, rank_lines, ranks_asked


class Confirm(Window[bool]):
    """A question with two answers; `y` and `n`, Enter on the button, or the mouse. The safe answer has the keyboard first."""

    BINDINGS: ClassVar = [("y", "answer(True)", "Yes"), ("n,escape,q", "answer(False)", "No")]

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


class LaunchDialog(AskingWindow[Changes]):
    """How to continue a sweep: ranks and gangs, and with `extend` also trials and batch sizes."""

    def __init__(
        self, name: str, now: Changes, extent: Extent, *, extend: bool, batch_size: int | None = None
    ) -> None:
        """`now`: the ranks that it begins with; `batch_size`: only its trials are asked for."""
        from hvdsweep.sweep.batch_sizes import format_batch_sizes

        self._slots = now.slots
        self._until = extent.until
        self._extend = extend
        self._one = one = batch_size
        self._now = dict(extent.trials)
        self._more = 0
        """Trials that are asked for above those now."""
        verb = "Extend" if extend else "Start"
        lines: Lines = []
        if one is not None:
            lines = [("trials", f"trials at {one}", str(self._now[one]))]
        elif extend:
            sizes = sorted(self._now)
            written = format_batch_sizes(sizes) or ", ".join(map(str, sizes))
            lines = [
                ("trials", "trials per study", self._trials()),
                ("batch_sizes", "batch sizes", written),
            ]
        title = f"{verb} {name}" + (f" at batch size {one}" if one is not None else "")
        super().__init__(title, [*lines, *rank_lines(now.np, now.gangs)], {"ok": verb})

    def _trials(self) -> str:
        """One number, or `64=9, default=3`."""
        numbers = list(self._now.values())
        most = max(set(numbers), key=numbers.count)
        others = [f"{size}={number}" for size, number in self._now.items() if number != most]
        return ", ".join([*others, f"default={most}"]) if others else str(most)

    def answer(self) -> Changes | str:
        changes = ranks_asked(self.typed, self._slots)
        if isinstance(changes, str) or not self._extend:
            return changes
        return self._larger(changes, self.typed)

    def _larger(self, changes: Changes, texts: dict[str, str]) -> Changes | str:
        """The same with more trials or batch sizes, or what is wrong with them; "" if nothing is more."""
        from hvdsweep.sweep.batch_sizes import parse_batch_sizes
        from hvdsweep.sweep.trial_counts import parse_trials

        one, sizes = self._one, sorted(self._now)
        try:
            trials = parse_trials(texts["trials"])
        except ValueError as problem:
            return f"trials: {texts['trials'] or 'nothing'} {problem}"
        if one is not None:
            if not isinstance(trials, int):
                return f"trials at {one}: give one number"
            trials = {str(one): trials}
        elif not isinstance(trials, int) and self._until is not None:
            return (
                "trials: this sweep adds trials where its answer is least certain; give one number, the least"
            )
        if "batch_sizes" in texts:
            try:
                sizes = parse_batch_sizes(texts["batch_sizes"])
            except ValueError as problem:
                return f"batch sizes: {problem}"
        if gone := sorted(self._now.keys() - set(sizes)):
            return f"batch sizes: {', '.join(map(str, gone))} would be withdrawn; extending only adds"
        after = {size: self._after(trials, size) for size in sizes}
        for size, now in self._now.items():
            if after[size] < now:
                at = "" if isinstance(trials, int) else f" at {size}"
                return f"trials{at}: {after[size]} are fewer than the {now} now; extending only adds"
        if after == self._now:
            return ""
        self._more = sum(after.values()) - sum(self._now.values())
        return replace(
            changes,
            trials=trials,
            until=self._until,
            batch_sizes=None if one is not None else tuple(sizes),
        )

    def _after(self, trials: int | dict[str, int], size: int) -> int:
        """Trials of a batch size as asked for."""
        if isinstance(trials, int):
            return trials
        return trials.get(str(size), trials.get("default", self._now.get(size, 0)))

    def consequence(self, answer: Changes) -> str:
        if isinstance(answer.np, int):
            ranks = answer.np * answer.gangs
            words = f"{ranks} rank{'s' if ranks > 1 else ''} in all"
        else:
            words = (
                f"{answer.slots or 'All'} slots, each batch size on the ranks that finish the sweep soonest"
            )
        words += " in the background: leaving the interface does not stop it."
        if self._extend:
            return f"{counted(self._more, 'more trial')} per workload. {words}"
        return words
