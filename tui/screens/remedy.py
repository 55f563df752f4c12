"""The window that shows a changed sweep and asks before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from tui.composing.words import AUTO
from tui.remedying import Proposal
from tui.widgets.window import RANKS, WINDOW, Window, field, whole_number
from tui.words import count

if TYPE_CHECKING:
    from tui.interface import Interface


@dataclass(frozen=True)
class Decision:
    """What to do with a proposal."""

    launch: bool
    np: int | str = 1
    """Or `auto`."""
    gangs: int = 1
    slots: int | None = None
    """Of `auto`."""


class RemedyDialog(Window[Decision]):
    """Changes, file and consequences of a proposal; ranks and gangs to launch it with."""

    DEFAULT_CSS = f"""
    RemedyDialog {{
        {WINDOW}
        & > Vertical {{ width: 84; }}
        & .problem {{ height: auto; min-height: 1; color: $error; }}
    }}
    """

    def __init__(self, proposal: Proposal) -> None:
        super().__init__()
        self._proposal = proposal

    def compose(self) -> ComposeResult:
        proposal = self._proposal
        with Vertical() as window:
            window.border_title = f"Extend {proposal.name}"
            yield Static(self._words(), classes="text")
            for name, title in RANKS.items():
                yield from field(name, title, str(getattr(proposal, name)))
            yield Static(classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Only write", id="write", compact=True)
                yield Button("Write and launch", id="launch", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#launch", Button).focus()

    def _words(self) -> Content:
        proposal = self._proposal
        lines = [Content.assemble(("• ", "$accent"), change) for change in proposal.changes]
        new = proposal.trials - proposal.known
        kind = (
            f"Continues sweep {proposal.sweep}."
            if proposal.extends
            else f"A new sweep; sweep {proposal.sweep} stays as it is, and trials that both share are not trained again."
        )
        lines += [
            Content(""),
            Content.assemble(("file    ", "$foreground-muted"), str(proposal.path)),
            Content.assemble(
                ("trials  ", "$foreground-muted"),
                (f"{count(new)} new", "bold"),
                f", {count(proposal.known)} of {count(proposal.trials)} are trained already",
            ),
            Content(""),
            Content.styled(kind, "$foreground-muted"),
        ]
        return Content("\n").join(lines)

    def _decision(self) -> Decision | None:
        """What is asked for; None where a number is wrong, which is then said."""
        numbers: dict[str, int] = {}
        for name, text in self.typed().items():
            if (name, text) == ("np", AUTO):
                continue
            value = whole_number(RANKS[name], text)
            if isinstance(value, str):
                self.query_one(".problem", Static).update(value)
                return None
            numbers[name] = value
        slots = None if "np" in numbers else self._proposal.slots
        return Decision(True, numbers.get("np", AUTO), numbers["gangs"], slots)

    @on(Button.Pressed, "#launch")
    @on(Input.Submitted)
    def _launch(self) -> None:
        decision = self._decision()
        if decision is not None:
            self.dismiss(decision)

    @on(Button.Pressed, "#write")
    def _write(self) -> None:
        self.dismiss(Decision(False))


def ask_remedy(app: Interface, proposal: Proposal) -> None:
    """Show a proposal; write and launch it where that is decided."""
    app.push_screen(RemedyDialog(proposal), partial(_decided, app, proposal))


def _decided(app: Interface, proposal: Proposal, decision: Decision | None) -> None:
    if decision is None:
        return
    db, ended = app.source.path, partial(app.launch_ended, proposal.sweep, proposal.name)

    def job() -> str:
        from tui.remedying import launch, write

        path = write(proposal)
        if not decision.launch:
            return f"Written: {path}. `hvdsweep launch {path}` trains it."
        launched = launch(db, path, decision.np, decision.gangs, ended, decision.slots)
        return f"{proposal.name} starts as process {launched.pid} from {path}."

    app.do(job)
