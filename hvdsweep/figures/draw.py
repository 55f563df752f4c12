"""Figures as files: PNG, SVG and PDF by matplotlib, which is imported only here and only when something is drawn."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hvdsweep.charts import LIGHT, Axis, Chart, Reference, Series
from hvdsweep.charts.frame import View
from hvdsweep.charts.palette import color_key, slots
from hvdsweep.errors import UserError
from hvdsweep.figures.figure import STAR, Figure, Heat, Panel, grid
from hvdsweep.figures.panels import CONTOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

FORMATS = ("png", "svg", "pdf")

PANEL = (4.6, 3.7)
"""Inches of one panel, width and height."""

DPI = 160

LETTERS_PER_INCH = 17
"""Of the notes under a figure."""

TITLE_LETTERS = 44
"""Of a panel's title, per line."""

INCHES_A_LETTER = 0.062
"""Of the names of regions; one that does not fit its region is left out."""

BESIDE = 7
"""With more entries than this the legend stands beside its panel."""

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
    "·": ".",
}
SIZES = {"D": 4.5, "x": 5.0, ".": 4.0, "p": 6.5, "P": 6.0}

STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5c6773",
    "axes.labelcolor": "#36404a",
    "xtick.color": "#36404a",
    "ytick.color": "#36404a",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d5dbe1",
    "grid.linewidth": 0.6,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.5,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    # The same figure gives the same bytes.
    "svg.hashsalt": "hvdsweep",
}


def save(figure: Figure, path: Path, *, dpi: int = DPI) -> None:
    """Write the figure to `path`, in the format that its ending names. UserError: another ending, unwritable."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise UserError(f"{path}: --out: {path.suffix or 'no ending'}: must end in .png, .svg or .pdf")
    with _style():
        canvas = _canvas(figure)
        try:
            # No date: a figure that shows the same is the same file.
            metadata: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
            canvas.savefig(path, format=kind, dpi=dpi, metadata=metadata)
        except OSError as error:
            raise UserError(f"{path}: --out: cannot be written: {error.strerror}") from error


def svg(figure: Figure) -> str:
    """The figure as an SVG element, to be put into a page."""
    import io

    with _style():
        canvas = _canvas(figure)
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"]))
    text = out.getvalue()
    return text[text.index("<svg") :]


def _style() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(STYLE)


def _canvas(figure: Figure) -> Canvas:
    # The class itself, not pyplot: no global state, no window, whatever the backend.
    from matplotlib.figure import Figure as Canvas

    rows = grid(figure.panels, figure.columns)
    wide, high = max(len(row) for row in rows), len(rows)
    alone = wide == high == 1
    width, height = (6.4, 4.8) if alone else (PANEL[0] * wide, PANEL[1] * high)
    headings = [next((panel.heading for panel in row if panel is not None), "") for row in rows]
    canvas = Canvas(figsize=(width, height + (0.0 if alone else 0.5)), layout="constrained")
    if not alone and figure.title:
        canvas.suptitle(figure.title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    if figure.notes:
        letters = int(width * LETTERS_PER_INCH)
        notes = [line for note in figure.notes for line in textwrap.wrap(note, letters)]
        canvas.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=7, color="#6b7681")
    axes = canvas.subplots(high, wide, squeeze=False)
    shown = ""
    for row, heading, line in zip(rows, headings, axes, strict=True):
        for panel, place in zip(row, line, strict=True):
            if panel is None:
                place.set_axis_off()
                continue
            _draw(canvas, place, panel)
        if heading and heading != shown:
            line[0].annotate(
                heading,
                (0, 1.17),
                xycoords="axes fraction",
                fontsize=11,
                fontweight="bold",
                color="#0b62c4",
            )
        shown = heading
    return canvas


def _draw(canvas: Canvas, axes: Axes, panel: Panel) -> None:
    chart = panel.chart
    title = "\n".join(textwrap.wrap(chart.title, TITLE_LETTERS, break_long_words=False))
    axes.set_title(title, pad=16 if chart.notes else 8)
    if chart.notes:
        axes.text(
            0, 1.02, chart.notes, transform=axes.transAxes, fontsize=7.5, color=LIGHT["subtitle"].split()[-1]
        )
    if panel.empty:
        _say_empty(axes, chart)
        return
    limits = chart.frame(120, 40, View())
    _axis(axes, "x", chart.x, limits.x_limits)
    _axis(axes, "y", chart.y, limits.y_limits)
    for band in chart.bands:
        low, high = limits.x_limits
        axes.axvspan(band.low or low, band.high or high, color=_ground(band.color, chart, band.label), lw=0)
        start, end = math.log2(band.low or low), math.log2(band.high or high)
        share = (end - start) / math.log2(high / low)
        if share * PANEL[0] > len(band.label) * INCHES_A_LETTER:
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
    for line in chart.references:
        _reference(axes, line, limits.x_limits)
    if panel.heat is not None:
        _heat(canvas, axes, panel.heat)
    else:
        slot = slots(series.name for series in chart.series)
        shades = _shades(len(chart.series)) if panel.ordered else []
        for index, series in enumerate(chart.series):
            color = shades[index] if shades else _ink(series.color or color_key(slot[series.name]))
            _series(axes, series, color, 0 if shades else slot[series.name], chart)
    for note in chart.annotations:
        axes.plot(
            [note.x], [note.y], marker="*", color="#e8a200", mec="#5d4300", mew=0.7, ms=13, ls="", zorder=6
        )
        # Written towards the middle, so that nothing leaves the panel.
        right = math.log2(note.x) > np.mean(np.log2(limits.x_limits)) if chart.x.log else False
        axes.annotate(
            note.text,
            (note.x, note.y),
            textcoords="offset points",
            xytext=(-6 if right else 6, 10),
            ha="right" if right else "left",
            fontsize=8,
            fontweight="bold",
            zorder=7,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5},
        )
    _legend(axes, chart)


def _shades(count: int) -> list[str]:
    """Colours from dark to light, for lines that have an order."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(color) for color in colormaps["viridis"](np.linspace(0, 0.88, max(count, 2)))][:count]


def _legend(axes: Axes, chart: Chart) -> None:
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
    if len(entries) > BESIDE:
        axes.legend(*zip(*entries, strict=True), loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        axes.legend(*zip(*entries, strict=True))


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
    side.set_ticklabels([_power(tick.label) for tick in ticks])


def _power(label: str) -> str:
    """`2^-5` and `1e-5` as powers; any other label as it is."""
    if label.startswith("2^"):
        return f"$2^{{{label[2:]}}}$"
    digit, letter, power = label.partition("e")
    if letter:
        return f"$10^{{{power}}}$" if digit == "1" else f"${digit}\\cdot 10^{{{power}}}$"
    return label


def _ink(key: str) -> str:
    """A colour that matplotlib takes, for a style key or a colour."""
    return LIGHT.get(key, key).split()[-1]


def _ground(color: str | None, chart: Chart, label: str) -> str:
    index = [band.label for band in chart.bands].index(label)
    return LIGHT[color or f"band{index % 4}"]


def _reference(axes: Axes, line: Reference, x_limits: tuple[float, float]) -> None:
    style: dict[str, Any] = {
        "color": _ink(line.color),
        "ls": (0, (5, 3)) if line.dashed else "-",
        "lw": 1.1,
        "zorder": 1.5,
        "scalex": False,
        "scaley": False,
    }
    if line.color == CONTOUR:
        style |= {"ls": "-", "lw": 0.6, "color": "#c3cad1"}
    if line.label:
        style["label"] = line.label
    if line.horizontal is not None:
        x, y = np.array(x_limits), np.full(2, line.horizontal)
    elif line.vertical is not None:
        axes.axvline(
            line.vertical, color=style["color"], ls=style["ls"], lw=style["lw"], label=line.label or None
        )
        return
    elif line.function is not None:
        x = np.geomspace(*x_limits, 200) if min(x_limits) > 0 else np.linspace(*x_limits, 200)
        y = np.asarray(line.function(x), np.float64)
    else:
        x, y = np.array(line.points, np.float64).T
    axes.plot(x, y, **style)


def _series(axes: Axes, series: Series, color: str, slot: int, chart: Chart) -> None:
    shown = np.isfinite(series.x) & np.isfinite(series.y)
    if chart.y.log:
        shown &= series.y > 0
    # A series without a point still belongs to the legend that explains the marks of all panels.
    if not series.visible or (series.line and not shown.any()):
        return
    x, y = series.x, np.where(shown, series.y, np.nan)
    shape = _shape(series, slot)
    open_points = np.zeros(len(x), np.bool_) if series.censored is None else series.censored
    solid = shown & ~open_points
    if series.marker == STAR:
        axes.plot(
            x, y, ls="", marker="*", ms=15, mfc="#ffd23f", mec="#5d4300", mew=0.8, label=series.name, zorder=6
        )
        return
    style: dict[str, Any] = {"color": color, "label": series.name}
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
        # An end that is not known reaches the edge of the panel.
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


def _heat(canvas: Canvas, axes: Axes, heat: Heat) -> None:
    """Cells in a colour from green over yellow to red; empty ones stay white."""
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
