"""Places the legend and the notes of a panel so that they hide nothing: in a corner without lines, else outside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hvdsweep.charts import Annotation, Axis, Chart, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Limits = tuple[float, float]
Points = npt.NDArray[np.float64]
"""[2, N], as shares of the axes; NaN if there is no point."""

MARGINS = (0.7, 0.85)
"""Approximate inches of a panel outside its axes: matplotlib knows them only after layout."""

LETTER, HANDLE, ROW, PADDING = 0.056, 0.5, 0.155, 0.16
"""Inches: a letter of an entry, the sample of a line with its gap, a row, and the padding around all of them."""

NOTE_LETTER, BAND_LETTER = 0.075, 0.062
"""Inches of a letter of a note, which is bold, and of a region's name."""

NAMED = "="
"""Prefix of the label of everything that the legend names: matplotlib hides labels that begin with `_`."""

BESIDE = 6
"""With more entries than this the legend is next to its panel, in one column."""

CORNERS = {
    "upper right": (1.0, 1.0),
    "upper left": (0.0, 1.0),
    "lower left": (0.0, 0.0),
    "lower right": (1.0, 0.0),
    "center right": (1.0, 0.5),
    "upper center": (0.5, 1.0),
    "lower center": (0.5, 0.0),
}
"""Positions inside, the usual ones first, as shares of the axes."""

ABOVE = (10, 24, -22, 42, -40, 70)
"""Points from a star up to the line of its note, nearest first; negative: below."""

SAMPLES = 24
"""Points checked along each segment of a line."""


class Room:
    """The occupied area inside the axes of one panel."""

    def __init__(self, axes: Axes, chart: Chart, x_limits: Limits, y_limits: Limits) -> None:
        self._x, self._y = (chart.x, x_limits), (chart.y, y_limits)
        width, height = axes.get_figure(root=True).get_size_inches()  # type: ignore[union-attr]
        cells = axes.get_gridspec()
        rows, columns = (1, 1) if cells is None else (cells.nrows, cells.ncols)
        self.inches = (width / columns - MARGINS[0], height / rows - MARGINS[1])
        self._points = _joined([self._line(series) for series in chart.series])
        self._bars = _joined([self._interval(series) for series in chart.series])

    def take_band(self, name: str, middle: float) -> None:
        """Mark the place of a region's name, at the top of the region."""
        half = len(name) * BAND_LETTER / self.inches[0] / 2
        centre = float(_share(np.array([middle]), *self._x)[0])
        x = np.linspace(centre - half, centre + half, SAMPLES)
        self._points = _joined([self._points, np.stack([x, np.full(SAMPLES, 0.97)])])

    def corner(self, labels: list[str]) -> str | None:
        """The first position inside that hides no point, no line and, if possible, no interval; None: none."""
        width = (max(map(len, labels)) * LETTER + HANDLE + PADDING) / self.inches[0]
        height = (len(labels) * ROW + PADDING) / self.inches[1]
        for taken in (_joined([self._points, self._bars]), self._points):
            for name, (x, y) in CORNERS.items():
                if _free(taken, x * (1 - width), y * (1 - height), width, height):
                    return name
        return None

    def beside(self, note: Annotation) -> tuple[int, int]:
        """(-1 for left or 1 for right, points above) for a note's text, such that it hides nothing and stays inside."""
        x, y = (
            float(_share(np.array([value]), *axis)[0])
            for value, axis in ((note.x, self._x), (note.y, self._y))
        )
        width, height = len(note.text) * NOTE_LETTER / self.inches[0], ROW / self.inches[1]
        towards = -1 if x > 0.5 else 1
        for up in ABOVE:
            for side in (towards, -towards):
                left, low = x - width if side < 0 else x, y + up / 72 / self.inches[1]
                within = left >= 0 and left + width <= 1 and low >= 0 and low + height <= 1
                if within and _free(self._points, left, low, width, height):
                    edges = np.linspace(left, left + width, SAMPLES)
                    self._points = _joined(
                        [self._points, np.stack([edges, np.full(SAMPLES, low + height / 2)])]
                    )
                    return side, up
        return towards, ABOVE[0]

    def _line(self, series: Series) -> Points:
        x, y = _share(series.x, *self._x), _share(series.y, *self._y)
        if len(x) < 2 or not series.line:
            return np.stack([x, y])
        steps = np.linspace(0, len(x) - 1, (len(x) - 1) * SAMPLES + 1)
        between = np.stack([np.interp(steps, np.arange(len(x)), one) for one in (x, y)])
        # A marker is there even if the adjacent lines are missing.
        return _joined([between, np.stack([x, y])])

    def _interval(self, series: Series) -> Points:
        if series.y_low is None or series.y_high is None:
            return np.empty((2, 0))
        x, y = _share(series.x, *self._x), _share(series.y, *self._y)
        ends = [_share(end, *self._y) for end in (series.y_low, series.y_high)]
        low, high = (np.where(np.isnan(end), y, np.clip(end, 0, 1)) for end in ends)
        heights = np.linspace(low, high, SAMPLES)
        return np.stack([np.broadcast_to(x, heights.shape).ravel(), heights.ravel()])


def _joined(parts: list[Points]) -> Points:
    return np.concatenate([np.empty((2, 0)), *parts], axis=1)


def _free(taken: Points, left: float, low: float, width: float, height: float) -> bool:
    """Whether a box is empty."""
    x, y = taken
    return not bool(((x > left) & (x < left + width) & (y > low) & (y < low + height)).any())


def _share(values: npt.NDArray[np.float64], axis: Axis, limits: Limits) -> npt.NDArray[np.float64]:
    """Positions of values on an axis, 0 to 1 between its ends."""
    low, high = limits
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.log(values / low) / math.log(high / low) if axis.log else (values - low) / (high - low)
    return np.asarray(share, np.float64)


def draw_legend(axes: Axes, chart: Chart, room: Room) -> None:
    """Draw the legend: series before reference lines; explains open markers if there are any."""
    from matplotlib.lines import Line2D

    handles, given = axes.get_legend_handles_labels()
    labels = [label.removeprefix(NAMED) for label in given]
    lines = {line.label for line in chart.references}
    entries = sorted(zip(handles, labels, strict=True), key=lambda entry: entry[1] in lines)
    if any(series.censored is not None and series.censored.any() for series in chart.series):
        open_marker = Line2D([], [], ls="", marker="^", ms=6, mfc="white", mec="#5c6773", mew=1.2)
        entries.append((open_marker, "not reached"))
    if chart.has_bars:
        bar = Line2D([], [], ls="", marker="|", ms=9, mec="#5c6773", mew=1.4)
        entries.append((bar, chart.bars))
    if chart.legend is False or len(entries) < 2:
        return
    place: dict[str, Any]
    corner = room.corner([label for _, label in entries])
    if len(entries) > BESIDE:
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    elif corner is not None:
        place = {"loc": corner}
    else:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2}
    legend = axes.legend(*zip(*entries, strict=True), **place)
    for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(label)
