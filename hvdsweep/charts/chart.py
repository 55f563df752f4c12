"""A chart as an immutable description; `render` draws it, a pure function of it, a size and the user's view."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hvdsweep.charts.axis import Axis
from hvdsweep.charts.marks import Annotation, Band, Reference, Series
from hvdsweep.visible import csv_cell

_LINEAR = Axis()


@dataclass(frozen=True)
class Chart:
    """Everything that is shown, in data units. Charts that show the same are equal, so a widget that redraws only when
    its chart changes does nothing while the data do not change."""

    series: tuple[Series, ...] = ()
    """Later ones are drawn over earlier ones; all markers over all lines."""
    x: Axis = _LINEAR
    y: Axis = _LINEAR
    title: str = ""
    subtitle: str = ""
    """The number of values that a log axis cannot show is added to it."""
    references: tuple[Reference, ...] = ()
    """Drawn under the series."""
    bands: tuple[Band, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    bars: str = ""
    """What error bars and shaded ranges mean, for the legend."""
    warnings: tuple[str, ...] = ()
    """Reasons to doubt the chart, for those who see only the picture: exported figures contain them."""
    legend: bool | None = None
    """`None` shows it if there is more than one entry."""
    empty: str = "no data yet"
    """Text in the middle of a plot without points."""
    drawn: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False, hash=False)
    """Cache of `render`."""

    @property
    def has_bars(self) -> bool:
        """Whether there is an error bar for the legend to name."""
        drawn = (series for series in self.series if series.visible)
        ends = (end for series in drawn for end in (series.y_low, series.y_high) if end is not None)
        return bool(self.bars) and any(not np.isnan(end).all() for end in ends)

    @property
    def dashes(self) -> tuple[int, ...]:
        """The dash pattern of each reference line: another for each name; without a name, the previous line's."""
        names = [line.label for line in self.references if line.label and line.in_legend]
        place, found = 0, []
        for line in self.references:
            if line.in_legend:
                place = names.index(line.label) if line.label else place
            found.append(place if line.in_legend else 0)
        return tuple(found)

    @property
    def lost(self) -> int:
        """How many finite points of the visible series have no position on a log axis."""
        return sum(series.not_positive(self.x, self.y) for series in self.series if series.visible)

    @property
    def notes(self) -> str:
        """The subtitle as shown."""
        lost = self.lost
        count = f"{lost} non-positive {'value' if lost == 1 else 'values'} not shown" if lost else ""
        return " · ".join(part for part in (self.subtitle, count) if part)


def chart_csv(chart: Chart) -> str:
    """The visible series as CSV, one row per point: series, x, y, y_low, y_high, censored; empty if there is none.
    Numbers keep every digit."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("series", "x", "y", "y_low", "y_high", "censored"))
    for series in chart.series:
        if not series.visible:
            continue
        nothing = [""] * len(series)
        rows.writerows(
            zip(
                [csv_cell(series.name)] * len(series),
                series.x.tolist(),
                series.y.tolist(),
                nothing if series.y_low is None else series.y_low.tolist(),
                nothing if series.y_high is None else series.y_high.tolist(),
                nothing if series.censored is None else [int(flag) for flag in series.censored],
                strict=True,
            )
        )
    return out.getvalue()
