"""Warnings about the search of a workload, and the key that answers them with a wider range, a longer budget or more trials."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Static

from tui.screens.workload_place import WorkloadPlace
from tui.widgets.columns import Column, Row
from tui.widgets.table import Table
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.curves.doubts import Caution, Doubt
    from hvdsweep.curves.scaling_curve import Curve
    from tui.remedying import Proposal

WARNINGS = (
    Column("batch_size", "batch", 6, right=True, fixed=True),
    Column("message", "warning", 20, grow=True, most=200, fixed=True),
)

KINDS = {
    "boundary": "x widens its range",
    "budget": "x doubles the budget",
    "few_reached": "x doubles the trials",
}
"""Doubt -> what the key does about it."""


class DoubtsPlace(WorkloadPlace):
    """A place with the Table `#warnings` of one workload, and the selected one in full in `#detail`."""

    def __init__(self) -> None:
        super().__init__()
        self.batch_size: int | None = None
        """The one looked at."""
        self.curve: Curve | None = None
        self.drawn: int | None = None
        """The workload whose curve that is: the current one as soon as its table is there."""

    @property
    def can_extend(self) -> bool:
        """Whether the key does something about the selected warning."""
        return self._can_launch and self._selected() is not None

    @property
    def can_extend_all(self) -> bool:
        return self._can_launch and bool(self._helped())

    @property
    def _can_launch(self) -> bool:
        row = self.row(self.current)
        sweep = None if row is None or self.snapshot is None else self.snapshot.sweep(row.sweep_id)
        return (
            sweep is not None and sweep.source == "launch" and not sweep.live and self.drawn == self.current
        )

    def put_warnings(self, curve: Curve) -> None:
        rows = [
            Row(
                f"{point.batch_size} {caution.doubt} {place}",
                (
                    count(point.batch_size),
                    Content.assemble(("⚠ ", "$warning"), caution.message),
                ),
                (point.batch_size, caution),
            )
            for point in curve.points
            for place, caution in enumerate(point.warnings)
        ]
        self.query_one("#warnings", Table).put(rows)
        self._put_detail()

    def _put_detail(self) -> None:
        """The selected warning in full, and what can be done about it."""
        about: tuple[int, Caution] | None = self.query_one("#warnings", Table).about
        detail = self.query_one("#detail", Static)
        detail.display = about is not None and self.curve is not None
        if about is None or self.curve is None:
            return
        batch_size, caution = about
        key_words = KINDS.get(str(caution.doubt), "") if self._can_launch else ""
        detail.update(
            Content.assemble(
                (f"{count(batch_size)}: ", "bold"),
                caution.message,
                (f"  {key_words}" if key_words else "", "$accent"),
            )
        )

    @on(Table.Highlighted, "#warnings")
    def _warning_selected(self) -> None:
        table = self.query_one("#warnings", Table)
        if table.about is not None and table.has_focus:
            self.batch_size = table.about[0]
            self.redraw_soon()
        self._put_detail()
        self.refresh_keys()

    @on(Table.Opened, "#warnings")
    def _warning_opened(self) -> None:
        if self.can_extend:
            self.action_extend()

    def _selected(self) -> tuple[int, Doubt] | None:
        """The selected warning, if a changed sweep can answer it."""
        if not self.is_mounted:
            return None
        about: tuple[int, Caution] | None = self.query_one("#warnings", Table).about
        if about is None or str(about[1].doubt) not in KINDS:
            return None
        return about[0], about[1].doubt

    def _helped(self) -> list[tuple[int, Doubt]]:
        """All warnings that a changed sweep can answer."""
        if self.curve is None:
            return []
        return [
            (point.batch_size, caution.doubt)
            for point in self.curve.points
            for caution in point.warnings
            if str(caution.doubt) in KINDS
        ]

    def action_extend(self) -> None:
        selected = self._selected()
        if selected is not None:
            self._propose([selected])

    def action_extend_all(self) -> None:
        self._propose(self._helped())

    def _propose(self, only: Collection[tuple[int, Doubt]]) -> None:
        row = self.row(self.current)
        if row is None or self.curve is None or not self._can_launch:
            return
        from tui.remedying import propose

        spaces = {
            size: space
            for size in self.curve.batch_sizes
            if (space := self.desk.space(row.id, size)) is not None
        }
        only = tuple(only)
        question = partial(propose, row.sweep_id, self.curve, spaces, only)
        self.ask(self.answer_proposal, (row.id, only), question)

    def answer_proposal(self, about: object, value: Proposal) -> None:
        from tui.screens.remedy import RemedyDialog

        self.app.push_screen(RemedyDialog(value), partial(self._decided, value))

    def _decided(self, proposal: Proposal, decision: object) -> None:
        from tui.screens.remedy import Decision

        if not isinstance(decision, Decision):
            return
        db, told = self.interface.source.path, self.interface.launch_ended

        def job() -> str:
            from tui.remedying import launch, write

            path = write(proposal)
            if not decision.launch:
                return f"Written: {path}. `hvdsweep launch {path}` trains it."
            ended = partial(told, proposal.sweep, proposal.name)
            launched = launch(db, path, decision.np, decision.gangs, ended, decision.slots)
            return f"{proposal.name} starts as process {launched.pid} from {path}."

        self.interface.do(job)
