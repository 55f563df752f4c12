"""The warnings about the search of a workload, and which of them a wider range, a longer budget or more trials would answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import on
from textual.content import Content

from tui.questions import questions_of
from tui.remedying import Proposal, propose
from tui.search_words import REMEDIES
from tui.widgets.columns import Column, row_of
from tui.widgets.remedy import ask_remedy
from tui.widgets.table import Table
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.curves.curve_data import Curve
    from hvdsweep.curves.warnings import CurveWarning, WarningKind
    from hvdsweep.search import Space
    from tui.interface import Interface

WARNINGS: tuple[Column[tuple[int, CurveWarning]], ...] = (
    Column("batch", 6, lambda about: count(about[0]), right=True, fixed=True),
    Column(
        "warning",
        20,
        lambda about: Content.assemble(("⚠ ", "$warning"), about[1].message),
        grow=True,
        most=200,
        fixed=True,
    ),
)
"""Of a warning about a batch size."""


class WarningsTable(Table):
    """A row for each warning of a curve, and the changed sweep that answers it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(WARNINGS, empty="no warnings", id=id)
        self._curve: Curve | None = None
        self._spaces: Mapping[int, Space] = {}
        self._sweep: int | None = None
        """The curve's sweep, if it can be extended."""

    def put_curve(self, curve: Curve, spaces: Mapping[int, Space], sweep: int | None) -> None:
        """Show the warnings of this one; `spaces`: those that were searched; `sweep`: its sweep, if it can be extended."""
        self._curve, self._spaces, self._sweep = curve, spaces, sweep
        self.put(
            [
                row_of(WARNINGS, f"{point.batch_size} {warning.kind} {place}", (point.batch_size, warning))
                for point in curve.points
                for place, warning in enumerate(point.warnings)
            ]
        )

    def clear(self) -> None:
        self._curve = None
        self.put(())

    @property
    def sentence(self) -> Content | None:
        """The selected warning in full, and what can be done about it."""
        about: tuple[int, CurveWarning] | None = self.about
        if about is None:
            return None
        batch_size, warning = about
        key_words = f"  {REMEDIES[str(warning.kind)]}" if self.selected else ""
        return Content.assemble((f"{count(batch_size)}: ", "bold"), warning.message, (key_words, "$accent"))

    @property
    def selected(self) -> tuple[tuple[int, WarningKind], ...]:
        """The selected warning, if a changed sweep can answer it."""
        about: tuple[int, CurveWarning] | None = self.about
        return tuple(one for one in self.answerable if about is not None and one == (about[0], about[1].kind))

    @property
    def answerable(self) -> tuple[tuple[int, WarningKind], ...]:
        """All warnings that a changed sweep can answer."""
        return tuple(
            (point.batch_size, warning.kind)
            for point in (() if self._curve is None or self._sweep is None else self._curve.points)
            for warning in point.warnings
            if str(warning.kind) in REMEDIES
        )

    def select(self, batch_size: int) -> None:
        """Put the cursor on the first warning of a batch size, where it has one."""
        for place in range(self.total):
            row = self.row(place)
            if row is not None and row.about[0] == batch_size:
                self.move_to(row.key)
                break

    # Answering them

    @on(Table.Opened)
    def action_extend(self) -> None:
        self._propose(self.selected)

    def action_extend_all(self) -> None:
        self._propose(self.answerable)

    def _propose(self, only: tuple[tuple[int, WarningKind], ...]) -> None:
        if not only or self._curve is None or self._sweep is None:
            return
        question = partial(propose, self._sweep, self._curve, self._spaces, only)
        questions_of(self).ask(self.answer_proposal, (self._sweep, self._curve.workload, only), question)

    def answer_proposal(self, about: object, value: Proposal) -> None:
        ask_remedy(cast("Interface", self.app), value)
