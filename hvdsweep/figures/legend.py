"""A panel's legend where it hides nothing: in a corner that no line passes, else under the panel or beside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hvdsweep.charts import Axis, Chart, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Limits = tuple[float, float]

PANEL = (3.9, 2.85)
"""Inches inside the axes of a panel, about: matplotlib knows them only once all is laid out."""

LETTER, HANDLE, ROW, PADDING = 0.056, 0.5, 0.155, 0.16
"""Inches: a letter of an entry, the sample of a line with its gap, a row, and the room around all of them."""

BESIDE = 6
"""More entries than this stand beside their panel, in one column."""

CORNERS = {
    "upper right": (1.0, 1.0),
    "upper left": (0.0, 1.0),
    "lower left": (0.0, 0.0),
    "lower right": (1.0, 0.0),
    "center right": (1.0, 0.5),
    "upper center": (0.5, 1.0),
    "lower center": (0.5, 0.0),
}
"""Places inside, the usual ones first, as shares of the axes."""

SAMPLES = 24
"""Points looked at along each piece of a line."""


def draw_legend(axes: Axes, chart: Chart, x_limits: Limits, y_limits: Limits) -> None:
    """Series before the lines they are compared with; open markers are explained where there are any."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    lines = {line.label for line in chart.references}
    entries = sorted(zip(handles, labels, strict=True), key=lambda entry: entry[1] in lines)
    if any(series.censored is not None and series.censored.any() for series in chart.series):
        open_marker = Line2D([], [], ls="", marker="^", ms=6, mfc="white", mec="#5c6773", mew=1.2)
        entries.append((open_marker, "not reached"))
    if chart.legend is False or len(entries) < 2:
        return
    place: dict[str, Any]
    corner = free_corner(chart, [label for _, label in entries], x_limits, y_limits)
    if len(entries) > BESIDE:
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    elif corner is not None:
        place = {"loc": corner}
    else:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2}
    axes.legend(*zip(*entries, strict=True), **place)


def free_corner(chart: Chart, labels: list[str], x_limits: Limits, y_limits: Limits) -> str | None:
    """The first place inside that holds the legend without hiding a point, a line or, if possible, an interval."""
    width = (max(map(len, labels)) * LETTER + HANDLE + PADDING) / PANEL[0]
    height = (len(labels) * ROW + PADDING) / PANEL[1]
    points = np.concatenate(
        [np.empty((2, 0)), *(_line(one, chart, x_limits, y_limits) for one in chart.series)], 1
    )
    bars = np.concatenate(
        [np.empty((2, 0)), *(_bars(one, chart, x_limits, y_limits) for one in chart.series)], 1
    )
    for hidden in (np.concatenate([points, bars], 1), points):
        for name, (x, y) in CORNERS.items():
            left, low = x * (1 - width), y * (1 - height)
            inside = (
                (hidden[0] > left)
                & (hidden[0] < left + width)
                & (hidden[1] > low)
                & (hidden[1] < low + height)
            )
            if not inside.any():
                return name
    return None


def _share(values: npt.NDArray[np.float64], axis: Axis, limits: Limits) -> npt.NDArray[np.float64]:
    """Where values lie on an axis, 0 to 1 between its ends."""
    low, high = limits
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.log(values / low) / math.log(high / low) if axis.log else (values - low) / (high - low)
    return np.asarray(share, np.float64)


def _line(series: Series, chart: Chart, x_limits: Limits, y_limits: Limits) -> npt.NDArray[np.float64]:
    """[2, N], points along a series, as shares of the axes; NaN where it has a gap."""
    x, y = _share(series.x, chart.x, x_limits), _share(series.y, chart.y, y_limits)
    if len(x) < 2 or not series.line:
        return np.stack([x, y])
    steps = np.linspace(0, len(x) - 1, (len(x) - 1) * SAMPLES + 1)
    between = np.stack([np.interp(steps, np.arange(len(x)), one) for one in (x, y)])
    # A marker stands there even where the lines beside it are missing.
    return np.concatenate([between, np.stack([x, y])], axis=1)


def _bars(series: Series, chart: Chart, x_limits: Limits, y_limits: Limits) -> npt.NDArray[np.float64]:
    """[2, N], points along the intervals of a series."""
    if series.y_low is None or series.y_high is None:
        return np.empty((2, 0))
    x = _share(series.x, chart.x, x_limits)
    low, high = (_share(ends, chart.y, y_limits) for ends in (series.y_low, series.y_high))
    ends = [
        np.where(np.isnan(end), _share(series.y, chart.y, y_limits), np.clip(end, 0, 1))
        for end in (low, high)
    ]
    heights = np.linspace(ends[0], ends[1], SAMPLES)
    return np.stack([np.broadcast_to(x, heights.shape).ravel(), heights.ravel()])
