"""Charts and figures on stdout: as wide as the terminal; coloured on a terminal, else plain text."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hvdsweep.charts import Chart
    from hvdsweep.figures.figure import Figure

USUAL = (100, 32)
"""Columns and lines without a terminal."""


def print_chart(chart: Chart, *, ascii: bool, most: tuple[int, int]) -> None:
    """Print the chart on at most so many columns and lines."""
    from hvdsweep.charts import render

    size = shutil.get_terminal_size(USUAL)
    width, height = max(40, min(size.columns, most[0])), max(14, min(size.lines - 4, most[1]))
    colored = _colored()
    canvas = render(chart, width, height, ascii=ascii, color=colored)
    if colored:
        from rich.console import Console

        Console().print(canvas.text())
    else:
        click.echo(canvas.plain())


def print_figure(figure: Figure, *, ascii: bool) -> None:
    """Print the figure as text."""
    from hvdsweep.figures.text import figure_lines

    width = max(40, min(shutil.get_terminal_size(USUAL).columns, 240))
    colored = _colored()
    lines = figure_lines(figure, width, ascii=ascii, color=colored)
    if colored:
        from rich.console import Console

        console = Console()
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        click.echo("\n".join(str(line) for line in lines))


def _colored() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
