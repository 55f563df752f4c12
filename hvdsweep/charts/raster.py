"""From points to dots: decimation by dot column, connected line segments, and the fold of 2x4 dots into one character.

Every line is drawn between dots, so decimation changes nothing: the points that fall into one dot column cover the same
dots as the upright stroke from their lowest to their highest (the argument of M4: Jugel et al., PVLDB 7(10), 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hvdsweep.charts.axis import FloatArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
TextArray = npt.NDArray[np.str_]

DOTS_ACROSS, DOTS_DOWN = 2, 4
_WORTH_BISECTING = 1000  # points
_DOTS_AT_ONCE = 4_000_000  # bounds memory where a million points jump to and fro

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of dot (row, column) in the Unicode block that starts at U+2800."""


@dataclass(frozen=True)
class Decimated:
    """Maximal runs of neighbouring points that share a dot column and have no gap between them; all arrays [g]."""

    column: IntArray
    """Dot column; -1 left of the window, its width to the right of it."""
    x_first: FloatArray
    x_last: FloatArray
    first: FloatArray
    """y of the run's first point, data units; `last`, `low` and `high` likewise."""
    last: FloatArray
    low: FloatArray
    high: FloatArray
    joined: BoolArray
    """Whether a line comes from the run before; false at the start and after a gap."""


def decimate(
    x: FloatArray,
    y: FloatArray,
    column_of: Callable[[FloatArray], IntArray],
    *,
    ascending: bool,
    edge_of: Callable[[IntArray], FloatArray] | None = None,
    breaks: IntArray | None = None,
) -> Decimated:
    """First, lowest, highest and last point of every run within one dot column.

    `x` and `y` are [n] with n > 0 and finite; `column_of` must never fall as x rises; `ascending` says that x never
    falls, and then costs O(columns log n) transforms instead of n. `edge_of` is about the x at which a column begins; it
    saves time, and need not be exact. `breaks` holds the indices that begin again after a gap.
    """
    bisect = ascending and len(x) > _WORTH_BISECTING
    starts = _column_starts(x, column_of, edge_of) if bisect else _changes(column_of(x))
    if breaks is not None and len(breaks):
        starts = np.union1d(starts, breaks)
    ends = np.append(starts[1:], len(x)) - 1
    joined = np.ones(len(starts), np.bool_)
    joined[0] = False
    if breaks is not None and len(breaks):
        joined[np.searchsorted(starts, breaks)] = False
    return Decimated(
        column=column_of(x[starts]),
        x_first=x[starts],
        x_last=x[ends],
        first=y[starts],
        last=y[ends],
        low=np.minimum.reduceat(y, starts),
        high=np.maximum.reduceat(y, starts),
        joined=joined,
    )


def _changes(columns: IntArray) -> IntArray:
    """Indices where a new value begins, 0 included."""
    return np.append(0, np.flatnonzero(columns[1:] != columns[:-1]) + 1)


def _column_starts(
    x: FloatArray,
    column_of: Callable[[FloatArray], IntArray],
    edge_of: Callable[[IntArray], FloatArray] | None,
) -> IntArray:
    """`_changes(column_of(x))` for x that never falls, by bisection in every column at once."""
    ends = column_of(x[[0, -1]])
    wanted = np.arange(ends[0] + 1, ends[1] + 1)
    low, high = np.zeros_like(wanted), np.full_like(wanted, len(x) - 1)
    if edge_of is not None:
        # Rounding differs between an axis and its inverse, so a guess counts only where the axis confirms it.
        guess = np.clip(np.searchsorted(x, edge_of(wanted)), 1, len(x) - 1)
        right = (column_of(x[guess - 1]) < wanted) & (column_of(x[guess]) >= wanted)
        low, high = np.where(right, guess, low), np.where(right, guess, high)
    while (low < high).any():
        middle = (low + high) // 2
        reached = column_of(x[middle]) >= wanted
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    starts: IntArray = np.unique(np.append(0, low))
    return starts


@dataclass(frozen=True)
class Dots:
    """Dots of a set of segments in drawing order, all arrays [m]; a dot may occur more than once."""

    column: IntArray
    row: IntArray
    segment: IntArray
    """Index of the segment a dot belongs to."""
    step: IntArray
    """Dots from the start of its segment."""


def segment_dots(column0: IntArray, row0: IntArray, column1: IntArray, row1: IntArray) -> Dots:
    """The dots of straight segments between dots, both ends included: one per column of a flat segment, one per row of
    a steep one, each within half a dot of the true line (Bresenham's line, all segments at once)."""
    across, down = column1 - column0, row1 - row0
    length = np.maximum(np.abs(across), np.abs(down))
    segment = np.repeat(np.arange(len(length)), length + 1)
    first = np.cumsum(length + 1) - (length + 1)
    step = np.arange(len(segment)) - first[segment]
    whole = np.maximum(length, 1)[segment]
    column = column0[segment] + (2 * step * across[segment] + whole) // (2 * whole)
    row = row0[segment] + (2 * step * down[segment] + whole) // (2 * whole)
    return Dots(column, row, segment, step)


def clip(
    x0: FloatArray, y0: FloatArray, x1: FloatArray, y1: FloatArray, width: float, height: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray]:
    """The parts of segments inside [0, width] x [0, height] and the indices of the segments that have one
    (Liang and Barsky's method). Ends that are inside stay exactly as they are."""
    places_x, places_y = np.concatenate((x0, x1)), np.concatenate((y0, y1))
    if (
        len(x0)
        and places_x.min() >= 0
        and places_x.max() <= width
        and places_y.min() >= 0
        and places_y.max() <= height
    ):
        return x0, y0, x1, y1, np.arange(len(x0))
    enter, leave = np.zeros(len(x0)), np.ones(len(x0))
    across, down = x1 - x0, y1 - y0
    for toward, room in ((-across, x0), (across, width - x0), (-down, y0), (down, height - y0)):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            share = room / toward
        enter = np.where(toward < 0, np.maximum(enter, share), enter)
        leave = np.where(toward > 0, np.minimum(leave, share), leave)
        leave = np.where((toward == 0) & (room < 0), -1.0, leave)
    kept = np.flatnonzero(enter <= leave)
    x0, y0, x1, y1, across, down = (part[kept] for part in (x0, y0, x1, y1, across, down))
    enter, leave = enter[kept], leave[kept]
    start_x = np.clip(np.where(enter > 0, x0 + enter * across, x0), 0, width)
    start_y = np.clip(np.where(enter > 0, y0 + enter * down, y0), 0, height)
    end_x = np.clip(np.where(leave < 1, x0 + leave * across, x1), 0, width)
    end_y = np.clip(np.where(leave < 1, y0 + leave * down, y1), 0, height)
    return start_x, start_y, end_x, end_y, kept


def snap(places: FloatArray, count: int) -> IntArray:
    """Dot (or cell) that holds each place in [0, count]; the far edge belongs to the last one."""
    return np.minimum(np.floor(places).astype(np.int64), count - 1)


def draw_segments(
    grid: BoolArray,
    x0: FloatArray,
    y0: FloatArray,
    x1: FloatArray,
    y1: FloatArray,
    *,
    dash: tuple[int, int] | None = None,
) -> None:
    """Draws segments, in dots (y downward, any finite place), into a dot grid [rows, columns].

    `dash` = (on, off) counts dots along the whole path; segment i is then taken to begin where i - 1 ends.
    """
    height, width = grid.shape
    at_once = max(1, _DOTS_AT_ONCE // (width + height))
    travelled = 0
    for start in range(0, len(x0), at_once):
        part = slice(start, start + at_once)
        ax, ay, bx, by, _ = clip(x0[part], y0[part], x1[part], y1[part], width, height)
        ends = snap(ax, width), snap(ay, height), snap(bx, width), snap(by, height)
        dots = segment_dots(*ends)
        if dash is None:
            grid[dots.row, dots.column] = True
            continue
        length = np.maximum(np.abs(ends[2] - ends[0]), np.abs(ends[3] - ends[1]))
        before = travelled + np.cumsum(length) - length
        shown = (before[dots.segment] + dots.step) % sum(dash) < dash[0]
        grid[dots.row[shown], dots.column[shown]] = True
        travelled += int(length.sum())


def fold(grid: BoolArray) -> ByteArray:
    """One byte per cell of 2x4 dots, [4 * rows, 2 * columns] to [rows, columns]; 0 is an empty cell."""
    codes = np.zeros((grid.shape[0] // DOTS_DOWN, grid.shape[1] // DOTS_ACROSS), np.uint8)
    for row, bits in enumerate(_BITS):
        for column, bit in enumerate(bits):
            codes |= grid[row::DOTS_DOWN, column::DOTS_ACROSS].view(np.uint8) * np.uint8(bit)
    return codes


BRAILLE: TextArray = np.array([" "] + [chr(0x2800 + code) for code in range(1, 256)])
"""The character of each byte of `fold`."""


def _ascii_of(code: int) -> str:
    """The plain character that looks most like a cell of dots."""
    left = [row for row in range(4) if code & _BITS[row][0]]
    right = [row for row in range(4) if code & _BITS[row][1]]
    rows = sorted({*left, *right})
    if not rows:
        return " "
    if left and right:
        fall = sum(right) / len(right) - sum(left) / len(left)
        if abs(fall) > 1.2 or (abs(fall) >= 1 and len(rows) > 2):
            return "\\" if fall > 0 else "/"
    if len(rows) > 2:
        return "|"
    middle = sum(rows) / len(rows)
    if middle < 0.9:
        return "'"
    if middle > 2.1:
        return "." if not (left and right) or len(rows) > 1 else "_"
    return "-"


ASCII: TextArray = np.array([_ascii_of(code) for code in range(256)])
"""The same in plain ASCII, for fonts without braille."""
