"""Exports one chart for the interface: SVG and PNG of what is visible, CSV of every point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hvdsweep.charts import Chart, View, chart_csv, frame_of
from hvdsweep.charts.frame import FOLLOW
from hvdsweep.errors import UserError
from hvdsweep.figures.figure import Figure, Panel
from hvdsweep.replacing import write_whole

FORMATS = ("svg", "png", "csv")
"""The files that one export writes."""


def export_chart(
    chart: Chart, stem: Path, view: View = FOLLOW, formats: Sequence[str] = FORMATS
) -> tuple[Path, ...]:
    """Write `stem`.svg, .png and .csv; if any of them exists all get the next free number: `stem`-2.svg, ...

    Each file is written completely or not at all. UserError if that is not possible.
    """
    number, base = 1, stem
    while any(_named(base, kind).exists() for kind in formats):
        number += 1
        base = stem.with_name(f"{stem.name}-{number}")
    paths = tuple(_named(base, kind) for kind in formats)
    figure = Figure("chart", chart.title, 1, (Panel(_seen(chart, view)),))
    for path in paths:
        _write(chart, figure, path)
    return paths


def _named(base: Path, kind: str) -> Path:
    # Not with_suffix: the name itself may contain dots.
    return base.with_name(f"{base.name}.{kind}")


def _seen(chart: Chart, view: View) -> Chart:
    """The chart with the user's window as the limits of its axes."""
    if view.follows:
        return chart
    frame = frame_of(chart, 120, 40, view)
    x, y = replace(chart.x, limits=frame.x_limits), replace(chart.y, limits=frame.y_limits)
    return replace(chart, x=x, y=y)


def _write(chart: Chart, figure: Figure, path: Path) -> None:
    try:
        if path.suffix == ".csv":
            write_whole(path, chart_csv(chart).encode())
        else:
            from hvdsweep.figures.draw import save

            save(figure, path)
    except (OSError, UserError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        why = cause.strerror if isinstance(cause, OSError) else str(error)
        raise UserError(f"{path}: cannot be written: {why}") from error
