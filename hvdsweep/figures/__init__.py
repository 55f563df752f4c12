"""Figures as files, text or numbers: those of the paper, and those of your own workloads.

Names are imported on first use: matplotlib only to draw a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvdsweep.lazy import on_first_use

if TYPE_CHECKING:
    from hvdsweep.figures.draw import save, svg
    from hvdsweep.figures.figure import Figure, Panel
    from hvdsweep.figures.own import Ask, own_figure
    from hvdsweep.figures.published import paper_figure
    from hvdsweep.figures.text import figure_lines

__all__ = ["Ask", "Figure", "Panel", "figure_lines", "own_figure", "paper_figure", "save", "svg"]

_HOME = {
    "draw": ("save", "svg"),
    "figure": ("Figure", "Panel"),
    "own": ("Ask", "own_figure"),
    "published": ("paper_figure",),
    "text": ("figure_lines",),
}
"""Module -> the public names it holds."""

__getattr__, __dir__ = on_first_use(__name__, _HOME)
