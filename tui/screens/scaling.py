"""Scaling: steps to the goal against batch size, of several workloads at once, at any goal and any budget."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from hvdsweep.curves.words import answer
from tui.actions import bindings
from tui.scaling_words import NUMBERS, facts_of, numbers_of, point_words, spread_title, value_title
from tui.screens.curves_place import MEASURES, CurvesPlace
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.columns import Column, Row
from tui.widgets.notice import Notice
from tui.widgets.table import Table
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.charts import Chart, Reading
    from hvdsweep.curves.costs import Costs
    from hvdsweep.curves.scaling_curve import Point

WORKLOADS = (
    Column("shown", "", 3, fixed=True),
    Column("name", "workload", 12, grow=True, fixed=True),
    Column("useful", "max useful", 10, right=True, fixed=True),
    Column("sweep", "sweep", 10, fixed=True),
)


class ScalingScreen(CurvesPlace):
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
    ScalingScreen #side { width: 52; border-left: solid $border; }
    ScalingScreen.-very-wide #side { width: 66; }
    ScalingScreen #workloads { height: auto; max-height: 30%; min-height: 2; }
    ScalingScreen #numbers { height: 1fr; min-height: 3; margin-top: 1; }
    ScalingScreen #verdict { height: auto; max-height: 2; padding: 0 1; }
    ScalingScreen.-low #verdict { display: none; }
    ScalingScreen #facts { height: auto; max-height: 55%; padding: 0 1; border-top: solid $border; }
    ScalingScreen.-low #numbers { margin-top: 0; }
    ScalingScreen.-usual #facts { max-height: 25%; }
    ScalingScreen.-low #facts { display: none; }
    """

    def compose_body(self) -> ComposeResult:
        yield from self.compose_controls()
        yield Static(id="verdict")
        with Horizontal(id="middle"):
            with Vertical(id="main", classes="main"):
                yield ChartView(id="curve", describe=self._describe)
            with Vertical(id="side", classes="side"):
                yield Table(WORKLOADS, empty="no workloads", id="workloads")
                yield Table(NUMBERS, empty="no batch sizes", id="numbers")
                yield Static(id="facts")
        yield Notice(id="none")

    def on_mount(self) -> None:
        self._drawn: object = None
        """What the chart of a view other than the curve hangs on; None: it is not drawn."""
        self.set_focus(self.query_one("#curve", ChartView))

    # What there is

    @property
    def chart(self) -> ChartView | None:
        return self.query_one("#curve", ChartView) if self.is_mounted else None

    @property
    def has_curve(self) -> bool:
        return bool(self.curves)

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
        self.kept &= {row.id for row in snapshot.workloads}
        super().show(snapshot)

    # Drawing

    def redraw(self) -> None:
        assert self.snapshot is not None
        rows = [row for row in self.drawn() if self.goal(row) is not None]
        self.curves, self.order = self.computed(rows), [row.id for row in rows]
        focus = self.order.index(self.current) if self.current in self.order else None
        costs = self.costs(focus)
        view = self.query_one("#curve", ChartView)
        view.preferred = "" if self.current is None else self.names.get(self.current, "")
        current = self.row(self.current)
        if self.view != "curve" and current is not None and self.desk.has(current.id):
            field = self.field_job(current)
            if field.about != self._drawn:
                self.work_out(self.answer_field, field.about, field.draw)
        elif rows:
            self._drawn = None
            view.chart = self.chart_of(focus, costs)
        elif view.chart is None or view.chart.series:
            view.chart = _reading()
        self.put_controls(self.order)
        self._put_workloads(self.snapshot)
        self._put_numbers(focus, costs)

    def answer_field(self, about: object, value: Chart) -> None:
        if self.view != "curve":
            self._drawn = about
            self.query_one("#curve", ChartView).chart = value

    def _put_workloads(self, snapshot: Snapshot) -> None:
        several = len(snapshot.sweeps) > 1
        found = dict(zip(self.order, self.curves, strict=True))
        looks = self._looks()
        rows = []
        for row in self.listed():
            shown = row.id in self.kept
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
        longest = max(len(sweep.name) for sweep in snapshot.sweeps)
        sweeps = dataclasses.replace(WORKLOADS[-1], width=max(5, min(longest, 12)))
        table.put_columns([*WORKLOADS[:-1], *([sweeps] if several else [])])
        table.put(rows)
        if self.current is not None and table.key != str(self.current):
            with self.prevent(Table.Highlighted):
                table.move_to(str(self.current))

    def _looks(self) -> dict[str, tuple[str, str]]:
        """Name of a curve in the chart -> its marker and colour there."""
        chart = self.query_one("#curve", ChartView).chart
        if chart is None or not self.shows_points:
            return dict.fromkeys((self.names[one] for one in self.order), ("●", "$foreground"))
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
        verdict = self.query_one("#verdict", Static)
        if focus is None:
            table.clear()
            facts.update("")
            verdict.update("")
            return
        curve = self.curves[focus]
        titles = {"value": value_title(curve, self.measure), "interval": spread_title(curve, self.measure)}
        table.put_columns(
            [dataclasses.replace(column, title=titles.get(column.name, column.title)) for column in NUMBERS]
        )
        table.put(numbers_of(curve, costs[focus], self.measure))
        facts.update(facts_of(curve, costs[focus]))
        verdict.update(Content(". ".join(filter(None, (self.which_sweep, answer(curve))))))

    def _describe(self, reading: Reading) -> str:
        """A point of the chart in words."""
        chart = self.query_one("#curve", ChartView).shown
        assert chart is not None
        point = self._point_of(reading)
        if point is None:
            from hvdsweep.charts import sentence

            return sentence(reading, chart.x.title, chart.y.title)
        return point_words(
            reading.series, self.curves[self._shown_names().index(reading.series)], point, self.measure
        )

    def _point_of(self, reading: Reading) -> Point | None:
        """The point of a curve that a reading stands for; None where they are not drawn."""
        if not self.shows_points:
            return None
        names = self._shown_names()
        if reading.series not in names:
            return None
        return self.curves[names.index(reading.series)].points[reading.index]

    def _shown_names(self) -> list[str]:
        """The curves' names, in their order."""
        return [self.names[workload] for workload in self.order]

    # What the reader does

    def action_view(self) -> None:
        from tui.field_views import VIEWS

        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        self._forget_chart()

    def _forget_chart(self) -> None:
        self._drawn = None
        self.query_one("#curve", ChartView).unread()
        self.query_one("#curve", ChartView).fit()
        self.redraw_soon()

    def action_measure(self) -> None:
        self.view = "curve"
        self.measure = MEASURES[(MEASURES.index(self.measure) + 1) % len(MEASURES)]
        view = self.query_one("#curve", ChartView)
        view.fit()
        self.redraw_soon()

    def action_normalise(self) -> None:
        self.normalised = not self.normalised
        self.query_one("#curve", ChartView).fit()
        self.redraw_soon()
        if (
            self.normalised
            and self.curves
            and self.base([row for row in self.drawn() if self.goal(row)]) is None
        ):
            self.normalised = False
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
        self.kept ^= {self.current}
        self.redraw_soon()

    @on(Table.Highlighted, "#numbers")
    def _number_selected(self, message: Table.Highlighted) -> None:
        """The chart's cursor goes along with the table's."""
        if (
            message.key is None
            or not self.query_one("#numbers", Table).has_focus
            or self.current not in self.order
        ):
            return
        curve = self.curves[self.order.index(self.current)]
        sizes = [str(size) for size in curve.batch_sizes]
        if message.key in sizes and self.shows_points:
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
        if not self.is_mounted or not self.curves:
            return None
        reading = self.query_one("#curve", ChartView).reading
        point = None if reading is None else self._point_of(reading)
        if point is None and self.current in self.order:
            key = self.query_one("#numbers", Table).key
            points = self.curves[self.order.index(self.current)].points
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
        words = ["hvdsweep", "curve", row.name, "--sweep", str(row.sweep_id)]
        if self.view == "curve":
            words += ["--goal", f"{goal:g}"]
        elif self.view == "ranks":
            words[1:2] = ["figure", "iso-loss"]
            words += [word for rung in self.field_job(row).lines for word in ("--goal", f"{rung:g}")]
        else:
            lines = self.field_job(row).lines
            words += [word for rung in lines for word in ("--at-budget", f"{rung:g} {self.view}")]
        words += ["--step-budget", str(self.desk.step_budget)] if self.desk.step_budget is not None else []
        words += (
            ["--example-budget", str(self.desk.example_budget)]
            if self.desk.example_budget is not None
            else []
        )
        if self.view == "curve" and self.measure == "examples":
            words += ["--unit", "tokens" if self.desk.has_tokens(row.id) else "samples"]
        command = shlex.join([*words, "--db", str(self.interface.source.path)])
        self.app.copy_to_clipboard(command)
        self.notify(f"Copied: {command}", markup=False)

    @property
    def can_go_back(self) -> bool:
        return self.is_mounted and (self.is_typing or self.view != "curve" or super().can_go_back)

    def go_back(self) -> bool:
        if self.is_typing:
            self.close_prompt()
            return True
        if super().go_back():
            return True
        if self.view != "curve":
            self.view = "curve"
            self._forget_chart()
            return True
        return False


def _reading() -> Chart:
    """Shown until the first table is there."""
    from hvdsweep.charts import Axis, Chart

    return Chart(x=Axis("log2", title="batch size"), y=Axis("log10"), empty="reading the trials …")
