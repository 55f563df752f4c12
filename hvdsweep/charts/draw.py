"""Draws a chart: reference lines under lines under error bars under markers, bands behind them, text where it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvdsweep.charts.canvas import Canvas, Pen
from hvdsweep.charts.chart import Chart
from hvdsweep.charts.frame import FOLLOW, Frame, View
from hvdsweep.charts.layout import ChartLayout, lay_out
from hvdsweep.charts.lines import error_bars, line_dots, points_inside, reference_dots, scattered_dots
from hvdsweep.charts.marks import Band, Series
from hvdsweep.charts.palette import BOUND, color_key, marker_of, opened, slots
from hvdsweep.charts.raster import ASCII, BRAILLE, DOTS_ACROSS, DOTS_DOWN, BoolArray, Decimated, fold
from hvdsweep.charts.words import draw_annotation, draw_centred, draw_words, fitting, label_reference

_RENDERINGS_KEPT = 4  # of one chart: a resize to and fro, the same chart in two panes
_CELLS_A_MARKER = 2  # of width; where points are denser than this a line goes without a marker on each
_ROOM_FOR_LINES = 16  # columns from which upright lines help more than they hide
_SIGNS_APART = {
    True: 24,
    False: 12,
}  # cells between the few markers of a dense line, with and without colours


def render(
    chart: Chart, width: int, height: int, view: View = FOLLOW, *, ascii: bool = False, color: bool = True
) -> Canvas:
    """The chart on `width` x `height` cells (sizes below 1 count as 1). Rendering again with the same arguments returns
    the same canvas at once. With `ascii` every character is ASCII; without `color` dense lines have more markers, and
    `Canvas.text` uses no colours."""
    key = (max(1, width), max(1, height), view, ascii, color)
    canvas: Canvas | None = chart.drawn.pop(key, None)
    # Insert again, as the latest.
    chart.drawn[key] = canvas = canvas or _draw(chart, *key[:3], ascii=ascii, color=color)
    if len(chart.drawn) > _RENDERINGS_KEPT:
        del chart.drawn[next(iter(chart.drawn))]
    return canvas


def _draw(chart: Chart, width: int, height: int, view: View, *, ascii: bool, color: bool) -> Canvas:
    layout = lay_out(chart, width, height, view, ascii=ascii)
    frame = layout.frame
    pen = Pen(width, height, ascii=ascii)
    _draw_axes(pen, layout)
    for line, pattern in zip(chart.references, chart.dashes, strict=True):
        if line.vertical is not None and frame.columns < _ROOM_FOR_LINES:
            continue
        _draw_grid(pen, frame, reference_dots(line, frame, pattern), line.color)
    shown = _draw_series(pen, chart, frame, color=color)
    for note in chart.annotations:
        draw_annotation(pen, frame, note)
    for line in chart.references:
        label_reference(pen, frame, line)
    if not shown and not chart.references:
        draw_centred(pen, frame.left, frame.columns, frame.top + frame.rows // 2, chart.empty, "empty")
    _draw_bands(pen, layout, chart.bands)
    _draw_crossings(pen, layout)
    legend = draw_words(pen, chart, layout)
    return pen.finish(frame, legend, color)


def _draw_axes(pen: Pen, layout: ChartLayout) -> None:
    frame = layout.frame
    if layout.x_labels is None:
        return
    corner, bottom = frame.left - 1, frame.top + frame.rows
    upright, flat, y_tick, x_tick, angle = "|-+++" if pen.ascii else "│─┤┬└"
    rows = np.arange(frame.top, bottom)
    pen.paint(rows, np.full_like(rows, corner), upright, "axis")
    pen.put(corner, bottom, angle + flat * frame.columns, "axis")
    for row, tick in layout.y_ticks:
        pen.put(corner, row, y_tick, "axis")
        pen.put(
            max(len(label.label) for _, label in layout.y_ticks) - len(tick.label), row, tick.label, "tick"
        )
    for column, start, tick in layout.x_ticks:
        pen.put(column, bottom, x_tick, "axis")
        pen.put(start, layout.x_labels, tick.label, "tick")


def _draw_grid(pen: Pen, frame: Frame, grid: BoolArray, style: str) -> None:
    """Cells of a dot grid; they replace previous content, so that no cell mixes two colours."""
    codes = fold(grid)
    rows, columns = np.nonzero(codes)
    chars = (ASCII if pen.ascii else BRAILLE)[codes[rows, columns]]
    pen.paint(rows + frame.top, columns + frame.left, chars, style)


@dataclass(frozen=True)
class _Look:
    """A visible series with everything needed to draw it."""

    series: Series
    style: str
    marker: str
    grid: BoolArray | None
    """Dots of its line, or of its points where these are dots."""
    runs: Decimated | None
    dense: bool
    """Whether its line has no marker on every point."""


def _look(series: Series, slot: int, frame: Frame, *, ascii: bool) -> _Look:
    grid, runs = line_dots(series, frame) if series.line else (None, None)
    if not series.line and series.marker == "":
        grid = scattered_dots(series, frame)
    dense = series.marker == "" or (series.marker is None and _crowded(runs, frame))
    style, marker = series.color or color_key(slot), marker_of(slot, series.marker, ascii=ascii)
    return _Look(series, style, marker, grid, runs, dense)


def _crowded(runs: Decimated | None, frame: Frame) -> bool:
    """Whether markers on every point of a line would overlap."""
    if runs is None:
        return False
    shown = (runs.column >= 0) & (runs.column < frame.dot_columns)
    return int(np.count_nonzero(shown)) * _CELLS_A_MARKER > frame.columns


def _draw_series(pen: Pen, chart: Chart, frame: Frame, *, color: bool) -> bool:
    """Draw all visible series; returns whether any of them is in the window."""
    slot = slots(series.name for series in chart.series)
    looks = [
        _look(series, slot[series.name], frame, ascii=pen.ascii)
        for series in chart.series
        if series.visible and len(series)
    ]
    # Bars run through markers; if points are too dense for these, a line on top of the bars stays readable.
    for look in looks:
        if look.dense:
            _draw_bars(pen, frame, look)
    for look in looks:
        if look.grid is not None:
            _draw_grid(pen, frame, look.grid, look.style)
    for look in looks:
        if not look.dense:
            _draw_bars(pen, frame, look)
    for look in looks:
        _draw_arrows(pen, frame, look)
    found = any(look.grid is not None and bool(look.grid.any()) for look in looks)
    for number, look in enumerate(looks):
        if look.dense and len(looks) > 1 and look.series.marker is None:
            _draw_signs(pen, frame, look, number / len(looks), _SIGNS_APART[color])
        found = _draw_markers(pen, frame, look) or found
    return found


def _draw_bars(pen: Pen, frame: Frame, look: _Look) -> None:
    bars = error_bars(look.series, frame)
    if bars is None:
        return
    upright, top, bottom = "|--" if pen.ascii else "│┬┴"
    pen.paint(bars.rows, bars.columns, upright, look.style)
    pen.paint(bars.top_rows, bars.top_columns, top, look.style)
    pen.paint(bars.bottom_rows, bars.bottom_columns, bottom, look.style)


def _draw_arrows(pen: Pen, frame: Frame, look: _Look) -> None:
    """Arrows over points whose y is only a lower bound."""
    censored = look.series.censored
    if censored is None or not censored.any() or pen.ascii or look.series.marker == "":
        return
    points = points_inside(look.series, frame)
    columns, rows = points.cells(frame)
    room = censored[points.index] & (rows > frame.top)
    pen.paint(rows[room] - 1, columns[room], "↑", look.style)


def _draw_markers(pen: Pen, frame: Frame, look: _Look) -> bool:
    """A marker on every point in the window, open if y is only a lower bound; on a dense line only open ones."""
    series = look.series
    if look.dense and (series.censored is None or series.marker == ""):
        return False
    points = points_inside(series, frame)
    columns, rows = points.cells(frame)
    if series.censored is None:
        pen.paint(rows, columns, look.marker, look.style)
        return bool(len(rows))
    bound = series.censored[points.index]
    pen.paint(rows[bound], columns[bound], BOUND if pen.ascii else opened(look.marker), look.style)
    if not look.dense:
        pen.paint(rows[~bound], columns[~bound], look.marker, look.style)
    return bool(len(rows))


def _draw_signs(pen: Pen, frame: Frame, look: _Look, phase: float, apart: int) -> None:
    """A few markers on a dense line, to distinguish it from others without colours."""
    runs = look.runs
    if runs is None:
        return
    rows = frame.dot_row(runs.last)
    here = (runs.column >= 0) & (runs.column < frame.dot_columns) & (rows >= 0) & (rows < frame.dot_rows)
    columns, rows = runs.column[here] // DOTS_ACROSS, rows[here] // DOTS_DOWN
    if not len(columns):
        return
    # The first run at or after each of the wanted columns.
    block = np.floor_divide(columns - int((0.25 + phase) * apart), apart)
    first = np.flatnonzero(np.diff(block, prepend=-1) > 0)
    pen.paint(rows[first] + frame.top, columns[first] + frame.left, look.marker, look.style)


def _draw_bands(pen: Pen, layout: ChartLayout, bands: tuple[Band, ...]) -> None:
    """Draw the backgrounds of intervals, their edges on empty cells, and their names in the strip above."""
    frame = layout.frame
    right, bottom = frame.left + frame.columns, frame.top + frame.rows
    rows = np.arange(frame.top, bottom)
    roomy = frame.columns >= _ROOM_FOR_LINES
    for number, band in enumerate(bands):
        first, last = _band_cells(band, frame)
        if first >= last:
            continue
        style = band.color or f"band{number % 4}"
        if band.axis == "y":
            pen.shade(slice(frame.left, right), slice(first, last), style)
            continue
        top = frame.top if layout.strip is None else layout.strip
        pen.shade(slice(first, last), slice(top, bottom), style)
        for edge, at in ((band.low, first), (band.high, last)):
            if edge is not None and frame.left < at < right and roomy:
                pen.fill(rows, np.full_like(rows, at), ":" if pen.ascii else "┊", "band_edge")
        if layout.strip is not None:
            width = last - first - 2
            draw_centred(pen, first + 1, width, layout.strip, fitting(pen, band.label, width), "band_label")


def _band_cells(band: Band, frame: Frame) -> tuple[int, int]:
    """First cell and the one after the last, along the band's axis on the canvas, from the cell that holds its one edge
    up to the cell that holds the other; at least one cell of a band that is in sight."""
    upright = band.axis == "x"
    axis, place = (frame.x_axis, frame.across) if upright else (frame.y_axis, frame.down)
    count, dots = (frame.columns, DOTS_ACROSS) if upright else (frame.rows, DOTS_DOWN)
    start = frame.left if upright else frame.top
    # An end without a position, such as zero on a log axis, is out of sight like an open one.
    low, high = (
        place(end) / dots if end is not None and axis.holds(end) else None for end in (band.low, band.high)
    )
    if band.high is not None and axis.log and band.high <= 0:
        return start, start
    near, far = (low, high) if upright else (high, low)
    first, last = 0.0 if near is None else float(near), float(count) if far is None else float(far)
    if last < 0 or first > count or last < first:
        return start, start
    begin = min(max(int(first), 0), count - 1)
    return start + begin, start + max(begin + 1, count if far is None else min(int(last), count))


def _draw_crossings(pen: Pen, layout: ChartLayout) -> None:
    """A faint dot where the ticks of both axes meet, to guide the eye without a full grid."""
    rows = np.array([row for row, _ in layout.y_ticks], np.int64)
    columns = np.array([column for column, _, _ in layout.x_ticks], np.int64)
    pen.fill(rows[:, None], columns, "." if pen.ascii else "·", "grid")
