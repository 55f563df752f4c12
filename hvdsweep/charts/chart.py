"""A chart as an immutable description; rendering it is a pure function of it, a size and the reader's view."""

from __future__ import annotations

import csv
import io
from collections import OrderedDict
from dataclasses import dataclass, field

from hvdsweep.charts.axis import Axis
from hvdsweep.charts.canvas import Canvas
from hvdsweep.charts.draw import draw
from hvdsweep.charts.frame import Frame, View
from hvdsweep.charts.layout import lay_out
from hvdsweep.charts.marks import Annotation, Band, Reference, Series

_RENDERINGS_KEPT = 4  # of one chart: a resize to and fro, the same chart in two panes

_LINEAR, _FOLLOW = Axis(), View()
_Key = tuple[int, int, View, bool, bool]


@dataclass(frozen=True)
class Chart:
    """Everything that is shown, in data units. Two charts that show the same are equal, so that a widget which only
    redraws when its chart changes does nothing while the data stand still."""

    series: tuple[Series, ...] = ()
    """Later ones are drawn over earlier ones; all markers over all lines."""
    x: Axis = _LINEAR
    y: Axis = _LINEAR
    title: str = ""
    subtitle: str = ""
    """A count of the values that a log axis cannot show is added to it."""
    references: tuple[Reference, ...] = ()
    """Drawn under the series."""
    bands: tuple[Band, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    legend: bool | None = None
    """`None` shows it where there is more than one entry."""
    empty: str = "no data yet"
    """Said in the middle of a plot without any point."""
    _renderings: OrderedDict[_Key, Canvas] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False, hash=False
    )

    def render(
        self, width: int, height: int, view: View = _FOLLOW, *, ascii: bool = False, color: bool = True
    ) -> Canvas:
        """The chart on `width` x `height` cells (sizes below 1 count as 1). Rendering again with the same arguments
        returns the same canvas at once. With `ascii` every character is ASCII; without `color` dense lines carry more
        markers, and `Canvas.text` uses no colours."""
        width, height = max(1, width), max(1, height)
        key = (width, height, view, ascii, color)
        known = self._renderings.get(key)
        if known is None:
            known = self._renderings[key] = draw(self, width, height, view, ascii=ascii, color=color)
            if len(self._renderings) > _RENDERINGS_KEPT:
                self._renderings.popitem(last=False)
        else:
            self._renderings.move_to_end(key)
        return known

    def frame(self, width: int, height: int, view: View = _FOLLOW, *, ascii: bool = False) -> Frame:
        """The plot area of `render` with the same arguments, without drawing."""
        return lay_out(self, max(1, width), max(1, height), view, ascii=ascii).frame

    @property
    def lost(self) -> int:
        """How many finite points of the visible series have no place on a log axis."""
        return sum(series.not_positive(self.x, self.y) for series in self.series if series.visible)

    @property
    def notes(self) -> str:
        """The subtitle as shown."""
        lost = self.lost
        count = f"{lost} non-positive {'value' if lost == 1 else 'values'} not shown" if lost else ""
        return " · ".join(part for part in (self.subtitle, count) if part)


def chart_csv(chart: Chart) -> str:
    """The visible series as CSV, one row a point: series, x, y, y_low, y_high, censored; empty where there is none.
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
                [series.name] * len(series),
                series.x.tolist(),
                series.y.tolist(),
                nothing if series.y_low is None else series.y_low.tolist(),
                nothing if series.y_high is None else series.y_high.tolist(),
                nothing if series.censored is None else [int(flag) for flag in series.censored],
                strict=True,
            )
        )
    return out.getvalue()
