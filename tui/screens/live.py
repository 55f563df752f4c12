"""Live: the gangs and what each trains now, losses as they fall, trials, logs of ranks, and events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from hvdsweep.store.status import SweepStatus
from tui.actions import bindings
from tui.gang_rows import gang_columns
from tui.jobs import JOB_COLUMNS
from tui.screens.base import AppScreen
from tui.screens.extending import ask_cancel, ask_launch, can_extend
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.trial_rows import short_names
from tui.widgets.columns import row_of
from tui.widgets.loss_chart import LossChart
from tui.widgets.sweep_panes import SweepPanes
from tui.widgets.table import Table
from tui.widgets.tabline import TabLine
from tui.widgets.trials_table import TrialsPrompt

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState, ShardState


class LiveScreen(AppScreen):
    """Gangs and chart above; trials, logs or events below."""

    PLACE = "live"
    BINDINGS = [*bindings("live", "chart")]  # noqa: RUF012
    DEFAULT_CSS = """
    LiveScreen #top { height: 40%; min-height: 6; }
    LiveScreen #work { width: 48%; border-right: solid $border; }
    LiveScreen #jobs { display: none; height: 1fr; }
    LiveScreen.-jobs #jobs { display: block; }
    LiveScreen #gangs { height: 1fr; }
    LiveScreen #curves { width: 1fr; }
    LiveScreen.-narrow #top, LiveScreen.-tiny #top { layout: vertical; height: 50%; }
    LiveScreen.-narrow #work, LiveScreen.-tiny #work { width: 100%; height: auto; border-right: none; }
    LiveScreen.-narrow #work Table, LiveScreen.-tiny #work Table { height: auto; max-height: 4; }
    LiveScreen.-low #curves { display: none; }
    LiveScreen.-low #top { height: auto; max-height: 4; min-height: 2; }
    LiveScreen.-jobs.-low #gangs { display: none; }
    LiveScreen.-tiny.-low #top { display: none; }
    LiveScreen.-full TabLine { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.panes = SweepPanes(id="panes", classes="pane main")
        self._selection: Selection | None = None
        self._moved = False
        """Whether the user has chosen a trial; until then only those in training are drawn."""

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="top", classes="pane"):
            with Vertical(id="work", classes="pane"):
                yield Table(JOB_COLUMNS, id="jobs")
                yield Table(gang_columns(0.0, {}), empty="no gang is at work", id="gangs")
            yield LossChart(id="curves")
        yield self.panes

    def on_mount(self) -> None:
        self.query("#jobs, #gangs, #curves").add_class("pane")
        self.set_focus(self.panes.trials)

    # What it is about

    @property
    def sweep(self) -> SweepStatus | None:
        """The selected sweep, else the newest that is trained, else the newest."""
        if self.snapshot is None:
            return None
        chosen = self.snapshot.sweep(self.interface.selection.sweep)
        if chosen is not None:
            return chosen
        sweeps = [sweep for sweep in self.snapshot.sweeps if sweep.live] or self.snapshot.sweeps
        return sweeps[-1] if sweeps else None

    @property
    def chart(self) -> LossChart | None:
        return self.query_one("#curves", LossChart) if self.is_mounted else None

    @property
    def trial(self) -> int | None:
        """The trial that is meant: that of the gang with the keyboard, else the selected one."""
        gangs, trials = self.query_one("#gangs", Table), self.panes.trials
        if gangs.has_focus:
            return None if gangs.about is None else gangs.about.trial_id
        return int(trials.key) if trials.key is not None and self.panes.front == "trials" else None

    @property
    def job(self) -> ShardState | None:
        """The shard under the cursor, while the table of jobs has the keyboard."""
        table = self.query_one("#jobs", Table)
        return table.about if table.has_focus else None

    @property
    def has_logs(self) -> bool:
        return self.is_mounted and self.panes.front == "logs" and len(self.panes.logs.files) > 1

    @property
    def can_extend(self) -> bool:
        return can_extend(self.interface, self.sweep)

    @property
    def can_cancel_job(self) -> bool:
        shard = self.job if self.is_mounted else None
        return shard is not None and shard.job in self.interface.jobs.active

    @property
    def way_back(self) -> Callable[[], object] | None:
        if self.panes.prompt.purpose:
            return self.panes.prompt.leave
        clear = partial(self.panes.prompt.filter, "") if self.panes.trials.filter_text else None
        return super().way_back or clear

    # What the store says

    def show(self, snapshot: Snapshot) -> None:
        sweep, pending = self.sweep, self.interface.pending_words
        gangs, chart = self.query_one("#gangs", Table), self.query_one("#curves", LossChart)
        gangs.empty = pending or "no gang is at work"
        if sweep is None:
            self.panes.show(snapshot, None, {})
            gangs.put(())
            chart.chart = None
            self.query_one(TabLine).note = pending or "no sweep yet"
            return
        names = short_names([workload.name for workload in snapshot.workloads_of(sweep.id)])
        at_work = snapshot.gangs_of(sweep.id)
        chart.follow(sweep.id, at_work, snapshot.time, pending)
        columns = gang_columns(snapshot.time, names)
        gangs.put([row_of(columns, gang.id, gang) for gang in at_work])
        self.panes.show(snapshot, sweep, names)
        selection = self.interface.selection
        if selection != self._selection:
            self._select(selection)
        self._ask_losses()

    def show_jobs(self, jobs: BatchState | None) -> None:
        self.set_class(jobs is not None, "-jobs")
        if jobs is not None:
            rows = [row_of(JOB_COLUMNS, shard.shard, shard) for shard in jobs.shards]
            self.query_one("#jobs", Table).put(rows)
        super().show_jobs(jobs)

    def _select(self, selection: Selection) -> None:
        """Something else was selected on another screen."""
        before, self._selection = self._selection, selection
        terms = []
        if selection.workload is not None:
            terms.append(f"workload={selection.workload}")
        if selection.batch_size is not None:
            terms.append(f"batch_size={selection.batch_size}")
        if terms or (before is not None and before.sweep != selection.sweep):
            self.panes.prompt.filter(" ".join(terms))
        if selection.trial is not None:
            self.call_after_refresh(self.interface.open_trial, selection.trial)

    def _ask_losses(self) -> None:
        key = self.panes.trials.key
        if self.sweep is not None and self.chart is not None:
            self.chart.ask_losses(None if key is None else int(key), always=self._moved)

    # What the user does

    @on(Table.Highlighted, "#trials")
    def _trial_selected(self, message: Table.Highlighted) -> None:
        self._moved = self._moved or message.by_user
        self._ask_losses()

    @on(Table.Highlighted, "#gangs")
    def _gang_selected(self, message: Table.Highlighted) -> None:
        self.panes.follow_gang(None if message.key is None else int(message.key))

    @on(Table.Opened, "#trials, #gangs")
    def action_open(self) -> None:
        if self.trial is not None:
            self.interface.open_trial(self.trial)

    @on(TrialsPrompt.Jumped)
    def _jumped(self, message: TrialsPrompt.Jumped) -> None:
        self.interface.open_trial(message.trial)

    def action_extend(self) -> None:
        if self.sweep is not None:
            ask_launch(self.interface, self.sweep, extend=True, trial=self.trial)

    def action_cancel_job(self) -> None:
        if (shard := self.job) is not None:
            where = f" on {shard.node}" if shard.node else ""
            text = f"Job {shard.job}, which trains shard {shard.shard}{where}."
            ask_cancel(self.interface, [shard.job], text)
