"""A finished drawing: a grid of characters with a style key per cell, as plain text, rich text or runs for a widget."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hvdsweep.charts.frame import Frame
from hvdsweep.charts.palette import MONO, TERMINAL, Theme, style_of
from hvdsweep.charts.raster import IntArray, TextArray
from hvdsweep.visible import visible

if TYPE_CHECKING:
    from rich.text import Text

_PLAIN = dict(zip("·…×−–—αμ√─│┤┬┴└┊╌↑∞★☆●○✕•", "-~x---auv-|++++:-^8**oox*", strict=True))
_PLAIN |= {"≤": "<=", "≥": ">=", "±": "+-"}
"""Replacements for characters without a Unicode decomposition."""

_UNSETTLED = re.compile(
    "[\u1160-\u11ff\u2028\u2029\u2630-\u2637\u268a-\u268f\u3164\u4dc0-\u4dff\ud7b0-\ud7fb\uffa0"
    "\U0001d300-\U0001d376\U0001f3fb-\U0001f3ff]"
)
"""Characters of different width in different terminals; shown as question marks."""


def cells_of(text: str, *, ascii: bool = False) -> list[str]:
    """The text as terminal cells: one character each, "" for the second cell of a wide one; control, combining and
    other characters without a cell of their own are left out. With `ascii`, look-alikes or a question mark."""
    cells: list[str] = []
    for char in text if text.isascii() else _UNSETTLED.sub("?", unicodedata.normalize("NFC", text)):
        if " " <= char <= "~":
            cells.append(char)
        elif char in "\t\n\xa0":
            cells.append(" ")
        elif unicodedata.category(char)[0] in "CM":
            continue
        elif ascii:
            plain = _PLAIN.get(char) or unicodedata.normalize("NFKD", char)[0]
            cells.extend(plain if all(" " <= part <= "~" for part in plain) else "?")
        else:
            cells.append(char)
            if unicodedata.east_asian_width(char) in "WF":
                cells.append("")
    return cells


@lru_cache(maxsize=1024)
def width_of(text: str, *, ascii: bool = False) -> int:
    """How many terminal cells the text takes. Cached, since a chart's words stay while it moves."""
    return len(cells_of(text, ascii=ascii))


@dataclass(frozen=True, eq=False)
class Canvas:
    """Characters and their styles, [height, width]."""

    chars: TextArray
    """One character per cell; "" in the second cell of a wide character."""
    ink: npt.NDArray[np.int16]
    """Index into `keys` of each cell's style."""
    ground: npt.NDArray[np.int16]
    """Index into `keys` of each cell's background; 0 is none."""
    keys: tuple[str, ...]
    """Style keys; `keys[0]` is ""."""
    frame: Frame
    """The plot area, for mapping cells to data and back."""
    legend: tuple[tuple[str, int, int, int], ...] = ()
    """(series name, row, first column, column after the last) of the legend's entries."""
    color: bool = True
    """Whether `text` uses a coloured theme by default."""
    ascii: bool = False
    """Whether every character is ASCII."""

    @property
    def width(self) -> int:
        return int(self.chars.shape[1])

    @property
    def height(self) -> int:
        return int(self.chars.shape[0])

    def plain(self) -> str:
        """Lines of text without styles and without blanks at their ends, joined by newlines."""
        return "\n".join("".join(row).rstrip() for row in self.chars.tolist())

    def runs(self, row: int) -> list[tuple[str, str]]:
        """The row as (text, style key) runs over its whole width; keys as `style_of` takes them."""
        ink, ground = self.ink[row], self.ground[row]
        edges = np.flatnonzero((ink[1:] != ink[:-1]) | (ground[1:] != ground[:-1])) + 1
        bounds = [0, *edges.tolist(), self.width]
        chars = self.chars[row].tolist()
        return [
            ("".join(chars[start:end]), self._key(int(ink[start]), int(ground[start])))
            for start, end in pairwise(bounds)
        ]

    def text(self, theme: Theme | None = None) -> Text:
        """The canvas as rich text, in the terminal's own colours unless a theme is given."""
        from rich.text import Text

        theme = theme if theme is not None else TERMINAL if self.color else MONO
        text = Text(no_wrap=True, overflow="crop", end="")
        for row in range(self.height):
            for part, key in self.runs(row):
                text.append(part, style_of(key, theme) or None)
            if row + 1 < self.height:
                text.append("\n")
        return text

    def legend_at(self, column: int, row: int) -> str | None:
        """The series whose legend entry covers a cell, so that a click can hide or show it."""
        for name, entry_row, start, end in self.legend:
            if row == entry_row and start <= column < end:
                return name
        return None

    def with_cursor(self, column: int, row: int) -> Canvas:
        """The same drawing with a plot cell marked, a guide line through its column, and its places on both axes."""
        if not self.frame.contains(column, row):
            return self
        pen = Pen(self.width, self.height, ascii=False, copy_of=self)
        frame = self.frame
        rows = frame.top + np.flatnonzero(self.chars[frame.top : frame.top + frame.rows, column] == " ")
        pen.paint(rows, np.full_like(rows, column), ":" if self.ascii else "┊", "axis")
        pen.style(column, row, "cursor")
        if frame.top + frame.rows < self.height:
            pen.style(column, frame.top + frame.rows, "cursor")
        if frame.left > 0:
            pen.style(frame.left - 1, row, "cursor")
        return replace(self, chars=pen.chars, ink=pen.ink, keys=tuple(pen.keys))

    def _key(self, ink: int, ground: int) -> str:
        return f"{self.keys[ink]} on {self.keys[ground]}" if ground else self.keys[ink]


class Pen:
    """A canvas while it is being drawn; anything outside it is dropped."""

    def __init__(self, width: int, height: int, *, ascii: bool, copy_of: Canvas | None = None) -> None:
        self.width, self.height, self.ascii = width, height, ascii
        if copy_of is None:
            self.chars: TextArray = np.full((height, width), " ")
            self.ink = np.zeros((height, width), np.int16)
            self.ground = np.zeros((height, width), np.int16)
            self.keys = [""]
        else:
            self.chars, self.ink, self.ground = copy_of.chars.copy(), copy_of.ink.copy(), copy_of.ground
            self.keys = list(copy_of.keys)
        self._indices = {key: index for index, key in enumerate(self.keys)}

    def key(self, style: str) -> int:
        """Index of a style key."""
        if style not in self._indices:
            self._indices[style] = len(self.keys)
            self.keys.append(style)
        return self._indices[style]

    def put(self, column: int, row: int, text: str, style: str) -> int:
        """Writes text to the right of a cell; returns the column after it."""
        cells = cells_of(visible(text), ascii=self.ascii)
        first, last = max(0, -column), min(len(cells), self.width - column)
        if 0 <= row < self.height and first < last:
            shown = cells[first:last]
            if shown[0] == "":
                shown[0] = " "
            if last < len(cells) and cells[last] == "":
                shown[-1] = " "
            place = slice(column + first, column + last)
            self.chars[row, place] = shown
            self.ink[row, place] = self.key(style)
        return column + len(cells)

    def paint(self, rows: IntArray, columns: IntArray, chars: str | TextArray, style: str) -> None:
        """Sets single cells, [n] rows and columns on the canvas, to one character or [n] characters."""
        self.chars[rows, columns] = chars
        self.ink[rows, columns] = self.key(style)

    def style(self, column: int, row: int, style: str) -> None:
        """Restyles one cell."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self.ink[row, column] = self.key(style)

    def shade(self, columns: slice, rows: slice, style: str) -> None:
        """Gives a rectangle a background."""
        self.ground[rows, columns] = self.key(style)

    def free(self, row: int, start: int, end: int) -> bool:
        """Whether the cells of a row from `start` up to `end` are empty, as far as they exist."""
        place = slice(max(0, start), min(end, self.width))
        return bool((self.chars[row, place] == " ").all() and not self.ink[row, place].any())

    def fill(self, rows: IntArray, columns: IntArray, char: str, style: str) -> None:
        """Sets those of the cells, broadcast rows and columns, that are still empty."""
        rows, columns = np.broadcast_arrays(rows, columns)
        blank = (self.chars[rows, columns] == " ") & (self.ink[rows, columns] == 0)
        self.paint(rows[blank], columns[blank], char, style)

    def finish(self, frame: Frame, legend: tuple[tuple[str, int, int, int], ...], color: bool) -> Canvas:
        return Canvas(self.chars, self.ink, self.ground, tuple(self.keys), frame, legend, color, self.ascii)
