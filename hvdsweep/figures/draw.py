"""Figures as files: PNG, SVG and PDF by matplotlib, which is imported only to draw."""

from __future__ import annotations

import io
import os
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import UserError
from hvdsweep.figures.axes import SIZE, draw_panel
from hvdsweep.figures.figure import Figure, grid
from hvdsweep.replacing import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

FORMATS = ("png", "svg", "pdf")

DPI = 160

LETTERS_PER_INCH = 17
"""Letters per inch in the notes under a figure."""

TITLE_LETTERS_PER_INCH = 8.5

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
    # Names are text: `cost $5` and `$x$` are not formulas, whatever the user's matplotlibrc.
    "text.parse_math": False,
    "text.usetex": False,
}


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = DPI) -> None:
    """Write the figure to `path`, in the format of its suffix. UserError: unknown suffix, or not writable."""
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise UserError(f"{path}: --out: {path.suffix or 'no ending'}: must end in .png, .svg or .pdf")
    with _style():
        canvas = _canvas(figure)
        # No date, so that equal figures are equal files.
        metadata: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
        content = io.BytesIO()
        canvas.savefig(content, format=kind, dpi=dpi, metadata=metadata)
    try:
        write_whole(path, content.getvalue())
    except OSError as error:
        raise UserError(f"{path}: --out: cannot be written: {error.strerror}") from error


def svg(figure: Figure) -> str:
    """The figure as an SVG element, to embed in a page."""
    with _style():
        canvas = _canvas(figure)
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"]))
    text = out.getvalue()
    return text[text.index("<svg") :]


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box in PNG and PDF, and stays text in SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _canvas(figure: Figure) -> Canvas:
    # The class itself, not pyplot: no global state, no window, with any backend.
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

    rows = grid(figure.panels, figure.columns)
    wide, high = max(len(row) for row in rows), len(rows)
    alone = wide == high == 1
    width, height = (6.4, 4.8) if alone else (SIZE[0] * wide, SIZE[1] * high)
    headings = [next((panel.heading for panel in row if panel is not None), "") for row in rows]
    canvas = Canvas(figsize=(width, height + (0.0 if alone else 0.5)), layout="constrained")
    only = figure.panels[0] if alone and figure.panels else None
    # A single panel has the figure's title above it if its own title does not name every workload.
    titled = bool(figure.title) and not (only and all(name in only.chart.title for name in only.workloads))
    if titled:
        title = textwrap.fill(
            figure.title, int(width * TITLE_LETTERS_PER_INCH), max_lines=4, placeholder=" …"
        )
        canvas.suptitle(title, x=0.01, ha="left", fontsize=11 if alone else 13, fontweight="bold")
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
            draw_panel(canvas, place, panel)
            if titled and alone and figure.title.startswith(panel.chart.title):
                place.set_title("")
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
    for text in canvas.findobj(Text):
        text.set_text(printable(text.get_text()))
    return canvas


def printable(text: str) -> str:
    """A text with a box for each control character, which SVG does not allow."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{WHITE SQUARE}" for letter in text
    )
