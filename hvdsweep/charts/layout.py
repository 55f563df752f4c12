"""Divides a canvas between the plot and its explanations; without enough room, explanations go first."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, takewhile

import numpy as np

from hvdsweep.charts.axis import Limits, Tick
from hvdsweep.charts.canvas import cells_of, width_of
from hvdsweep.charts.chart import Chart
from hvdsweep.charts.frame import FOLLOW, Frame, View
from hvdsweep.charts.palette import color_key, marker_of, slots
from hvdsweep.charts.raster import DOTS_ACROSS, DOTS_DOWN

_GAP = 3  # cells between legend entries
_LEAST_LABEL = 5  # cells; with less a name says nothing
DASHES, DASHES_ASCII = ("╌╌╌", "···", "─ ─", "┅┅┅"), ("- -", "...", "-.-", "= =")
"""Samples of the patterns of `lines.DASHES` in the legend."""
_WIDE_ENOUGH_FOR_AIR = 40  # columns from which on labels are one blank off the axis


@dataclass(frozen=True)
class LegendEntry:
    """One legend entry."""

    name: str
    """The series; "" for a reference line."""
    glyph: str
    style: str
    label: str
    visible: bool

    @cached_property
    def width(self) -> int:
        return width_of(f"{self.glyph} {self.label}")


@dataclass(frozen=True)
class ChartLayout:
    """The position of everything; a row of `None` means that there is no room for it."""

    frame: Frame
    title: int | None
    subtitle: int | None
    y_title: int | None
    strip: int | None
    """The row above the plot that names the bands."""
    x_labels: int | None
    """The row under the x axis."""
    x_title: int | None
    legend: tuple[tuple[int, int, LegendEntry], ...]
    """(column, row, entry)."""
    left_out: tuple[int, int, str] | None
    """(column, row, text) that counts the legend entries without room."""
    x_ticks: tuple[tuple[int, int, Tick], ...]
    """(column of the tick, first column of its label, tick)."""
    y_ticks: tuple[tuple[int, Tick], ...]
    """(row, tick)."""


def frame_of(chart: Chart, width: int, height: int, view: View = FOLLOW, *, ascii: bool = False) -> Frame:
    """The plot area of `render` with the same arguments, without drawing."""
    return lay_out(chart, max(1, width), max(1, height), view, ascii=ascii).frame


def lay_out(chart: Chart, width: int, height: int, view: View, *, ascii: bool) -> ChartLayout:
    """The layout of a chart on `width` x `height` cells, both at least 1."""
    x_limits, y_limits = window(chart, view)
    axes = height >= 5 and width >= 6
    top = 0
    title = subtitle = y_title = strip = None
    if chart.title and height >= 7:
        title, top = top, top + 1
    if height >= 12 and chart.notes:
        subtitle, top = top, top + 1
    entries = legend_entries(chart, ascii=ascii) if height >= 8 and width >= 16 else ()
    lines, left_out = _wrapped(entries, width, 1 if height < 18 else 2 if height < 32 else 3)
    first_line, top = top, top + len(lines)
    if chart.y.title and height >= 14 and width >= 16:
        # Beside the last line of the legend, if both fit.
        used = _line_width(lines[-1]) + len(left_out) + _GAP if lines else width
        y_title = top - (width_of(chart.y.title, ascii=ascii) + used <= width)
        top = y_title + 1
    if height >= 12 and any(band.label and band.axis == "x" for band in chart.bands):
        strip, top = top, top + 1
    bottom = 2 if axes else 0
    has_x_title = bool(chart.x.title) and height >= 14 and axes
    rows = max(1, height - top - bottom - has_x_title)

    y_frame = Frame(0, top, 1, rows, chart.x, chart.y, x_limits, y_limits)
    y_ticks = _y_ticks(y_frame) if axes else ()
    air = 1 if width >= _WIDE_ENOUGH_FOR_AIR else 0
    label_width = max((len(tick.label) for _, tick in y_ticks), default=0)
    if label_width and width - label_width - 1 - air < max(8, width // 2):
        y_ticks, label_width = (), 0
    left = label_width + air * bool(label_width) + 1 if axes else 0
    columns = max(1, width - left - air * axes)
    frame = Frame(left, top, columns, rows, chart.x, chart.y, x_limits, y_limits)
    placed: list[tuple[int, int, LegendEntry]] = []
    for number, line in enumerate(lines):
        column = _legend_start(frame, width, _line_width(line) + len(left_out) * (number + 1 == len(lines)))
        for entry in line:
            placed.append((column, first_line + number, entry))
            column += entry.width + _GAP
    more = None
    if left_out and lines:
        last = placed[-1]
        more = (last[0] + last[2].width + 1, last[1], left_out.strip())
    return ChartLayout(
        frame=frame,
        title=title,
        subtitle=subtitle,
        y_title=y_title,
        strip=strip,
        x_labels=top + rows + 1 if axes else None,
        x_title=top + rows + 2 if has_x_title else None,
        legend=tuple(placed),
        left_out=more,
        x_ticks=_x_ticks(frame, width) if axes else (),
        y_ticks=y_ticks,
    )


def window(chart: Chart, view: View) -> tuple[Limits, Limits]:
    """The limits to draw, in data units: those of the user's window if it has any, else the padded limits of the data,
    horizontal lines included."""
    extents = [series.extent(chart.x, chart.y) for series in chart.series if series.visible]
    x_ends = [end for extent in extents if extent for end in extent[0]]
    y_ends = [end for extent in extents if extent for end in extent[1]]
    goals = [line.horizontal for line in chart.references if line.horizontal is not None]
    y_ends += [goal for goal in goals if np.isfinite(goal) and (goal > 0 or not chart.y.log)]
    nothing = [float("nan")]
    return (
        view.x or chart.x.fit(min(x_ends or nothing), max(x_ends or nothing)),
        view.y or chart.y.fit(min(y_ends or nothing), max(y_ends or nothing)),
    )


def legend_entries(chart: Chart, *, ascii: bool) -> tuple[LegendEntry, ...]:
    """The legend: every series, then the reference lines without a label in the plot."""
    look = slots(series.name for series in chart.series)
    entries = []
    for series in chart.series:
        marker = marker_of(look[series.name], series.marker, ascii=ascii)
        rule = ("-" if ascii else "─") * series.line
        style = series.color or color_key(look[series.name])
        glyph = f"{rule}{marker}{rule}" if series.marker != "" or not series.line else rule * 3
        label = "".join(cells_of(series.name, ascii=ascii))
        entries.append(LegendEntry(series.name, glyph, style, label, series.visible))
    if chart.has_bars:
        entries.append(
            LegendEntry(
                "", "|" if ascii else "┬", "reference", "".join(cells_of(chart.bars, ascii=ascii)), True
            )
        )
    for line, pattern in zip(chart.references, chart.dashes, strict=True):
        if line.label and line.in_legend:
            glyph = _dashes(pattern, ascii=ascii) if line.dashed else ("---" if ascii else "───")
            label = "".join(cells_of(line.label, ascii=ascii))
            entries.append(LegendEntry("", glyph, line.color, label, True))
    wanted = chart.legend if chart.legend is not None else len(entries) > 1
    return tuple(entries) if wanted else ()


def _dashes(pattern: int, *, ascii: bool) -> str:
    """The sample of a dashed line; patterns begin again after the last, as the lines do, so that a number is added."""
    glyph = (DASHES_ASCII if ascii else DASHES)[pattern % len(DASHES)]
    return glyph if pattern < len(DASHES) else f"{glyph}{pattern // len(DASHES) + 1}"


def _line_width(line: Sequence[LegendEntry]) -> int:
    return sum(entry.width for entry in line) + _GAP * max(0, len(line) - 1)


@functools.lru_cache(maxsize=32)
def _wrapped(entries: tuple[LegendEntry, ...], width: int, most: int) -> tuple[list[list[LegendEntry]], str]:
    """Entries in at most `most` lines no wider than the canvas, shortened if necessary, and a note with the number of
    entries without room. Cached, since a legend stays while its chart moves."""
    lines = _lines(entries, width)
    if len(lines) <= most:
        return lines, ""
    longest = max((width_of(entry.label) for entry in entries), default=0)
    # Shorter labels never need more lines: the longest that fit are found by halving.
    fits, too_long = _LEAST_LABEL, min(width, longest) + 1
    while too_long - fits > 1:
        share = (fits + too_long) // 2
        shorter = _lines(_shortened(entries, share), width)
        if len(shorter) <= most:
            fits, lines = share, shorter
        else:
            too_long = share
    if fits > _LEAST_LABEL:
        return lines, ""
    short = _shortened(entries, _LEAST_LABEL)
    for count in range(len(short) - 1, 0, -1):
        note = f"  +{len(short) - count} more"
        lines = _lines(short[:count], width)
        if len(lines) <= most and _line_width(lines[-1]) + len(note) <= width:
            return lines, note
    return [], ""


def _lines(entries: Sequence[LegendEntry], width: int) -> list[list[LegendEntry]]:
    lines: list[list[LegendEntry]] = []
    used = 0
    for entry in entries:
        used += _GAP + entry.width
        if lines and used <= width:
            lines[-1].append(entry)
        else:
            lines.append([entry])
            used = entry.width
    return lines


def _shortened(entries: Sequence[LegendEntry], most: int) -> list[LegendEntry]:
    """The entries with one character for a glyph and labels of at most `most` cells: their beginnings, or their ends
    if the beginnings are equal, or what follows equal beginnings if the ends are equal, too."""
    heads = [_cut(entry.label, most) for entry in entries]
    tails = [_cut(entry.label, -most) for entry in entries]
    alike: dict[str, list[str]] = {}
    for entry, head in zip(entries, heads, strict=True):
        alike.setdefault(head, []).append(entry.label)
    middles = [
        head if len(alike[head]) == 1 else _cut_before(entry.label, _shared(alike[head]), most)
        for entry, head in zip(entries, heads, strict=True)
    ]
    labels = max(heads, tails, middles, key=lambda said: len({*said}))
    return [
        replace(entry, glyph=entry.glyph[len(entry.glyph) // 2], label=label)
        for entry, label in zip(entries, labels, strict=True)
    ]


def _cut(text: str, most: int) -> str:
    cells = cells_of(text)
    if len(cells) <= abs(most):
        return text
    return "".join(cells[: most - 1]) + "…" if most > 0 else "…" + "".join(cells[most + 1 :])


def _shared(labels: Sequence[str]) -> int:
    """How many characters all begin with."""
    pairs = zip(min(labels), max(labels), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _cut_before(text: str, start: int, most: int) -> str:
    """The text from `start` on, or from where the end fits."""
    cells = cells_of(text)
    if len(cells) <= most:
        return text
    return "…" + _cut("".join(cells[min(start, len(cells) - most + 1) :]), most - 1)


def _legend_start(frame: Frame, width: int, line: int) -> int:
    """Aligned with the plot's right edge if there is room, else as far left as needed."""
    return max(0, min(frame.left + frame.columns, width) - line)


def _y_ticks(frame: Frame) -> tuple[tuple[int, Tick], ...]:
    apart = 1 if frame.rows < 6 else 2 if frame.rows < 20 else 3

    def rows_of(ticks: Sequence[Tick]) -> list[int]:
        values = np.array([tick.value for tick in ticks])
        return [int(row) for row in frame.top + frame.dot_row(values) // DOTS_DOWN]

    def fit(ticks: Sequence[Tick]) -> bool:
        rows = rows_of(ticks)
        return all(lower - upper >= apart for lower, upper in pairwise(rows))

    ticks = frame.y_axis.ticks_that(frame.y_limits, fit)
    return tuple(zip(rows_of(ticks), ticks, strict=True))


def _x_ticks(frame: Frame, width: int) -> tuple[tuple[int, int, Tick], ...]:
    apart = (
        2 if frame.x_axis.scale == "log2" or width < _WIDE_ENOUGH_FOR_AIR else 4
    )  # every batch size, if it fits

    def places(ticks: Sequence[Tick]) -> list[tuple[int, int, Tick]]:
        values = np.array([tick.value for tick in ticks])
        columns = (frame.left + frame.dot_column(values) // DOTS_ACROSS).tolist()
        return [
            (column, max(0, min(column - (len(tick.label) - 1) // 2, width - len(tick.label))), tick)
            for column, tick in zip(columns, ticks, strict=True)
        ]

    def fit(ticks: Sequence[Tick]) -> bool:
        spans = [(start, start + len(tick.label)) for _, start, tick in places(ticks)]
        return all(end <= width for _, end in spans) and all(
            later[0] - former[1] >= apart for former, later in pairwise(spans)
        )

    return tuple(places(frame.x_axis.ticks_that(frame.x_limits, fit)))
