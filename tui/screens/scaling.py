"""Scaling: steps to the goal against batch size, of several workloads at once, at any goal and any budget."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from tui.actions import bindings
from tui.screens.asking import Asking
from tui.screens.workload_place import group_of
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.notice import Notice
from tui.widgets.table import Column, Row, Table
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.charts import Chart, Reading
    from hvdsweep.curves.costs import Costs
    from hvdsweep.curves.scaling_curve import Curve, Point
    from hvdsweep.store.rows import WorkloadRow

Measure = Literal["steps", "examples", "time", "cost"]
MEASURES: tuple[Measure, ...] = ("steps", "examples", "time", "cost")

AT_FIRST = 4
"""Workloads of a sweep that are shown together at first; where it has more, only one."""

WORKLOADS = (
    Column("shown", "", 3, fixed=True),
    Column("name", "workload", 12, grow=True, fixed=True),
    Column("useful", "max useful", 10, right=True, fixed=True),
    Column("sweep", "sweep", 10, fixed=True),
)
NUMBERS = (
    Column("batch_size", "batch", 7, right=True, fixed=True),
    Column("value", "steps", 6, right=True, fixed=True),
    Column("interval", "95 %", 9, right=True, fixed=True),
    Column("overhead", "overhead", 8, right=True),
    Column("reached", "reached", 7, right=True),
    Column("region", "region", 11),
    Column("best", "best", 8, right=True),
    Column("trial", "trial", 5, right=True),
)


class ScalingScreen(Asking):
    """Sliders above; the chart; workloads, numbers and what they say at the side."""

    PLACE = "scaling"
    MAIN = "main"
    SIDE = "side"
    BINDINGS = [*bindings("scaling", "chart")]  # noqa: RUF012
    DEFAULT_CSS = """
    ScalingScreen #none { display: none; }
    ScalingScreen.-nothing #none { display: block; }
    ScalingScreen.-nothing #controls, ScalingScreen.-nothing #middle { display: none; }
    ScalingScreen #main { width: 1fr; }
    ScalingScreen #side { width: 48; border-left: solid $border; }
    ScalingScreen.-very-wide #side { width: 66; }
    ScalingScreen #workloads { height: auto; max-height: 30%; min-height: 2; }
    ScalingScreen #numbers { height: 1fr; min-height: 3; margin-top: 1; }
    ScalingScreen #facts { height: auto; max-height: 40%; padding: 0 1; border-top: solid $border; }
    ScalingScreen.-low #numbers { margin-top: 0; }
    ScalingScreen.-usual #facts { max-height: 25%; }
    ScalingScreen.-low #facts { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown_ids: set[int] = set()
        """Workloads (their rows in the store) that are in the chart beside the current one."""
        self._measure: Measure = "steps"
        self._normalised = False
        self._curves: list[Curve] = []
        self._order: list[int] = []
        """Workloads of the curves in the chart."""

    def compose_body(self) -> ComposeResult:
        yield from self.compose_controls()
        with Horizontal(id="middle"):
            with Vertical(id="main", classes="main"):
                yield ChartView(id="curve", describe=self._describe)
            with Vertical(id="side", classes="side"):
                yield Table(WORKLOADS, empty="no workloads", id="workloads")
                yield Table(NUMBERS, empty="no batch sizes", id="numbers")
                yield Static(id="facts")
        yield Notice(id="none")

    def on_mount(self) -> None:
        self.query_one("#curve", ChartView).focus()

    # What there is

    @property
    def chart(self) -> ChartView | None:
        return self.query_one("#curve", ChartView) if self.is_mounted else None

    @property
    def has_curve(self) -> bool:
        return bool(self._curves)

    @property
    def has_trial(self) -> bool:
        return self._trial() is not None

    # What the store says

    def show(self, snapshot: Snapshot) -> None:
        if not snapshot.workloads:
            self.query_one("#none", Notice).say(
                "No curve yet",
                f"{snapshot.database} holds no workload.",
                "Launch a sweep; its curve draws itself here while it is trained.",
            )
        self._shown_ids &= {row.id for row in snapshot.workloads}
        super().show(snapshot)

    def chosen(self, before: WorkloadRow | None, sweep: list[WorkloadRow]) -> None:
        if not self._shown_ids or before is None or before.sweep_id != sweep[0].sweep_id:
            self._shown_ids = {row.id for row in sweep} if len(sweep) <= AT_FIRST else set()

    def wanted(self) -> set[int]:
        return self._shown_ids | super().wanted()

    def _drawn(self) -> list[WorkloadRow]:
        """The workloads in the chart whose tables are there, in the order of the list."""
        wanted = self.wanted()
        return [row for row in self.listed() if row.id in wanted and self.desk.has(row.id)]

    def alike(self, row: WorkloadRow) -> list[int]:
        """The workloads in the chart that share the goal with `row`."""
        return [other.id for other in self._drawn() if group_of(other) == group_of(row)] or [row.id]

    # Drawing

    def redraw(self) -> None:
        assert self.snapshot is not None
        rows = [row for row in self._drawn() if self.goal(row) is not None]
        self._curves, self._order = self._computed(rows), [row.id for row in rows]
        focus = self._order.index(self.current) if self.current in self._order else None
        costs = self._costs()
        view = self.query_one("#curve", ChartView)
        view.preferred = "" if self.current is None else self.names.get(self.current, "")
        if rows:
            view.chart = self._chart_of(focus, costs)
        elif view.chart is None or view.chart.series:
            view.chart = _reading()
        self.put_controls(self._order)
        self._put_workloads(self.snapshot)
        self._put_numbers(focus, costs)

    def _computed(self, rows: Sequence[WorkloadRow]) -> list[Curve]:
        base = self._base(rows) if self._normalised else None
        found = []
        for row in rows:
            goal = self.goal(row)
            assert goal is not None
            current = row.id == self.current
            found.append(self.desk.curve(row.id, goal, self.question(row), normalise=base, whole=current))
        return found

    def _base(self, rows: Sequence[WorkloadRow]) -> int | None:
        """The smallest batch size at which all of them reached their goals."""
        reached: set[int] | None = None
        for row in rows:
            goal = self.goal(row)
            assert goal is not None
            curve = self.desk.curve(row.id, goal, self.question(row), whole=row.id == self.current)
            here = {point.batch_size for point in curve.points if point.steps}
            reached = here if reached is None else reached & here
        return min(reached, default=None) if reached else None

    def _costs(self) -> list[Costs]:
        from hvdsweep.curves.costs import time_to_goal
        from hvdsweep.curves.speeds import speeds, throughputs

        known = speeds(self.speeds)
        return [
            time_to_goal(
                {point.batch_size: point.steps for point in curve.points}, throughputs(known, curve.workload)
            )
            for curve in self._curves
        ]

    def _chart_of(self, focus: int | None, costs: Sequence[Costs]) -> Chart:
        from hvdsweep.curves.chart import curve_chart
        from hvdsweep.curves.cost_chart import cost_chart

        names = [self.names[workload] for workload in self._order]
        if self._measure in ("time", "cost"):
            chart = cost_chart(self._curves, costs, names, cost=self._measure == "cost")
        else:
            chart = curve_chart(self._curves, names, examples=self._measure == "examples", focus=focus)
        if len(self._curves) > 1 and focus is not None:
            # Regions and fit are those of the current workload: the title says which one that is.
            from hvdsweep.curves.chart import goal_text

            current = self._curves[focus]
            chart = dataclasses.replace(chart, title=f"{current.workload}  {goal_text(current)}")
        return chart

    def _put_workloads(self, snapshot: Snapshot) -> None:
        several = len(snapshot.sweeps) > 1
        found = dict(zip(self._order, self._curves, strict=True))
        looks = self._looks()
        rows = []
        for row in self.listed():
            shown = row.id in self._shown_ids
            mark, colour = looks.get(self.names[row.id], ("○" if not shown else "●", "$foreground-muted 60%"))
            curve = found.get(row.id)
            useful = ""
            if curve is not None and curve.useful is not None:
                useful = ("≥ " if curve.useful.at_least else "") + count(curve.useful.batch_size)
            sweep = snapshot.sweep(row.sweep_id)
            rows.append(
                Row(
                    str(row.id),
                    (
                        Content.assemble((mark, colour), " "),
                        self.names[row.id],
                        useful,
                        "" if sweep is None or not several else sweep.name,
                    ),
                )
            )
        table = self.query_one("#workloads", Table)
        table.put_columns(WORKLOADS if several else WORKLOADS[:-1])
        table.put(rows)
        if self.current is not None and table.key != str(self.current):
            with self.prevent(Table.Highlighted):
                table.move_to(str(self.current))

    def _looks(self) -> dict[str, tuple[str, str]]:
        """Name of a curve in the chart -> its marker and colour there."""
        chart = self.query_one("#curve", ChartView).chart
        if chart is None or self._measure in ("time", "cost"):
            return dict.fromkeys((self.names[one] for one in self._order), ("●", "$foreground"))
        from hvdsweep.charts import DARK, LIGHT
        from hvdsweep.charts.palette import color_key, marker_of, slots

        theme = DARK if self.app.current_theme.dark else LIGHT
        plain = self.interface.plain_charts
        return {
            name: (marker_of(slot, ascii=plain), "" if self.app.no_color else theme[color_key(slot)])
            for name, slot in slots(series.name for series in chart.series).items()
        }

    def _put_numbers(self, focus: int | None, costs: Sequence[Costs]) -> None:
        table, facts = self.query_one("#numbers", Table), self.query_one("#facts", Static)
        if focus is None:
            table.clear()
            facts.update("")
            return
        from tui.scaling_words import facts_of, numbers_of, value_title

        curve = self._curves[focus]
        titles = {"value": value_title(curve, self._measure), "interval": f"{100 * curve.level:g} %"}
        table.put_columns(
            [dataclasses.replace(column, title=titles.get(column.name, column.title)) for column in NUMBERS]
        )
        table.put(numbers_of(curve, costs[focus], self._measure))
        facts.update(facts_of(curve, costs[focus]))

    def _describe(self, reading: Reading) -> str:
        """A point of the chart in words."""
        from tui.scaling_words import point_words

        chart = self.query_one("#curve", ChartView).shown
        assert chart is not None
        point = self._point_of(reading)
        if point is None:
            from hvdsweep.charts import sentence

            return sentence(reading, chart.x.title, chart.y.title)
        return point_words(reading.series, point, self._measure)

    def _point_of(self, reading: Reading) -> Point | None:
        """The point of a curve that a reading stands for; None in charts of time and cost."""
        if self._measure in ("time", "cost"):
            return None
        names = [self.names[workload] for workload in self._order]
        if reading.series not in names:
            return None
        return self._curves[names.index(reading.series)].points[reading.index]

    # What the reader does

    def action_measure(self) -> None:
        self._measure = MEASURES[(MEASURES.index(self._measure) + 1) % len(MEASURES)]
        view = self.query_one("#curve", ChartView)
        view.fit()
        self.redraw_soon()

    def action_normalise(self) -> None:
        self._normalised = not self._normalised
        self.query_one("#curve", ChartView).fit()
        self.redraw_soon()
        if (
            self._normalised
            and self._curves
            and self._base([row for row in self._drawn() if self.goal(row)]) is None
        ):
            self._normalised = False
            self.notify("No batch size reached the goal of every curve: nothing to divide by.", markup=False)

    def action_running(self) -> None:
        self.desk.count_running = not self.desk.count_running
        self.notify("Running trials count." if self.desk.count_running else "Only complete trials count.")
        self.redraw_soon()

    @on(Table.Highlighted, "#workloads")
    def _workload_selected(self, message: Table.Highlighted) -> None:
        if message.key is not None and self.query_one("#workloads", Table).has_focus:
            self.make_current(int(message.key))

    @on(Table.Opened, "#workloads")
    def _workload_opened(self) -> None:
        self.action_overlay()

    def action_overlay(self) -> None:
        if self.current is None or self.snapshot is None:
            return
        self._shown_ids ^= {self.current}
        self.redraw_soon()

    @on(Table.Highlighted, "#numbers")
    def _number_selected(self, message: Table.Highlighted) -> None:
        """The chart's cursor goes along with the table's."""
        if (
            message.key is None
            or not self.query_one("#numbers", Table).has_focus
            or self.current not in self._order
        ):
            return
        curve = self._curves[self._order.index(self.current)]
        sizes = [str(size) for size in curve.batch_sizes]
        if message.key in sizes and self._measure not in ("time", "cost"):
            self.query_one("#curve", ChartView).read_point(self.names[self.current], sizes.index(message.key))
        self.refresh_keys()

    @on(Table.Opened, "#numbers")
    def _number_opened(self) -> None:
        self.action_open()

    @on(ChartView.Pointed, "#curve")
    def _pointed(self, message: ChartView.Pointed) -> None:
        """The table's cursor goes along with the chart's."""
        if message.reading is not None and not self.query_one("#numbers", Table).has_focus:
            point = self._point_of(message.reading)
            if point is not None:
                self.query_one("#numbers", Table).move_to(str(point.batch_size))
        self.refresh_keys()

    @on(ChartView.Opened, "#curve")
    def _point_opened(self) -> None:
        self.action_open()

    def _trial(self) -> int | None:
        """The trial behind the point that is read out, else behind the selected batch size."""
        if not self.is_mounted or not self._curves:
            return None
        reading = self.query_one("#curve", ChartView).reading
        point = None if reading is None else self._point_of(reading)
        if point is None and self.current in self._order:
            key = self.query_one("#numbers", Table).key
            points = self._curves[self._order.index(self.current)].points
            point = next((one for one in points if str(one.batch_size) == key), None)
        return None if point is None else point.trial_id

    def action_open(self) -> None:
        trial = self._trial()
        if trial is not None:
            self.interface.open_trial(trial)

    def action_copy(self) -> None:
        row = self.row(self.current)
        goal = None if row is None else self.goal(row)
        if row is None or goal is None:
            return
        words = ["hvdsweep", "curve", row.name, "--sweep", str(row.sweep_id), "--goal", f"{goal:g}"]
        words += ["--step-budget", str(self.desk.step_budget)] if self.desk.step_budget is not None else []
        words += (
            ["--example-budget", str(self.desk.example_budget)]
            if self.desk.example_budget is not None
            else []
        )
        words += ["--examples"] if self._measure == "examples" else []
        command = shlex.join([*words, "--db", str(self.interface.source.path)])
        self.app.copy_to_clipboard(command)
        self.notify(f"Copied: {command}", markup=False)

    @property
    def can_go_back(self) -> bool:
        if not self.is_mounted:
            return False
        reading = self.query_one("#curve", ChartView).reading is not None
        return self.is_typing or reading or super().can_go_back

    def go_back(self) -> bool:
        if self.is_typing:
            self.close_prompt()
            return True
        if super().go_back():
            return True
        return self.query_one("#curve", ChartView).unread()


def _reading() -> Chart:
    """Shown until the first table is there."""
    from hvdsweep.charts import Axis, Chart

    return Chart(x=Axis("log2", title="batch size"), y=Axis("log10"), empty="reading the trials …")
