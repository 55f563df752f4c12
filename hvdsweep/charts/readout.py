"""Which data point the reader means: nearest to a cell, next along a series, said in data units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hvdsweep.charts.chart import Chart
from hvdsweep.charts.frame import Frame
from hvdsweep.charts.lines import points_inside
from hvdsweep.charts.marks import Series
from hvdsweep.charts.raster import DOTS_ACROSS, DOTS_DOWN


@dataclass(frozen=True)
class Reading:
    """One data point of a chart as it lies on a frame."""

    series: str
    index: int
    """Position in the series' arrays."""
    x: float
    """Data units, as `y`, `y_low` and `y_high`."""
    y: float
    y_low: float | None
    y_high: float | None
    censored: bool
    column: int
    """Canvas cell of the point, with `row`."""
    row: int


def nearest(chart: Chart, frame: Frame, column: int, row: int) -> Reading | None:
    """The point in the window whose dot is nearest, on the screen, to the middle of a cell; of equals the one drawn
    last. `None` where the window has no point."""
    at_across = (column - frame.left + 0.5) * DOTS_ACROSS
    at_down = (row - frame.top + 0.5) * DOTS_DOWN
    best, found = np.inf, None
    for series in chart.series:
        if not series.visible:
            continue
        # Nearby columns first: nothing beyond `reach` dots to either side can beat a point nearer than that.
        reach = 4.0
        while True:
            points = points_inside(series, frame, (at_across - reach, at_across + reach))
            # Dots are as wide as high in the usual cell of 1:2.
            far = np.square(points.across - at_across) + np.square(points.down - at_down)
            if len(far):
                at = int(len(far) - 1 - np.argmin(far[::-1]))
                if far[at] <= best:
                    best, found = float(far[at]), (series, int(points.index[at]))
            if not series.ascending or best <= reach**2 or reach > 2 * frame.dot_columns + abs(at_across):
                break
            reach *= 4
    return None if found is None else _read(*found, frame)


def follow(chart: Chart, frame: Frame, reading: Reading, columns: int) -> Reading | None:
    """The next point of the same series whose cell is at least one column further: to the right for positive
    `columns`, else to the left; at least |columns| away where the series goes on that far. `None` where the series has
    no further point in the window."""
    series = next((one for one in chart.series if one.name == reading.series and one.visible), None)
    if series is None or not columns:
        return None
    points = points_inside(series, frame)
    away = (points.cells(frame)[0] - reading.column) * np.sign(columns)
    ahead = np.flatnonzero(away > 0)
    if not len(ahead):
        return None
    enough = ahead[away[ahead] >= abs(columns)]
    at = int(enough[np.argmin(away[enough])] if len(enough) else ahead[np.argmax(away[ahead])])
    return _read(series, int(points.index[at]), frame)


def sentence(reading: Reading, x_title: str = "x", y_title: str = "y") -> str:
    """The point in words, for a status line: `resnet_8  batch size 256  steps 1204 [1100, 1400]`."""
    value = f"{'at least ' if reading.censored else ''}{number(reading.y)}"
    ends = [None if end is None or math.isnan(end) else end for end in (reading.y_low, reading.y_high)]
    if ends != [None, None]:
        value += f" [{', '.join('?' if end is None else number(end) for end in ends)}]"
    return f"{reading.series}  {x_title or 'x'} {number(reading.x)}  {y_title or 'y'} {value}"


def number(value: float) -> str:
    """A value for reading: whole numbers in full up to 15 digits, others with five significant digits."""
    if abs(value) < 1e15 and value == round(value):
        return f"{value:.0f}"
    return f"{value:.5g}"


def _read(series: Series, index: int, frame: Frame) -> Reading:
    x, y = float(series.x[index]), float(series.y[index])
    cell = frame.cell(x, y)
    assert cell is not None
    return Reading(
        series=series.name,
        index=index,
        x=x,
        y=y,
        y_low=None if series.y_low is None else float(series.y_low[index]),
        y_high=None if series.y_high is None else float(series.y_high[index]),
        censored=series.censored is not None and bool(series.censored[index]),
        column=cell[0],
        row=cell[1],
    )
