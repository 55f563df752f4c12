"""Series and reference lines as dots and cells of a frame, without colours or characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvdsweep.charts.axis import FloatArray
from hvdsweep.charts.frame import Frame
from hvdsweep.charts.marks import Reference, Series
from hvdsweep.charts.raster import (
    DOTS_ACROSS,
    DOTS_DOWN,
    BoolArray,
    Decimated,
    IntArray,
    decimate,
    draw_segments,
    segment_dots,
    snap,
)

_FEW = 1000  # points that take no longer to go through than to search among
DASHES = ((6, 4), (1, 3), (10, 3), (3, 2))
"""Dots drawn and skipped, a pattern per reference line."""


def line_dots(series: Series, frame: Frame) -> tuple[BoolArray, Decimated | None]:
    """The dot grid [dot_rows, dot_columns] of a series' line, and its points by dot column (`None` without points).

    A gap is not bridged; a point between gaps is a single dot; lines to points outside the window are drawn up to its
    edge.
    """
    grid = np.zeros((frame.dot_rows, frame.dot_columns), np.bool_)
    drawn = _stepped(series) if series.steps else series
    x, y, breaks = _without_gaps(drawn, frame)
    if not len(x):
        return grid, None
    runs = decimate(x, y, frame.dot_column, ascending=drawn.ascending, edge_of=frame.edge, breaks=breaks)
    _draw_upright(grid, runs, frame)
    to = np.flatnonzero(runs.joined)
    draw_segments(
        grid,
        frame.across(runs.x_last[to - 1]),
        frame.down(runs.last[to - 1]),
        frame.across(runs.x_first[to]),
        frame.down(runs.first[to]),
    )
    return grid, runs


def scattered_dots(series: Series, frame: Frame) -> BoolArray:
    """The dot grid [dot_rows, dot_columns] of a series' points."""
    grid = np.zeros((frame.dot_rows, frame.dot_columns), np.bool_)
    points = points_inside(series, frame)
    grid[snap(points.down, frame.dot_rows), snap(points.across, frame.dot_columns)] = True
    return grid


@dataclass(frozen=True)
class Points:
    """The points of a series that lie in the window, [m] each."""

    across: FloatArray
    """Dots from the left edge of the plot area."""
    down: FloatArray
    """Dots from its upper edge."""
    index: IntArray
    """Position in the series' arrays."""

    def cells(self, frame: Frame) -> tuple[IntArray, IntArray]:
        """Canvas columns and rows."""
        columns = snap(self.across, frame.dot_columns) // DOTS_ACROSS
        rows = snap(self.down, frame.dot_rows) // DOTS_DOWN
        return columns + frame.left, rows + frame.top


def points_inside(series: Series, frame: Frame, between: tuple[float, float] | None = None) -> Points:
    """The points in the window, its edges included; if x ascends only those near `between` two positions (dots from
    the left edge), which takes time in proportion to them."""
    start, stop = _reach(series, frame, between or (0.0, frame.dot_columns))
    across, down = frame.across(series.x[start:stop]), frame.down(series.y[start:stop])
    inside = (across >= 0) & (across <= frame.dot_columns) & (down >= 0) & (down <= frame.dot_rows)
    if inside.all():
        return Points(across, down, np.arange(start, start + len(across)))
    kept = np.flatnonzero(inside)
    return Points(across[kept], down[kept], start + kept)


def _reach(series: Series, frame: Frame, between: tuple[float, float]) -> tuple[int, int]:
    """A slice of the series that contains all points between two positions; short if x ascends."""
    if len(series) < _FEW or not series.ascending:
        return 0, len(series)
    # One dot wider: an axis and its inverse round differently.
    ends = np.searchsorted(series.x, frame.edge([between[0] - 1, between[1] + 1]))
    return max(0, int(ends[0])), min(len(series), int(ends[1]) + 1)


def _without_gaps(series: Series, frame: Frame) -> tuple[FloatArray, FloatArray, IntArray | None]:
    """The points with a place, and where among them a new stroke begins."""
    mask = series.drawable(frame.x_axis, frame.y_axis)
    if mask is None:
        return series.x, series.y, None
    kept = np.flatnonzero(mask)
    return series.x[kept], series.y[kept], np.flatnonzero(np.diff(kept) > 1) + 1


def _stepped(series: Series) -> Series:
    return Series(series.name, np.repeat(series.x, 2)[1:], np.repeat(series.y, 2)[:-1])


def _draw_upright(grid: BoolArray, runs: Decimated, frame: Frame) -> None:
    """The strokes from lowest to highest point within each dot column."""
    upper, lower = frame.dot_row(runs.high), frame.dot_row(runs.low)
    here = np.flatnonzero(
        (runs.column >= 0) & (runs.column < frame.dot_columns) & (upper < frame.dot_rows) & (lower >= 0)
    )
    column = runs.column[here]
    dots = segment_dots(
        column, np.maximum(upper[here], 0), column, np.minimum(lower[here], frame.dot_rows - 1)
    )
    grid[dots.row, dots.column] = True


def reference_dots(line: Reference, frame: Frame, pattern: int = 0) -> BoolArray:
    """The dot grid [dot_rows, dot_columns] of a reference line, dashed if it is."""
    grid = np.zeros((frame.dot_rows, frame.dot_columns), np.bool_)
    if line.horizontal is not None:
        down = frame.down([line.horizontal] * 2)
        across = np.array([0.0, frame.dot_columns])
    elif line.vertical is not None:
        across = frame.across([line.vertical] * 2)
        down = np.array([0.0, frame.dot_rows])
    elif line.function is not None:
        x = frame.edge(np.arange(frame.dot_columns) + 0.5)
        with np.errstate(all="ignore"):
            y = np.broadcast_to(np.asarray(line.function(x), np.float64), x.shape)
        across, down = frame.across(x), frame.down(np.where(np.isfinite(y), y, np.nan))
    else:
        x, y = np.array(line.points, np.float64).T
        across, down = frame.across(x), frame.down(y)
    placed = np.isfinite(across) & np.isfinite(down)
    start = np.flatnonzero(placed[:-1] & placed[1:])
    dash = DASHES[pattern % len(DASHES)] if line.dashed else None
    draw_segments(grid, across[start], down[start], across[start + 1], down[start + 1], dash=dash)
    return grid


@dataclass(frozen=True)
class Bars:
    """Error bars as canvas cells."""

    rows: IntArray
    """[m] cells of the upright strokes, with `columns`."""
    columns: IntArray
    top_rows: IntArray
    """[a] cells of the upper caps, with `top_columns`; a bar that leaves the window has no cap there."""
    top_columns: IntArray
    bottom_rows: IntArray
    bottom_columns: IntArray


def error_bars(series: Series, frame: Frame) -> Bars | None:
    """The error bars of the points in the window; `None` if the series has none."""
    if series.y_low is None and series.y_high is None:
        return None
    points = points_inside(series, frame)
    columns, rows = points.cells(frame)
    ends = []
    for bounds, edge in ((series.y_high, -1), (series.y_low, frame.dot_rows)):
        if bounds is None:
            ends.append(rows)
            continue
        bound = bounds[points.index]
        down = frame.down(bound)
        placed = np.where(np.isfinite(down), down, edge)
        dots = np.clip(np.floor(placed), -1, frame.dot_rows).astype(np.int64)
        ends.append(np.where(np.isnan(bound), rows, frame.top + np.floor_divide(dots, DOTS_DOWN)))
    first, last = frame.top, frame.top + frame.rows - 1
    upper, lower = ends
    capped_above, capped_below = (upper >= first) & (upper < rows), (lower <= last) & (lower > rows)
    strokes = segment_dots(columns, np.clip(upper, first, last), columns, np.clip(lower, first, last))
    return Bars(
        strokes.row,
        strokes.column,
        upper[capped_above],
        columns[capped_above],
        lower[capped_below],
        columns[capped_below],
    )
