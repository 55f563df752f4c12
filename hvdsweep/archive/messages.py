"""What reading an archive yields: studies, batches of trials as arrays, problems with their paths, and progress."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hvdsweep.archive.layout import StudyFile


@dataclass(frozen=True)
class Study:
    """A study was found. It comes before any trial of it."""

    index: int
    """Its number in this reading; trials name it."""
    path: str
    file: StudyFile


@dataclass(frozen=True)
class Trial:
    """One trial without its measurements."""

    study: int
    """Index of its study."""
    number: int
    path: str
    status: str
    steps: int
    parameters: str
    """JSON."""


@dataclass(frozen=True)
class Records:
    """The running best of one metric over the trials of a group, R records in the order (trial, step)."""

    column: int
    """Row of `Group.values`."""
    maximise: bool
    trial: npt.NDArray[np.int64]
    """[R], position in `Group.trials`."""
    step: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """The measurements of the trials of a batch that have the same columns: N rows, K metrics."""

    metrics: tuple[str, ...]
    trials: npt.NDArray[np.int64]
    """Positions in `Trials.trials`, ascending."""
    lengths: npt.NDArray[np.int64]
    """Rows of each of them."""
    steps: npt.NDArray[np.int64]
    """[N], trial after trial."""
    values: npt.NDArray[np.float64]
    """[K, N]"""
    records: tuple[Records, ...]


@dataclass(frozen=True)
class Trials:
    """A batch of complete trials: metadata and measurements were both there and well formed."""

    trials: tuple[Trial, ...]
    groups: tuple[Group, ...]

    @property
    def rows(self) -> int:
        return sum(len(group.steps) for group in self.groups)


@dataclass(frozen=True)
class Problem:
    """Something was skipped."""

    path: str
    """Of the file or folder, as in the archive."""
    message: str
    trials: int = 0
    """How many trials are missing because of it."""
    studies: int = 0
    """How many studies are missing because of it."""


@dataclass(frozen=True)
class Progress:
    """How far reading is."""

    done: int
    total: int
    unit: str
    """`trials` of a folder, `bytes` of an archive file."""
    present: int = 0
    """Trials passed over so far because the store has them already."""


@dataclass(frozen=True)
class Finished:
    """The end of the archive was reached: without it, reading stopped half-way."""

    present: int
    """Trials passed over because the store has them already."""
    sha256: str | None = None
    """Of the archive file; None for a folder."""


Message = Study | Trials | Problem | Progress | Finished


@dataclass
class Known:
    """What the store already has: (workload, batch size) -> the study's document as JSON and its trials' numbers."""

    studies: dict[tuple[str, int], tuple[str, set[int]]] = field(default_factory=dict)
