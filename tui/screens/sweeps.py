"""Sweeps: every sweep of the database, how far it is, and the keys that start, stop, extend and delete it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from tui.actions import bindings
from tui.screens.base import Place
from tui.selection import Selection
from tui.snapshot import Snapshot, StudyView, SweepView
from tui.widgets.notice import Notice
from tui.widgets.table import Column, Row, Table
from tui.words import CONDITIONS, bar, count, duration, sign

SWEEPS = (
    Column("id", "#", 4, right=True, fixed=True),
    Column("name", "sweep", 16, grow=True, fixed=True),
    Column("state", "state", 10, fixed=True),
    Column("progress", "progress", 17, fixed=True),
    Column("trials", "trials", 15, right=True, fixed=True),
    Column("eta", "left", 12, right=True),
    Column("gangs", "gangs × ranks", 13, right=True),
    Column("workloads", "workloads", 9, right=True),
    Column("studies", "studies", 7, right=True),
)

STUDIES = (
    Column("workload", "workload", 24, grow=True, fixed=True),
    Column("batch_size", "batch size", 10, right=True, fixed=True),
    Column("progress", "progress", 17, fixed=True),
    Column("done", "complete", 11, right=True),
    Column("infeasible", "diverged", 8, right=True),
    Column("running", "running", 7, right=True),
    Column("steps", "steps each", 10, right=True),
    Column("seconds", "time each", 12, right=True),
    Column("left", "work left", 12, right=True),
    Column("incomplete", "failed", 6, right=True),
)


class SweepsScreen(Place):
    """Sweeps above, the studies of the selected one below."""

    PLACE = "sweeps"
    BINDINGS = [*bindings("sweeps")]  # noqa: RUF012
    DEFAULT_CSS = """
    SweepsScreen #sweeps { height: auto; max-height: 50%; min-height: 3; }
    SweepsScreen #facts { height: 1; width: 1fr; padding: 0 1; background: $surface; color: $foreground; margin-top: 1; }
    SweepsScreen #none { display: none; }
    SweepsScreen.-no-sweep #none { display: block; }
    SweepsScreen.-no-sweep #sweeps, SweepsScreen.-no-sweep #detail { display: none; }
    SweepsScreen.-low #facts { margin-top: 0; }
    SweepsScreen #detail { height: 1fr; }
    """

    def compose_body(self) -> ComposeResult:
        yield Table(SWEEPS, id="sweeps")
        with Vertical(id="detail"):
            yield Static(id="facts")
            with Horizontal():
                yield Table(STUDIES, empty="no studies", id="studies")
        yield Notice(id="none")

    def on_mount(self) -> None:
        self.query_one("#sweeps", Table).focus()

    @property
    def sweep(self) -> SweepView | None:
        """The selected one."""
        key = self.query_one("#sweeps", Table).key
        return None if self.snapshot is None or key is None else self.snapshot.sweep(int(key))

    @property
    def has_sweep(self) -> bool:
        return self.sweep is not None

    @property
    def can_run(self) -> bool:
        return False

    @property
    def can_stop(self) -> bool:
        return False

    @property
    def can_extend(self) -> bool:
        return False

    @property
    def can_delete(self) -> bool:
        return False

    @property
    def can_compose(self) -> bool:
        return any(place.name == "compose" for place in self.interface.places)

    def show(self, snapshot: Snapshot) -> None:
        self.set_class(not snapshot.sweeps, "-no-sweep")
        if not snapshot.sweeps:
            self.query_one("#none", Notice).say("No sweep yet", f"{snapshot.database} holds no sweep.", "")
            return
        table = self.query_one("#sweeps", Table)
        table.put([_row(sweep) for sweep in snapshot.sweeps])
        wanted = self.interface.selection.sweep
        if wanted is not None:
            table.move_to(str(wanted))
        self._show_sweep()

    @on(Table.Highlighted, "#sweeps")
    def _selected(self, message: Table.Highlighted) -> None:
        if message.key is not None:
            self.interface.select(Selection(sweep=int(message.key)))
        self._show_sweep()
        self.refresh_keys()

    @on(Table.Opened, "#sweeps")
    def _opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if self.sweep is not None:
            self.interface.go("live", Selection(sweep=self.sweep.id))

    def _show_sweep(self) -> None:
        sweep = self.sweep
        if sweep is None:
            return
        facts = [f"{sweep.name}", f"{len(sweep.studies)} studies"]
        self.query_one("#facts", Static).update(Content(" · ".join(facts)))
        self.query_one("#studies", Table).put([_study(study) for study in sweep.studies])


def _row(sweep: SweepView) -> Row:
    trials = (
        f"{count(sweep.done)}/{count(sum(study.target_trials for study in sweep.studies) or sweep.total)}"
    )
    gangs = f"{sweep.gangs} × {sweep.np}" if sweep.gangs else ""
    return Row(
        str(sweep.id),
        (
            str(sweep.id),
            sweep.name,
            sign(CONDITIONS, sweep.condition),
            Content.assemble(bar(sweep.fraction, 12), f" {int(sweep.fraction * 100):3d}%"),
            trials,
            duration(sweep.eta_seconds) if sweep.live else "",
            gangs,
            str(len({study.workload for study in sweep.studies})),
            str(len(sweep.studies)),
        ),
    )


def _study(study: StudyView) -> Row:
    trials = study.trials
    return Row(
        str(study.id),
        (
            study.workload,
            count(study.batch_size),
            Content.assemble(bar(study.fraction, 12), f" {int(study.fraction * 100):3d}%"),
            f"{trials['COMPLETE']}/{study.target_trials}",
            str(trials["INFEASIBLE"] or ""),
            str(trials["RUNNING"] or ""),
            count(study.train_steps),
            duration(study.seconds_per_trial) if study.seconds_per_trial is not None else "",
            duration(study.work_seconds) if study.work_seconds else "",
            str(trials["INCOMPLETE"] or ""),
        ),
    )
