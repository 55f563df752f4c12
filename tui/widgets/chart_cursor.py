"""Where a chart's cursor goes: to the next point along a line, to another line, or to the nearest point that way in a cloud."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hvdsweep.charts import Chart, Frame, Reading, Series, follow, nearest
from hvdsweep.charts.lines import points_inside

Way = Literal["left", "right", "up", "down"]

REACH = (6, 3)
"""Columns and rows from the mouse within which a point is read out."""


def under(chart: Chart, frame: Frame, column: int, row: int) -> Reading | None:
    """The point that the mouse is on; None far from all, and outside the plot."""
    found = nearest(chart, frame, column, row) if frame.contains(column, row) else None
    if found is None or abs(found.column - column) > REACH[0] or abs(found.row - row) > REACH[1]:
        return None
    return found


def first_reading(chart: Chart, frame: Frame, preferred: str = "") -> Reading | None:
    """Where a cursor begins: the leftmost point in the window of the preferred series, else of the one drawn on top."""
    there = [one for one in chart.series if one.visible and len(one)]
    for series in [*(one for one in there if one.name == preferred), *reversed(there)]:
        points = points_inside(series, frame)
        if len(points.index):
            return reading_of(chart, frame, series.name, int(points.index[np.argmin(points.across)]))
    return None


def reading_of(chart: Chart, frame: Frame, name: str, index: int) -> Reading | None:
    """A point by its series and its index there; None outside the window or where it is gone."""
    series = _series(chart, name)
    if series is None or not 0 <= index < len(series):
        return None
    x, y = float(series.x[index]), float(series.y[index])
    cell = frame.cell(x, y)
    if cell is None:
        return None
    low = None if series.y_low is None else float(series.y_low[index])
    high = None if series.y_high is None else float(series.y_high[index])
    censored = series.censored is not None and bool(series.censored[index])
    return Reading(name, index, x, y, low, high, censored, *cell)


def same_reading(chart: Chart, frame: Frame, before: Reading) -> Reading | None:
    """After the data have changed: the point at the same place of the series, else the one nearest to where it was."""
    series = _series(chart, before.series)
    if series is None:
        return None
    where = np.flatnonzero(series.x == before.x)
    if len(where):
        # Of several at one x the one that moved least.
        at = int(where[np.argmin(np.abs(series.y[where] - before.y))]) if len(where) > 1 else int(where[0])
        return reading_of(chart, frame, before.series, at)
    return nearest(chart, frame, before.column, before.row)


def moved(chart: Chart, frame: Frame, reading: Reading, way: Way) -> Reading | None:
    """The next reading that way; None if there is none."""
    series = _series(chart, reading.series)
    if series is None:
        return first_reading(chart, frame)
    if not series.line:
        return _across_cloud(chart, frame, reading, way)
    if way in ("left", "right"):
        return follow(chart, frame, reading, 1 if way == "right" else -1)
    return _other_line(chart, frame, reading, way)


def _other_line(chart: Chart, frame: Frame, reading: Reading, way: Way) -> Reading | None:
    """The series whose point at about the same x lies next above or below; from the last one round to the first."""
    here = float(frame.across(reading.x))
    ranks: list[tuple[float, int, Reading]] = []
    for place, series in enumerate(chart.series):
        if not series.visible or not len(series):
            continue
        points = points_inside(series, frame)
        if not len(points.index):
            continue
        at = int(np.argmin(np.abs(points.across - here)))
        found = reading_of(chart, frame, series.name, int(points.index[at]))
        if series.name == reading.series:
            found = reading
        if found is not None:
            ranks.append((float(frame.down(found.y)), place, found))
    ranks.sort(key=lambda rank: rank[:2])
    mine = next((at for at, rank in enumerate(ranks) if rank[2].series == reading.series), None)
    if mine is None or len(ranks) < 2:
        return None
    return ranks[(mine + (1 if way == "down" else -1)) % len(ranks)][2]


def _across_cloud(chart: Chart, frame: Frame, reading: Reading, way: Way) -> Reading | None:
    """The nearest point that lies rather that way than to the side, among all series."""
    x, y = float(frame.across(reading.x)), float(frame.down(reading.y))
    best, found = np.inf, None
    for series in chart.series:
        if not series.visible or not len(series):
            continue
        points = points_inside(series, frame)
        right, down = points.across - x, points.down - y
        ahead = {"left": -right, "right": right, "up": -down, "down": down}[way]
        aside = np.abs(down if way in ("left", "right") else right)
        far = np.where(ahead > 0.25, ahead + 2 * aside, np.inf)
        if not len(far) or not np.isfinite(far).any():
            continue
        at = int(np.argmin(far))
        if far[at] < best:
            best, found = float(far[at]), (series.name, int(points.index[at]))
    return None if found is None else reading_of(chart, frame, *found)


def _series(chart: Chart, name: str) -> Series | None:
    return next((one for one in chart.series if one.name == name and one.visible), None)
