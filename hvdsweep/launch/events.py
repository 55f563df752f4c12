"""The events of a run: one frozen record each, which `launch --json` prints as a line (docs/launching.md)."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event, with its unix time."""

    event: ClassVar[str]
    """Its name: that of its class."""
    time: float = field(default_factory=time.time)

    def __init_subclass__(cls) -> None:
        cls.event = cls.__name__.removesuffix("Event").lower()

    def record(self) -> dict[str, Any]:
        """As JSON: the event's name, then its fields."""
        return {"event": self.event, **dataclasses.asdict(self)}


@dataclass(frozen=True, kw_only=True)
class SweepEvent(Event):
    """A sweep was planned, and its training begins."""

    sweep: int
    name: str
    file: str | None
    store: str
    outcome: str
    """created, extended or unchanged."""
    message: str
    """What the user should know about it: resumed, extended, or new and why."""
    trials: int
    """The trials that all studies ask for, added up."""
    done: int
    """How many of them are COMPLETE."""
    new: int
    adopted: int
    withdrawn: int
    repeats: int = 0
    """Repeats of best trials that are still to be trained."""
    changed: list[str]
    """The keys whose change made this a new sweep."""


@dataclass(frozen=True, kw_only=True)
class PlanEvent(Event):
    """What will be trained, and on what."""

    sweep: int
    np: int | None
    gangs: int | None
    """None under `--np auto`, where every study has its own number."""
    slots: int | None = None
    """Of `--np auto`."""
    hosts: list[str]
    """One `host:slots,...` per gang; under `--np auto` only for gangs that start."""
    threads: int
    """Per rank."""
    studies: list[dict[str, Any]]
    """workload, batch_size, steps, target, done, repeats, repeats_done."""


@dataclass(frozen=True, kw_only=True)
class TrialEvent(Event):
    """A trial ended, or goes back to the queue after a failed attempt (status PENDING)."""

    sweep: int
    trial: int
    workload: str
    batch_size: int
    number: int
    repeats: int | None = None
    """The number of the trial that this one repeats; None for a trial of the search."""
    status: str
    stop_reason: str | None
    steps: int
    seconds: float | None
    attempts: int
    """Failed attempts."""
    message: str | None


@dataclass(frozen=True, kw_only=True)
class GangEvent(Event):
    """A gang was started, gave its first sign of life, was stopped, or died."""

    sweep: int
    gang: int
    state: str
    """STARTING, READY, STOPPED or DEAD."""
    pid: int | None
    logs: str
    seconds: float | None = None
    """Seconds since it was started."""
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class StageEvent(Event):
    """A starting gang has reached a stage of its start, or made its first step (stage None)."""

    sweep: int
    gang: int
    stage: str | None
    """In words: starting horovodrun, loading TensorFlow, joining the ranks, loading data and building the model, compiling."""
    seconds: float
    """Since the gang was started."""
    usual_seconds: float | None
    """From start to first step, for earlier gangs of as many ranks in this database; None if there were none."""


@dataclass(frozen=True, kw_only=True)
class StudyProgress:
    """The progress of one study."""

    workload: str
    batch_size: int
    target: int
    done: int
    """COMPLETE trials."""
    infeasible: int
    set_aside: int
    """INCOMPLETE trials."""
    running: int
    pending: int
    fraction: float
    """0 to 1: finished trials, and running ones by their steps; repeats included."""
    eta_seconds: float | None
    repeats: int = 0
    """Repeats of its best trial: planned, or to come when the search is finished."""
    repeats_done: int = 0
    """Repeats that have ended."""


@dataclass(frozen=True, kw_only=True)
class ProgressEvent(Event):
    """The progress of the sweep, at most once a second."""

    sweep: int
    done: int
    target: int
    """Trials planned so far."""
    most: int | None = None
    """Most trials in the end, if trained in rounds; None if `target` is all."""
    repeats: int = 0
    """Repeats of best trials, in addition to `target`."""
    repeats_done: int = 0
    fraction: float
    """Finished share of the trials planned so far."""
    eta_seconds: float | None
    """For the trials planned so far; None until a trial has finished."""
    gangs: int
    """Number of living gangs."""
    studies: list[StudyProgress]


@dataclass(frozen=True, kw_only=True)
class NoteEvent(Event):
    """A sentence for the user: a warning, or the effect of a signal."""

    level: str
    """info or warning."""
    message: str


@dataclass(frozen=True, kw_only=True)
class EndEvent(Event):
    """The run has ended; none of its processes is left."""

    sweep: int
    state: str
    """DONE, FAILED, or IDLE if it was stopped with work left."""
    exit_code: int
    message: str
    seconds: float
    done: int
    target: int
    infeasible: int
    repeats: int = 0
    """Repeats of best trials, in addition to the trials."""
    repeats_done: int = 0
    set_aside: list[dict[str, Any]]
    """trial, workload, batch_size, number, message."""


class Reporter:
    """Receives the events of a run; this one drops them."""

    full: OSError | None = None
    """Why wanted events could not be written: a full disk."""

    def __call__(self, event: Event) -> None:
        """Receive one event."""

    def close(self) -> None:
        """Restore the terminal."""
