"""Draws the parts of a chart in matplotlib: series, reference lines, fields of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hvdsweep.charts import LIGHT, Chart, Reference, Series
from hvdsweep.figures.figure import CONTOUR, STAR, Heat
from hvdsweep.figures.legend import NAMED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SHAPES = {
    "●": "o",
    "◆": "D",
    "▲": "^",
    "■": "s",
    "✦": "p",
    "▼": "v",
    "✚": "P",
    "▬": "X",
    "×": "x",
    "○": "o",
}
SIZES = {"D": 4.5, "x": 5.0, ".": 4.0, "p": 6.5, "P": 6.0}


def ink(key: str) -> str:
    """The matplotlib colour for a style key or a colour."""
    return LIGHT.get(key, key).split()[-1]


def ground(color: str | None, chart: Chart, label: str) -> str:
    index = [band.label for band in chart.bands].index(label)
    return LIGHT[color or f"band{index % 4}"]


DASHES = ((5, 3), (1, 1.6), (10, 3), (3, 1.2))
"""Points drawn and skipped, per pattern of `Chart.dashes`."""


def draw_reference(axes: Axes, line: Reference, x_limits: tuple[float, float], pattern: int = 0) -> None:
    style: dict[str, Any] = {
        "color": ink(line.color),
        "ls": (0, DASHES[pattern % len(DASHES)]) if line.dashed else "-",
        "lw": 1.1,
        "zorder": 1.5,
        "scalex": False,
        "scaley": False,
    }
    if line.color == CONTOUR:
        style |= {"ls": "-", "lw": 0.6, "color": "#c3cad1"}
    if line.label:
        style["label"] = NAMED + line.label
    if line.horizontal is not None:
        x, y = np.array(x_limits), np.full(2, line.horizontal)
    elif line.vertical is not None:
        axes.axvline(
            line.vertical, color=style["color"], ls=style["ls"], lw=style["lw"], label=style.get("label")
        )
        return
    elif line.function is not None:
        x = np.geomspace(*x_limits, 200) if min(x_limits) > 0 else np.linspace(*x_limits, 200)
        y = np.asarray(line.function(x), np.float64)
    else:
        x, y = np.array(line.points, np.float64).T
    axes.plot(x, y, **style)


def draw_series(axes: Axes, series: Series, color: str, slot: int, chart: Chart) -> None:
    shown = np.isfinite(series.x) & np.isfinite(series.y)
    if chart.y.log:
        shown &= series.y > 0
    # A series without a point is still in the legend that explains the marks of all panels.
    if not series.visible or (series.line and not shown.any()):
        return
    x, y = series.x, np.where(shown, series.y, np.nan)
    shape = _shape(series, slot)
    open_points = np.zeros(len(x), np.bool_) if series.censored is None else series.censored
    solid = shown & ~open_points
    if series.marker == STAR:
        axes.plot(
            x,
            y,
            ls="",
            marker="*",
            ms=15,
            mfc="#ffd23f",
            mec="#5d4300",
            mew=0.8,
            label=NAMED + series.name,
            zorder=6,
        )
        return
    style: dict[str, Any] = {"color": color, "label": NAMED + series.name}
    if not series.line:
        axes.plot(x, y, ls="", marker=shape, ms=SIZES.get(shape, 5.0), mew=1.2, alpha=0.85, zorder=3, **style)
        return
    axes.plot(
        x,
        np.where(open_points, np.nan, y),
        marker=shape,
        ms=SIZES.get(shape, 5.5),
        drawstyle="steps-post" if series.steps else "default",
        zorder=4,
        **style,
    )
    if open_points.any():
        axes.plot(
            x[open_points],
            y[open_points],
            ls="",
            marker="^",
            ms=6.5,
            mfc="white",
            mec=color,
            mew=1.3,
            zorder=4,
        )
    if series.y_low is not None and series.y_high is not None and solid.any():
        # An unknown end is drawn to the edge of the panel.
        edge = axes.get_ylim()
        high = np.where(np.isposinf(series.y_high), edge[1], series.y_high)
        low = np.where(np.isfinite(series.y_low), series.y_low, series.y)
        if shape == "":
            axes.fill_between(
                x[solid], low[solid], np.minimum(high, edge[1])[solid], color=color, alpha=0.12, lw=0
            )
        else:
            axes.vlines(x[solid], low[solid], high[solid], color=color, alpha=0.3, lw=1.4, zorder=3)


def _shape(series: Series, slot: int) -> str:
    if series.marker == "":
        return ""
    if series.marker is not None:
        return SHAPES.get(series.marker, "o")
    shapes = list(SHAPES.values())[:8]
    return shapes[(slot + slot // 8) % 8]


def draw_heat(canvas: Canvas, axes: Axes, heat: Heat) -> None:
    """Draw cells in colours from green over yellow to red; empty cells stay white."""
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("stable", ["#2e9e6b", "#f6d55c", "#d1495b"])
    middle = np.log2(heat.x)
    inner = (middle[1:] + middle[:-1]) / 2
    first = middle[0] - (inner[0] - middle[0] if len(inner) else 0.5)
    last = middle[-1] + (middle[-1] - inner[-1] if len(inner) else 0.5)
    edges = 2 ** np.concatenate([[first], inner, [last]])
    mesh = axes.pcolormesh(edges, heat.y_edges, heat.values, cmap=colors, vmin=0, vmax=1)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(heat.y_edges[0], heat.y_edges[-1])
    axes.grid(False)
    bar = canvas.colorbar(mesh, ax=axes, label=heat.label, fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
