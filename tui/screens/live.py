"""Live: the gangs and what each trains now, losses as they fall, trials, logs of ranks, and events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content

from hvdsweep.store.stages import start_words
from hvdsweep.store.status import SweepStatus
from tui.actions import bindings
from tui.gang_rows import EVENT_COLUMNS, GANG_COLUMNS, event_row, gang_row
from tui.jobs import JOB_COLUMNS, job_row
from tui.screens.extending import ask_launch, can_extend
from tui.screens.trials_pane import TrialsPane
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.trial_rows import columns_of, short_names
from tui.widgets.chart import ChartView
from tui.widgets.logview import LogView
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table
from tui.widgets.tabline import TabLine
from tui.words import CONDITIONS, count, duration, plural, sign

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState, ShardState
    from tui.losses import Curve, Wanted

PANES = ("trials", "logs", "events")

CURVES = 6
"""Trials whose losses are drawn together, at most."""


class LiveScreen(TrialsPane):
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
    LiveScreen #panes > * { display: none; }
    LiveScreen #panes > .-front { display: block; }
    LiveScreen.-narrow #top, LiveScreen.-tiny #top { layout: vertical; height: 50%; }
    LiveScreen.-narrow #work, LiveScreen.-tiny #work { width: 100%; height: auto; border-right: none; }
    LiveScreen.-narrow #work Table, LiveScreen.-tiny #work Table { height: auto; max-height: 4; }
    LiveScreen.-low #curves { display: none; }
    LiveScreen.-low #top { height: auto; max-height: 4; min-height: 2; }
    LiveScreen.-jobs.-low #gangs { display: none; }
    LiveScreen.-tiny.-low #top { display: none; }
    LiveScreen.-full #top, LiveScreen.-full TabLine, LiveScreen.-full #panes { display: none; }
    LiveScreen.-full #top.-filled { display: block; height: 1fr; max-height: 100%; }
    LiveScreen.-full #top.-filled > *, LiveScreen.-full #work.-filled > * { display: none; }
    LiveScreen.-full #top.-filled .-filled { display: block; width: 100%; height: 1fr; max-height: 100%; border: none; }
    LiveScreen.-full #panes.-filled { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._pane = "trials"
        self._selection: Selection | None = None
        self._moved = False
        """Whether the reader has chosen a trial; until then only those in training are drawn."""
        self._curves: Any = None
        self._drawn: int | None = None
        """The sweep whose losses were drawn last."""
        self._wanted: tuple[Wanted, ...] = ()

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="top"):
            with Vertical(id="work"):
                yield Table(JOB_COLUMNS, id="jobs")
                yield Table(GANG_COLUMNS, empty="no gang is at work", id="gangs")
            yield ChartView(id="curves")
        yield TabLine([(name, name.capitalize()) for name in PANES], id="tabs")
        yield Prompt(id="prompt")
        with Container(id="panes"):
            yield Table(columns_of(()), empty="no trials", id="trials")
            yield LogView(empty="no log", id="logs")
            yield Table(EVENT_COLUMNS, empty="nothing happened yet", id="events")

    def on_mount(self) -> None:
        from tui.losses import LossCurves

        self._curves = LossCurves()
        self.front("trials")
        self.set_focus(self.query_one("#trials", Table))

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
    def chart(self) -> ChartView | None:
        return self.query_one("#curves", ChartView) if self.is_mounted else None

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
        key = self.query_one("#trials", Table).key
        return int(key) if key is not None and self._pane == "trials" else None

    def show_jobs(self, jobs: BatchState | None) -> None:
        """See `Place.show_jobs`."""
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
            self.interface.jobs.cancel([shard.job], text)

    @property
    def logs_in_view(self) -> bool:
        return self._pane == "logs"

    def show(self, snapshot: Snapshot) -> None:
        sweep = self.sweep
        tabs = self.query_one("#tabs", TabLine)
        pending = self.interface.pending_words
        self.query_one("#gangs", Table).empty = pending or "no gang is at work"
        if sweep is None:
            self.query_one("#trials", Table).clear()
            self.query_one("#gangs", Table).clear()
            self.query_one("#curves", ChartView).chart = None
            tabs.note = pending or "no sweep yet"
            return
        selection = self.interface.selection
        if selection != self._selection:
            self._select(selection)
        self.names = short_names([workload.name for workload in snapshot.workloads_of(sweep.id)])
        self.query_one("#gangs", Table).put(
            [gang_row(gang, snapshot.time, self.names) for gang in snapshot.gangs_of(sweep.id)]
        )
        self.query_one("#events", Table).put(
            [event_row(event) for event in reversed(snapshot.events) if event.sweep_id in (None, sweep.id)]
        )
        self.note()
        self.ask_page(again=True)
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
            self.set_filter(" ".join(terms))
        if selection.trial is not None:
            self.call_after_refresh(self.open_trial, selection.trial)

    def note(self) -> None:
        """What the tab line says at its right end."""
        sweep = self.sweep
        tabs = self.query_one("#tabs", TabLine)
        if sweep is None:
            return
        words: list[Content | str] = []
        if self._pane == "logs" and self.log_file is not None:
            words.append(f"gang {self.log_gang}: {self.log_file.name}")
            words.append(" · o for another" if self.has_logs else "")
        elif self.filter_text and self._pane == "trials":
            total = self.query_one("#trials", Table).total
            words.append(Content.styled(f"/{self.filter_text}", "$accent"))
            words.append(f" {plural(total, 'trial')}")
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
        self._pane = name
        for pane in PANES:
            self.query_one(f"#{pane}").set_class(pane == name, "-front")
        self.query_one("#tabs", TabLine).active = name
        if name == "logs":
            self._choose_log()
        self.note()
        self.refresh_keys()

    @on(TabLine.Picked)
    def _tab_picked(self, message: TabLine.Picked) -> None:
        self.front(message.name)
        self.query_one(f"#{message.name}").focus()

    def action_pane(self, way: int) -> None:
        name = PANES[(PANES.index(self._pane) + way) % len(PANES)]
        self.front(name)
        self.query_one(f"#{name}").focus()

    @property
    def can_fill(self) -> bool:
        return True

    def fill(self) -> None:
        if self.has_class("-full"):
            self.remove_class("-full")
            return
        upper = ("jobs", "gangs", "curves")
        filled = self.focused.id if self.focused is not None and self.focused.id in upper else None
        around = ("panes",) if filled is None else ("top", filled, *(("work",) if filled != "curves" else ()))
        for name in ("top", "panes", "work", *upper):
            inside = name in around
            self.query_one(f"#{name}").set_class(inside, "-filled")
        self.add_class("-full")
        self.refresh_keys()

    @property
    def can_go_back(self) -> bool:
        return bool(self.is_mounted and (self.prompt.purpose or self.has_class("-full") or self.filter_text))

    def go_back(self) -> bool:
        if self.prompt.purpose:
            self.prompt.close()
            self.query_one("#trials", Table).focus()
        elif super().go_back():
            return True
        elif self.has_class("-full"):
            self.remove_class("-full")
        elif self.filter_text:
            self.set_filter("")
        else:
            return False
        self.refresh_keys()
        return True

    # What the reader opens

    @on(Table.Highlighted, "#trials")
    def _trial_selected(self, message: Table.Highlighted) -> None:
        self._moved = self._moved or message.by_reader
        self.refresh_keys()
        self._ask_losses()

    @on(Table.Opened, "#gangs")
    def _gang_opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if self._chosen is not None:
            self.open_trial(self._chosen)

    # Losses

    def _ask_losses(self) -> None:
        """The losses of the trials in training, and of the selected one."""
        from tui.losses import Wanted, read_losses

        snapshot, sweep = self.snapshot, self.sweep
        if snapshot is None or sweep is None or self._curves is None:
            return
        wanted = [
            Wanted(gang.trial_id, f"trial {gang.trial_id}", gang.steps)
            for gang in snapshot.gangs_of(sweep.id)
            if gang.trial_id is not None and gang.workload is not None
        ][:CURVES]
        key = self.query_one("#trials", Table).key
        chosen = key is not None and (self._moved or not wanted)
        if key is not None and chosen and int(key) not in {trial.trial for trial in wanted}:
            wanted.append(Wanted(int(key), f"trial {key}", None))
        self._wanted = tuple(wanted)
        known = self._curves.known_to(wanted)
        self.ask(self.answer_losses, tuple(known), partial(read_losses, known))

    def answer_losses(self, about: object, value: dict[int, Curve]) -> None:
        self._curves.take(value)
        running = sum(trial.steps is not None for trial in self._wanted)
        title = "Loss of trials in training" if running else "Loss of the selected trial"
        gangs = () if self.snapshot is None or self.sweep is None else self.snapshot.gangs_of(self.sweep.id)
        now = 0.0 if self.snapshot is None else self.snapshot.time
        starts = [words for gang in gangs if (words := start_words(gang, now)) is not None]
        empty = starts[0] if starts else self.interface.pending_words if not gangs else "no losses yet"
        empty = empty or "no losses yet"
        chart, view = self._curves.chart(self._wanted, title, empty), self.query_one("#curves", ChartView)
        sweep = None if self.sweep is None else self.sweep.id
        if chart.series:
            self._drawn = sweep
        elif running and sweep == self._drawn and view.chart is not None:
            # Short trials would else be seen for a moment only, between empty pictures.
            chart = replace(view.chart, title="Loss of the trials before")
        view.chart = chart

    # Logs

    @on(Table.Highlighted, "#gangs")
    def _choose_log(self) -> None:
        """The logs of the selected gang."""
        if self._pane == "logs" and self.sweep is not None:
            key = self.query_one("#gangs", Table).key
            self.choose_log(self.sweep.id, None if key is None else int(key))

    def log_chosen(self) -> None:
        self.note()
