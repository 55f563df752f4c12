"""What rank 0 of a gang writes: every loss, every measurement and each change of a trial's state, one
transaction at a time.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.erase import erase_data
from hvdsweep.store.records import Directions, RunningBest, records_of
from hvdsweep.store.schema import ensure_metric_column, metric_columns, quoted


@dataclass(frozen=True)
class Claim:
    """A trial that is now this gang's to train."""

    trial_id: int
    study_id: int
    number: int
    seed: int
    metaparameters: dict[str, float]
    definition: dict[str, Any]
    """The study's definition: workload, batch size, budget, evaluation, goal."""
    definition_json: str
    """The same as stored: equal texts mean that the compiled functions serve again."""


@dataclass(frozen=True)
class Final:
    """How a trial ended."""

    status: Status
    """COMPLETE, INFEASIBLE or INCOMPLETE."""
    stop_reason: StopReason
    message: str | None = None
    train_seconds: float | None = None
    """Seconds spent in training steps alone; feeds the `throughput` table."""


@dataclass
class TrialUpdate:
    """What has happened to a trial since the last commit."""

    trial_id: int
    losses: npt.NDArray[np.floating[Any]]
    """[n], the losses of steps first_step, first_step + 1, ...; NaN is stored as NULL."""
    steps: int
    """Updates done so far."""
    first_step: int = 1
    measurements: Sequence[tuple[int, Mapping[str, float]]] = ()
    """(step, metric -> value) in ascending steps."""
    final: Final | None = None


@dataclass(frozen=True)
class Reply:
    """What the store answers to a commit."""

    claim: Claim | None
    """The next trial; None where none was asked for or none is left."""
    stop: bool
    """The sweep or this gang is asked to stop: finish nothing more, claim nothing more."""
    lost: bool = False
    """The trial was taken away from this gang (it was thought dead); nothing of the update was written."""


@dataclass
class _Gang:
    sweep_id: int
    np: int
    host: str | None
    gangs: int
    study_id: int | None = None
    """The study of the latest claim: its compiled functions are warm."""


@dataclass
class _Live:
    """A trial in training, as far as this writer must remember it."""

    study_id: int
    best: RunningBest
    goal: dict[str, bool] = field(default_factory=dict)
    """The goal's metric and whether it is maximised."""


class TrialWriter:
    """The store as one gang sees it. Not for two threads at once; a thread of one's own may use it."""

    def __init__(self, path: str | os.PathLike[str], gang_id: int) -> None:
        self._conn = connect(path)
        self.gang_id = gang_id
        row = self._conn.execute(
            "SELECT g.sweep_id, g.np, g.host, coalesce(s.gangs, 1) FROM gangs g JOIN sweeps s ON s.id ="
            " g.sweep_id WHERE g.id = ?",
            (gang_id,),
        ).fetchone()
        if row is None:
            self._conn.close()
            raise ValueError(f"{path}: no gang {gang_id}")
        self._gang = _Gang(*row)
        self._live: dict[int, _Live] = {}
        self._columns = set(metric_columns(self._conn))
        self._directions = Directions()
        self._inserts: dict[tuple[str, ...], str] = {}

    def close(self) -> None:
        """Close the connection; a trial that is still RUNNING stays so until `recover` or `requeue`."""
        self._conn.close()

    def __enter__(self) -> TrialWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(
        self, update: TrialUpdate | None, *, claim: bool, metrics_maximized: Mapping[str, bool] | None = None
    ) -> Reply:
        """Write `update`, the gang's heartbeat and, if asked, the claim of the next trial: all or nothing.

        `metrics_maximized` (metric -> more is better) adds to the goal's own direction and the natural ones.
        """
        now = time.time()
        try:
            with transaction(self._conn) as conn:
                if update is not None and not self._write(conn, update, metrics_maximized or {}, now):
                    self._live.pop(update.trial_id, None)
                    return Reply(None, stop=True, lost=True)
                stop = self._asked_to_stop(conn)
                claimed = self._claim(conn, now) if claim and not stop else None
                if claimed is not None:
                    self._beat(conn, "TRAINING", claimed.trial_id, now)
                elif update is not None and update.final is None:
                    self._beat(conn, "TRAINING", update.trial_id, now)
                else:
                    self._beat(conn, "IDLE", None, now)
        except BaseException:
            # What the transaction taught us (columns, ids, records) went with it.
            self._forget(update)
            raise
        if update is not None and update.final is not None:
            self._live.pop(update.trial_id, None)
        if claimed is not None:
            self._gang.study_id = claimed.study_id
            self._live[claimed.trial_id] = _Live(
                claimed.study_id, RunningBest(claimed.trial_id), _goal(claimed.definition)
            )
        return Reply(claimed, stop)

    def release(self, trial_id: int) -> None:
        """Give a RUNNING trial back: PENDING again, its losses, measurements and records removed."""
        with transaction(self._conn) as conn:
            changed = conn.execute(
                "UPDATE trials SET status = 'PENDING', steps = 0, gang_id = NULL, started = NULL"
                " WHERE id = ? AND status = 'RUNNING' AND gang_id = ?",
                (trial_id, self.gang_id),
            ).rowcount
            if changed:
                erase_data(conn, [trial_id])
            self._beat(conn, "IDLE", None, time.time())
        self._live.pop(trial_id, None)

    def best_steps_to_goal(self, study_id: int, metric: str, goal: float, maximize: bool) -> int | None:
        """The fewest steps in which a trial of the study, COMPLETE or running, has gone strictly beyond the
        goal.
        """
        better = ">" if maximize else "<"
        row = self._conn.execute(
            f"SELECT min(r.step) FROM metrics m, trials t, best_records r WHERE m.name = ? AND m.maximize = ?"
            f" AND t.study_id = ? AND t.status IN ('COMPLETE', 'RUNNING')"
            f" AND r.metric_id = m.id AND r.trial_id = t.id AND r.value {better} ?",
            (metric, int(maximize), study_id, goal),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _write(
        self, conn: sqlite3.Connection, update: TrialUpdate, maximized: Mapping[str, bool], now: float
    ) -> bool:
        """Everything about the trial; False where the trial is not ours any more."""
        trial = update.trial_id
        live = self._live.get(trial) or self._adopt(conn, trial)
        final = update.final
        if final is None:
            changed = conn.execute(
                "UPDATE trials SET steps = ? WHERE id = ? AND status = 'RUNNING' AND gang_id = ?",
                (update.steps, trial, self.gang_id),
            ).rowcount
        else:
            if final.status not in (Status.COMPLETE, Status.INFEASIBLE, Status.INCOMPLETE):
                raise ValueError(f"a trial cannot end as {final.status.name}")
            changed = conn.execute(
                "UPDATE trials SET steps = ?, status = ?, stop_reason = ?, message = ?, ended = ?, attempts = attempts + ?"
                " WHERE id = ? AND status = 'RUNNING' AND gang_id = ?",
                (
                    update.steps,
                    final.status.name,
                    final.stop_reason.word,
                    final.message,
                    now,
                    final.status is Status.INCOMPLETE,
                    trial,
                    self.gang_id,
                ),
            ).rowcount
        if not changed or live is None:
            return False
        losses = update.losses.tolist()
        if losses:
            steps = range(update.first_step, update.first_step + len(losses))
            conn.executemany(
                "INSERT INTO losses VALUES (?, ?, ?)", zip(repeat(trial), steps, losses, strict=False)
            )
        if update.measurements:
            self._measure(conn, live, update.measurements, {**maximized, **live.goal})
        if final is not None and final.train_seconds and update.steps:
            self._clock(conn, live.study_id, update.steps, final.train_seconds, now)
        return True

    def _measure(
        self,
        conn: sqlite3.Connection,
        live: _Live,
        measurements: Sequence[tuple[int, Mapping[str, float]]],
        maximized: Mapping[str, bool],
    ) -> None:
        trial = live.best.trial_id
        ids: dict[str, tuple[int, bool]] = {}
        rows: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
        for step, values in measurements:
            rows.setdefault(tuple(values), []).append((trial, step, *values.values()))
        for names, group in rows.items():
            for name in names:
                if name not in self._columns:
                    ensure_metric_column(conn, name)
                    self._columns.add(name)
                ids[name] = self._directions.of(conn, name, maximized)
            insert = self._inserts.get(names)
            if insert is None:
                columns = ", ".join(["trial_id", "step", *map(quoted, names)])
                marks = ", ".join("?" * (2 + len(names)))
                insert = self._inserts[names] = f"INSERT INTO measurements ({columns}) VALUES ({marks})"
            conn.executemany(insert, group)
        conn.executemany(
            "INSERT INTO best_records VALUES (?, ?, ?, ?)", records_of(live.best, measurements, ids)
        )

    def _clock(self, conn: sqlite3.Connection, study_id: int, steps: int, seconds: float, now: float) -> None:
        """Add to the figure of (workload, batch size, np, gangs, host): sums over trials, so rates are their
        means.
        """
        workload, batch_size = conn.execute(
            "SELECT w.name, s.batch_size FROM studies s JOIN workloads w ON w.id = s.workload_id WHERE s.id"
            " = ?",
            (study_id,),
        ).fetchone()
        gang = self._gang
        where = (workload, batch_size, gang.np, gang.gangs, gang.host)
        row = conn.execute(
            "SELECT id, steps, seconds FROM throughput WHERE workload = ? AND batch_size = ? AND np = ? AND"
            " source = 'trial' AND gangs = ? AND host IS ?",
            where,
        ).fetchone()
        if row is not None:
            steps, seconds = steps + row[1], seconds + row[2]
        rates = (now, steps, seconds, steps / seconds, steps * batch_size / seconds)
        if row is not None:
            conn.execute(
                "UPDATE throughput SET time = ?, steps = ?, seconds = ?, steps_per_second = ?,"
                " examples_per_second = ? WHERE id = ?",
                (*rates, row[0]),
            )
        else:
            conn.execute(
                "INSERT INTO throughput (workload, batch_size, np, gangs, host, time, steps, seconds,"
                " steps_per_second,"
                " examples_per_second, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'trial')",
                (*where, *rates),
            )

    def _adopt(self, conn: sqlite3.Connection, trial_id: int) -> _Live | None:
        """A RUNNING trial of this gang that another writer object claimed."""
        row = conn.execute(
            "SELECT t.study_id, s.definition FROM trials t JOIN studies s ON s.id = t.study_id"
            " WHERE t.id = ? AND t.status = 'RUNNING' AND t.gang_id = ?",
            (trial_id, self.gang_id),
        ).fetchone()
        if row is None:
            return None
        live = self._live[trial_id] = _Live(
            row[0], RunningBest.stored(conn, trial_id), _goal(json.loads(row[1]))
        )
        return live

    def _asked_to_stop(self, conn: sqlite3.Connection) -> bool:
        request, state = conn.execute(
            "SELECT s.request, g.state FROM gangs g JOIN sweeps s ON s.id = g.sweep_id WHERE g.id = ?",
            (self.gang_id,),
        ).fetchone()
        return request == "stop" or state in ("STOPPED", "DEAD")

    def _beat(self, conn: sqlite3.Connection, state: str, trial_id: int | None, now: float) -> None:
        conn.execute(
            "UPDATE gangs SET heartbeat = ?, trial_id = ?, state = CASE WHEN state IN ('STOPPED', 'DEAD')"
            " THEN state ELSE ? END WHERE id = ?",
            (now, trial_id, state, self.gang_id),
        )

    def _claim(self, conn: sqlite3.Connection, now: float) -> Claim | None:
        study = self._study_to_claim_from(conn)
        if study is None:
            return None
        row = conn.execute(
            "SELECT t.id, t.study_id, t.number, t.seed, t.parameters, s.definition FROM trials t JOIN"
            " studies s ON s.id = t.study_id"
            " WHERE t.study_id = ? AND t.status = 'PENDING' ORDER BY t.number LIMIT 1",
            (study,),
        ).fetchone()
        trial_id, study_id, number, seed, parameters, definition = row
        erase_data(conn, [trial_id])
        conn.execute(
            "UPDATE trials SET status = 'RUNNING', gang_id = ?, started = ?, ended = NULL, steps = 0,"
            " stop_reason = NULL, message = NULL WHERE id = ?",
            (self.gang_id, now, trial_id),
        )
        return Claim(
            trial_id, study_id, number, seed, json.loads(parameters), json.loads(definition), definition
        )

    def _study_to_claim_from(self, conn: sqlite3.Connection) -> int | None:
        """The present study first; then one that no gang works on; then any with a trial left."""
        pending = "EXISTS (SELECT 1 FROM trials t WHERE t.study_id = s.id AND t.status = 'PENDING')"
        running = "EXISTS (SELECT 1 FROM trials t WHERE t.study_id = s.id AND t.status = 'RUNNING')"
        gang = self._gang
        if gang.study_id is not None:
            row = conn.execute(
                f"SELECT s.id FROM studies s WHERE s.id = ? AND {pending}", (gang.study_id,)
            ).fetchone()
            if row is not None:
                return int(row[0])
        for condition in (f"{pending} AND NOT {running}", pending):
            row = conn.execute(
                f"SELECT s.id FROM studies s JOIN workloads w ON w.id = s.workload_id WHERE w.sweep_id = ?"
                f" AND {condition}"
                " ORDER BY s.id LIMIT 1",
                (gang.sweep_id,),
            ).fetchone()
            if row is not None:
                return int(row[0])
        return None

    def _forget(self, update: TrialUpdate | None) -> None:
        self._columns.clear()
        self._directions.forget()
        if update is not None:
            self._live.pop(update.trial_id, None)


def _goal(definition: Mapping[str, Any]) -> dict[str, bool]:
    goal = definition.get("goal")
    return {goal["metric"]: bool(goal["maximize"])} if goal else {}
