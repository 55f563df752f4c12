"""Scaling: steps to the goal against batch size, of several workloads at once, at any goal and any budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from hvdsweep.curves.words import answer
from tui.actions import bindings
from tui.comparison import Compared, smallest_reached
from tui.field_views import FieldJob, field_job
from tui.scaling_words import NUMBERS, curve_words, facts_of, number_columns, numbers_of
from tui.screens.workload_screen import WorkloadScreen, group_of
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.curve_view import CurveView
from tui.widgets.panes import Panes
from tui.widgets.prompt import Prompt
from tui.widgets.question_controls import BUDGETS, QuestionControls
from tui.widgets.table import Table
from tui.widgets.workloads_table import Looks, WorkloadsTable

if TYPE_CHECKING:
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
    ScalingScreen #verdict { height: auto; max-height: 3; padding: 0 1; }
    ScalingScreen.-low #verdict { display: none; }
    ScalingScreen #facts { height: auto; max-height: 55%; padding: 0 1; border-top: solid $border; }
    ScalingScreen.-low #numbers { margin-top: 0; }
    ScalingScreen.-usual #facts { max-height: 25%; }
    ScalingScreen.-low #facts { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[int] = set()
        """Workloads (their rows in the store) that are in the chart in addition to the current one."""

    def compose_body(self) -> ComposeResult:
        yield QuestionControls()
        yield Static(id="verdict")
        with Panes():
            with Vertical(id="main", classes="pane main"):
                yield CurveView(self.questions, id="curve")
            with Vertical(id="side", classes="pane side"):
                yield WorkloadsTable(id="workloads")
                yield Table(NUMBERS, empty="no batch sizes", id="numbers")
                yield Static(id="facts")

    def on_mount(self) -> None:
        self.set_focus(self.curve)

    # What there is

    @property
    def curve(self) -> CurveView:
        return self.query_one(CurveView)

    @property
    def chart(self) -> ChartView | None:
        return self.curve if self.is_mounted else None

    @property
    def controls(self) -> QuestionControls:
        return self.query_one(QuestionControls)

    @property
    def has_curve(self) -> bool:
        return self.is_mounted and bool(self.curve.comparison.curves)

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
        view, workloads, current = self.curve, self._compared(), self.row(self.current)
        ready = current if current is not None and self.cache.has(current.id) else None
        view.preferred = "" if self.current is None else self.names.get(self.current, "")
        field = self._field_job(ready) if view.shows != "curve" and ready is not None else None
        view.put_curves(self.cache, workloads, self.current, self.speeds, field)
        if ready is not None:
            drawn = [one.id for one in workloads] or [ready.id]
            self.controls.put(self.cache, ready, self.goal(ready), self._alike(ready), drawn)
        self._put_workloads(self.snapshot)
        self._put_numbers()

    def _field_job(self, row: WorkloadRow) -> FieldJob:
        """What the view shows of a workload in place of its curve."""
        name, question = self.names[row.id], self.question(row)
        return field_job(
            self.curve.shows, self.cache, row.id, name, question, self.goal(row), row.goal, self.speeds
        )

    def _put_workloads(self, snapshot: Snapshot) -> None:
        view, table = self.curve, self.query_one(WorkloadsTable)
        pairs = zip(view.comparison.workloads, view.comparison.curves, strict=True)
        curves = {one.id: curve for one, curve in pairs}
        looks: Looks = dict.fromkeys(view.comparison.names, ("●", "$foreground"))
        if view.chart is not None and view.shows_points:
            looks = table.looks(view.chart, ascii=self.interface.plain_charts)
        table.put_workloads(snapshot, self.listed(), self.names, curves, self.kept, looks)
        if self.current is not None and table.key != str(self.current):
            with self.prevent(Table.Highlighted):
                table.move_to(str(self.current))

    def _put_numbers(self) -> None:
        table, facts = self.query_one("#numbers", Table), self.query_one("#facts", Static)
        verdict, shown, measure = (
            self.query_one("#verdict", Static),
            self.curve.comparison,
            self.curve.measure,
        )
        curve = shown.current
        if curve is None or shown.focus is None:
            table.clear()
            facts.update("")
            verdict.update("")
            return
        costs = shown.costs[shown.focus]
        table.put_columns(number_columns(curve, measure))
        table.put(numbers_of(curve, costs, measure))
        facts.update(facts_of(curve, costs))
        verdict.update(Content(". ".join(filter(None, (self.which_sweep, answer(curve))))))

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
        self.curve.focus()
        self.keys.refresh()

    def action_goal(self, steps: int) -> None:
        self.controls.move("goal", steps)

    def action_step_budget(self, steps: int) -> None:
        self.controls.move("step_budget", steps)

    def action_example_budget(self, steps: int) -> None:
        self.controls.move("example_budget", steps)

    def action_type_goal(self) -> None:
        self.controls.type("goal")
        self.keys.refresh()

    def action_reset(self) -> None:
        row = self.row(self.current)
        if row is not None:
            self.cache.chosen.pop(group_of(row), None)
        self.cache.step_budget = self.cache.example_budget = None
        self.redraw_soon()

    # What is drawn

    def action_view(self) -> None:
        self.curve.next_view()
        self.redraw_soon()

    def action_measure(self) -> None:
        self.curve.next_measure()
        self.redraw_soon()

    def action_normalise(self) -> None:
        view = self.curve
        view.normalised = not view.normalised
        view.fit()
        self.redraw_soon()
        if view.normalised and self.has_curve and smallest_reached(self.cache, self._compared()) is None:
            view.normalised = False
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
        shown = self.curve.comparison
        if shown.current is None or shown.focus is None or not self.query_one("#numbers", Table).has_focus:
            return
        sizes = [str(size) for size in shown.current.batch_sizes]
        if message.key in sizes and self.curve.shows_points:
            self.curve.read_point(shown.names[shown.focus], sizes.index(message.key))

    @on(ChartView.Pointed, "#curve")
    def _pointed(self, message: ChartView.Pointed) -> None:
        """The table's cursor goes along with the chart's."""
        if message.reading is not None and not self.query_one("#numbers", Table).has_focus:
            found = self.curve.point_of(message.reading)
            if found is not None:
                self.query_one("#numbers", Table).move_to(str(found[1].batch_size))

    def _trial(self) -> int | None:
        """The trial behind the point that is read out, else behind the selected batch size."""
        if not self.is_mounted or not self.has_curve:
            return None
        reading, curve = self.curve.reading, self.curve.comparison.current
        found = None if reading is None else self.curve.point_of(reading)
        point = found[1] if found is not None else None
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
        view = self.curve
        lines = self._field_job(row).lines if view.shows != "curve" else ()
        words = curve_words(row, view.shows, goal, lines, self.cache)
        if view.shows == "curve" and view.measure == "examples":
            words += ["--unit", "tokens" if self.cache.has_tokens(row.id) else "samples"]
        self.interface.copy_command([*words, "--db", str(self.interface.source.path)])

    @property
    def way_back(self) -> Callable[[], object] | None:
        if self.is_mounted and self.controls.is_typing:
            return self._close_prompt
        if (way := super().way_back) is not None or not self.is_mounted or self.curve.shows == "curve":
            return way
        return self._leave_view

    def _leave_view(self) -> None:
        self.curve.show_view("curve")
        self.redraw_soon()
