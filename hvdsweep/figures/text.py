"""A figure as text: its panels as text charts, as many side by side as the width allows."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from hvdsweep.charts import render
from hvdsweep.figures.figure import CONTOUR, Figure, Panel, grid
from hvdsweep.visible import visible

if TYPE_CHECKING:
    from rich.text import Text

    from hvdsweep.charts import Canvas, Chart

NARROWEST = 44
"""Least columns of a readable panel."""

GAP = 2

FEW, MANY = 22, 17
"""Rows of a panel, in a figure of one row and of several."""


def figure_lines(figure: Figure, width: int, *, ascii: bool = False, color: bool = False) -> list[str | Text]:
    """The figure's lines, at most `width` columns; rich text if `color`."""
    columns = max(1, min(figure.columns, (width + GAP) // (NARROWEST + GAP)))
    rows = grid(figure.panels, columns)
    height = FEW if len(rows) == 1 else MANY
    each = (width - GAP * (columns - 1)) // columns
    lines: list[str | Text] = [*textwrap.wrap(visible(figure.title), width), ""]
    heading = ""
    for row in rows:
        panels = [panel for panel in row if panel is not None]
        if panels[0].heading != heading:
            heading = panels[0].heading
            lines += [visible(heading), ""]
        canvases = [render(_shown(panel), each, height, ascii=ascii, color=color) for panel in panels]
        lines += _beside(canvases, each, height, color)
        lines.append("")
    for note in figure.notes:
        lines += textwrap.wrap(visible(note), width, subsequent_indent="  ")
    return lines if figure.notes else lines[:-1]


def _shown(panel: Panel) -> Chart:
    chart = panel.chart
    kept = tuple(line for line in chart.references if line.color != CONTOUR)
    # An empty panel gives its reason in the middle; reference lines would only hide that.
    return replace(chart, references=() if panel.empty else kept)


def _beside(canvases: list[Canvas], each: int, height: int, color: bool) -> list[str | Text]:
    """The rows of several canvases, side by side."""
    if not color:
        parts = [canvas.plain().split("\n") for canvas in canvases]
        return [
            (" " * GAP)
            .join(part[row].ljust(each) if row < len(part) else " " * each for part in parts)
            .rstrip()
            for row in range(height)
        ]
    from rich.text import Text

    texts = [canvas.text().split("\n", allow_blank=True) for canvas in canvases]
    return [Text(" " * GAP).join([text[row] for text in texts]) for row in range(height)]
