"""What the supervisor reads from the store in every cycle, and its registration, so that two never train one sweep."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from hvdsweep.launch.sweeps import not_at_work
from hvdsweep.states import ENDED, OPEN
from hvdsweep.store.connection import transaction
from hvdsweep.store.lifecycle import begin_run, gang_state
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

    id: int
    study: int
    number: int
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


@dataclass(frozen=True)
class EndedTrial:
    """A trial that has stopped training."""

    id: int
    study: int
    number: int
    status: str
    stop_reason: str | None
    steps: int
    started: float | None
    """Unix time."""
    ended: float | None
    attempts: int
    """Failed attempts."""
    message: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it has not ended, or never began."""
        return None if self.started is None or self.ended is None else self.ended - self.started


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

    def register(
        self,
        *,
        np: int | None,
        gangs: int | None,
        versions: Mapping[str, str],
        slots: int | None = None,
        order: str | None = None,
    ) -> None:
        """Register as the sweep's supervisor. RunFailed if another one is active."""
        with not_at_work(self.conn, self.sweep):
            begin_run(self.conn, self.sweep, np=np, gangs=gangs, slots=slots, versions=versions, order=order)

    def close_earlier_gangs(self) -> list[int]:
        """Mark this host's gangs of earlier runs, whose processes have been ended, as DEAD. Returns their ids."""
        rows = self.conn.execute(
            "SELECT id FROM gangs WHERE sweep_id = ? AND host = ? AND state NOT IN ('STOPPED', 'DEAD')",
            (self.sweep, platform.node()),
        ).fetchall()
        for (gang,) in rows:
            gang_state(self.conn, gang, "DEAD", message="its supervisor was gone")
        return [gang for (gang,) in rows]

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
                f"SELECT id, study_id, number, steps, gang_id, checkpoint FROM trials WHERE {self._mine} AND status = 'RUNNING'"
            ):
                running[row[0]] = RunningTrial(*row)
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

    def newly_ended(self, view: SweepView) -> list[EndedTrial]:
        """Trials that have ended since the last call, in the order of their ends."""
        found: list[EndedTrial] = []
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
            found += [self.trial(trial) for trial in new]
        return sorted(found, key=lambda trial: trial.ended or 0.0)

    def trial(self, trial: int) -> EndedTrial:
        """The current state of one trial."""
        row = self.conn.execute(
            "SELECT id, study_id, number, status, stop_reason, steps, started, ended, attempts, message FROM trials WHERE id = ?",
            (trial,),
        ).fetchone()
        return EndedTrial(*row)

    def set_aside(self) -> list[EndedTrial]:
        """The INCOMPLETE trials of the sweep."""
        return [
            self.trial(row[0])
            for row in self.conn.execute(
                f"SELECT id FROM trials WHERE {self._mine} AND status = 'INCOMPLETE' ORDER BY id"
            )
        ]

    def lacks_trials(self, view: SweepView) -> bool:
        """Whether `top_up` would add a trial to some study."""
        for study in self.studies.values():
            counts = view.counts[study.id]
            total = sum(counts.values())
            if total - counts.get("INFEASIBLE", 0) < study.target and total < study.max_trials:
                return True
        return False

    def short(self, view: SweepView) -> list[SweepStudy]:
        """Studies that ran out of replacements for diverged trials before they reached their target."""
        return [
            study
            for study in self.studies.values()
            if sum(view.counts[study.id].values()) - view.counts[study.id].get("INFEASIBLE", 0) < study.target
        ]
