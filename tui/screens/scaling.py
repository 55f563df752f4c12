"""Scaling: steps to the goal against batch size, of several workloads at once, at any goal and any budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from hvdsweep.curves.words import answer
from tui.actions import bindings
from tui.field_views import FieldJob, field_job
from tui.scaling_words import NUMBERS, curve_words, facts_of, number_columns
from tui.screens.workload_screen import WorkloadScreen, group_of
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.columns import row_of
from tui.widgets.curve_view import Compared, CurveView
from tui.widgets.panes import Panes
from tui.widgets.prompt import Prompt
from tui.widgets.question_controls import BUDGETS, QuestionControls
from tui.widgets.slider import Slider
from tui.widgets.table import Table
from tui.widgets.workloads_table import WorkloadsTable

if TYPE_CHECKING:
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
    ScalingScreen #verdict { height: auto; max-height: 3; padding: 0 1; }
    ScalingScreen.-low #verdict { display: none; }
    ScalingScreen #facts { height: auto; max-height: 55%; padding: 0 1; border-top: solid $border; }
    ScalingScreen.-low #numbers { margin-top: 0; }
    ScalingScreen.-usual #facts { max-height: 25%; }
    ScalingScreen.-low #facts { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.controls = QuestionControls(id="question")
        self.curve = CurveView(id="curve")
        self.workloads = WorkloadsTable(id="workloads")
        self.numbers = Table(NUMBERS, empty="no batch sizes", id="numbers")
        self.kept: set[int] = set()
        """Workloads (their rows in the store) that are in the chart in addition to the current one."""

    def compose_body(self) -> ComposeResult:
        yield self.controls
        yield Static(id="verdict")
        with Panes():
            with Vertical(id="main", classes="pane main"):
                yield self.curve
            with Vertical(id="side", classes="pane side"):
                yield self.workloads
                yield self.numbers
                yield Static(id="facts")

    def on_mount(self) -> None:
        self.set_focus(self.curve)

    # What there is

    @property
    def chart(self) -> ChartView | None:
        return self.curve

    @property
    def has_curve(self) -> bool:
        return bool(self.curve.comparison.curves)

    @property
    def trial(self) -> int | None:
        """The trial behind the point that is read out, else behind the selected batch size."""
        if not self.has_curve:
            return None
        reading = self.curve.reading
        found = None if reading is None else self.curve.point_of(reading)
        point: CurvePoint | None = self.numbers.about if found is None else found[1]
        return None if point is None else point.trial_id

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

    # What the store says

    def show(self, snapshot: Snapshot) -> None:
        self.kept &= {row.id for row in snapshot.workloads}
        super().show(snapshot)

    # Drawing

    def redraw(self) -> None:
        assert self.snapshot is not None
        view, listed, current = self.curve, self.listed(), self.row(self.current)
        ready = current if current is not None and self.cache.has(current.id) else None
        wanted = self.wanted()
        rows = [row for row in listed if row.id in wanted and self.cache.has(row.id)]
        compared = [
            Compared(row.id, self.names[row.id], goal, self.question(row))
            for row in rows
            if (goal := self.goal(row)) is not None
        ]
        view.preferred = "" if self.current is None else self.names.get(self.current, "")
        field = self._field_job(ready) if view.shows != "curve" and ready is not None else None
        view.put_curves(self.cache, compared, self.current, field)
        if ready is not None:
            alike = [row.id for row in rows if group_of(row) == group_of(ready)]
            drawn = [one.id for one in compared] or [ready.id]
            self.controls.put(self.cache, ready, self.goal(ready), alike or [ready.id], drawn)
        chart = view.chart if view.shows_points else None
        self.workloads.put_workloads(self.snapshot, listed, self.names, self.kept, view.comparison, chart)
        if self.current is not None and self.workloads.key != str(self.current):
            with self.prevent(Table.Highlighted):
                self.workloads.move_to(str(self.current))
        self._put_numbers()

    def _field_job(self, row: WorkloadRow) -> FieldJob:
        """What the view shows of a workload in place of its curve."""
        name, question = self.names[row.id], self.question(row)
        return field_job(self.curve.shows, self.cache, row.id, name, question, self.goal(row), row.goal)

    def _put_numbers(self) -> None:
        """What the current curve says, as numbers and in words."""
        facts, verdict = self.query_one("#facts", Static), self.query_one("#verdict", Static)
        shown, measure = self.curve.comparison, self.curve.measure
        curve = shown.current
        if curve is None or shown.focus is None:
            self.numbers.put(())
            facts.update("")
            verdict.update("")
            return
        costs = shown.costs[shown.focus]
        columns = number_columns(curve, costs, measure)
        self.numbers.put_columns(columns)
        self.numbers.put([row_of(columns, point.batch_size, point) for point in curve.points])
        facts.update(facts_of(curve, costs))
        verdict.update(Content(". ".join(filter(None, (self.which_sweep, answer(curve))))))

    # What is asked

    @on(Slider.Moved)
    def _asked(self, message: Slider.Moved) -> None:
        row, name, value = self.row(self.current), str(message.control.id), message.value
        if name in BUDGETS:
            setattr(self.cache, name, None if value is None else int(value))
        elif row is not None and value is not None:
            self.cache.chosen[group_of(row)] = value
        self.redraw_soon()

    @on(Prompt.Entered)
    def _close_prompt(self) -> None:
        """Put the line away; the chart has the keyboard again."""
        self.controls.prompt.close()
        self.curve.focus()
        self.keys.refresh()

    def action_reset(self) -> None:
        row = self.row(self.current)
        if row is not None:
            self.cache.chosen.pop(group_of(row), None)
        self.cache.step_budget = self.cache.example_budget = None
        self.redraw_soon()

    # What is drawn

    def action_running(self) -> None:
        self.cache.count_running = not self.cache.count_running
        self.notify("Running trials count." if self.cache.count_running else "Only complete trials count.")
        self.redraw_soon()

    @on(Table.Highlighted, "#workloads")
    def _workload_selected(self, message: Table.Highlighted) -> None:
        if message.key is not None and self.workloads.has_focus:
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
        if message.key is not None and self.numbers.has_focus:
            self.curve.read_batch_size(int(message.key))

    @on(ChartView.Pointed, "#curve")
    def _pointed(self, message: ChartView.Pointed) -> None:
        """The table's cursor goes along with the chart's."""
        found = None if message.reading is None else self.curve.point_of(message.reading)
        if found is not None and not self.numbers.has_focus:
            self.numbers.move_to(str(found[1].batch_size))

    @on(Table.Opened, "#numbers")
    @on(ChartView.Opened, "#curve")
    def action_open(self) -> None:
        if (trial := self.trial) is not None:
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
        leave = None if self.curve.shows == "curve" else partial(self.curve.show_view, "curve")
        return super().way_back or leave
