"""A figure as data: panels of charts, with notes on missing data, ready to be drawn, printed or written as JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.charts import Chart, Reference, chart_csv
from hvdsweep.visible import csv_cell

Floats = npt.NDArray[np.float64]

STAR = "★"
"""Marks the best point of a panel."""

MOST_WARNINGS = 6
"""Most warnings under a figure."""

CONTOUR = "grid"
"""Colour of reference lines that only guide the eye; text leaves them out."""


@dataclass(frozen=True, eq=False)
class Heat:
    """Values in the cells of a grid: N intervals of y, S positions of x."""

    x: Floats
    """[S], centres."""
    y_edges: Floats
    """[N + 1]"""
    values: Floats
    """[N, S], from 0 to 1; NaN if there is no value."""
    label: str
    """Meaning of a value, for the colour bar."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One chart of a figure."""

    chart: Chart
    notes: tuple[str, ...] = ()
    """What is missing and why, one clause each; for an empty chart, why it is empty."""
    heading: str = ""
    """The part of the figure that it belongs to ("(a) one epoch"); else empty."""
    workloads: tuple[str, ...] = ()
    """The workloads it was made for."""
    ordered: bool = False
    """Whether the series are steps of one quantity (goals, budgets), with colours from dark to light."""
    heat: Heat | None = None
    """Drawn under the chart in image formats; in text the chart's own series show the same."""

    @property
    def empty(self) -> bool:
        """Whether no series has a point to show."""
        return not any(np.isfinite(series.y).any() for series in self.chart.series)

    def to_json(self) -> dict[str, Any]:
        """Every number shown; values that are not finite become null."""
        chart = self.chart
        return {
            "title": chart.title,
            "part": self.heading or None,
            "workloads": list(self.workloads),
            "x": {"title": chart.x.title, "scale": chart.x.scale},
            "y": {"title": chart.y.title, "scale": chart.y.scale},
            "series": [
                {
                    "name": series.name,
                    "x": _numbers(series.x),
                    "y": _numbers(series.y),
                    "y_low": None if series.y_low is None else _numbers(series.y_low),
                    "y_high": None if series.y_high is None else _numbers(series.y_high),
                    "censored": None if series.censored is None else series.censored.tolist(),
                }
                for series in chart.series
            ],
            "references": [
                {"label": line.label, "points": points}
                for line in chart.references
                if (points := _points(line)) is not None
            ],
            "notes": list(self.notes),
            "empty": self.empty,
        }


@dataclass(frozen=True, eq=False)
class Figure:
    """Panels side by side."""

    name: str
    """ "1" to "11", or the kind of your own figure."""
    title: str
    columns: int
    panels: tuple[Panel, ...]

    @property
    def notes(self) -> list[str]:
        """The notes of the panels that are not empty, warnings last; a note that several panels share is given once."""
        together: dict[str, list[str]] = {}
        for panel in self.panels:
            for note in panel.notes if not panel.empty else ():
                subject, colon, rest = note.rpartition(": ")
                subjects = together.setdefault(rest if colon else note, [])
                if colon and subject not in subjects:
                    subjects.append(subject)
        notes = [
            f"{', '.join(subjects)}: {note}" if subjects else note for note, subjects in together.items()
        ]
        return notes + self._warnings()

    def _warnings(self) -> list[str]:
        """The charts' warnings, with the panels' titles unless all share them; too many are only counted, by panel."""
        shown = [panel.chart for panel in self.panels if not panel.empty]
        titles: dict[str, list[str]] = {}
        for chart in shown:
            for warning in dict.fromkeys(chart.warnings):
                titles.setdefault(warning, []).append(chart.title)
        if all(len(whose) == len(shown) for whose in titles.values()):
            return _few(list(titles))
        if len(titles) > MOST_WARNINGS:
            counts = (f"{chart.title} {len(chart.warnings)}" for chart in shown if chart.warnings)
            return [f"warnings: {', '.join(counts)}; `hvdsweep curve WORKLOAD` lists them"]
        return [f"{', '.join(whose)}: {warning}" for warning, whose in titles.items()]

    def to_csv(self) -> str:
        """The output of `hvdsweep figure --csv`: a row per point of each panel, with the panel's title first."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        for place, panel in enumerate(self.panels):
            header, *points = csv.reader(io.StringIO(chart_csv(panel.chart)))
            if not place:
                rows.writerow(["part", "panel", *header])
            place_of = [csv_cell(panel.heading), csv_cell(panel.chart.title)]
            rows.writerows([*place_of, *point] for point in points)
        return out.getvalue()

    def to_json(self) -> dict[str, Any]:
        """The output of `hvdsweep figure --json`."""
        return {
            "figure": self.name,
            "title": self.title,
            "panels": [panel.to_json() for panel in self.panels],
        }


def _few(warnings: Sequence[str]) -> list[str]:
    if len(warnings) <= MOST_WARNINGS:
        return list(warnings)
    rest = len(warnings) - MOST_WARNINGS + 1
    return [*warnings[: MOST_WARNINGS - 1], f"warning: and {rest} more, which `hvdsweep curve` lists"]


def _numbers(values: npt.ArrayLike) -> list[float | int | None]:
    found: list[float | int | None] = []
    for value in np.asarray(values, np.float64).tolist():
        if not math.isfinite(value):
            found.append(None)
        else:
            found.append(int(value) if value.is_integer() and abs(value) < 2**53 else value)
    return found


def _points(line: Reference) -> list[list[float | int | None]] | None:
    """The corners of a reference line; None for one that is a function."""
    if line.points:
        return [_numbers(point) for point in line.points]
    if line.horizontal is not None:
        return [[None, line.horizontal]]
    if line.vertical is not None:
        return [[line.vertical, None]]
    return None


def grid(panels: Sequence[Panel], columns: int) -> list[list[Panel | None]]:
    """The panels in rows; each part of the figure begins a new row, and short rows are filled with None."""
    rows: list[list[Panel | None]] = []
    heading: str | None = None
    for panel in panels:
        if not rows or len(rows[-1]) == columns or panel.heading != heading:
            rows.append([])
        rows[-1].append(panel)
        heading = panel.heading
    width = min(columns, max((len(row) for row in rows), default=1))
    return [row + [None] * (width - len(row)) for row in rows]
