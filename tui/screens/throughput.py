"""Throughput: examples per second against ranks, compared with perfect scaling."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from hvdsweep.curves.speeds import Measure, MeasuredSpeed, series_of, speed_chart, speeds
from tui.actions import bindings
from tui.screens.base import AppScreen, Words
from tui.snapshot import Snapshot
from tui.speed_words import SPEEDS, facts_of, row_key, speed_words, widest
from tui.widgets.chart import ChartView
from tui.widgets.chips import Chips
from tui.widgets.columns import row_of
from tui.widgets.panes import Panes
from tui.widgets.table import Table

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.store.store import Store

MEASURES: tuple[Measure, ...] = ("examples", "steps", "efficiency")

MANY = 3
"""With more batch sizes than this the ideal line is drawn for the selected one alone."""


class ThroughputScreen(AppScreen):
    """A workload above; the chart; every measured speed at the side."""

    PLACE = "throughput"
    BINDINGS = [*bindings("throughput", "chart")]  # noqa: RUF012
    DEFAULT_CSS = """
    ThroughputScreen #main { width: 1fr; }
    ThroughputScreen #side { width: 50; border-left: solid $border; }
    ThroughputScreen.-very-wide #side { width: 84; }
    ThroughputScreen #facts { height: auto; max-height: 40%; padding: 0 1; border-top: solid $border; }
    ThroughputScreen.-tiny.-low #workload { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.chips = Chips("workload", id="workload")
        self.view = ChartView(id="speed", describe=self._describe)
        self.speeds = Table(SPEEDS, empty="no speeds", id="speeds")
        self._found: list[MeasuredSpeed] = []
        self._answered = False
        self._workload: str | None = None
        self._measure: Measure = "examples"
        self._chosen_from: object = None
        self._placed: str | None = None
        """The workload in whose table the cursor was put on what scales."""

    def compose_body(self) -> ComposeResult:
        yield self.chips
        with Panes():
            with Vertical(id="main", classes="pane main"):
                yield self.view
            with Vertical(id="side", classes="pane side"):
                yield self.speeds
                yield Static(id="facts")

    def on_mount(self) -> None:
        self.chips.add_class("aside")
        self.set_focus(self.view)

    @property
    def chart(self) -> ChartView | None:
        return self.view if self._found else None

    @property
    def workloads(self) -> list[str]:
        """Those that have speeds."""
        return list(dict.fromkeys(speed.workload for speed in self._found))

    @property
    def mine(self) -> list[MeasuredSpeed]:
        """The speeds of the workload that is shown."""
        return [speed for speed in self._found if speed.workload == self._workload]

    @property
    def has_workloads(self) -> bool:
        return len(self.workloads) > 1

    def show(self, snapshot: Snapshot) -> None:
        selection = self.interface.selection
        if selection != self._chosen_from:
            self._chosen_from = selection
            self._workload = selection.workload or self._workload
        self.questions.ask(self.answer_speeds, snapshot.number, _read)

    def answer_speeds(self, about: object, value: list[MeasuredSpeed]) -> None:
        if value != self._found or not value:
            self._found, self._answered = value, True
            self._draw()

    @property
    def absence(self) -> Words | None:
        if self.lacks_data or self._found or not self._answered:
            return super().absence
        return (
            "No speed measured yet",
            "Speeds are measured in short runs on several numbers of ranks, and during every trial.",
            f"Run `{shlex.join(self._command())}`; this screen fills by itself.",
        )

    def _draw(self) -> None:
        self.notice_absence()
        if not self._found:
            return
        names = self.workloads
        if self._workload not in names:
            self._workload = names[-1]
        self.chips.put([(name, name) for name in names], self._workload or "")
        mine = self.mine
        with self.app.batch_update():
            self.speeds.put([row_of(SPEEDS, row_key(speed.batch_size, speed.np), speed) for speed in mine])
            if self._placed != self._workload:
                self._placed = self._workload
                self.speeds.move_to(widest(mine))
            self._put_chart(mine)
            self.query_one("#facts", Static).update(facts_of(mine))
        self.keys.refresh()

    def _put_chart(self, mine: Sequence[MeasuredSpeed]) -> None:
        sizes = {speed.batch_size for speed in mine}
        focus = None
        if len(sizes) > MANY:
            selected: MeasuredSpeed | None = self.speeds.about
            known = selected is not None and selected.batch_size in sizes
            focus = selected.batch_size if selected is not None and known else max(sizes)
        title = self._workload or ""
        self.view.chart = speed_chart(mine, measure=self._measure, focus=focus, title=title)

    def _speed_of(self, reading: Reading) -> MeasuredSpeed | None:
        """The speed that a point stands for."""
        there = (one for one in self.mine if series_of(one.batch_size) == reading.series)
        return next((speed for speed in there if speed.np == round(reading.x)), None)

    def _describe(self, reading: Reading) -> str:
        speed = self._speed_of(reading)
        return "" if speed is None else speed_words(speed)

    @on(ChartView.Pointed, "#speed")
    def _pointed(self, message: ChartView.Pointed) -> None:
        """The table's cursor goes along with the chart's."""
        speed = None if message.reading is None else self._speed_of(message.reading)
        if speed is not None and not self.speeds.has_focus:
            self.speeds.move_to(row_key(speed.batch_size, speed.np))

    @on(Table.Highlighted, "#speeds")
    def _highlighted(self) -> None:
        """The chart's cursor and the ideal line go along with the table's."""
        mine, selected = self.mine, self.speeds.about
        if selected is None or not mine:
            return
        self._put_chart(mine)
        if self.speeds.has_focus:
            places = [speed.np for speed in mine if speed.batch_size == selected.batch_size]
            if selected.np in places:
                self.view.read_point(series_of(selected.batch_size), places.index(selected.np))

    @on(Chips.Picked, "#workload")
    def _picked(self, message: Chips.Picked) -> None:
        self._go(message.name)

    def action_workload(self, way: int) -> None:
        name = self.chips.neighbour(way)
        if name is not None:
            self._go(name)

    def _go(self, workload: str) -> None:
        self._workload = workload
        self.view.fit()
        self._draw()

    def action_measure(self) -> None:
        self._measure = MEASURES[(MEASURES.index(self._measure) + 1) % len(MEASURES)]
        self.view.fit()
        self._draw()

    def _command(self) -> list[str]:
        """What measures speeds: of the selected sweep's file, else of an example."""
        file = "examples/digits.toml"
        if self.snapshot is not None:
            files = [sweep.file for sweep in self.snapshot.sweeps if sweep.file]
            chosen = self.snapshot.sweep(self.interface.selection.sweep)
            file = (chosen.file if chosen is not None and chosen.file else None) or (files or [file])[-1]
        return ["hvdsweep", "scale", "--np", "1,2", "--db", str(self.interface.source.path), file]

    def action_copy(self) -> None:
        self.interface.copy_command(self._command())


def _read(store: Store) -> list[MeasuredSpeed]:
    return speeds(store.throughput())
