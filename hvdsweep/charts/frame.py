"""The mapping between data and canvas, both ways, and the user's window (zoom and pan)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hvdsweep.charts.axis import Axis, FloatArray, Limits
from hvdsweep.charts.raster import DOTS_ACROSS, DOTS_DOWN, IntArray, snap

_FAR = 1e12  # dots; further out the slope of a line on the screen is lost


@dataclass(frozen=True)
class Frame:
    """The plot area of one rendering: its position on the canvas in cells, its axes and their limits."""

    left: int
    top: int
    columns: int
    """Width in cells, at least 1."""
    rows: int
    """Height in cells, at least 1."""
    x_axis: Axis
    y_axis: Axis
    x_limits: Limits
    """Data units; the left and right edge of the plot area."""
    y_limits: Limits
    """Data units; its lower and upper edge."""

    @cached_property
    def _x_places(self) -> Limits:
        low, high = self.x_axis.forward(self.x_limits)
        return float(low), float(high)

    @cached_property
    def _y_places(self) -> Limits:
        low, high = self.y_axis.forward(self.y_limits)
        return float(low), float(high)

    @property
    def dot_columns(self) -> int:
        return self.columns * DOTS_ACROSS

    @property
    def dot_rows(self) -> int:
        return self.rows * DOTS_DOWN

    def across(self, x: npt.ArrayLike) -> FloatArray:
        """Dots from the left edge, [n] to [n]; 0 to `dot_columns` inside, NaN if x has no position."""
        low, high = self._x_places
        with np.errstate(over="ignore", invalid="ignore"):
            share = (self.x_axis.forward(x) - low) / (high - low)
            return np.clip(share * self.dot_columns, -_FAR, _FAR)

    def down(self, y: npt.ArrayLike) -> FloatArray:
        """Dots from the upper edge, [n] to [n]; 0 to `dot_rows` inside, NaN if y has no position."""
        low, high = self._y_places
        with np.errstate(over="ignore", invalid="ignore"):
            share = (high - self.y_axis.forward(y)) / (high - low)
            return np.clip(share * self.dot_rows, -_FAR, _FAR)

    def dot_column(self, x: FloatArray) -> IntArray:
        """Dot column of each x (which must have a place), [n] to [n]; -1 to the left of the window and `dot_columns` to
        the right of it. Never falls as x rises."""
        return _whole(self.across(x), self.dot_columns)

    def edge(self, dots: npt.ArrayLike) -> FloatArray:
        """x (data units) at a number of dots from the left edge, any shape; the inverse of `across`, up to rounding."""
        low, high = self._x_places
        return self.x_axis.inverse(low + np.asarray(dots, np.float64) / self.dot_columns * (high - low))

    def dot_row(self, y: FloatArray) -> IntArray:
        """Dot row of each y (which must have a place), [n] to [n]; -1 above the window, `dot_rows` below it."""
        return _whole(self.down(y), self.dot_rows)

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Canvas column and row of one point; `None` outside the window."""
        column = int(self.dot_column(np.array([x], np.float64))[0]) if self.x_axis.holds(x) else -1
        row = int(self.dot_row(np.array([y], np.float64))[0]) if self.y_axis.holds(y) else -1
        if not (0 <= column < self.dot_columns and 0 <= row < self.dot_rows):
            return None
        return self.left + column // DOTS_ACROSS, self.top + row // DOTS_DOWN

    def contains(self, column: int, row: int) -> bool:
        """Whether a canvas cell is in the plot area."""
        return 0 <= column - self.left < self.columns and 0 <= row - self.top < self.rows

    def data(self, column: float, row: float) -> tuple[float, float]:
        """Data units at the centre of a canvas cell, inside the plot area or not."""
        x_low, x_high = self._x_places
        y_low, y_high = self._y_places
        x_share = (column - self.left + 0.5) / self.columns
        y_share = (row - self.top + 0.5) / self.rows
        return (
            float(self.x_axis.inverse(x_low + x_share * (x_high - x_low))),
            float(self.y_axis.inverse(y_high - y_share * (y_high - y_low))),
        )


def _whole(dots: FloatArray, count: int) -> IntArray:
    held = np.clip(dots, -1.0, count + 1.0)
    return np.where(held > count, count, snap(held, count))


@dataclass(frozen=True)
class View:
    """The user's window. An axis that is `None` follows the data; one with limits stays while data arrive."""

    x: Limits | None = None
    """Data units."""
    y: Limits | None = None

    @property
    def follows(self) -> bool:
        """Whether no axis is fixed: the whole chart is shown, as it grows."""
        return self.x is None and self.y is None

    def zoom(self, frame: Frame, factor: float, at: tuple[int, int] | None = None) -> View:
        """A window `factor` times closer (below 1: further away). The data under cell `at` (the middle by default)
        stay under it; an axis that float64 cannot resolve any finer stays as it is."""
        if not factor > 0:
            raise ValueError(f"factor: {factor!r} is not positive")
        column, row = at or (frame.left + frame.columns // 2, frame.top + frame.rows // 2)
        x_share = (column - frame.left + 0.5) / frame.columns
        y_share = 1 - (row - frame.top + 0.5) / frame.rows
        return View(
            x=_zoomed(frame.x_axis, frame.x_limits, factor, x_share),
            y=_zoomed(frame.y_axis, frame.y_limits, factor, y_share),
        )

    def pan(self, frame: Frame, columns: float = 0, rows: float = 0) -> View:
        """The window moved by cells: positive `columns` to larger x, positive `rows` to smaller y (down)."""
        return View(
            x=_moved(frame.x_axis, frame.x_limits, columns / frame.columns) if columns else self.x,
            y=_moved(frame.y_axis, frame.y_limits, -rows / frame.rows) if rows else self.y,
        )


FOLLOW = View()
"""The whole chart, as it grows."""


def _zoomed(axis: Axis, limits: Limits, factor: float, share: float) -> Limits:
    low, high = map(float, axis.forward(limits))
    fixed, span = low + share * (high - low), (high - low) / factor
    start, end = fixed - share * span, fixed + (1 - share) * span
    return axis.bounded(start, end) if axis.resolves(start, end) else limits


def _moved(axis: Axis, limits: Limits, share: float) -> Limits:
    low, high = map(float, axis.forward(limits))
    shift = share * (high - low)
    return axis.bounded(low + shift, high + shift)
