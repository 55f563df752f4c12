"""The messages of an archive's reader: studies, batches of trials as arrays, problems with paths, and progress."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hvdsweep.archive.layout import StudyFile


@dataclass(frozen=True)
class ArchivedStudy:
    """A study that was found; yielded before its trials."""

    index: int
    """Its number in this reading, to which trials refer."""
    file: StudyFile


@dataclass(frozen=True)
class ArchivedTrial:
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
class BestRecords:
    """The running best of one metric over the trials of a group, R records in the order (trial, step)."""

    column: int
    """Row of `MeasurementGroup.values`."""
    maximise: bool
    trial: npt.NDArray[np.int64]
    """[R], position in `MeasurementGroup.trials`."""
    step: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True)
class MeasurementGroup:
    """The measurements of the trials of a batch that have the same columns: N rows, K metrics."""

    metrics: tuple[str, ...]
    trials: npt.NDArray[np.int64]
    """Positions in `TrialBatch.trials`, ascending."""
    lengths: npt.NDArray[np.int64]
    """Rows of each of them."""
    steps: npt.NDArray[np.int64]
    """[N], trial after trial."""
    values: npt.NDArray[np.float64]
    """[K, N]"""
    records: tuple[BestRecords, ...]


@dataclass(frozen=True)
class TrialBatch:
    """A batch of complete trials: metadata and measurements were both there and well formed."""

    trials: tuple[ArchivedTrial, ...]
    groups: tuple[MeasurementGroup, ...]


@dataclass(frozen=True)
class ArchiveProblem:
    """A part that was skipped."""

    path: str
    """Path of the file or folder in the archive."""
    message: str
    trials: int = 0
    """Number of trials missing because of it."""
    studies: int = 0
    """Number of studies missing because of it."""


@dataclass(frozen=True)
class ReadingProgress:
    """Progress of the reading."""

    done: int
    total: int
    unit: str
    """`trials` of a folder, `bytes` of an archive file."""
    present: int = 0
    """Trials skipped so far because the store has them."""


@dataclass(frozen=True)
class Finished:
    """The end of the archive was reached; without this message reading stopped before it."""

    present: int
    """Trials skipped because the store has them."""
    sha256: str | None = None
    """Hash of the archive file; None for a folder."""


Message = ArchivedStudy | TrialBatch | ArchiveProblem | ReadingProgress | Finished


AlreadyStored = dict[tuple[str, int], tuple[str, set[int]]]
"""The content of the store: (workload, batch size) -> the study's document as JSON and its trials' numbers."""
