"""The warnings about the search of a workload, and which of them a wider range, a longer budget or more trials would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from tui.widgets.columns import Column, Row
from tui.widgets.table import Table
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.curves.curve_data import Curve
    from hvdsweep.curves.warnings import CurveWarning, WarningKind

WARNINGS = (
    Column("batch_size", "batch", 6, right=True, fixed=True),
    Column("message", "warning", 20, grow=True, most=200, fixed=True),
)

REMEDIES = {
    "boundary": "x widens its range",
    "budget": "x doubles the budget",
    "few_reached": "x doubles the trials",
}
"""What is wrong -> what the key does about it."""


class WarningsTable(Table):
    """A row for each warning of a curve."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(WARNINGS, empty="no warnings", id=id)
        self._curve: Curve | None = None

    def put_curve(self, curve: Curve) -> None:
        """Show the warnings of this one."""
        self._curve = curve
        self.put(
            [
                Row(
                    f"{point.batch_size} {warning.kind} {place}",
                    (count(point.batch_size), Content.assemble(("⚠ ", "$warning"), warning.message)),
                    (point.batch_size, warning),
                )
                for point in curve.points
                for place, warning in enumerate(point.warnings)
            ]
        )

    def clear(self) -> None:
        self._curve = None
        self.put(())

    def sentence(self, *, can_launch: bool) -> Content | None:
        """The selected warning in full, and what can be done about it."""
        about: tuple[int, CurveWarning] | None = self.about
        if about is None or self._curve is None:
            return None
        batch_size, warning = about
        key_words = REMEDIES.get(str(warning.kind), "") if can_launch else ""
        head, tail = (f"{count(batch_size)}: ", "bold"), (f"  {key_words}" if key_words else "", "$accent")
        return Content.assemble(head, warning.message, tail)

    @property
    def selected(self) -> tuple[int, WarningKind] | None:
        """The selected warning, if a changed sweep can answer it."""
        about: tuple[int, CurveWarning] | None = self.about
        if about is None or str(about[1].kind) not in REMEDIES:
            return None
        return about[0], about[1].kind

    @property
    def answerable(self) -> list[tuple[int, WarningKind]]:
        """All warnings that a changed sweep can answer."""
        return [
            (point.batch_size, warning.kind)
            for point in (() if self._curve is None else self._curve.points)
            for warning in point.warnings
            if str(warning.kind) in REMEDIES
        ]

    def select(self, batch_size: int) -> None:
        """Put the cursor on the first warning of a batch size, where it has one."""
        for place in range(self.total):
            row = self.row(place)
            if row is not None and row.about[0] == batch_size:
                self.move_to(row.key)
                break
