"""Sweeps: every sweep of the database, how far it is, and the keys that start, stop, extend and delete it."""

from __future__ import annotations

from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from hvdsweep.store.status import StudyStatus, SweepStatus
from tui.actions import bindings
from tui.screens.base import AppScreen, Words
from tui.screens.extending import ask_cancel, ask_launch, can_extend
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.sweep_rows import study_columns, sweep_columns, sweep_facts
from tui.trial_rows import short_names
from tui.widgets.columns import row_of
from tui.widgets.table import Table
from tui.words import clock, count, plural

BAR = 12
"""Cells of a bar, if there is room."""

EVENTS = 5
"""How many of a sweep's last events are shown if there is room."""


class SweepsScreen(AppScreen):
    """Sweeps above, the studies of the selected one below, and what happened to it last."""

    PLACE = "sweeps"
    BINDINGS = [*bindings("sweeps")]  # noqa: RUF012
    DEFAULT_CSS = """
    SweepsScreen #sweeps { height: auto; max-height: 45%; min-height: 2; }
    SweepsScreen #detail { height: 1fr; margin-top: 1; }
    SweepsScreen.-low #detail { margin-top: 0; }
    SweepsScreen #facts { height: auto; max-height: 3; padding: 0 1; background: $surface; color: $foreground; }
    SweepsScreen #events { height: auto; padding: 0 1; border-top: solid $border; border-title-color: $primary; display: none; }
    SweepsScreen.-tall #events { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.sweeps = Table(sweep_columns(BAR), id="sweeps")
        self.studies = Table(study_columns(BAR, {}), empty="no studies", id="studies")

    def compose_body(self) -> ComposeResult:
        yield self.sweeps
        with Vertical(id="detail"):
            yield Static(id="facts")
            yield self.studies
            yield Static(id="events")

    @property
    def _bar(self) -> int:
        return 4 if self.has_class("-tiny") else BAR

    def on_resize(self) -> None:
        # Columns for another size.
        self.call_after_refresh(self.receive, again=True)

    def on_mount(self) -> None:
        self.set_focus(self.sweeps)
        self.query_one("#events", Static).border_title = "What happened"

    @property
    def sweep(self) -> SweepStatus | None:
        """The selected one."""
        key = self.sweeps.key
        return None if key is None or self.snapshot is None else self.snapshot.sweep(int(key))

    @property
    def study(self) -> StudyStatus | None:
        """The study under the cursor, while its table has the keyboard."""
        return self.studies.about if self.studies.has_focus else None

    @property
    def can_run(self) -> bool:
        """Whether launching it would train anything."""
        sweep = self.sweep
        whole = sweep is not None and sweep.condition == "DONE" and not sweep.trials["INCOMPLETE"]
        return self.can_extend and not whole

    @property
    def can_stop(self) -> bool:
        sweep = self.sweep
        if self.interface.jobs.watched:
            return bool(self.interface.jobs.active)
        return sweep is not None and sweep.live and sweep.request != "stop"

    @property
    def can_extend(self) -> bool:
        return can_extend(self.interface, self.sweep)

    @property
    def can_delete(self) -> bool:
        sweep = self.sweep
        return sweep is not None and not sweep.live and sweep.id not in self.interface.begun

    @property
    def absence(self) -> Words | None:
        if self.snapshot is None or self.snapshot.sweeps:
            return super().absence
        if self.interface.pending_words:
            return "A sweep starts", self.interface.pending_words, ""
        return (
            "No sweep yet",
            f"{self.snapshot.database} holds no sweep.",
            "Press n to compose one, or D to train the demo (up to three minutes); it appears here by itself.",
        )

    def show(self, snapshot: Snapshot) -> None:
        if not snapshot.sweeps:
            return
        table = self.sweeps
        columns = sweep_columns(self._bar)
        table.put_columns(columns)
        # The newest first; of those in training the newest is what the user came for.
        table.put([row_of(columns, sweep.id, sweep) for sweep in reversed(snapshot.sweeps)])
        wanted = self.interface.selection.sweep
        if wanted is None:
            wanted = next((sweep.id for sweep in reversed(snapshot.sweeps) if sweep.live), None)
        if wanted is not None and table.key != str(wanted):
            with self.prevent(Table.Highlighted):
                table.move_to(str(wanted))
        self._show_sweep()

    @on(Table.Highlighted, "#sweeps")
    def _selected(self, message: Table.Highlighted) -> None:
        # Until the user has chosen, every screen shows what it has most data about.
        if message.by_user and message.key is not None and self.interface.selection.sweep != int(message.key):
            self.interface.select(Selection(sweep=int(message.key)))
        self._show_sweep()

    @on(Table.Opened, "#sweeps, #studies")
    def action_open(self) -> None:
        sweep = self.sweep
        if sweep is None:
            return
        selection, study = Selection(sweep=sweep.id), self.study
        if study is not None:
            selection = Selection(sweep.id, study.workload, study.batch_size)
        self.interface.go("live", selection)

    def action_new(self) -> None:
        self.interface.go("compose", Selection())

    def action_run(self) -> None:
        if self.sweep is not None:
            ask_launch(self.interface, self.sweep, extend=False)

    def action_extend(self) -> None:
        study = self.study
        if self.sweep is not None:
            size = None if study is None else study.batch_size
            ask_launch(self.interface, self.sweep, extend=True, batch_size=size)

    def action_stop(self) -> None:
        sweep = self.sweep
        if sweep is None:
            return
        if self.interface.jobs.watched:
            jobs = self.interface.jobs.active
            what = (
                f"The only job of {sweep.name}."
                if len(jobs) == 1
                else f"All {len(jobs):,} jobs of {sweep.name}."
            )
            return ask_cancel(self.interface, jobs, what)
        path, sweep_id, name = self.interface.source.path, sweep.id, sweep.name

        def job() -> str:
            from tui.launching import stop

            stop(path, sweep_id)
            return f"{name} is asked to stop; its running trials go back to the queue."

        self.interface.do(job)

    def action_delete(self) -> None:
        sweep = self.sweep
        if sweep is None:
            return
        from tui.screens.dialogs import Confirm
        from tui.widgets.window import open_window

        text = (
            f"Sweep {sweep.id} ({sweep.name}) and all it recorded: {plural(sweep.total, 'trial')}, "
            f"{count(sweep.done)} of them complete, with their losses and measurements. This cannot be undone."
        )
        open_window(self.app, Confirm("Delete?", text, "Delete"), partial(self._delete, sweep.id, sweep.name))

    def _delete(self, sweep_id: int, name: str, sure: bool | None) -> None:
        if not sure:
            return
        path = self.interface.source.path

        def job() -> str:
            from tui.launching import delete

            return f"{name} is deleted, with {plural(delete(path, sweep_id), 'trial')}."

        self.interface.do(job)

    def action_copy(self) -> None:
        sweep = self.sweep
        if sweep is not None:
            database = str(self.interface.source.path)
            self.interface.copy_command(["hvdsweep", "launch", "--sweep", str(sweep.id), "--db", database])

    def _show_sweep(self) -> None:
        sweep, snapshot = self.sweep, self.snapshot
        if sweep is None or snapshot is None:
            return
        self.query_one("#facts", Static).update(sweep_facts(sweep, snapshot))
        workloads = list(dict.fromkeys(study.workload for study in sweep.studies))
        names = {} if self.has_class("-very-wide") else short_names(workloads)
        longest = max((len(names.get(workload, workload)) for workload in workloads), default=0)
        columns = study_columns(self._bar, names, longest, auto=bool(sweep.slots))
        self.studies.put_columns(columns)
        self.studies.put([row_of(columns, study.id, study) for study in sweep.studies])
        events = [event for event in snapshot.events if event.sweep_id == sweep.id][-EVENTS:]
        lines = [
            Content.assemble((f"{clock(event.time)}  ", "$foreground-muted"), event.message.split("\n")[0])
            for event in reversed(events)
        ]
        self.query_one("#events", Static).update(Content("\n").join(lines) if lines else "nothing yet")
