"""Columns of a table: what they say of a thing, which of them fit, how wide, and a cell in its width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from textual.content import Content

GAP = 2
"""Cells between two columns."""

Cell = str | Content

About = TypeVar("About", contravariant=True)


@dataclass(frozen=True)
class Column(Generic[About]):
    """One column; those further to the left matter more, and stay if there is little room."""

    title: str
    width: int
    """Cells; the least number where it grows."""
    cell: Callable[[About], Cell] = field(default=str, compare=False)
    """What it says of the thing that a row stands for."""
    right: bool = False
    """Numbers go to the right."""
    grow: bool = False
    """Takes the room that is left, up to `most` cells: columns that stand far apart are hard to read together."""
    most: int = 44
    fixed: bool = False
    """Stays when the user scrolls to further columns."""
    sort: str = ""
    """What a click on the title sorts by; "" does not sort."""

    @property
    def least(self) -> int:
        """Cells that it needs, the arrow of a sorted column included."""
        return max(self.width, len(self.title) + 2) if self.sort else self.width


@dataclass(frozen=True)
class Row:
    key: str
    cells: tuple[Cell, ...]
    about: Any = field(default=None, compare=False)
    """What it stands for."""


def row_of(columns: Sequence[Column[About]], key: object, about: About) -> Row:
    """What the columns say of a thing."""
    return Row(str(key), tuple(column.cell(about) for column in columns), about)


class ColumnLayout:
    """The columns that are shown in so many cells, and lines drawn in them."""

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self.columns = tuple(columns)
        self.room = 0
        """Cells for all of them."""
        self.widths: tuple[tuple[int, int], ...] = ()
        """(column, cells) of those that are shown."""
        self.further = 0
        """Columns that lie further to the right."""

    def fit(self, room: int, shift: int) -> None:
        """Choose the columns for `room` cells, `shift` of them scrolled out at the left."""
        self.room = room
        self.widths = fitted(self.columns, room, shift)
        self.further = further(self.columns, room, self.widths)

    def line(self, cells: Sequence[Cell]) -> Content:
        shown = (
            fit(Content("") + (cells[place] if place < len(cells) else ""), width, self.columns[place].right)
            for place, width in self.widths
        )
        return Content(" ") + Content(" " * GAP).join(shown)

    def header(self, sorted_by: tuple[str, bool], hovered: int | None, *, shifted: bool) -> Content:
        """The titles; the one under the mouse is the visible column `hovered`."""
        by, descending = sorted_by
        titles = []
        for number, (place, cells) in enumerate(self.widths):
            column = self.columns[place]
            sign = (" ↓" if descending else " ↑") if by and column.sort == by else ""
            title = Content(column.title[: max(0, cells - len(sign))] + sign)
            if hovered == number and column.sort:
                title = title.stylize("underline")
            titles.append(fit(title, cells, column.right))
        line = Content("‹" if shifted else " ") + Content(" " * GAP).join(titles)
        left = self.room - line.cell_length
        if self.further and left > 0:
            sign = f" +{self.further} ›"
            line += Content((sign if left >= len(sign) else "›").rjust(left))
        return line

    def at(self, x: int) -> int | None:
        """The visible column at a cell."""
        start = 1
        for number, (_, width) in enumerate(self.widths):
            if start <= x < start + width + GAP:
                return number
            start += width + GAP
        return None


def fitted(columns: Sequence[Column[Any]], width: int, shift: int = 0) -> tuple[tuple[int, int], ...]:
    """(column, cells) of the columns that are shown in so many cells, in their order; `shift` of those that do not stay are
    scrolled out at the left. Every column is shown at one shift or another."""
    shown, moving = _parted(columns, width)
    if shift and moving:
        # Where none of them was seen unshifted, the first step brings the first one.
        unseen = not _fits(columns, moving[0], shown, width)
        moving = moving[min(shift - unseen, len(moving) - 1) :]
        while not _fits(columns, moving[0], shown, width):
            shown.pop()
    for place in moving:
        if not _fits(columns, place, shown, width):
            break
        shown.append(place)
    room = width - 2 - _need(columns, shown)  # a blank at either side
    growing = [place for place in shown if columns[place].grow]
    extra = max(0, room)
    widths = []
    for place in sorted(shown):
        column = columns[place]
        more = min(extra // len(growing), max(0, column.most - column.least)) if place in growing else 0
        widths.append((place, max(1, min(column.least + more, width))))
    return tuple(widths)


def further(columns: Sequence[Column[Any]], width: int, shown: Sequence[tuple[int, int]]) -> int:
    """How many columns lie further to the right than those shown."""
    moving = _parted(columns, width)[1]
    places = {place for place, _ in shown}
    last = next((number for number, place in enumerate(reversed(moving)) if place in places), None)
    return len(moving) if last is None else last


def _parted(columns: Sequence[Column[Any]], width: int) -> tuple[list[int], list[int]]:
    """The columns that stay, as far as they fit, and the others, in the order in which they are scrolled through."""
    order = sorted(range(len(columns)), key=lambda place: (not columns[place].fixed, place))
    stay: list[int] = []
    for place in order:
        if not columns[place].fixed or not _fits(columns, place, stay, width):
            break
        stay.append(place)
    return stay, order[len(stay) :]


def _need(columns: Sequence[Column[Any]], places: Sequence[int]) -> int:
    return sum(columns[place].least for place in places) + GAP * max(0, len(places) - 1)


def _fits(columns: Sequence[Column[Any]], place: int, shown: Sequence[int], width: int) -> bool:
    """Whether one more column has room, as the only one always has."""
    return not shown or _need(columns, [*shown, place]) <= width - 2


def fit(content: Content, width: int, right: bool) -> Content:
    """Exactly `width` cells."""
    if content.cell_length > width:
        content = content.truncate(width, ellipsis=True)
    missing = width - content.cell_length
    return content.pad_left(missing) if right else content.pad_right(missing)
