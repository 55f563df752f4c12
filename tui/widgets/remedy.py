"""The window that shows a changed sweep and asks before anything is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.content import Content
from textual.widgets import Button

from tui.launching import Changes, rank_options
from tui.remedying import Proposal
from tui.widgets.window import AskingWindow, open_window, rank_lines, ranks_asked
from tui.words import count

if TYPE_CHECKING:
    from tui.interface import Interface


class RemedyDialog(AskingWindow[Changes | bool]):
    """Changes, file and consequences of a proposal, with the ranks to launch it with; the answer is False if it is only to be
    written."""

    FIRST: ClassVar = "#ok"
    DEFAULT_CSS = "RemedyDialog > Vertical { width: 84; }"

    def __init__(self, proposal: Proposal) -> None:
        self._slots = proposal.slots
        buttons = {"write": "Only write", "ok": "Write and launch"}
        lines = rank_lines(proposal.np, proposal.gangs)
        super().__init__(f"Extend {proposal.name}", lines, buttons, _words(proposal))

    def answer(self) -> Changes | str:
        return ranks_asked(self.typed, self._slots)

    @on(Button.Pressed, "#write")
    def _write(self) -> None:
        self.dismiss(False)


def _words(proposal: Proposal) -> Content:
    """What is changed, where it is written, and what that means for the trials."""
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


def ask_remedy(app: Interface, proposal: Proposal) -> None:
    """Show a proposal; write and launch it where that is decided."""
    open_window(app, RemedyDialog(proposal), partial(_decided, app, proposal))


def _decided(app: Interface, proposal: Proposal, decision: Changes | bool | None) -> None:
    if decision is None:
        return

    def job() -> str:
        from tui.remedying import write

        path = write(proposal)
        if isinstance(decision, bool):
            return f"Written: {path}. `hvdsweep launch {path}` trains it."
        ranks = rank_options(decision.np, decision.gangs, decision.slots)
        return app.launch(proposal.name, ["launch", str(path), *ranks], sweep=proposal.sweep)

    if proposal.extends and not isinstance(decision, bool):
        app.begin(proposal.sweep, job)
    else:
        app.do(job)
