"""Scaling: steps to the goal against batch size, of several workloads at once, at any goal and any budget."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from hvdsweep.curves.words import answer
from tui.actions import bindings
from tui.comparison import MEASURES, ChartedCurves, Compared, Measure, awaited, compared, smallest_reached
from tui.field_views import VIEWS, FieldJob, View, field_job
from tui.scaling_words import (
    NUMBERS,
    curve_words,
    facts_of,
    numbers_of,
    point_words,
    spread_title,
    value_title,
)
from tui.screens.workload_screen import WorkloadScreen, group_of
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.panes import Panes
from tui.widgets.prompt import Prompt
from tui.widgets.question_controls import BUDGETS, QuestionControls
from tui.widgets.table import Table
from tui.widgets.workloads_table import Looks, WorkloadsTable

if TYPE_CHECKING:
    from hvdsweep.charts import Chart, Reading
    from hvdsweep.curves.curve_data import CurvePoint
    from hvdsweep.store.rows import WorkloadRow

AT_FIRST = 4
"""Workloads of a sweep that are shown together at first; where it has more, only one."""


class ScalingScreen(WorkloadScreen):
    """Sliders above; the chart; workloads, numbers and what they say at the side."""

    PLACE = "scaling"
    NOTHING = ("No curve yet", "Launch a sweep; its curve draws itself here while it is trained.")
    BINDINGS = [*bindings("scaling", "chart")]  # noqa: RUF012
    DEFAULT_CSS = """
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

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[int] = set()
        """Workloads (their rows in the store) that are in the chart beside the current one."""
        self.measure: Measure = "steps"
        self.view: View = "curve"
        self.normalised = False
        self.comparison = ChartedCurves()
        self._drawn: object = None
        """What the chart of a view other than the curve hangs on; None: it is not drawn."""

    def compose_body(self) -> ComposeResult:
        yield QuestionControls()
        yield Static(id="verdict")
        with Panes():
            with Vertical(id="main", classes="main"):
                yield ChartView(id="curve", describe=self._describe)
            with Vertical(id="side", classes="side"):
                yield WorkloadsTable(id="workloads")
                yield Table(NUMBERS, empty="no batch sizes", id="numbers")
                yield Static(id="facts")

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#curve", ChartView))

    # What there is

    @property
    def chart(self) -> ChartView | None:
        return self.query_one("#curve", ChartView) if self.is_mounted else None

    @property
    def controls(self) -> QuestionControls:
        return self.query_one(QuestionControls)

    @property
    def has_curve(self) -> bool:
        return bool(self.comparison.curves)

    @property
    def has_trial(self) -> bool:
        return self._trial() is not None

    @property
    def is_changed(self) -> bool:
        """Whether something is asked that the sweep itself does not ask."""
        row = self.row(self.current)
        if row is None or self.interface.curve_cache is None:
            return False
        moved = self.cache.chosen.get(group_of(row)) not in (None, row.goal)
        return bool(moved or self.cache.step_budget or self.cache.example_budget)

    @property
    def shows_points(self) -> bool:
        """Whether the chart's points are those of the curves, in their order."""
        return self.view == "curve" and self.measure not in ("time", "cost")

    # Which workloads

    def chosen(self, before: WorkloadRow | None, sweep: list[WorkloadRow]) -> None:
        if not self.kept or before is None or before.sweep_id != sweep[0].sweep_id:
            self.kept = {row.id for row in sweep} if len(sweep) <= AT_FIRST else set()

    def wanted(self) -> set[int]:
        return self.kept | super().wanted()

    def _rows(self) -> list[WorkloadRow]:
        """The workloads in the chart whose tables are there, in the order of the list."""
        wanted = self.wanted()
        return [row for row in self.listed() if row.id in wanted and self.cache.has(row.id)]

    def _compared(self) -> list[Compared]:
        """Those that have a goal."""
        return [
            Compared(row.id, self.names[row.id], goal, self.question(row))
            for row in self._rows()
            if (goal := self.goal(row)) is not None
        ]

    def _alike(self, row: WorkloadRow) -> list[int]:
        """Those that share the goal with `row`."""
        return [one.id for one in self._rows() if group_of(one) == group_of(row)] or [row.id]

    # What the store says

    def show(self, snapshot: Snapshot) -> None:
        self.kept &= {row.id for row in snapshot.workloads}
        super().show(snapshot)

    # Drawing

    def redraw(self) -> None:
        assert self.snapshot is not None
        workloads = self._compared()
        base = smallest_reached(self.cache, workloads) if self.normalised else None
        self.comparison = compared(
            self.cache, workloads, self.current, measure=self.measure, normalise=base, measured=self.speeds
        )
        view = self.query_one("#curve", ChartView)
        view.preferred = "" if self.current is None else self.names.get(self.current, "")
        current = self.row(self.current)
        if self.view != "curve" and current is not None and self.cache.has(current.id):
            field = self._field_job(current)
            if field.about != self._drawn:
                self.questions.work_out(self.answer_field, field.about, field.draw)
        elif workloads:
            self._drawn = None
            view.chart = self.comparison.chart()
        elif view.chart is None or view.chart.series:
            view.chart = awaited()
        if current is not None and self.cache.has(current.id):
            drawn = [one.id for one in workloads] or [current.id]
            self.controls.put(self.cache, current, self.goal(current), self._alike(current), drawn)
        self._put_workloads(self.snapshot)
        self._put_numbers()

    def _field_job(self, row: WorkloadRow) -> FieldJob:
        """What the view shows of a workload in place of its curve."""
        name, question = self.names[row.id], self.question(row)
        return field_job(self.view, self.cache, row.id, name, question, self.goal(row), row.goal, self.speeds)

    def answer_field(self, about: object, value: Chart) -> None:
        if self.view != "curve":
            self._drawn = about
            self.query_one("#curve", ChartView).chart = value

    def _put_workloads(self, snapshot: Snapshot) -> None:
        pairs = zip(self.comparison.workloads, self.comparison.curves, strict=True)
        curves = {one.id: curve for one, curve in pairs}
        chart, table = self.query_one("#curve", ChartView).chart, self.query_one(WorkloadsTable)
        looks: Looks = dict.fromkeys(self.comparison.names, ("●", "$foreground"))
        if chart is not None and self.shows_points:
            looks = table.looks(chart, ascii=self.interface.plain_charts)
        table.put_workloads(snapshot, self.listed(), self.names, curves, self.kept, looks)
        if self.current is not None and table.key != str(self.current):
            with self.prevent(Table.Highlighted):
                table.move_to(str(self.current))

    def _put_numbers(self) -> None:
        table, facts = self.query_one("#numbers", Table), self.query_one("#facts", Static)
        verdict, curve = self.query_one("#verdict", Static), self.comparison.current
        if curve is None or self.comparison.focus is None:
            table.clear()
            facts.update("")
            verdict.update("")
            return
        costs = self.comparison.costs[self.comparison.focus]
        titles = {"value": value_title(curve, self.measure), "interval": spread_title(curve, self.measure)}
        table.put_columns(
            [dataclasses.replace(column, title=titles.get(column.name, column.title)) for column in NUMBERS]
        )
        table.put(numbers_of(curve, costs, self.measure))
        facts.update(facts_of(curve, costs))
        verdict.update(Content(". ".join(filter(None, (self.which_sweep, answer(curve))))))

    def _describe(self, reading: Reading) -> str:
        """A point of the chart in words."""
        chart = self.query_one("#curve", ChartView).shown
        assert chart is not None
        found = self._point_of(reading)
        if found is None:
            from hvdsweep.charts import sentence

            return sentence(reading, chart.x.title, chart.y.title)
        place, point = found
        return point_words(reading.series, self.comparison.curves[place], point, self.measure)

    def _point_of(self, reading: Reading) -> tuple[int, CurvePoint] | None:
        """The place of the curve, and its point, that a reading stands for; None where they are not drawn."""
        names = self.comparison.names
        if not self.shows_points or reading.series not in names:
            return None
        place = names.index(reading.series)
        return place, self.comparison.curves[place].points[reading.index]

    # What is asked

    @on(QuestionControls.Changed)
    def _asked(self, message: QuestionControls.Changed) -> None:
        message.stop()
        row, value = self.row(self.current), message.value
        if message.name in BUDGETS:
            setattr(self.cache, message.name, None if value is None else int(value))
        elif row is not None and value is not None:
            self.cache.chosen[group_of(row)] = value
        self.redraw_soon()

    @on(Prompt.Entered)
    def _close_prompt(self) -> None:
        """Put the line away; the chart has the keyboard again."""
        self.controls.prompt.close()
        self.query_one("#curve", ChartView).focus()
        self.refresh_keys()

    def action_goal(self, steps: int) -> None:
        self.controls.move("goal", steps)

    def action_step_budget(self, steps: int) -> None:
        self.controls.move("step_budget", steps)

    def action_example_budget(self, steps: int) -> None:
        self.controls.move("example_budget", steps)

    def action_type_goal(self) -> None:
        self.controls.type("goal")
        self.refresh_keys()

    def action_reset(self) -> None:
        row = self.row(self.current)
        if row is not None:
            self.cache.chosen.pop(group_of(row), None)
        self.cache.step_budget = self.cache.example_budget = None
        self.redraw_soon()

    # What is drawn

    def action_view(self) -> None:
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
        if self.normalised and self.has_curve and smallest_reached(self.cache, self._compared()) is None:
            self.normalised = False
            self.notify("No batch size reached the goal of every curve: nothing to divide by.", markup=False)

    def action_running(self) -> None:
        self.cache.count_running = not self.cache.count_running
        self.notify("Running trials count." if self.cache.count_running else "Only complete trials count.")
        self.redraw_soon()

    @on(Table.Highlighted, "#workloads")
    def _workload_selected(self, message: Table.Highlighted) -> None:
        if message.key is not None and self.query_one("#workloads", Table).has_focus:
            self.make_current(int(message.key))

    @on(Table.Opened, "#workloads")
    def action_overlay(self) -> None:
        if self.current is None or self.snapshot is None:
            return
        self.kept ^= {self.current}
        self.redraw_soon()

    @on(Table.Highlighted, "#numbers")
    def _number_selected(self, message: Table.Highlighted) -> None:
        """The chart's cursor goes along with the table's."""
        curve, focus = self.comparison.current, self.comparison.focus
        if curve is None or focus is None or not self.query_one("#numbers", Table).has_focus:
            return
        sizes = [str(size) for size in curve.batch_sizes]
        if message.key in sizes and self.shows_points:
            name = self.comparison.names[focus]
            self.query_one("#curve", ChartView).read_point(name, sizes.index(message.key))
        self.refresh_keys()

    @on(ChartView.Pointed, "#curve")
    def _pointed(self, message: ChartView.Pointed) -> None:
        """The table's cursor goes along with the chart's."""
        if message.reading is not None and not self.query_one("#numbers", Table).has_focus:
            found = self._point_of(message.reading)
            if found is not None:
                self.query_one("#numbers", Table).move_to(str(found[1].batch_size))
        self.refresh_keys()

    def _trial(self) -> int | None:
        """The trial behind the point that is read out, else behind the selected batch size."""
        if not self.is_mounted or not self.has_curve:
            return None
        reading = self.query_one("#curve", ChartView).reading
        found = None if reading is None else self._point_of(reading)
        point, curve = found[1] if found is not None else None, self.comparison.current
        if point is None and curve is not None:
            key = self.query_one("#numbers", Table).key
            point = next((one for one in curve.points if str(one.batch_size) == key), None)
        return None if point is None else point.trial_id

    @on(Table.Opened, "#numbers")
    @on(ChartView.Opened, "#curve")
    def action_open(self) -> None:
        trial = self._trial()
        if trial is not None:
            self.interface.open_trial(trial)

    def action_copy(self) -> None:
        row = self.row(self.current)
        goal = None if row is None else self.goal(row)
        if row is None or goal is None:
            return
        lines = self._field_job(row).lines if self.view != "curve" else ()
        words = curve_words(row, self.view, goal, lines, self.cache)
        words += ["--unit", "tokens" if self.cache.has_tokens(row.id) else "samples"] * (
            self.view == "curve" and self.measure == "examples"
        )
        command = shlex.join([*words, "--db", str(self.interface.source.path)])
        self.app.copy_to_clipboard(command)
        self.notify(f"Copied: {command}", markup=False)

    @property
    def can_go_back(self) -> bool:
        if not self.is_mounted:
            return False
        return self.controls.is_typing or self.view != "curve" or super().can_go_back

    def go_back(self) -> bool:
        if self.controls.is_typing:
            self._close_prompt()
        elif not super().go_back():
            if self.view == "curve":
                return False
            self.view = "curve"
            self._forget_chart()
        return True
