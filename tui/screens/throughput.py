"""Throughput: examples per second against ranks, compared with perfect scaling."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.actions import bindings
from tui.screens.base import AppScreen, Words
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.chips import Chips
from tui.widgets.columns import Column, Row
from tui.widgets.panes import Panes
from tui.widgets.table import Table
from tui.words import clock, count, plural

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.curves.speeds import Measure, MeasuredSpeed
    from hvdsweep.store.store import Store

MEASURES: tuple[Measure, ...] = ("examples", "steps", "efficiency")

MANY = 3
"""With more batch sizes than this the ideal line is drawn for the selected one alone."""

SPEEDS = (
    Column("batch_size", "batch", 7, right=True, fixed=True),
    Column("np", "ranks", 5, right=True, fixed=True),
    Column("examples", "examples/s", 10, right=True, fixed=True),
    Column("efficiency", "efficiency", 10, right=True, fixed=True),
    Column("times", "times", 6, right=True),
    Column("steps", "steps/s", 8, right=True),
    Column("source", "measured", 10),
    Column("time", "when", 16),
)


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
        self._found: list[MeasuredSpeed] = []
        self._answered = False
        self._workload: str | None = None
        self._measure: Measure = "examples"
        self._chosen_from: object = None
        self._placed: str | None = None
        """The workload in whose table the cursor was put on what scales."""

    def compose_body(self) -> ComposeResult:
        yield Chips("workload", id="workload")
        with Panes():
            with Vertical(id="main", classes="pane main"):
                yield ChartView(id="speed", describe=self._describe)
            with Vertical(id="side", classes="pane side"):
                yield Table(SPEEDS, empty="no speeds", id="speeds")
                yield Static(id="facts")

    def on_mount(self) -> None:
        self.query_one("#workload").add_class("aside")
        self.set_focus(self.query_one("#speed", ChartView))

    @property
    def chart(self) -> ChartView | None:
        return self.query_one("#speed", ChartView) if self.is_mounted and self._found else None

    @property
    def has_chart(self) -> bool:
        return self.chart is not None

    @property
    def workloads(self) -> list[str]:
        """Those that have speeds."""
        return list(dict.fromkeys(speed.workload for speed in self._found))

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
        self.query_one("#workload", Chips).put([(name, name) for name in names], self._workload or "")
        mine = [speed for speed in self._found if speed.workload == self._workload]
        with self.app.batch_update():
            self._put_table(mine)
            if self._placed != self._workload:
                self._placed = self._workload
                self.query_one("#speeds", Table).move_to(_widest(mine))
            self._put_chart(mine)
            self.query_one("#facts", Static).update(_facts(mine))
        self.keys.refresh()

    def _put_chart(self, mine: Sequence[MeasuredSpeed]) -> None:
        from hvdsweep.curves.speeds import speed_chart

        sizes = {speed.batch_size for speed in mine}
        focus = self._selected_size() if len(sizes) > MANY else None
        if focus not in sizes:
            focus = max(sizes) if len(sizes) > MANY else None
        self.query_one("#speed", ChartView).chart = speed_chart(
            mine, measure=self._measure, focus=focus, title=self._workload or ""
        )

    def _selected_size(self) -> int | None:
        speed: MeasuredSpeed | None = self.query_one("#speeds", Table).about
        return None if speed is None else speed.batch_size

    def _put_table(self, mine: Sequence[MeasuredSpeed]) -> None:
        from tui.words import short

        rows = [
            Row(
                _key(speed.batch_size, speed.np),
                (
                    count(speed.batch_size),
                    count(speed.np),
                    Content.styled(short(speed.examples_per_second), "bold"),
                    _efficiency(speed),
                    "" if speed.times is None else f"×{speed.times:.2f}",
                    short(speed.steps_per_second),
                    Content.styled(
                        "on purpose" if speed.source == "scale" else "in trials",
                        "$foreground" if speed.source == "scale" else "$foreground-muted",
                    ),
                    clock(speed.time, day=True),
                ),
                speed,
            )
            for speed in mine
        ]
        self.query_one("#speeds", Table).put(rows)

    def _speed_of(self, reading: Reading) -> MeasuredSpeed | None:
        """The speed that a point stands for."""
        from hvdsweep.curves.speeds import series_of

        mine = [speed for speed in self._found if speed.workload == self._workload]
        there = (one for one in mine if series_of(one.batch_size) == reading.series)
        return next((speed for speed in there if speed.np == round(reading.x)), None)

    def _describe(self, reading: Reading) -> str:
        from tui.words import short

        speed = self._speed_of(reading)
        if speed is None:
            return ""
        words = [
            f"batch size {count(speed.batch_size)} on {plural(speed.np, 'rank')}: "
            f"{short(speed.examples_per_second)} examples/s",
            f"{short(speed.steps_per_second)} steps/s",
        ]
        if speed.times is not None and speed.efficiency is not None:
            words.append(
                f"×{speed.times:.2f} of {plural(speed.base, 'rank')}, {100 * speed.efficiency:.0f} % efficient"
            )
        return " · ".join(words)

    @on(ChartView.Pointed, "#speed")
    def _pointed(self, message: ChartView.Pointed) -> None:
        """The table's cursor goes along with the chart's."""
        table = self.query_one("#speeds", Table)
        speed = None if message.reading is None else self._speed_of(message.reading)
        if speed is not None and not table.has_focus:
            table.move_to(_key(speed.batch_size, speed.np))

    @on(Table.Highlighted, "#speeds")
    def _highlighted(self) -> None:
        """The chart's cursor and the ideal line go along with the table's."""
        mine = [speed for speed in self._found if speed.workload == self._workload]
        if self.query_one("#speeds", Table).about is None or not mine:
            return
        self._put_chart(mine)
        table = self.query_one("#speeds", Table)
        if table.has_focus:
            from hvdsweep.curves.speeds import series_of

            size = table.about.batch_size
            places = [speed.np for speed in mine if speed.batch_size == size]
            if table.about.np in places:
                self.query_one("#speed", ChartView).read_point(series_of(size), places.index(table.about.np))

    @on(Chips.Picked, "#workload")
    def _picked(self, message: Chips.Picked) -> None:
        self._go(message.name)

    def action_workload(self, way: int) -> None:
        name = self.query_one("#workload", Chips).beside(way)
        if name is not None:
            self._go(name)

    def _go(self, workload: str) -> None:
        self._workload = workload
        self.query_one("#speed", ChartView).fit()
        self._draw()

    def action_measure(self) -> None:
        self._measure = MEASURES[(MEASURES.index(self._measure) + 1) % len(MEASURES)]
        self.query_one("#speed", ChartView).fit()
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
    from hvdsweep.curves.speeds import speeds

    return speeds(store.throughput())


def _widest(mine: Sequence[MeasuredSpeed]) -> str:
    """The row of the batch size that was measured on the most numbers of ranks, the largest of such."""
    ranks: dict[int, list[int]] = {}
    for speed in mine:
        ranks.setdefault(speed.batch_size, []).append(speed.np)
    size = max(ranks, key=lambda size: (len(ranks[size]), size))
    return _key(size, min(ranks[size]))


def _key(batch_size: int, np: int) -> str:
    return f"{batch_size} {np}"


def _efficiency(speed: MeasuredSpeed) -> Content:
    if speed.efficiency is None:
        return Content.styled("base", "$foreground-muted")
    colour = "$success" if speed.efficiency >= 0.8 else "$warning" if speed.efficiency >= 0.5 else "$error"
    return Content.styled(f"{100 * speed.efficiency:.0f} %", colour)


def _facts(mine: Sequence[MeasuredSpeed]) -> Content:
    """The summary of the speeds."""
    from tui.words import short

    lines: list[Content] = []

    def fact(name: str, value: str, more: str) -> None:
        lines.append(
            Content.assemble(
                (f"{name:<12}", "$foreground-muted"), (value, "bold"), (f"  {more}", "$foreground-muted")
            )
        )

    fastest = max(mine, key=lambda speed: speed.examples_per_second)
    where = f"B={count(fastest.batch_size)} on {plural(fastest.np, 'rank')}"
    fact("fastest", f"{short(fastest.examples_per_second)}/s", where)
    shared = [speed for speed in mine if speed.efficiency is not None]
    if shared:
        best = max(shared, key=lambda speed: speed.efficiency or 0.0)
        where = f"at best: B={count(best.batch_size)} on {plural(best.np, 'rank')}"
        fact("efficiency", f"{100 * (best.efficiency or 0.0):.0f} %", where)
    else:
        fact("efficiency", "not known", "needs two numbers of ranks (c)")
    hosts = sorted({speed.host for speed in mine if speed.host})
    if hosts:
        fact("measured on", ", ".join(hosts), "")
    return Content("\n").join(lines)
