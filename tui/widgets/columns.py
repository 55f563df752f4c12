"""Columns of a table: which of them fit, how wide, and a cell in its width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

GAP = 2
"""Cells between two columns."""

Cell = str | Content


@dataclass(frozen=True)
class Column:
    """One column; those further to the left matter more, and stay where there is little room."""

    name: str
    title: str
    width: int
    """Cells; the least number where it grows."""
    right: bool = False
    """Numbers go to the right."""
    grow: bool = False
    """Takes the room that is left, up to `most` cells: columns that stand far apart are hard to read together."""
    most: int = 44
    fixed: bool = False
    """Stays when the reader scrolls to further columns."""
    sort: str = ""
    """What a click on the title sorts by; "" does not sort."""

    @property
    def least(self) -> int:
        """Cells that it needs, the arrow of a sorted column included."""
        return max(self.width, len(self.title) + 2) if self.sort else self.width


@dataclass(frozen=True)
class Row:
    """One row."""

    key: str
    cells: tuple[Cell, ...]


def fitted(columns: Sequence[Column], width: int, shift: int = 0) -> tuple[tuple[int, int], ...]:
    """(column, cells) of the columns that are shown in so many cells, in their order; `shift` of those that are not fixed are
    scrolled out at the left."""
    moving = [place for place, column in enumerate(columns) if not column.fixed]
    hidden = set(moving[:shift])
    room = width - 2  # a blank at either side
    shown: list[int] = []
    order = sorted(range(len(columns)), key=lambda place: (not columns[place].fixed, place))
    for place in order:
        if place in hidden:
            continue
        need = columns[place].least + (GAP if shown else 0)
        if need > room and shown:
            break
        room -= need
        shown.append(place)
    growing = [place for place in shown if columns[place].grow]
    extra = max(0, room)
    widths = []
    for place in sorted(shown):
        column = columns[place]
        more = min(extra // len(growing), max(0, column.most - column.least)) if place in growing else 0
        widths.append((place, max(1, min(column.least + more, width))))
    return tuple(widths)


def fit(content: Content, width: int, right: bool) -> Content:
    """Exactly `width` cells."""
    if content.cell_length > width:
        content = content.truncate(width, ellipsis=True)
    missing = width - content.cell_length
    return content.pad_left(missing) if right else content.pad_right(missing)
