"""What the user chose about a chart: its y scale, and series that are hidden. Knows no Textual."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hvdsweep.charts import Chart, Series


@dataclass(frozen=True)
class ChartChoices:
    """Kept while other data, or another chart, come."""

    linear: bool | None = None
    """Whether the y axis is linear; None: as the chart says."""
    hidden: frozenset[str] = frozenset()
    """Names of series."""

    def of(self, chart: Chart) -> Chart:
        """The chart as the user wants it."""
        if self.linear is not None:
            chart = replace(chart, y=replace(chart.y, scale="linear" if self.linear else "log10"))
        if self.hidden & {series.name for series in chart.series}:
            seen = (one if one.name not in self.hidden else _hidden(one) for one in chart.series)
            chart = replace(chart, series=tuple(seen))
        return chart

    def toggled(self, name: str, chart: Chart) -> ChartChoices:
        """A series is hidden, or shown again; the last one in view stays."""
        hidden = self.hidden ^ {name}
        left = any(series.name not in hidden for series in chart.series)
        return replace(self, hidden=hidden) if left else self


def _hidden(one: Series) -> Series:
    return Series(
        one.name, one.x, one.y, line=one.line, steps=one.steps, marker=one.marker, y_low=one.y_low,
        y_high=one.y_high, censored=one.censored, color=one.color, visible=False,
    )  # fmt: skip
