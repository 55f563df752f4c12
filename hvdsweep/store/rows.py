"""The results of a reader: a frozen row per sweep, workload, study, trial, gang, event and measured speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hvdsweep.repeats import repeat_of
from hvdsweep.states import Status, StopReason
from hvdsweep.store.schema import LARGEST_STEP, naturally_maximised

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class SweepRow:
    """One sweep. Times are unix seconds, None if it has not happened."""

    id: int
    name: str
    key: str
    source: str
    """"launch" or "import"."""
    file: str | None
    state: str
    """IDLE, RUNNING, STOPPING, DONE or FAILED, as its supervisor last wrote it."""
    request: str | None
    """"stop" once a stop was requested."""
    created: float
    started: float | None
    ended: float | None
    heartbeat: float | None
    np: int | None
    gangs: int | None
    slots: int | None
    """Of `--np auto`; then np and gangs are None, and every study has its own."""
    versions: Mapping[str, str]
    live: bool
    """Whether its supervisor is alive; False in state RUNNING means that it was killed."""


@dataclass(frozen=True)
class WorkloadRow:
    """One workload of a sweep."""

    id: int
    sweep_id: int
    name: str
    dataset: str
    model: str
    algorithm: str
    metric: str | None
    goal: float | None
    maximize: bool
    train_examples: int | None
    parameters: int | None
    """Trainable weights of the model."""
    margin: float | None = None
    """Share beyond the fewest steps up to which beaten trials are trained."""

    def maximizes(self, metric: str) -> bool:
        """Whether more of `metric` is better: as the goal says, for its metric, else by its name."""
        return self.maximize if metric == self.metric else naturally_maximised(metric)


@dataclass(frozen=True)
class StudyRow:
    """One batch size of a workload."""

    id: int
    sweep_id: int
    workload_id: int
    workload: str
    batch_size: int
    train_steps: int
    """Budget in steps; 0 = a wall-time budget."""
    target_trials: int
    max_trials: int
    seed: int | None
    definition: Mapping[str, Any]
    search: Mapping[str, Any]


@dataclass(frozen=True)
class TrialRow:
    """One trial, with its result at its workload's goal."""

    id: int
    sweep_id: int
    workload: str
    study_id: int
    batch_size: int
    number: int
    status: Status
    stop_reason: StopReason
    steps: int
    train_steps: int
    attempts: int
    seed: int | None
    parameters: Mapping[str, float]
    gang_id: int | None
    started: float | None
    ended: float | None
    message: str | None
    best: float | None
    """Best value so far of the workload's metric; None if none was measured or the workload has no metric."""
    best_step: int | None
    goal_step: int | None
    """Step of the first measurement strictly beyond the goal."""
    chosen: str | None = None
    """Why it was trained at that time; None: in the order of numbers."""

    @property
    def repeats(self) -> int | None:
        """The number of the trial that it repeats with another seed; None for a trial of the search."""
        return (repeat_of(self.number) or (None,))[0]


@dataclass(frozen=True)
class TrialPage:
    """Some rows of a longer list."""

    rows: tuple[TrialRow, ...]
    offset: int
    """Position of the first row in the complete list."""
    total: int
    """Rows in the complete list."""


Intervals = tuple[tuple[float, float], ...]
"""(lowest, highest), both included; a value matches if it is in any of them."""


@dataclass(frozen=True)
class TrialFilter:
    """Which trials to select; a field left at its default filters nothing. Ranges include both ends."""

    sweep_id: int | None = None
    workload: str | None = None
    statuses: tuple[Status, ...] = ()
    ranges: tuple[tuple[str, Intervals], ...] = ()
    """(field, intervals): any field that trials can be sorted by, also "sweep", "study" and "gang"; a trial without a
    value does not match."""
    stop_reasons: tuple[StopReason, ...] = ()
    words: tuple[str, ...] = ()
    """Words that must all occur in the workload's name; case does not matter."""


@dataclass(frozen=True)
class GangRow:
    """One horovodrun job, and the trial it trains."""

    id: int
    sweep_id: int
    np: int
    host: str | None
    pid: int | None
    state: str
    """STARTING, IDLE, TRAINING, STOPPED or DEAD."""
    trial_id: int | None
    workload: str | None
    """Of the trial it trains now, like the next four."""
    batch_size: int | None
    number: int | None
    steps: int | None
    train_steps: int | None
    started: float
    heartbeat: float | None
    ended: float | None
    message: str | None
    log_dir: str | None
    stage: str | None = None
    """Of its start, until it has made its first step (`hvdsweep.store.stages`)."""
    first_step: float | None = None
    """When it made its first step."""
    usual_start_seconds: float | None = None
    """For a starting gang: how long earlier ones of as many ranks took to their first step."""


@dataclass(frozen=True)
class EventRow:
    """An event, for display."""

    id: int
    time: float
    sweep_id: int | None
    gang_id: int | None
    trial_id: int | None
    kind: str
    message: str


@dataclass(frozen=True)
class ThroughputRow:
    """A measured speed of one gang of `np` ranks while `gangs` of them shared the machine."""

    id: int
    time: float
    workload: str
    batch_size: int
    np: int
    gangs: int
    host: str | None
    steps: int
    seconds: float
    steps_per_second: float
    examples_per_second: float
    source: str
    """"scale" (measured by `hvdsweep scale`) or "trial" (sum over trained trials)."""


@dataclass(frozen=True)
class Measurements:
    """Every evaluation of one trial: N of them, ascending in steps."""

    steps: npt.NDArray[np.int64]
    """[N], updates made before each."""
    values: Mapping[str, npt.NDArray[np.float64]]
    """Metric -> [N]; NaN if it was not measured or not a number. Only metrics that were measured at least once."""


SHIFT = 32
"""Bits of a step. Trial and step are packed into one integer, since Python's time is spent per fetched column."""

assert LARGEST_STEP < 1 << SHIFT

KEY = f"(r.trial_id << {SHIFT}) | r.step"
"""SQL: trial and step of a row `r`."""

RECORD = [("key", "i8"), ("value", "f8")]
"""The numpy type of measurements: KEY and a value."""
