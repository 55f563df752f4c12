"""A chart as files: SVG, PNG or PDF by matplotlib, and its points as CSV. Whatever a text chart shows, a file shows too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hvdsweep.charts.axis import Axis, Limits
from hvdsweep.charts.chart import Chart, chart_csv
from hvdsweep.charts.frame import View
from hvdsweep.charts.layout import window
from hvdsweep.charts.marks import Band, Reference, Series
from hvdsweep.charts.palette import LIGHT, color_key, marker_of, slots
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "csv")
"""What one press of the export key writes."""

SIZE = (7.2, 4.6)
"""Inches."""

_SHAPES = dict(zip("●◆▲■✦▼✚▬○◇△□★✕", "oD^sPv+_oD^s*x", strict=True))
_OPEN = "○◇△□"
_FOLLOW = View()


def export_chart(
    chart: Chart, stem: Path, view: View = _FOLLOW, formats: Sequence[str] = FORMATS
) -> tuple[Path, ...]:
    """Write the chart beside each other as `stem`.svg, .png and .csv; a number is added where any of them exists.

    Figures show what `view` shows, the CSV all points. UserError where they cannot be written.
    """
    number = 1
    base = stem
    while any(_named(base, kind).exists() for kind in formats):
        number += 1
        base = stem.with_name(f"{stem.name}-{number}")
    paths = tuple(_named(base, kind) for kind in formats)
    for path in paths:
        write_chart(chart, path, view)
    return paths


def _named(base: Path, kind: str) -> Path:
    # Not with_suffix: the name itself may hold points.
    return base.with_name(f"{base.name}.{kind}")


def write_chart(chart: Chart, path: Path, view: View = _FOLLOW) -> None:
    """Write one file, whole or not at all; its ending says what it is: csv, or what matplotlib knows (svg, png, pdf).

    UserError where the folder cannot be written or the ending is unknown.
    """
    kind = path.suffix.removeprefix(".").lower()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if kind == "csv":
            temporary.write_text(chart_csv(chart), encoding="utf-8")
        elif kind in ("svg", "png", "pdf"):
            _save(chart_figure(chart, view), temporary, kind)
        else:
            raise UserError(f"{path}: {kind or 'no ending'}: write .svg, .png, .pdf or .csv")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error


def _save(figure: Figure, path: Path, kind: str) -> None:
    import matplotlib

    # The same chart gives the same bytes: no date, no random ids.
    with matplotlib.rc_context({"svg.hashsalt": "hvdsweep", "svg.fonttype": "none"}):
        metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
        figure.savefig(path, format=kind, dpi=200, metadata=metadata)


def chart_figure(chart: Chart, view: View = _FOLLOW) -> Figure:
    """The chart as a matplotlib figure, in the colours of light terminals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    x_limits, y_limits = window(chart, view)
    for name, ours, limits in (("x", chart.x, x_limits), ("y", chart.y, y_limits)):
        _set_axis(axes, name, ours, limits)
    axes.set_xlim(*x_limits)
    axes.set_ylim(*y_limits)
    axes.set_xlabel(chart.x.title)
    axes.set_ylabel(chart.y.title)
    _draw_bands(axes, chart.bands)
    for line in chart.references:
        _draw_reference(axes, line, x_limits, y_limits)
    slot = slots(series.name for series in chart.series)
    for series in chart.series:
        if series.visible and len(series):
            _draw_series(axes, series, slot[series.name])
    for note in chart.annotations:
        axes.annotate(
            note.text, (note.x, note.y), (6, 10), textcoords="offset points", fontsize=9, annotation_clip=True
        )
    _draw_words(figure, axes, chart)
    axes.grid(True, color="#e3e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _set_axis(axes: Axes, name: str, ours: Axis, limits: Limits) -> None:
    """The scale, and the very ticks that a text chart has."""
    axis = axes.xaxis if name == "x" else axes.yaxis
    if ours.log:
        (axes.set_xscale if name == "x" else axes.set_yscale)("log", base=2 if ours.scale == "log2" else 10)
    ticks = ours.ticks(limits, most=12)
    axis.set_ticks([tick.value for tick in ticks], [tick.label for tick in ticks])
    axis.set_ticks([], minor=True)


def _color(key: str) -> str:
    """A style key as one colour of matplotlib."""
    style = LIGHT.get(key, key)
    return next((word for word in style.split() if word.startswith("#")), "#444444")


def _draw_bands(axes: Axes, bands: Sequence[Band]) -> None:
    for number, band in enumerate(bands):
        span, limits = (
            (axes.axvspan, axes.get_xlim()) if band.axis == "x" else (axes.axhspan, axes.get_ylim())
        )
        low = limits[0] if band.low is None else max(band.low, limits[0])
        high = limits[1] if band.high is None else min(band.high, limits[1])
        if low >= high:
            continue
        span(low, high, color=_color(band.color or f"band{number % 4}"), linewidth=0, zorder=0)
        if band.label and band.axis == "x":
            middle = float(np.sqrt(low * high)) if axes.get_xscale() == "log" else (low + high) / 2
            axes.annotate(
                band.label,
                (middle, 1),
                (0, -3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=8,
                color=_color("band_label"),
            )


def _draw_reference(axes: Axes, line: Reference, x_limits: Limits, y_limits: Limits) -> None:
    look: dict[str, Any] = {
        "color": _color(line.color),
        "linewidth": 1.0,
        "linestyle": (0, (5, 3)) if line.dashed else "-",
        "zorder": 1.5,
    }
    words = {"fontsize": 8, "color": look["color"], "textcoords": "offset points", "annotation_clip": True}
    if line.horizontal is not None:
        axes.axhline(line.horizontal, **look)
        axes.annotate(line.label, (x_limits[1], line.horizontal), (-4, 3), ha="right", **words)
    elif line.vertical is not None:
        axes.axvline(line.vertical, **look)
        axes.annotate(line.label, (line.vertical, y_limits[1]), (4, -18), ha="left", va="top", **words)
    elif line.function is not None:
        scale = np.geomspace if axes.get_xscale() == "log" else np.linspace
        x = scale(*x_limits, 400)
        axes.plot(
            x, np.broadcast_to(np.asarray(line.function(x), np.float64), x.shape), label=line.label, **look
        )
    else:
        x, y = np.array(line.points, np.float64).T
        axes.plot(x, y, label=line.label, **look)


def _draw_series(axes: Axes, series: Series, slot: int) -> None:
    color = _color(series.color or color_key(slot))
    glyph = marker_of(slot, series.marker)
    shape = "" if series.marker == "" and series.line else _SHAPES.get(glyph, "o")
    size = 9.0 if shape == "*" else 5.0
    crowded = series.marker is None and len(series) > 200
    if series.y_low is not None or series.y_high is not None:
        _draw_bars(axes, series, color)
    axes.plot(
        series.x,
        series.y,
        drawstyle="steps-post" if series.steps else "default",
        linestyle="-" if series.line else "none",
        linewidth=1.4,
        marker="" if crowded else shape,
        markersize=size,
        markerfacecolor="none" if glyph in _OPEN else color,
        color=color,
        label=series.name,
        zorder=3,
    )
    if series.censored is not None and series.censored.any():
        # A lower bound: open, under an arrow.
        x, y = series.x[series.censored], series.y[series.censored]
        axes.plot(x, y, linestyle="none", marker=shape or "o", markersize=size + 1, markerfacecolor="white",
                  markeredgecolor=color, zorder=4)  # fmt: skip
        for at, height in zip(x.tolist(), y.tolist(), strict=True):
            axes.annotate(
                "", (at, height), (0, 16), textcoords="offset points", annotation_clip=True,
                arrowprops={"arrowstyle": "<-", "color": color},
            )  # fmt: skip


def _draw_bars(axes: Axes, series: Series, color: str) -> None:
    low = series.y if series.y_low is None else np.where(np.isnan(series.y_low), series.y, series.y_low)
    high = series.y if series.y_high is None else np.where(np.isnan(series.y_high), series.y, series.y_high)
    # What no axis has a place for reaches its edge.
    bottom, top = axes.get_ylim()
    low, high = np.clip(low, bottom, None), np.where(np.isfinite(high), high, top)
    reaches = np.isfinite(series.y)
    lower, upper = np.maximum(series.y - low, 0)[reaches], np.maximum(high - series.y, 0)[reaches]
    axes.errorbar(
        series.x[reaches], series.y[reaches], yerr=(lower, upper), fmt="none", ecolor=color, elinewidth=0.9,
        capsize=2.5, alpha=0.8, zorder=2,
    )  # fmt: skip


def _draw_words(figure: Figure, axes: Axes, chart: Chart) -> None:
    title = "\n".join(part for part in (chart.title, chart.notes) if part)
    axes.set_title(title, fontsize=9, loc="left", color=_color("title"))
    handles, labels = axes.get_legend_handles_labels()
    kept = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label]
    if kept and (chart.legend if chart.legend is not None else len(kept) > 1):
        columns = 2 if max(len(label) for _, label in kept) > 30 else min(len(kept), 4)
        figure.legend(
            *zip(*kept, strict=True), fontsize=8, frameon=False, loc="outside lower center", ncols=columns
        )
    shown = any(series.visible and len(series) for series in chart.series)
    if not shown and not chart.references:
        axes.text(0.5, 0.5, chart.empty, transform=axes.transAxes, ha="center", color=_color("empty"))
