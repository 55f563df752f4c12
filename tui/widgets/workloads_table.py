"""The workloads of the Scaling screen: which are in the chart, by which marker and colour, and how far larger batches help."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from textual.content import Content

from hvdsweep.charts import DARK, LIGHT, Chart
from hvdsweep.charts.palette import color_key, marker_of, slots
from tui.widgets.columns import Column, Row
from tui.widgets.table import Table
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.store.rows import WorkloadRow
    from tui.interface import Interface
    from tui.snapshot import Snapshot
    from tui.widgets.curve_view import ChartedCurves

WORKLOADS: tuple[Column[object], ...] = (
    Column("", 3, fixed=True),
    Column("workload", 12, grow=True, fixed=True),
    Column("max useful", 10, right=True, fixed=True),
    Column("sweep", 10, fixed=True),
)


class WorkloadsTable(Table):
    """A row for each workload."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(WORKLOADS, empty="no workloads", id=id)

    def put_workloads(
        self,
        snapshot: Snapshot,
        workloads: Sequence[WorkloadRow],
        names: Mapping[int, str],
        kept: Collection[int],
        comparison: ChartedCurves,
        chart: Chart | None,
    ) -> None:
        """Show these, with what their curves say; `kept` are in the chart whichever is the current one. `chart`: of the curves;
        None while it shows something else."""
        looks, rows = self._looks(comparison, chart), []
        curves = dict(zip(comparison.names, comparison.curves, strict=True))
        for row in workloads:
            name = names[row.id]
            away = ("●" if row.id in kept else "○", "$foreground-muted 60%")
            curve, useful = curves.get(name), ""
            if curve is not None and curve.useful is not None:
                useful = ("≥ " if curve.useful.at_least else "") + count(curve.useful.batch_size)
            sweep = snapshot.sweep(row.sweep_id)
            of = "" if sweep is None or len(snapshot.sweeps) < 2 else sweep.name
            mark = Content.assemble(looks.get(name, away), " ")
            rows.append(Row(str(row.id), (mark, name, useful, of)))
        longest = max(len(sweep.name) for sweep in snapshot.sweeps)
        sweeps = dataclasses.replace(WORKLOADS[-1], width=max(5, min(longest, 12)))
        self.put_columns([*WORKLOADS[:-1], *([sweeps] if len(snapshot.sweeps) > 1 else [])])
        self.put(rows)

    def _looks(self, comparison: ChartedCurves, chart: Chart | None) -> Mapping[str, tuple[str, str]]:
        """Name of a curve -> its marker and colour in the chart."""
        if chart is None:
            return dict.fromkeys(comparison.names, ("●", "$foreground"))
        theme = DARK if self.app.current_theme.dark else LIGHT
        ascii = cast("Interface", self.app).plain_charts
        return {
            name: (marker_of(slot, ascii=ascii), "" if self.app.no_color else theme[color_key(slot)])
            for name, slot in slots(series.name for series in chart.series).items()
        }
