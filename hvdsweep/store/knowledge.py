"""What the store knows about the trials of a workload, for `hvdsweep.merit`; ended trials are read only once."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field

from hvdsweep.merit import (
    FARTHEST,
    MOST_PENDING,
    FinishedTrial,
    KnownTrials,
    NextTrial,
    PendingTrial,
    choose,
    position,
)
from hvdsweep.search import Space
from hvdsweep.store.schema import SEARCH_TRIAL


@dataclass
class _StudyTrials:
    """One batch size of a workload."""

    id: int
    batch_size: int
    budget: int
    space: Space
    ended: dict[int, FinishedTrial] = field(default_factory=dict)
    """By trial id: the ended trials read so far."""
    known: KnownTrials | None = None
    """Made from `ended`; None after another trial has ended, until asked for."""
    pending: dict[int, PendingTrial] = field(default_factory=dict)
    """By trial id; some may have begun since."""


@dataclass
class _Workload:
    metric_id: int | None
    """None until the goal's metric has been measured."""
    goal: float
    maximize: bool
    studies: dict[int, _StudyTrials]
    """By id."""


class Knowledge:
    """The ended trials of one sweep, kept between claims: the end of a trial is final."""

    def __init__(self) -> None:
        self._workloads: dict[int, _Workload | None] = {}

    def choose(self, conn: sqlite3.Connection, workload_id: int, study_id: int) -> NextTrial | None:
        """The PENDING trial of the study to train next; None if merit cannot be judged: no goal, or no search space."""
        workload = self._workload(conn, workload_id)
        if workload is None or study_id not in workload.studies:
            return None
        here = workload.studies[study_id]
        near = [
            study
            for study in workload.studies.values()
            if here.batch_size / 2**FARTHEST <= study.batch_size <= here.batch_size * 2**FARTHEST
        ]
        for study in near:
            self._read_ended(conn, workload, study)
        return choose(
            self._pending(conn, here), here.batch_size, [_known(study) for study in near], here.space
        )

    def _workload(self, conn: sqlite3.Connection, workload_id: int) -> _Workload | None:
        if workload_id not in self._workloads:
            self._workloads[workload_id] = _read_workload(conn, workload_id)
        workload = self._workloads[workload_id]
        if workload is not None and workload.metric_id is None:
            workload.metric_id = _metric_id(conn, workload_id)
        return workload

    def _pending(self, conn: sqlite3.Connection, study: _StudyTrials) -> list[PendingTrial]:
        """Ascending numbers."""
        ids = [
            trial
            for (trial,) in conn.execute(
                f"SELECT id FROM trials t WHERE study_id = ? AND status = 'PENDING' AND {SEARCH_TRIAL} ORDER BY number LIMIT ?",
                (study.id, MOST_PENDING),
            )
        ]
        new = [trial for trial in ids if trial not in study.pending]
        for trial, number, text in conn.execute(
            "SELECT id, number, parameters FROM trials WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(new),),
        ):
            parameters = json.loads(text)
            study.pending[trial] = PendingTrial(
                number, parameters, position(parameters, study.space, study.batch_size)
            )
        return [study.pending[trial] for trial in ids]

    def _read_ended(self, conn: sqlite3.Connection, workload: _Workload, study: _StudyTrials) -> None:
        ended = (
            f"FROM trials t WHERE study_id = ? AND status IN ('COMPLETE', 'INFEASIBLE') AND {SEARCH_TRIAL}"
        )
        if conn.execute(f"SELECT count(*) {ended}", (study.id,)).fetchone() == (len(study.ended),):
            return
        ids = conn.execute(f"SELECT id {ended}", (study.id,))
        new = json.dumps([trial for (trial,) in ids if trial not in study.ended])
        study.known = None
        records: dict[int, list[tuple[int, float]]] = {}
        sign = -1.0 if workload.maximize else 1.0
        for trial, step, value in conn.execute(
            "SELECT trial_id, step, value FROM best_records WHERE metric_id = ?"
            " AND trial_id IN (SELECT value FROM json_each(?)) ORDER BY trial_id, step",
            (workload.metric_id, new),
        ):
            records.setdefault(trial, []).append((step, sign * value))
        for trial, number, status, steps, text in conn.execute(
            "SELECT id, number, status, steps, parameters FROM trials WHERE id IN (SELECT value FROM json_each(?))",
            (new,),
        ).fetchall():
            parameters, best = json.loads(text), tuple(records.get(trial, ()))
            study.ended[trial] = FinishedTrial(
                number,
                parameters,
                position(parameters, study.space, study.batch_size),
                steps,
                status == "INFEASIBLE",
                next((step for step, value in best if value < sign * workload.goal), None),
                best,
            )


def _known(study: _StudyTrials) -> KnownTrials:
    if study.known is None:
        # By id, independent of the order of reading.
        trials = [study.ended[trial] for trial in sorted(study.ended)]
        study.known = KnownTrials(study.batch_size, study.budget, trials)
    return study.known


def _read_workload(conn: sqlite3.Connection, workload_id: int) -> _Workload | None:
    metric, goal, maximize = conn.execute(
        "SELECT metric, goal, maximize FROM workloads WHERE id = ?", (workload_id,)
    ).fetchone()
    if metric is None or goal is None:
        return None
    studies: dict[int, _StudyTrials] = {}
    for study, batch_size, budget, search in conn.execute(
        "SELECT id, batch_size, train_steps, search FROM studies WHERE workload_id = ? ORDER BY batch_size",
        (workload_id,),
    ):
        try:
            studies[study] = _StudyTrials(study, batch_size, budget, Space.from_json(json.loads(search)))
        except (TypeError, ValueError):
            # This program cannot read the search: its trials are taken by number.
            continue
    return _Workload(_metric_id(conn, workload_id), goal, bool(maximize), studies)


def _metric_id(conn: sqlite3.Connection, workload_id: int) -> int | None:
    row = conn.execute(
        "SELECT m.id FROM workloads w JOIN metrics m ON m.name = w.metric AND m.maximize = w.maximize WHERE w.id = ?",
        (workload_id,),
    ).fetchone()
    return None if row is None else int(row[0])
