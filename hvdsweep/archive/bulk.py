"""The writing side of an import: batches of finished trials into the store, one transaction per batch.

A trial, its measurements and its running best appear together or not at all, so the table of trials records where an
interrupted import continues.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from hvdsweep.archive.goals import Defaults, defaults_of
from hvdsweep.archive.intake import canonical
from hvdsweep.archive.layout import StudyFile
from hvdsweep.archive.messages import (
    AlreadyStored,
    ArchivedStudy,
    ArchiveProblem,
    MeasurementGroup,
    TrialBatch,
)
from hvdsweep.repeats import repeat_of
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import transaction
from hvdsweep.store.inserts import insert, insert_rows
from hvdsweep.store.lifecycle import heartbeat
from hvdsweep.store.schema import ensure_metric_column, metric_columns, metric_id

STOP_REASONS = {
    Status.COMPLETE.name: StopReason.BUDGET.word,
    Status.INFEASIBLE.name: StopReason.DIVERGED.word,
    Status.INCOMPLETE.name: None,
}
"""Stop reason by status, since the layout has none."""

RECORD = ("metric_id", "trial_id", "step", "value")
"""Columns of `best_records`."""

MOST_METRICS = 1000
"""Columns of `measurements`; SQLite allows 2,000."""

WAL_PAGES = 16_384
"""Pages after which the write-ahead log is moved into the database: 64 MB, so that writes seldom wait for the disk."""

CACHE_KIB = 65_536

LATER = 9
"""One row in so many is written in a second pass over its batch. Rows appended in key order leave every page of
SQLite's index trees 7/8 full; the late rows fill them to 97 %, which makes the database a tenth smaller."""


class BulkWriter:
    """Writes the studies and trials of one import into one sweep."""

    def __init__(self, conn: sqlite3.Connection, sweep_id: int) -> None:
        self._conn = conn
        self._sweep = sweep_id
        conn.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        conn.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._columns = set(metric_columns(conn))
        self._studies: dict[int, int] = {}
        """Index of a study in this reading -> its row."""
        self._measured: dict[int, tuple[str, ...]] = {}
        """Study's row -> the metrics in its definition."""
        self.stop = False
        """Whether the sweep was asked to stop."""

    def known(self) -> AlreadyStored:
        """The studies and trials that the sweep has already."""
        found: AlreadyStored = {}
        keys: dict[int, tuple[str, int]] = {}
        for study, workload, batch_size, definition in self._conn.execute(
            "SELECT s.id, w.name, s.batch_size, s.definition FROM studies s JOIN workloads w ON w.id = s.workload_id"
            " WHERE w.sweep_id = ?",
            (self._sweep,),
        ):
            keys[study] = (workload, batch_size)
            found[keys[study]] = (canonical(json.loads(definition)["imported"]), set())
        for study, number in self._conn.execute(
            "SELECT t.study_id, t.number FROM workloads w JOIN studies s ON s.workload_id = w.id"
            " JOIN trials t ON t.study_id = s.id WHERE w.sweep_id = ?",
            (self._sweep,),
        ):
            found[keys[study]][1].add(number)
        return found

    def add_study(self, study: ArchivedStudy) -> bool:
        """The study's row, and its workload's; True if the study is new."""
        file = study.file
        with transaction(self._conn) as conn:
            workload = self._workload(conn, file)
            row = conn.execute(
                "SELECT id, definition FROM studies WHERE workload_id = ? AND batch_size = ?",
                (workload, file.batch_size),
            ).fetchone()
            new = row is None
            if new:
                definition = json.dumps(_definition(file))
                values = {
                    "workload_id": workload,
                    "batch_size": file.batch_size,
                    "train_steps": file.train_steps,
                    "target_trials": 0,
                    "max_trials": 0,
                    "definition": definition,
                    "search": json.dumps(file.search),
                }
                row = (insert(conn, "studies", values), definition)
            self._studies[study.index] = row[0]
            self._measured[row[0]] = tuple(json.loads(row[1]).get("columns", ()))
        return new

    def _workload(self, conn: sqlite3.Connection, file: StudyFile) -> int:
        values = {
            "sweep_id": self._sweep,
            "name": file.workload,
            "dataset": file.dataset,
            "model": file.model,
            "algorithm": file.algorithm,
            **asdict(defaults_of(file)),
        }
        return insert(conn, "workloads", values, unique=("sweep_id", "name"))

    def add_trials(self, batch: TrialBatch) -> tuple[int, int, int, list[ArchiveProblem]]:
        """Write a batch in one transaction. Returns how many trials, rows and records were written, and the problems.

        Column names that the database cannot store are a problem of the trials that have them.
        """
        problems: list[ArchiveProblem] = []
        rows = records = 0
        with transaction(self._conn) as conn:
            groups = []
            for group in batch.groups:
                problem = self._make_columns(conn, group)
                if problem is None:
                    groups.append(group)
                else:
                    problems += [
                        ArchiveProblem(batch.trials[position].path, problem, trials=1)
                        for position in group.trials.tolist()
                    ]
            kept = np.sort(np.concatenate([group.trials for group in groups] or [np.empty(0, np.int64)]))
            first = conn.execute("SELECT coalesce(max(id), 0) + 1 FROM trials").fetchone()[0]
            ids = np.zeros(len(batch.trials), np.int64)
            ids[kept] = first + np.arange(len(kept))
            conn.executemany(
                "INSERT INTO trials (id, study_id, number, status, parameters, steps, stop_reason, repeats)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                self._trial_rows(batch, ids, kept.tolist()),
            )
            for group in groups:
                rows += self._insert_rows(conn, group, ids)
            for group in groups:
                records += self._insert_records(conn, group, ids)
                self._name_columns(conn, batch, group)
            self.stop = heartbeat(conn, self._sweep)
        self._columns = set(metric_columns(self._conn))
        return len(kept), rows, records, problems

    def _trial_rows(
        self, batch: TrialBatch, ids: np.ndarray[Any, np.dtype[np.int64]], kept: list[int]
    ) -> Iterator[tuple[Any, ...]]:
        for position in kept:
            trial = batch.trials[position]
            yield (
                int(ids[position]),
                self._studies[trial.study],
                trial.number,
                trial.status,
                trial.parameters,
                trial.steps,
                STOP_REASONS[trial.status],
                (repeat_of(trial.number) or (None,))[0],
            )

    def _make_columns(self, conn: sqlite3.Connection, group: MeasurementGroup) -> str | None:
        """None if every metric now has its column; else why that is impossible."""
        new = [name for name in group.metrics if name not in self._columns]
        if not new:
            return None
        present = metric_columns(conn)
        missing = [name for name in new if name not in present]
        if len(present) + len(missing) > MOST_METRICS:
            return f"its metrics would make more than {MOST_METRICS} columns"
        # Two names in one file may clash, so no column is created before all are known to fit.
        taken = {name.lower() for name in ("trial_id", "step", *present)}
        for name in missing:
            if name.lower() in taken:
                return f"the metric {name!r} differs from another column by case alone, or is one of the database's own"
            taken.add(name.lower())
        for name in missing:
            ensure_metric_column(conn, name)
        return None

    def _insert_rows(
        self, conn: sqlite3.Connection, group: MeasurementGroup, ids: np.ndarray[Any, np.dtype[np.int64]]
    ) -> int:
        if not len(group.steps):
            return 0
        names = ["trial_id", "step", *group.metrics]
        trials = np.repeat(ids[group.trials], group.lengths)
        late = np.arange(len(trials)) % LATER == LATER // 2
        for part in (~late, late):
            columns = [trials[part], group.steps[part], *(column[part] for column in group.values)]
            insert_rows(conn, "measurements", names, [column.tolist() for column in columns])
        return len(trials)

    def _insert_records(
        self, conn: sqlite3.Connection, group: MeasurementGroup, ids: np.ndarray[Any, np.dtype[np.int64]]
    ) -> int:
        written = 0
        owners = ids[group.trials]
        for kept in group.records:
            if not len(kept.step):
                continue
            metric = metric_id(conn, group.metrics[kept.column], kept.maximise)
            columns = [owners[kept.trial].tolist(), kept.step.tolist(), kept.value.tolist()]
            insert_rows(conn, "best_records", RECORD, [[metric] * len(kept.step), *columns])
            written += len(kept.step)
        return written

    def _name_columns(self, conn: sqlite3.Connection, batch: TrialBatch, group: MeasurementGroup) -> None:
        """Record in each study's definition the columns of its files, in order, so that an export writes the same."""
        for position in np.unique([batch.trials[position].study for position in group.trials]).tolist():
            study = self._studies[position]
            present = self._measured[study]
            missing = tuple(name for name in group.metrics if name not in present)
            if missing:
                columns = self._measured[study] = present + missing
                conn.execute(
                    "UPDATE studies SET definition = json_set(definition, '$.columns', json(?)) WHERE id = ?",
                    (json.dumps(columns), study),
                )


def _definition(file: StudyFile) -> Mapping[str, Any]:
    question: Defaults = defaults_of(file)
    goal = None
    if question.goal is not None:
        goal = {"metric": question.metric, "value": question.goal, "maximize": question.maximize}
    return {
        "workload": file.workload,
        "dataset": file.dataset,
        "model": file.model,
        "algorithm": file.algorithm,
        "batch_size": file.batch_size,
        "steps": file.train_steps,
        "goal": goal,
        "stop": "budget",
        "imported": file.document,
    }
