"""What the interface knows at one instant: a frozen picture of the whole store except trials, losses and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hvdsweep.store.rows import EventRow, GangRow, WorkloadRow

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader

EVENTS = 200
"""How many of the last events a snapshot holds."""

ENDED = ("COMPLETE", "INFEASIBLE", "INCOMPLETE")
"""States of a trial in which it takes no further step."""


@dataclass(frozen=True)
class StudyView:
    """One batch size of a workload, with how far it is."""

    id: int
    workload: str
    batch_size: int
    train_steps: int
    """Budget in steps; 0 = a wall-time budget."""
    target_trials: int
    """Trials wanted that did not diverge; where they come in rounds, by now."""
    least_trials: int
    """Before the first round."""
    most_trials: int
    """At most; as `target_trials` where their number is fixed."""
    np: int | None
    """Under `--np auto`: ranks of the gangs that train it,"""
    gangs: int | None
    """and how many of them side by side."""
    trials: Mapping[str, int]
    """Status (its word) -> number of trials of the search; every status is there."""
    repeats: int
    """Of its best trial: those in the store, or to come when its search is finished."""
    repeat_trials: Mapping[str, int]
    """As `trials`."""
    seconds_per_trial: float | None
    work_seconds: float | None
    """Seconds of one gang that are still needed; None where nothing is known."""

    @property
    def done(self) -> int:
        """COMPLETE trials."""
        return self.trials["COMPLETE"]

    @property
    def fraction(self) -> float:
        """Share of its trials that have ended, repeats included, 0 to 1."""
        return ended_share(self.trials, self.repeat_trials, self.repeats)


@dataclass(frozen=True)
class SweepView:
    """One sweep, with how far it is. Times are unix seconds."""

    id: int
    name: str
    source: str
    """"launch" or "import"."""
    file: str | None
    state: str
    """IDLE, RUNNING, STOPPING, DONE or FAILED, as its supervisor last wrote it."""
    live: bool
    """Whether its supervisor is at work now."""
    request: str | None
    created: float
    started: float | None
    ended: float | None
    np: int | None
    gangs: int | None
    slots: int | None
    """Of `--np auto`, where np and gangs are None: every study has its own."""
    trials: Mapping[str, int]
    """Status (its word) -> number of trials of the searches; every status is there."""
    repeats: int
    """Of best trials: those in the store, or to come when a search is finished."""
    repeat_trials: Mapping[str, int]
    """As `trials`."""
    work_seconds: float | None
    eta_seconds: float | None
    studies: tuple[StudyView, ...]
    checkpoint_bytes: int = 0
    """On disk, of its running trials."""

    @property
    def condition(self) -> str:
        """The state as people should read it: RUNNING without a living supervisor is LOST; imported data are IMPORTED."""
        if self.source == "import":
            return "IMPORTED"
        if self.state in ("RUNNING", "STOPPING"):
            if not self.live:
                return "LOST"
            return "STOPPING" if self.request == "stop" else self.state
        return self.state

    @property
    def done(self) -> int:
        """COMPLETE trials."""
        return self.trials["COMPLETE"]

    @property
    def total(self) -> int:
        """All trials, replacements of diverged ones included."""
        return sum(self.trials.values())

    @property
    def fraction(self) -> float:
        """Share of its trials that have ended, repeats included, 0 to 1."""
        return ended_share(self.trials, self.repeat_trials, self.repeats)


@dataclass(frozen=True)
class Snapshot:
    """One state of the store."""

    database: str
    time: float
    """Unix seconds at which it was read."""
    sweeps: tuple[SweepView, ...]
    workloads: tuple[WorkloadRow, ...]
    gangs: tuple[GangRow, ...]
    """Those that have not ended."""
    events: tuple[EventRow, ...]
    """The last EVENTS, oldest first."""
    metrics: tuple[str, ...]
    number: int = field(default=0, compare=False)
    """Rises with every snapshot of a source: what was asked at one number may be asked again at the next."""

    def sweep(self, sweep_id: int | None) -> SweepView | None:
        """The sweep of that id."""
        return next((sweep for sweep in self.sweeps if sweep.id == sweep_id), None)

    def gangs_of(self, sweep_id: int) -> tuple[GangRow, ...]:
        """The living gangs of a sweep."""
        return tuple(gang for gang in self.gangs if gang.sweep_id == sweep_id)

    def workloads_of(self, sweep_id: int) -> tuple[WorkloadRow, ...]:
        """The workloads of a sweep."""
        return tuple(workload for workload in self.workloads if workload.sweep_id == sweep_id)


def ended_share(trials: Mapping[str, int], again: Mapping[str, int], repeats: int) -> float:
    """Share of trials and repeats that have ended, 0 to 1; 0 where there are none."""
    total = sum(trials.values()) + repeats
    return sum(trials[status] + again[status] for status in ENDED) / total if total else 0.0


def read_snapshot(reader: Reader, number: int = 0) -> Snapshot:
    """The store as it is now, in one transaction. UserError as the reader says."""
    with reader.snapshot():
        status = reader.status()
        return Snapshot(
            database=status["database"],
            time=status["time"],
            sweeps=tuple(_sweep(sweep) for sweep in status["sweeps"]),
            workloads=tuple(reader.workloads()),
            gangs=tuple(GangRow(**gang) for gang in status["gangs"]),
            events=tuple(reader.events(latest=EVENTS)),
            metrics=tuple(reader.metrics()),
            number=number,
        )


def _sweep(fields: dict[str, Any]) -> SweepView:
    studies = tuple(StudyView(**study) for study in fields["studies"])
    return SweepView(**{**fields, "studies": studies})
