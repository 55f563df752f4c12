"""Metaparameters: what became of every trial of the search, how the best learning rate grows, and what to extend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.actions import bindings
from tui.screens.extending import can_extend
from tui.screens.workload_screen import WorkloadScreen
from tui.search_words import size_choices
from tui.widgets.chart import ChartView
from tui.widgets.chips import Chips
from tui.widgets.panes import Panes
from tui.widgets.search_view import RateView, SearchView
from tui.widgets.table import Table
from tui.widgets.warnings_table import WarningsTable

if TYPE_CHECKING:
    from hvdsweep.store.rows import WorkloadRow


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
        self.workloads = Chips("workload  ", id="workload")
        self.batch_sizes = Chips("batch size", id="batch_size")
        self.search = SearchView(id="search")
        self.rates = RateView(id="rates")
        self.warnings = WarningsTable(id="warnings")
        self.batch_size: int | None = None
        self.drawn: int | None = None
        """The workload whose warnings are shown: the current one as soon as its table is there."""

    def compose_body(self) -> ComposeResult:
        yield self.workloads
        yield self.batch_sizes
        with Panes():
            with Vertical(id="main", classes="pane main"):
                yield self.search
            with Vertical(id="side", classes="pane side"):
                yield self.rates
                yield self.warnings
                yield Static(id="detail")

    def on_mount(self) -> None:
        for chips in (self.workloads, self.batch_sizes):
            chips.add_class("aside")
        self.set_focus(self.search)

    # What there is

    @property
    def chart(self) -> ChartView:
        return self.rates if self.rates.has_focus else self.search

    @property
    def has_search(self) -> bool:
        return self.search.plot is not None

    @property
    def trial(self) -> int | None:
        """Row of the store of the trial that is read out, else of the best one."""
        point = self.rates.point if self.rates.has_focus else None
        return self.search.trial if point is None else point.trial_id

    @property
    def can_extend(self) -> bool:
        """Whether the key does something about the selected warning."""
        return self.drawn == self.current and bool(self.warnings.selected)

    @property
    def can_extend_all(self) -> bool:
        return self.drawn == self.current and bool(self.warnings.answerable)

    def chosen(self, before: WorkloadRow | None, sweep: list[WorkloadRow]) -> None:
        if self.interface.selection.batch_size is not None:
            self.batch_size = self.interface.selection.batch_size

    # Drawing

    def redraw(self) -> None:
        row, snapshot = self.row(self.current), self.snapshot
        self.workloads.put([(str(one.id), self.names[one.id]) for one in self.listed()], str(self.current))
        if row is None or snapshot is None or not self.cache.has(row.id):
            return
        goal, table, name = self.goal(row), self.cache.table(row.id), self.names[row.id]
        if goal is None or not len(table.batch_sizes):
            self.batch_sizes.put((), "")
            self.search.clear("nothing was measured yet")
            self.rates.chart = self.search.chart
            return self.warnings.clear()
        if self.batch_size is None or self.batch_size not in table.batch_sizes:
            self.batch_size = int(table.batch_sizes[len(table.batch_sizes) // 2])
        size, question, spaces = self.batch_size, self.question(row), self.cache.spaces(row.id)
        curve = self.cache.curve(row.id, goal, question, whole=True)
        if "learning_rate" in table.parameters:
            self.batch_sizes.put(size_choices(curve), str(size))
            self.search.put_search(name, table, curve, size, goal, question, spaces.get(size))
        else:
            self.batch_sizes.put((), "")
            self.search.clear("the trials have no learning rates")
        self.rates.put_curve(name, curve)
        extendable = can_extend(self.interface, snapshot.sweep(row.sweep_id))
        self.warnings.put_curve(curve, spaces, row.sweep_id if extendable else None)
        self.drawn = row.id
        self._put_detail()

    @on(Table.Highlighted, "#warnings")
    def _warning_selected(self) -> None:
        if self.warnings.about is not None and self.warnings.has_focus:
            self.batch_size = self.warnings.about[0]
            self.redraw_soon()
        self._put_detail()

    def _put_detail(self) -> None:
        """The selected warning in full."""
        sentence, detail = self.warnings.sentence, self.query_one("#detail", Static)
        detail.display = sentence is not None
        detail.update(sentence or "")

    # Going about

    @on(Chips.Picked, "#workload")
    def _workload_picked(self, message: Chips.Picked) -> None:
        self.make_current(int(message.name))

    @on(Chips.Picked, "#batch_size")
    def _batch_size_picked(self, message: Chips.Picked) -> None:
        self._go(int(message.name))

    @on(ChartView.Opened, "#rates")
    def _rate_opened(self) -> None:
        if self.rates.point is not None:
            self._go(self.rates.point.batch_size)

    def _go(self, batch_size: int) -> None:
        """To another batch size; the selected warning goes along."""
        self.batch_size = batch_size
        self.warnings.select(batch_size)
        self.redraw_soon()

    @on(ChartView.Opened, "#search")
    def action_open(self) -> None:
        if self.trial is not None:
            self.interface.open_trial(self.trial)

    @property
    def way_back(self) -> Callable[[], object] | None:
        reading = (view for view in (self.search, self.rates) if view.reading is not None)
        return super().way_back or next((view.unread for view in reading), None)
