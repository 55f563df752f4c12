"""Draws a chart: reference lines under lines under error bars under markers, bands behind them, words where they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.charts.canvas import Canvas, Pen, cells_of
from hvdsweep.charts.frame import Frame, View
from hvdsweep.charts.layout import Layout, lay_out
from hvdsweep.charts.lines import error_bars, line_dots, points_inside, reference_dots, scattered_dots
from hvdsweep.charts.marks import Annotation, Band, Reference, Series
from hvdsweep.charts.palette import color_key, marker_of, opened, slots
from hvdsweep.charts.raster import ASCII, BRAILLE, DOTS_ACROSS, DOTS_DOWN, BoolArray, Decimated, fold

if TYPE_CHECKING:
    from hvdsweep.charts.chart import Chart

_CELLS_A_MARKER = 2  # of width; where points are denser than this a line goes without a marker on each
_ROOM_FOR_LINES = 16  # columns from which upright lines help more than they hide
_SIGNS_APART = {
    True: 24,
    False: 12,
}  # cells between the few markers of a dense line, with and without colours


def draw(chart: Chart, width: int, height: int, view: View, *, ascii: bool, color: bool) -> Canvas:
    """The chart on a canvas of exactly `width` x `height` cells, both at least 1."""
    layout = lay_out(chart, width, height, view, ascii=ascii)
    frame = layout.frame
    pen = Pen(width, height, ascii=ascii)
    _draw_axes(pen, layout)
    for line in chart.references:
        if line.vertical is not None and frame.columns < _ROOM_FOR_LINES:
            continue
        _draw_grid(pen, frame, reference_dots(line, frame), line.color)
    shown = _draw_series(pen, chart, frame, color=color)
    for note in chart.annotations:
        _draw_annotation(pen, frame, note)
    for line in chart.references:
        _label_reference(pen, frame, line)
    if not shown and not chart.references:
        _draw_centred(pen, frame.left, frame.columns, frame.top + frame.rows // 2, chart.empty, "empty")
    _draw_bands(pen, layout, chart.bands)
    _draw_crossings(pen, layout)
    legend = _draw_words(pen, chart, layout)
    return pen.finish(frame, legend, color)


def _draw_axes(pen: Pen, layout: Layout) -> None:
    frame = layout.frame
    if layout.x_labels is None:
        return
    corner, bottom = frame.left - 1, frame.top + frame.rows
    upright, flat, y_tick, x_tick, angle = "|-+++" if pen.ascii else "│─┤┬└"
    for row in range(frame.top, bottom):
        pen.put(corner, row, upright, "axis")
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
    """Cells of a dot grid; they replace what was there, so that no cell mixes two colours."""
    codes = fold(grid)
    rows, columns = np.nonzero(codes)
    chars = (ASCII if pen.ascii else BRAILLE)[codes[rows, columns]]
    pen.paint(rows + frame.top, columns + frame.left, chars, style)


def _draw_series(pen: Pen, chart: Chart, frame: Frame, *, color: bool) -> bool:
    """All visible series; whether anything of them lies in the window."""
    look = slots(series.name for series in chart.series)
    visible = [(series, look[series.name]) for series in chart.series if series.visible and len(series)]
    styles = [series.color or color_key(slot) for series, slot in visible]
    lines = [line_dots(series, frame) if series.line else None for series, _ in visible]
    marked = [
        series.marker != "" and (bool(series.marker) or line is None or not _dense(line[1], frame))
        for (series, _), line in zip(visible, lines, strict=True)
    ]
    # Bars run through markers; where points are too dense for these, a line on top of the bars stays readable.
    for (series, _), style, with_markers in zip(visible, styles, marked, strict=True):
        if not with_markers:
            _draw_bars(pen, series, frame, style)
    found = False
    for (series, _), style, line in zip(visible, styles, lines, strict=True):
        if line is not None or series.marker == "":
            grid = scattered_dots(series, frame) if line is None else line[0]
            found = found or bool(grid.any())
            _draw_grid(pen, frame, grid, style)
    for (series, _), style, with_markers in zip(visible, styles, marked, strict=True):
        if with_markers:
            _draw_bars(pen, series, frame, style)
    for number, ((series, slot), style, line) in enumerate(zip(visible, styles, lines, strict=True)):
        if marked[number]:
            found = _draw_markers(pen, series, slot, frame, style) or found
        elif line is not None and series.marker != "" and len(visible) > 1:
            marker = marker_of(slot, ascii=pen.ascii)
            _draw_signs(pen, frame, line[1], marker, style, number / len(visible), _SIGNS_APART[color])
    return found


def _draw_bars(pen: Pen, series: Series, frame: Frame, style: str) -> None:
    bars = error_bars(series, frame)
    if bars is None:
        return
    upright, top, bottom = "|--" if pen.ascii else "│┬┴"
    pen.paint(bars.rows, bars.columns, upright, style)
    pen.paint(bars.top_rows, bars.top_columns, top, style)
    pen.paint(bars.bottom_rows, bars.bottom_columns, bottom, style)


def _dense(runs: Decimated | None, frame: Frame) -> bool:
    """Whether markers on every point of a line would run into each other."""
    if runs is None:
        return False
    shown = (runs.column >= 0) & (runs.column < frame.dot_columns)
    return int(np.count_nonzero(shown)) * _CELLS_A_MARKER > frame.columns


def _draw_markers(pen: Pen, series: Series, slot: int, frame: Frame, style: str) -> bool:
    """A marker on every point in the window, an open one under an arrow where y is only a lower bound."""
    points = points_inside(series, frame)
    columns, rows = points.cells(frame)
    marker = series.marker or marker_of(slot, ascii=pen.ascii)
    if pen.ascii and not " " < marker <= "~":
        marker = marker_of(slot, ascii=True)
    bound = np.zeros(len(rows), np.bool_) if series.censored is None else series.censored[points.index]
    if bound.any():
        room = bound & (rows > frame.top)
        if not pen.ascii:
            pen.paint(rows[room] - 1, columns[room], "↑", style)
        open_marker = (
            opened(marker)
            if series.marker and not pen.ascii
            else marker_of(slot, ascii=pen.ascii, censored=True)
        )
        pen.paint(rows[bound], columns[bound], open_marker, style)
    pen.paint(rows[~bound], columns[~bound], marker, style)
    return bool(len(rows))


def _draw_signs(
    pen: Pen, frame: Frame, runs: Decimated | None, marker: str, style: str, phase: float, apart: int
) -> None:
    """A few markers on a dense line, so that it can be told from others without colours."""
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
    pen.paint(rows[first] + frame.top, columns[first] + frame.left, marker, style)


def _draw_annotation(pen: Pen, frame: Frame, note: Annotation) -> None:
    cell = frame.cell(note.x, note.y)
    if cell is None:
        return
    column, row = cell
    if note.marker:
        pen.put(column, row, note.marker[:1], note.color)
    size = len(cells_of(note.text))
    beside = [(column + 2, row), (column - 1 - size, row)]
    around = [
        (start, row + rise)
        for rise in (-1, 1, -2, 2, -3, 3)
        for start in (column + 2, column - size // 2, column - 1 - size)
    ]
    _put_where_free(pen, frame, note.text, note.color, [*beside, *around])


def _label_reference(pen: Pen, frame: Frame, line: Reference) -> None:
    """The words of a horizontal or vertical line, along it."""
    size = len(cells_of(line.label))
    x_middle, y_middle = frame.data(frame.left + frame.columns // 2, frame.top + frame.rows // 2)
    if line.horizontal is not None:
        cell = frame.cell(x_middle, line.horizontal)
        if cell is not None:
            edges = (frame.left + frame.columns - size - 1, frame.left + 1)
            starts = [(edge, cell[1] + rise) for rise in (-1, 1) for edge in edges]
            _put_where_free(pen, frame, line.label, line.color, starts)
    elif line.vertical is not None:
        cell = frame.cell(line.vertical, y_middle)
        if cell is not None:
            rows = [*range(frame.top, frame.top + frame.rows)]
            starts = [(start, row) for row in rows for start in (cell[0] + 2, cell[0] - 1 - size)]
            _put_where_free(pen, frame, line.label, line.color, starts)


def _put_where_free(pen: Pen, frame: Frame, text: str, style: str, starts: list[tuple[int, int]]) -> None:
    """Writes text at the first start where it covers nothing; not at all where it would cover data everywhere."""
    size = len(cells_of(text))
    for start, row in starts:
        inside = frame.contains(start, row) and frame.contains(start + size - 1, row)
        if size and inside and pen.free(row, max(start - 1, frame.left), start + size + 1):
            pen.put(start, row, text, style)
            return


def _draw_bands(pen: Pen, layout: Layout, bands: tuple[Band, ...]) -> None:
    """Backgrounds of intervals, their edges where nothing else is drawn, and their names in the strip above."""
    frame = layout.frame
    right, bottom = frame.left + frame.columns, frame.top + frame.rows
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
                pen.fill(at, frame.top, frame.top + frame.rows, ":" if pen.ascii else "┊", "band_edge")
        if layout.strip is not None:
            _draw_centred(pen, first + 1, last - first - 2, layout.strip, band.label, "band_label")


def _band_cells(band: Band, frame: Frame) -> tuple[int, int]:
    """First cell and the one after the last, along the band's axis on the canvas; those whose centre it covers."""
    ends = [-np.inf if band.low is None else band.low, np.inf if band.high is None else band.high]
    if band.axis == "x":
        places = [
            0.0 if end == -np.inf else frame.dot_columns if end == np.inf else float(frame.across(end))
            for end in ends
        ]
        count, start, dots = frame.columns, frame.left, DOTS_ACROSS
    else:
        places = [
            0.0 if end == np.inf else frame.dot_rows if end == -np.inf else float(frame.down(end))
            for end in ends[::-1]
        ]
        count, start, dots = frame.rows, frame.top, DOTS_DOWN
    # A logarithm has no place for what is not positive: the band then reaches the edge.
    places = [
        edge if np.isnan(place) else place for place, edge in zip(places, (0.0, count * dots), strict=True)
    ]
    first, last = (int(np.clip(np.floor(place / dots + 0.5), 0, count)) for place in places)
    return start + first, start + last


def _draw_crossings(pen: Pen, layout: Layout) -> None:
    """A faint dot where the ticks of both axes meet, to lead the eye without a full grid."""
    for row, _ in layout.y_ticks:
        for column, _, _ in layout.x_ticks:
            pen.fill(column, row, row + 1, "." if pen.ascii else "·", "grid")


def _draw_centred(pen: Pen, start: int, width: int, row: int, text: str, style: str) -> None:
    """Text in the middle of some cells, shortened to fit; left out where too little of it would remain."""
    cells = cells_of(text, ascii=pen.ascii)
    if len(cells) > width:
        if width < 4:
            return
        text = "".join(cells[: width - 1]) + "…"
    size = len(cells_of(text))
    pen.put(start + (width - size) // 2, row, text, style)


def _draw_words(pen: Pen, chart: Chart, layout: Layout) -> tuple[tuple[str, int, int, int], ...]:
    """Titles and legend; the legend's clickable places."""
    frame = layout.frame
    if layout.title is not None:
        _put_shortened(pen, 0, layout.title, chart.title, "title")
    if layout.subtitle is not None:
        _put_shortened(pen, 0, layout.subtitle, chart.notes, "subtitle")
    if layout.y_title is not None:
        _put_shortened(pen, 0, layout.y_title, chart.y.title, "axis_title")
    if layout.x_title is not None:
        _draw_centred(pen, frame.left, frame.columns, layout.x_title, chart.x.title, "axis_title")
    places = []
    for column, row, entry in layout.legend:
        after = pen.put(column, row, entry.glyph, entry.style if entry.visible else "legend_off")
        after = pen.put(after + 1, row, entry.label, "legend" if entry.visible else "legend_off")
        if entry.name:
            places.append((entry.name, row, column, after))
    if layout.left_out is not None:
        pen.put(*layout.left_out, "subtitle")
    return tuple(places)


def _put_shortened(pen: Pen, column: int, row: int, text: str, style: str) -> None:
    cells, room = cells_of(text, ascii=pen.ascii), pen.width - column
    pen.put(column, row, text if len(cells) <= room else "".join(cells[: room - 1]) + "…", style)
