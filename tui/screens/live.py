"""Live: the gangs and what each trains now, losses as they fall, trials, logs of ranks, and events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher

from hvdsweep.store.status import SweepStatus
from tui.actions import bindings
from tui.gang_rows import EVENT_COLUMNS, GANG_COLUMNS, event_row, gang_row
from tui.jobs import JOB_COLUMNS, job_row
from tui.screens.base import AppScreen
from tui.screens.extending import ask_cancel, ask_launch, can_extend
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.trial_rows import short_names
from tui.widgets.log_tail import LogTail
from tui.widgets.loss_chart import LossChart
from tui.widgets.table import Table
from tui.widgets.tabline import TabLine
from tui.widgets.trials_prompt import TrialsPrompt
from tui.widgets.trials_table import TrialsTable
from tui.words import CONDITIONS, count, duration, plural, sign

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState, ShardState

PANES = ("trials", "logs", "events")


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
    LiveScreen #panes { height: 1fr; }
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
        self._selection: Selection | None = None
        self._moved = False
        """Whether the user has chosen a trial; until then only those in training are drawn."""

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="top", classes="pane"):
            with Vertical(id="work", classes="pane"):
                yield Table(JOB_COLUMNS, id="jobs")
                yield Table(GANG_COLUMNS, empty="no gang is at work", id="gangs")
            yield LossChart(self.questions, id="curves")
        yield TabLine([(name, name.capitalize()) for name in PANES], id="tabs")
        trials = TrialsTable(self.questions, id="trials")
        yield TrialsPrompt(trials, id="prompt")
        with ContentSwitcher(id="panes", initial="trials", classes="pane main"):
            yield trials
            yield LogTail(self.questions, id="logs")
            yield Table(EVENT_COLUMNS, empty="nothing happened yet", id="events")

    def on_mount(self) -> None:
        self.query("#jobs, #gangs, #curves").add_class("pane")
        sort = self.interface.memory.layout.get("live.sort", "id")
        self.trials.sorted_by = (sort.removeprefix("-"), sort.startswith("-"))
        self.front("trials")
        self.set_focus(self.trials)

    @property
    def trials(self) -> TrialsTable:
        return self.query_one("#trials", TrialsTable)

    @property
    def logs(self) -> LogTail:
        return self.query_one("#logs", LogTail)

    @property
    def prompt(self) -> TrialsPrompt:
        return self.query_one(TrialsPrompt)

    @property
    def pane(self) -> str:
        """The pane in front."""
        return self.query_one("#panes", ContentSwitcher).current or "trials"

    # What is asked about

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
    def can_extend(self) -> bool:
        return can_extend(self.interface, self.sweep)

    def action_extend(self) -> None:
        if self.sweep is not None:
            ask_launch(self.interface, self.sweep, extend=True, trial=self._chosen)

    @property
    def has_trial(self) -> bool:
        return self.is_mounted and self._chosen is not None

    @property
    def _chosen(self) -> int | None:
        """The trial that is meant: that of the gang with the keyboard, else the selected one."""
        gangs = self.query_one("#gangs", Table)
        if gangs.has_focus and self.snapshot is not None:
            return next((gang.trial_id for gang in self.snapshot.gangs if str(gang.id) == gangs.key), None)
        key = self.trials.key
        return int(key) if key is not None and self.pane == "trials" else None

    def show_jobs(self, jobs: BatchState | None) -> None:
        """See `AppScreen.show_jobs`."""
        self.set_class(jobs is not None, "-jobs")
        if jobs is not None:
            self.query_one("#jobs", Table).put([job_row(shard) for shard in jobs.shards])
        super().show_jobs(jobs)

    @property
    def _job(self) -> ShardState | None:
        """The shard under the cursor, while the table of jobs has the keyboard."""
        jobs, table = self.interface.jobs.state, self.query_one("#jobs", Table)
        if jobs is None or not table.has_focus:
            return None
        return next((shard for shard in jobs.shards if str(shard.shard) == table.key), None)

    @property
    def can_cancel_job(self) -> bool:
        shard = self._job if self.is_mounted else None
        return shard is not None and shard.job in self.interface.jobs.active

    def action_cancel_job(self) -> None:
        if (shard := self._job) is not None:
            where = f" on {shard.node}" if shard.node else ""
            text = f"Job {shard.job}, which trains shard {shard.shard}{where}."
            ask_cancel(self.interface, [shard.job], text)

    @property
    def has_logs(self) -> bool:
        return self.is_mounted and self.pane == "logs" and len(self.logs.files) > 1

    def show(self, snapshot: Snapshot) -> None:
        sweep = self.sweep
        tabs = self.query_one("#tabs", TabLine)
        pending = self.interface.pending_words
        self.query_one("#gangs", Table).empty = pending or "no gang is at work"
        chart = self.query_one("#curves", LossChart)
        if sweep is None:
            self.trials.follow(None, snapshot.number, {})
            self.query_one("#gangs", Table).clear()
            chart.chart = None
            tabs.note = pending or "no sweep yet"
            return
        gangs = snapshot.gangs_of(sweep.id)
        names = short_names([workload.name for workload in snapshot.workloads_of(sweep.id)])
        chart.follow(sweep.id, gangs, snapshot.time, pending)
        self.query_one("#gangs", Table).put([gang_row(gang, snapshot.time, names) for gang in gangs])
        self.query_one("#events", Table).put(
            [event_row(event) for event in reversed(snapshot.events) if event.sweep_id in (None, sweep.id)]
        )
        self.trials.follow(sweep.id, snapshot.number, names)
        selection = self.interface.selection
        if selection != self._selection:
            self._select(selection)
        self.note()
        self._ask_losses()

    def _select(self, selection: Selection) -> None:
        """Something else was selected on another screen."""
        before, self._selection = self._selection, selection
        terms = []
        if selection.workload is not None:
            terms.append(f"workload={selection.workload}")
        if selection.batch_size is not None:
            terms.append(f"batch_size={selection.batch_size}")
        if terms or (before is not None and before.sweep != selection.sweep):
            self.prompt.filter(" ".join(terms))
        if selection.trial is not None:
            self.call_after_refresh(self.interface.open_trial, selection.trial)

    @on(TrialsTable.Paged)
    @on(LogTail.Chosen)
    def note(self) -> None:
        """What the tab line says at its right end."""
        sweep = self.sweep
        tabs = self.query_one("#tabs", TabLine)
        if sweep is None:
            return
        words: list[Content | str] = []
        if self.pane == "logs" and self.logs.file is not None:
            words.append(f"gang {self.logs.gang}: {self.logs.file.name}")
            words.append(" · o for another" if self.has_logs else "")
        elif self.trials.filter_text and self.pane == "trials":
            words.append(Content.styled(f"/{self.trials.filter_text}", "$accent"))
            words.append(f" {plural(self.trials.total, 'trial')}")
        else:
            words.append(
                Content.assemble((f"{sweep.name} ", "$foreground"), sign(CONDITIONS, sweep.condition))
            )
            words.append(f" {count(sweep.done)} of {count(sweep.total)} trials complete")
            if sweep.live and sweep.eta_seconds:
                words.append(f" · {duration(sweep.eta_seconds)} left")
        tabs.note = Content.assemble(
            *((word, "$foreground-muted") if isinstance(word, str) else word for word in words)
        )

    # Panes

    def front(self, name: str) -> None:
        """Bring a pane to the front."""
        self.query_one("#panes", ContentSwitcher).current = name
        self.query_one("#tabs", TabLine).active = name
        if name == "logs":
            self._choose_log()
        self.note()
        self.keys.refresh()

    @on(TabLine.Picked)
    def _tab_picked(self, message: TabLine.Picked) -> None:
        self.front(message.name)
        self.query_one(f"#{message.name}").focus()

    def action_pane(self, way: int) -> None:
        name = PANES[(PANES.index(self.pane) + way) % len(PANES)]
        self.front(name)
        self.query_one(f"#{name}").focus()

    @property
    def way_back(self) -> Callable[[], object] | None:
        if self.is_mounted and self.prompt.purpose:
            return self.prompt.leave
        filtered = self.is_mounted and self.trials.filter_text
        return super().way_back or (partial(self.prompt.filter, "") if filtered else None)

    # What the user opens

    @on(Table.Highlighted, "#trials")
    def _trial_selected(self, message: Table.Highlighted) -> None:
        self._moved = self._moved or message.by_user
        self.keys.refresh()
        self._ask_losses()

    @on(Table.Opened, "#trials")
    def _trial_opened(self, message: Table.Opened) -> None:
        self.interface.open_trial(int(message.key))

    @on(Table.Opened, "#gangs")
    def action_open(self) -> None:
        if self._chosen is not None:
            self.interface.open_trial(self._chosen)

    # The line to type into

    def action_filter(self) -> None:
        self.front("trials")
        self.prompt.open_filter()
        self.keys.refresh()

    def action_jump(self) -> None:
        self.prompt.open_jump()
        self.keys.refresh()

    @on(TrialsPrompt.Jumped)
    def _jumped(self, message: TrialsPrompt.Jumped) -> None:
        self.interface.open_trial(message.trial)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        # A filter that was left by a click elsewhere stays as far as it was understood.
        if self.prompt.purpose and event.widget in self.prompt.query("Input"):
            self.prompt.close()

    # Trials, losses and logs

    def action_sort(self) -> None:
        self.trials.sort_next()

    def action_reverse(self) -> None:
        self.trials.reverse()

    @on(TrialsTable.Sorted)
    def _sorted(self) -> None:
        by, descending = self.trials.sorted_by
        self.interface.remember(layout=("live.sort", f"{'-' if descending else ''}{by}"))

    def action_copy(self) -> None:
        copied = self.trials.copied()
        if copied is not None:
            number, text = copied
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied trial {number}", markup=False)

    def _ask_losses(self) -> None:
        key = self.trials.key
        if self.sweep is not None:
            chart = self.query_one("#curves", LossChart)
            chart.ask_losses(None if key is None else int(key), always=self._moved)

    def action_log_file(self) -> None:
        self.logs.next_file()
        self.keys.refresh()

    @on(Table.Highlighted, "#gangs")
    def _choose_log(self) -> None:
        """The logs of the selected gang."""
        if self.pane == "logs" and self.sweep is not None:
            key = self.query_one("#gangs", Table).key
            self.logs.choose(self.sweep.id, None if key is None else int(key))
