"""One panel in matplotlib: title, axes with the ticks of the text charts, regions, series and legend."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.charts import LIGHT, Axis, Chart, frame_of
from hvdsweep.charts.frame import View
from hvdsweep.charts.palette import color_key, slots
from hvdsweep.figures.figure import Panel
from hvdsweep.figures.legend import BAND_LETTER, NAMED, Room, draw_legend
from hvdsweep.figures.marks import draw_heat, draw_reference, draw_series, ground, ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SIZE = (4.6, 3.7)
"""Inches of one panel, width and height."""

TITLE_LETTERS = 44
"""Letters per line of a panel's title."""


def draw_panel(canvas: Canvas, axes: Axes, panel: Panel) -> None:
    chart = panel.chart
    title = "\n".join(textwrap.wrap(chart.title, TITLE_LETTERS, break_long_words=False))
    # The same height with and without a second line, so that the titles of a row are level.
    axes.set_title(title, pad=16)
    if chart.notes:
        axes.text(
            0, 1.02, chart.notes, transform=axes.transAxes, fontsize=7.5, color=LIGHT["subtitle"].split()[-1]
        )
    if panel.empty:
        _say_empty(axes, chart)
        return
    limits = frame_of(chart, 120, 40, View())
    room = Room(axes, chart, limits.x_limits, limits.y_limits)
    _axis(axes, "x", chart.x, limits.x_limits)
    _axis(axes, "y", chart.y, limits.y_limits)
    for band in chart.bands:
        low, high = limits.x_limits
        start, end = math.log2(band.low or low), math.log2(band.high or high)
        share = (end - start) / math.log2(high / low)
        fits = share * SIZE[0] > len(band.label) * BAND_LETTER
        # The legend names a region that is too narrow for its name.
        label = "" if fits else NAMED + band.label
        color = ground(band.color, chart, band.label)
        axes.axvspan(band.low or low, band.high or high, color=color, lw=0, label=label)
        if fits:
            room.take_band(band.label, 2 ** ((start + end) / 2))
            axes.text(
                2 ** ((start + end) / 2),
                0.985,
                band.label,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=7,
                color=LIGHT["band_label"],
            )
    for line, pattern in zip(chart.references, chart.dashes, strict=True):
        draw_reference(axes, line, limits.x_limits, pattern)
    if panel.heat is not None:
        draw_heat(canvas, axes, panel.heat)
    else:
        slot = slots(series.name for series in chart.series)
        shades = _shades(len(chart.series)) if panel.ordered else []
        for index, series in enumerate(chart.series):
            color = shades[index] if shades else ink(series.color or color_key(slot[series.name]))
            draw_series(axes, series, color, 0 if shades else slot[series.name], chart)
    for note in chart.annotations:
        axes.plot(
            [note.x], [note.y], marker="*", color="#e8a200", mec="#5d4300", mew=0.7, ms=13, ls="", zorder=6
        )
        side, up = room.beside(note)
        axes.annotate(
            note.text,
            (note.x, note.y),
            textcoords="offset points",
            xytext=(side * 6, up),
            ha="right" if side < 0 else "left",
            fontsize=8,
            fontweight="bold",
            zorder=7,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5},
        )
    draw_legend(axes, chart, room)


def _shades(count: int) -> list[str]:
    """Colours from dark to light, for ordered lines."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in colormaps["viridis"](np.linspace(0, 0.88, max(count, 2)))][:count]


def _say_empty(axes: Axes, chart: Chart) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_linestyle((0, (4, 4)))
        spine.set_edgecolor("#b9c2cb")
    axes.text(
        0.5,
        0.5,
        chart.empty,
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=9,
        fontstyle="italic",
        color=LIGHT["empty"].split()[-1],
        wrap=True,
    )


def _axis(axes: Axes, which: str, axis: Axis, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    side = axes.xaxis if which == "x" else axes.yaxis
    getattr(axes, f"set_{which}label")(axis.title)
    if axis.log:
        getattr(axes, f"set_{which}scale")("log", base=2 if axis.scale == "log2" else 10)
    getattr(axes, f"set_{which}lim")(limits)
    ticks = axis.ticks(limits, most=9 if which == "x" else 8)
    side.set_major_locator(FixedLocator([tick.value for tick in ticks]))
    side.set_minor_locator(NullLocator())
    for label in side.set_ticklabels([_power(tick.label) for tick in ticks]):
        label.set_parse_math(True)


def _power(label: str) -> str:
    """`2^-5` and `1e-5` as powers; other labels unchanged."""
    if label.startswith("2^"):
        return f"$2^{{{label[2:]}}}$"
    digit, letter, power = label.partition("e")
    if letter:
        return f"$10^{{{power}}}$" if digit == "1" else f"${digit}\\cdot 10^{{{power}}}$"
    return label
