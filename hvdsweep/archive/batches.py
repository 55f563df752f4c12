"""Collects trials until there are enough for one pass of the fast reader, and converts them to arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hvdsweep.archive.goals import defaults_of
from hvdsweep.archive.layout import TrialFile
from hvdsweep.archive.measurements import CsvText, MeasuredTrial, parse, records, split
from hvdsweep.archive.messages import (
    ArchivedStudy,
    ArchivedTrial,
    ArchiveProblem,
    BestRecords,
    MeasurementGroup,
    TrialBatch,
)
from hvdsweep.store.records import imports_keep
from hvdsweep.store.schema import naturally_maximised

BATCH_BYTES = 4 << 20
"""Text per batch: long enough to hide numpy's fixed costs, short enough for commits of a tenth of a second."""

BATCH_TRIALS = 2000


@dataclass(frozen=True)
class _Waiting:
    trial: ArchivedTrial
    text: CsvText
    path: str
    turned: str | None
    """The metric whose natural direction the study's goal reverses, if any."""


class Batches:
    """Takes trials one by one; `add` and `flush` yield complete batches."""

    def __init__(self, all_records: bool) -> None:
        self._all_records = all_records
        self._waiting: list[_Waiting] = []
        self._bytes = 0

    def add(
        self,
        study: ArchivedStudy,
        number: int,
        path: str,
        file: TrialFile,
        measurements: bytes,
        csv_path: str,
    ) -> Iterator[TrialBatch | ArchiveProblem]:
        """Add a trial, both of whose files were found."""
        try:
            text = split(measurements)
        except ValueError as error:
            yield ArchiveProblem(csv_path, str(error), trials=1)
            return
        trial = ArchivedTrial(study.index, number, path, file.status, file.steps, file.parameters)
        self._waiting.append(_Waiting(trial, text, csv_path, _turned(study)))
        self._bytes += len(measurements)
        if self._bytes >= BATCH_BYTES or len(self._waiting) >= BATCH_TRIALS:
            yield from self.flush()

    def flush(self) -> Iterator[TrialBatch | ArchiveProblem]:
        """The last, incomplete batch."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        tables = parse([entry.text for entry in waiting])
        trials: list[ArchivedTrial] = []
        members: dict[tuple[tuple[str, ...], str | None], list[tuple[int, MeasuredTrial]]] = {}
        for entry, table in zip(waiting, tables, strict=True):
            if isinstance(table, ValueError):
                yield ArchiveProblem(entry.path, str(table), trials=1)
                continue
            members.setdefault((entry.text.metrics, entry.turned), []).append((len(trials), table))
            trials.append(entry.trial)
        groups = tuple(self._group(*columns, found) for columns, found in members.items())
        if trials:
            yield TrialBatch(tuple(trials), groups)

    def _group(
        self, metrics: tuple[str, ...], turned: str | None, members: Sequence[tuple[int, MeasuredTrial]]
    ) -> MeasurementGroup:
        positions = np.array([position for position, _ in members], np.int64)
        tables = [table for _, table in members]
        lengths = np.array([len(table.steps) for table in tables], np.int64)
        return MeasurementGroup(
            metrics,
            positions,
            lengths,
            np.concatenate([table.steps for table in tables]),
            np.concatenate([table.values for table in tables], axis=1),
            self._records(metrics, turned, tables),
        )

    def _records(
        self, metrics: tuple[str, ...], turned: str | None, tables: Sequence[MeasuredTrial]
    ) -> tuple[BestRecords, ...]:
        kept = [index for index, name in enumerate(metrics) if self._all_records or imports_keep(name)]
        maximised = [naturally_maximised(metrics[index]) != (metrics[index] == turned) for index in kept]
        everything = len(kept) == len(metrics)
        beats = [records(table.values if everything else table.values[kept], maximised) for table in tables]
        found = []
        for row, (index, maximise) in enumerate(zip(kept, maximised, strict=True)):
            flags = [part[row] for part in beats]
            found.append(
                BestRecords(
                    index,
                    maximise,
                    np.repeat(np.arange(len(tables)), [int(np.count_nonzero(flag)) for flag in flags]),
                    np.concatenate([table.steps[flag] for table, flag in zip(tables, flags, strict=True)]),
                    np.concatenate(
                        [table.values[index][flag] for table, flag in zip(tables, flags, strict=True)]
                    ),
                )
            )
        return tuple(found)


def _turned(study: ArchivedStudy) -> str | None:
    question = defaults_of(study.file)
    if question.metric is None or question.maximize == naturally_maximised(question.metric):
        return None
    return question.metric
