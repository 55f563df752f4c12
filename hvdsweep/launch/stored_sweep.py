"""What the supervisor reads from the store in every cycle."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from hvdsweep.launch.events import TrialEvent
from hvdsweep.states import ENDED, OPEN
from hvdsweep.store.connection import transaction
from hvdsweep.store.events import event
from hvdsweep.store.lifecycle import gang_state
from hvdsweep.store.schema import SEARCH_TRIAL


@dataclass(frozen=True)
class SweepStudy:
    """A study of the sweep, as planned."""

    id: int
    workload: str
    batch_size: int
    train_steps: int
    target: int
    max_trials: int
    repeats: int = 0
    """Repeats of its best trial, once the search is finished."""


@dataclass(frozen=True)
class RunningTrial:
    """A trial in training."""

    study: int
    steps: int
    gang: int
    checkpoint: int | None
    """The step from which it would resume."""


@dataclass(frozen=True)
class GangReport:
    """What a gang has written about itself."""

    state: str
    heartbeat: float | None
    trial: int | None
    stage: str | None = None
    """Stage of its start (`hvdsweep.store.stages`); None once it has made its first step."""


@dataclass(frozen=True)
class SweepView:
    """The state of the sweep at one instant."""

    counts: Mapping[int, Mapping[str, int]]
    """Study -> status -> number of trials of the search."""
    running: Mapping[int, RunningTrial]
    """Trial id -> trial."""
    gangs: Mapping[int, GangReport]
    repeats: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """Study -> status -> number of repeats of its best trial."""

    def trial_of(self, gang: int) -> RunningTrial | None:
        """The trial that `gang` trains."""
        row = self.gangs.get(gang)
        return self.running.get(row.trial) if row is not None and row.trial is not None else None

    def count(self, *statuses: str) -> int:
        """Trials of the sweep in any of these states, repeats included."""
        return sum(self.count_of(study, *statuses) for study in self.counts)

    def count_of(self, study: int, *statuses: str) -> int:
        """The same for one study."""
        both = (self.counts.get(study, {}), self.repeats.get(study, {}))
        return sum(counts.get(status, 0) for counts in both for status in statuses)


@dataclass
class StoredSweep:
    """One sweep in an open store."""

    conn: sqlite3.Connection
    sweep: int
    planned: Collection[tuple[str, int]] | None = None
    """(workload, batch size) of the studies in this run; None: all. Others may have finished trials from before."""
    studies: dict[int, SweepStudy] = field(init=False)
    """The planned studies, by id."""
    _mine: str = field(init=False)
    """SQL: whether a trial belongs to the sweep."""
    _reported: dict[int, set[int]] = field(init=False)

    def __post_init__(self) -> None:
        self._reported = {}
        self.reload()

    def reload(self) -> None:
        """Read the studies again: a round has changed their numbers of trials."""
        every = [
            SweepStudy(*row)
            for row in self.conn.execute(
                "SELECT s.id, w.name, s.batch_size, s.train_steps, s.target_trials, s.max_trials,"
                " coalesce(s.repeats, 0) FROM studies s JOIN workloads w ON w.id = s.workload_id"
                " WHERE w.sweep_id = ? ORDER BY s.id",
                (self.sweep,),
            )
        ]
        self.studies = {
            study.id: study
            for study in every
            if self.planned is None or (study.workload, study.batch_size) in self.planned
        }
        self._mine = f"study_id IN ({', '.join(str(study.id) for study in every)})"
        for study in self.studies:
            self._reported.setdefault(study, set())

    def close_earlier_gangs(self) -> None:
        """Mark this host's gangs of earlier runs, whose processes have been ended, as DEAD."""
        rows = self.conn.execute(
            "SELECT id FROM gangs WHERE sweep_id = ? AND host = ? AND state NOT IN ('STOPPED', 'DEAD')",
            (self.sweep, platform.node()),
        ).fetchall()
        for (gang,) in rows:
            gang_state(self.conn, gang, "DEAD", message="its supervisor was gone")
            words = "of an earlier run: its processes were killed"
            event(self.conn, "gang", words, sweep_id=self.sweep, gang_id=gang)

    def view(self, gangs: Iterable[int]) -> SweepView:
        """The current state of the sweep, as one snapshot."""
        counts: dict[int, dict[str, int]] = {study: {} for study in self.studies}
        repeats: dict[int, dict[str, int]] = {study: {} for study in self.studies}
        running: dict[int, RunningTrial] = {}
        ids = ", ".join(str(gang) for gang in gangs)
        self.conn.execute("BEGIN")
        try:
            for study, status, searched, number in self.conn.execute(
                f"SELECT study_id, status, {SEARCH_TRIAL}, count(*) FROM trials t WHERE {self._mine} GROUP BY 1, 2, 3"
            ):
                if study in counts:
                    (counts if searched else repeats)[study][status] = number
            for row in self.conn.execute(
                f"SELECT id, study_id, steps, gang_id, checkpoint FROM trials WHERE {self._mine} AND status = 'RUNNING'"
            ):
                running[row[0]] = RunningTrial(*row[1:])
            rows = {
                row[0]: GangReport(*row[1:])
                for row in self.conn.execute(
                    f"SELECT id, state, heartbeat, trial_id, stage FROM gangs WHERE id IN ({ids})"
                )
            }
        finally:
            self.conn.execute("COMMIT")
        return SweepView(counts, running, rows, repeats)

    def done(self, view: SweepView) -> int:
        """COMPLETE trials, for each study at most its target: a surplus in one does not make up for another."""
        return sum(
            min(view.counts[study.id].get("COMPLETE", 0), study.target) for study in self.studies.values()
        )

    def repeats(self, view: SweepView, study: SweepStudy) -> tuple[int, int]:
        """(ended, wanted) repeats of a study's best trial: stored, or to come when its search is finished."""
        there = view.repeats.get(study.id, {})
        wanted = sum(there.values())
        if not wanted and any(view.counts[study.id].get(status, 0) for status in OPEN):
            wanted = study.repeats
        return sum(there.get(status, 0) for status in ENDED), wanted

    def request(self) -> str | None:
        """The store's request to the run: 'stop' or None."""
        row = self.conn.execute("SELECT request FROM sweeps WHERE id = ?", (self.sweep,)).fetchone()
        return None if row is None else row[0]

    def set_logs(self, gang: int, logs: str) -> None:
        """Store where a gang writes its logs."""
        with transaction(self.conn):
            self.conn.execute("UPDATE gangs SET log_dir = ? WHERE id = ?", (logs, gang))

    def running_of(self, gang: int) -> list[int]:
        """The trials that `gang` is training."""
        return [
            row[0]
            for row in self.conn.execute(
                f"SELECT id FROM trials WHERE {self._mine} AND status = 'RUNNING' AND gang_id = ?", (gang,)
            )
        ]

    def newly_ended(self, view: SweepView) -> list[TrialEvent]:
        """Trials that have ended since the last call, in the order of their ends."""
        found: list[int] = []
        for study in view.counts:
            reported = self._reported[study]
            if view.count_of(study, *ENDED) == len(reported):
                continue
            # From the index alone, however many trials a study has.
            ids = self.conn.execute(
                f"SELECT id FROM trials WHERE study_id = ? AND status IN {ENDED}",
                (study,),
            ).fetchall()
            new = [trial for (trial,) in ids if trial not in reported]
            reported.update(new)
            found += new
        ended = "SELECT coalesce(ended, 0) FROM trials WHERE id = ?"
        found.sort(key=lambda trial: self.conn.execute(ended, (trial,)).fetchone())
        return [self.trial(trial) for trial in found]

    def trial(self, trial: int) -> TrialEvent:
        """The current state of one trial."""
        cursor = self.conn.execute(
            "SELECT w.sweep_id AS sweep, t.id AS trial, w.name AS workload, s.batch_size, t.number, t.repeats, t.status,"
            " t.stop_reason, t.steps, t.ended - t.started AS seconds, t.attempts, t.message FROM trials t"
            " JOIN studies s ON s.id = t.study_id JOIN workloads w ON w.id = s.workload_id WHERE t.id = ?",
            (trial,),
        )
        names = [column[0] for column in cursor.description]
        return TrialEvent(**dict(zip(names, cursor.fetchone(), strict=True)))

    def set_aside(self) -> list[TrialEvent]:
        """The INCOMPLETE trials of the planned studies."""
        studies = ", ".join(map(str, self.studies))
        return [
            self.trial(row[0])
            for row in self.conn.execute(
                f"SELECT id FROM trials WHERE study_id IN ({studies}) AND status = 'INCOMPLETE' ORDER BY id"
            )
        ]

    def short(self, view: SweepView) -> list[SweepStudy]:
        """Studies with fewer trials that did not diverge, ended or not, than their target."""
        return [
            study
            for study in self.studies.values()
            if sum(view.counts[study.id].values()) - view.counts[study.id].get("INFEASIBLE", 0) < study.target
        ]

    def lacks_trials(self, view: SweepView) -> bool:
        """Whether `top_up` would add a trial to some study."""
        return any(sum(view.counts[study.id].values()) < study.max_trials for study in self.short(view))
