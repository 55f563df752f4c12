"""Metaparameters: what became of every trial of the search, how the best learning rate grows, and what to extend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.actions import bindings
from tui.screens.workload_screen import WorkloadScreen
from tui.search_words import best_words
from tui.widgets.chart import ChartView
from tui.widgets.chips import Chips
from tui.widgets.panes import Panes
from tui.widgets.search_view import SearchView
from tui.widgets.table import Table
from tui.widgets.warnings_table import REMEDIES, WarningsTable
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.curves.curve_data import Curve
    from hvdsweep.curves.warnings import WarningKind
    from hvdsweep.store.rows import WorkloadRow
    from tui.remedying import Proposal


class MetaparametersScreen(WorkloadScreen):
    """Workload and batch size above; the search of one batch size; best learning rates and warnings at the side."""

    PLACE = "metaparameters"
    NOTHING = ("No search yet", "Launch a sweep; its trials appear here as they end.")
    BINDINGS = [*bindings("metaparameters", "chart")]  # noqa: RUF012
    DEFAULT_CSS = """
    MetaparametersScreen #main { width: 1fr; }
    MetaparametersScreen #side { width: 1fr; border-left: solid $border; }
    MetaparametersScreen #warnings { height: auto; max-height: 40%; min-height: 3; border-top: solid $border; }
    MetaparametersScreen #detail { height: auto; max-height: 3; padding: 0 1; color: $foreground-muted; background: $surface; }
    MetaparametersScreen.-low #detail { display: none; }
    MetaparametersScreen.-low #workload { display: none; }
    MetaparametersScreen.-tiny.-low #batch_size { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch_size: int | None = None
        """The one looked at."""
        self.curve: Curve | None = None
        self.drawn: int | None = None
        """The workload whose curve that is: the current one as soon as its table is there."""

    def compose_body(self) -> ComposeResult:
        yield Chips("workload  ", id="workload")
        yield Chips("batch size", id="batch_size")
        with Panes():
            with Vertical(id="main", classes="pane main"):
                yield SearchView(self.questions, id="search")
            with Vertical(id="side", classes="pane side"):
                yield ChartView(id="rates", describe=self._describe_rate)
                yield WarningsTable(id="warnings")
                yield Static(id="detail")

    def on_mount(self) -> None:
        for name in ("workload", "batch_size"):
            self.query_one(f"#{name}").add_class("aside")
        self.set_focus(self.search)

    @property
    def chart(self) -> ChartView | None:
        if not self.is_mounted:
            return None
        rates = self.query_one("#rates", ChartView)
        return rates if rates.has_focus else self.search

    @property
    def search(self) -> SearchView:
        return self.query_one(SearchView)

    @property
    def warnings(self) -> WarningsTable:
        return self.query_one("#warnings", WarningsTable)

    @property
    def has_search(self) -> bool:
        return self.is_mounted and self.search.plot is not None

    @property
    def has_trial(self) -> bool:
        return self._trial() is not None

    def chosen(self, before: WorkloadRow | None, sweep: list[WorkloadRow]) -> None:
        if self.interface.selection.batch_size is not None:
            self.batch_size = self.interface.selection.batch_size

    # Drawing

    def redraw(self) -> None:
        row = self.row(self.current)
        self._put_workloads()
        if row is None or not self.cache.has(row.id):
            return
        goal = self.goal(row)
        table = self.cache.table(row.id)
        if goal is None or not len(table.batch_sizes):
            self.curve = None
            return self._draw_nothing("nothing was measured yet")
        if self.batch_size not in table.batch_sizes:
            self.batch_size = int(table.batch_sizes[len(table.batch_sizes) // 2])
        self.curve, self.drawn = self.cache.curve(row.id, goal, self.question(row), whole=True), row.id
        self._put_batch_sizes(self.curve)
        assert self.batch_size is not None
        if "learning_rate" in table.parameters:
            name, question = self.names[row.id], self.question(row)
            space = self.cache.space(row.id, self.batch_size)
            self.search.put_search(name, table, self.curve, self.batch_size, goal, question, space)
        else:
            self._draw_nothing("the trials have no learning rates")
        from hvdsweep.curves.search_chart import rate_chart

        rates = rate_chart(self.curve)
        self.query_one("#rates", ChartView).chart = dataclasses.replace(
            rates, title=f"{self.names[row.id]}: the best trials"
        )
        self.warnings.put_curve(self.curve)
        self._put_detail()

    def _draw_nothing(self, words: str) -> None:
        from hvdsweep.charts import Axis, Chart

        empty = Chart(x=Axis("log10"), y=Axis("log10"), empty=words)
        self.search.clear(empty)
        self.query_one("#rates", ChartView).chart = empty
        self.query_one("#batch_size", Chips).put((), "")
        self.warnings.clear()

    def _put_workloads(self) -> None:
        chips = self.query_one("#workload", Chips)
        chips.put([(str(row.id), self.names[row.id]) for row in self.listed()], str(self.current))

    def _put_batch_sizes(self, curve: Curve) -> None:
        choices = []
        for point in curve.points:
            doubtful = [warning for warning in point.warnings if str(warning.kind) in REMEDIES]
            words = Content.assemble(
                (count(point.batch_size), "" if point.reached else "$foreground-muted"),
                ("⚠", "$warning") if doubtful else "",
            )
            choices.append((str(point.batch_size), words))
        self.query_one("#batch_size", Chips).put(choices, str(self.batch_size))

    # Points

    def _describe_rate(self, reading: Reading) -> str:
        """The best trial of a batch size in words."""
        return "" if self.curve is None else best_words(self.curve.points[reading.index], reading.y)

    def _trial(self) -> int | None:
        """Row of the store of the trial that is read out, else of the best one."""
        if not self.has_search or self.curve is None:
            return None
        rates = self.query_one("#rates", ChartView)
        if rates.has_focus and rates.reading is not None:
            return self.curve.points[rates.reading.index].trial_id
        if (trial := self.search.trial) is not None:
            return trial
        point = next((one for one in self.curve.points if one.batch_size == self.batch_size), None)
        return None if point is None else point.trial_id

    @on(ChartView.Opened, "#rates")
    def _rate_opened(self, message: ChartView.Opened) -> None:
        if self.curve is not None and message.reading is not None:
            self._go(self.curve.points[message.reading.index].batch_size)

    @on(ChartView.Opened, "#search")
    def action_open(self) -> None:
        trial = self._trial()
        if trial is not None:
            self.interface.open_trial(trial)

    # Warnings, and what answers them

    @property
    def can_extend(self) -> bool:
        """Whether the key does something about the selected warning."""
        return self.is_mounted and self._can_launch and self.warnings.selected is not None

    @property
    def can_extend_all(self) -> bool:
        return self.is_mounted and self._can_launch and bool(self.warnings.answerable)

    @property
    def _can_launch(self) -> bool:
        row = self.row(self.current)
        sweep = None if row is None or self.snapshot is None else self.snapshot.sweep(row.sweep_id)
        return (
            sweep is not None and sweep.source == "launch" and not sweep.live and self.drawn == self.current
        )

    def _put_detail(self) -> None:
        sentence, detail = (
            self.warnings.sentence(can_launch=self._can_launch),
            self.query_one("#detail", Static),
        )
        detail.display = sentence is not None
        if sentence is not None:
            detail.update(sentence)

    @on(Table.Highlighted, "#warnings")
    def _warning_selected(self) -> None:
        if self.warnings.about is not None and self.warnings.has_focus:
            self.batch_size = self.warnings.about[0]
            self.redraw_soon()
        self._put_detail()

    @on(Table.Opened, "#warnings")
    def _warning_opened(self) -> None:
        if self.can_extend:
            self.action_extend()

    def action_extend(self) -> None:
        if self.warnings.selected is not None:
            self._propose([self.warnings.selected])

    def action_extend_all(self) -> None:
        self._propose(self.warnings.answerable)

    def _propose(self, only: list[tuple[int, WarningKind]]) -> None:
        row = self.row(self.current)
        if row is None or self.curve is None or not self._can_launch:
            return
        from tui.remedying import propose

        spaces = {
            size: space
            for size in self.curve.batch_sizes
            if (space := self.cache.space(row.id, size)) is not None
        }
        question = partial(propose, row.sweep_id, self.curve, spaces, tuple(only))
        self.questions.ask(self.answer_proposal, (row.id, tuple(only)), question)

    def answer_proposal(self, about: object, value: Proposal) -> None:
        from tui.screens.remedy import ask_remedy

        ask_remedy(self.interface, value)

    # Going about

    @on(Chips.Picked, "#workload")
    def _workload_picked(self, message: Chips.Picked) -> None:
        self.make_current(int(message.name))

    @on(Chips.Picked, "#batch_size")
    def _batch_size_picked(self, message: Chips.Picked) -> None:
        self._go(int(message.name))

    def action_batch_size(self, way: int) -> None:
        name = self.query_one("#batch_size", Chips).beside(way)
        if name is not None:
            self._go(int(name))

    def _go(self, batch_size: int) -> None:
        """To another batch size; the selected warning goes along."""
        self.batch_size = batch_size
        self.warnings.select(batch_size)
        self.redraw_soon()

    @property
    def way_back(self) -> Callable[[], object] | None:
        reading = (view for view in self.query(ChartView) if view.reading is not None)
        return super().way_back or next((view.unread for view in reading), None)
