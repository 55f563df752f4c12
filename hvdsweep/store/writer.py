"""What rank 0 of a gang writes, one transaction at a time: every loss, every measurement, each change of state."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, repeat
from typing import Any

from hvdsweep.repeats import FIRST_REPEAT
from hvdsweep.store.claims import claim_next
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.events import event
from hvdsweep.store.exchange import Reply, TrialUpdate
from hvdsweep.store.knowledge import Knowledge
from hvdsweep.store.lifecycle import end_trial, release_trial, restart_trial
from hvdsweep.store.records import RunningBest
from hvdsweep.store.schema import ensure_metric_column, metric_columns, metric_id, naturally_maximised, quoted
from hvdsweep.store.shard_files import Exchange
from hvdsweep.store.throughput import add_speed


@dataclass
class _Live:
    """What this writer remembers of a trial in training."""

    study_id: int
    best: RunningBest
    goal: dict[str, bool] = field(default_factory=dict)
    """The goal's metric and whether it is maximised."""
    first: int = 0
    """Updates made before this writer claimed it."""
    offset: float = field(default_factory=lambda: time.time() - time.monotonic())
    """The clock that people set less the one that only runs, at the claim."""

    @property
    def shift(self) -> float:
        """Seconds by which the clock was set, or the machine slept, since the claim: no part of the trial's time."""
        return time.time() - time.monotonic() - self.offset


class TrialWriter:
    """The store for one gang. Not for two threads at once, but any one thread may use it."""

    def __init__(self, path: str | os.PathLike[str], gang_id: int) -> None:
        self._conn = connect(path)
        self.gang_id = gang_id
        row = self._conn.execute("SELECT sweep_id FROM gangs WHERE id = ?", (gang_id,)).fetchone()
        if row is None:
            self._conn.close()
            raise ValueError(f"{path}: no gang {gang_id}")
        self._sweep_id = int(row[0])
        self._study_id: int | None = None
        """The study of the latest claim, whose functions are compiled."""
        self._live: dict[int, _Live] = {}
        self._knowledge = Knowledge()
        self._columns = set(metric_columns(self._conn))
        self._metrics: dict[tuple[str, bool], int] = {}
        """(metric, maximize) -> its id in the store."""
        self._inserts: dict[tuple[str, ...], str] = {}
        self._exchange = Exchange.of(self._conn, self._sweep_id)
        """Shared with the other shards of the sweep; None if this store trains all of it."""

    def close(self) -> None:
        """Close the connection; a trial that is still RUNNING stays so until `recover` or `requeue`."""
        self._conn.close()

    def __enter__(self) -> TrialWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(self, update: TrialUpdate | None, *, claim: bool) -> Reply:
        """Write `update`, the gang's heartbeat and, if asked, the claim of the next trial: all or nothing."""
        now = time.time()
        durable = update is not None and update.checkpoint is not None
        try:
            with transaction(self._conn, durable=durable) as conn:
                if update is not None and not self._write(conn, update, now):
                    self._live.pop(update.trial_id, None)
                    return Reply(None, stop=True, lost=True)
                stop = self._asked_to_stop(conn)
                claimed = None
                if claim and not stop:
                    claimed = claim_next(
                        conn, self._sweep_id, self.gang_id, self._study_id, now, self._knowledge
                    )
                if claimed is not None:
                    self._heartbeat(conn, "TRAINING", claimed.trial_id, now)
                elif update is not None and update.final is None:
                    self._heartbeat(conn, "TRAINING", update.trial_id, now)
                else:
                    self._heartbeat(conn, "IDLE", None, now)
        except BaseException:
            # Discard what was learnt in the rolled-back transaction (columns, ids, records).
            self._forget(update)
            raise
        if update is not None and update.final is not None:
            ended = self._live.pop(update.trial_id, None)
            if ended is not None and self._exchange is not None:
                self._publish(self._exchange, ended.study_id)
        if claimed is not None:
            self._study_id = claimed.study_id
            self._live[claimed.trial_id] = _Live(
                claimed.study_id,
                RunningBest.stored(self._conn, claimed.trial_id),
                _goal(claimed.definition),
                claimed.checkpoint or 0,
            )
        return Reply(claimed, stop)

    def release(self, trial_id: int, last: TrialUpdate | None = None) -> bool:
        """Return a RUNNING trial: PENDING again at its checkpoint, what it recorded after that removed.

        `last`: what happened to it since the last commit. False if the trial is no longer this gang's.
        """
        now = time.time()
        with transaction(self._conn, durable=True) as conn:
            if last is not None:
                self._write(conn, last, now)
            changed = release_trial(conn, trial_id, self.gang_id)
            self._heartbeat(conn, "IDLE", None, now)
        self._live.pop(trial_id, None)
        return changed

    def begin_again(self, trial_id: int, why: str) -> None:
        """Restart a RUNNING trial at its first step: its checkpoint cannot be used, and an event says why."""
        with transaction(self._conn) as conn:
            if restart_trial(conn, trial_id, self.gang_id, time.time()):
                self.note(trial_id, why)
        live = self._live[trial_id]
        self._live[trial_id] = replace(live, best=RunningBest(trial_id), first=0)

    def note(self, trial_id: int, message: str) -> None:
        """Record something about a checkpoint of the trial as an event."""
        event(
            self._conn,
            "checkpoint",
            message,
            sweep_id=self._sweep_id,
            gang_id=self.gang_id,
            trial_id=trial_id,
        )

    def best_steps_to_goal(self, study_id: int, metric: str, goal: float, maximize: bool) -> int | None:
        """The fewest steps in which a COMPLETE trial of the study went strictly beyond the goal.

        A running trial does not count yet: it may still be interrupted and fail for good, and then the trials stopped
        because of it would have been stopped without a reason. Trials of the sweep's other shards count.
        """
        mine = self._own_best(study_id, metric, goal, maximize)
        if self._exchange is None:
            return mine
        return min(
            (best for best in (mine, self._exchange.best(*self._name(study_id))) if best is not None),
            default=None,
        )

    def _publish(self, exchange: Exchange, study_id: int) -> None:
        """Share the best of a study with the other shards, if its trials stop when beaten."""
        (text,) = self._conn.execute("SELECT definition FROM studies WHERE id = ?", (study_id,)).fetchone()
        definition = json.loads(text)
        goal = definition.get("goal")
        if definition.get("stop") == "beaten" and goal:
            best = self._own_best(study_id, goal["metric"], goal["value"], goal["maximize"])
            if best is not None:
                exchange.publish(*self._name(study_id), best)

    def _name(self, study_id: int) -> tuple[str, int]:
        """(workload, batch size)."""
        row = self._conn.execute(
            "SELECT w.name, s.batch_size FROM studies s JOIN workloads w ON w.id = s.workload_id WHERE s.id = ?",
            (study_id,),
        ).fetchone()
        return str(row[0]), int(row[1])

    def _own_best(self, study_id: int, metric: str, goal: float, maximize: bool) -> int | None:
        better = ">" if maximize else "<"
        row = self._conn.execute(
            "SELECT min(r.step) FROM metrics m CROSS JOIN trials t CROSS JOIN best_records r"
            " WHERE m.name = ? AND m.maximize = ? AND t.study_id = ? AND t.status = 'COMPLETE'"
            f" AND t.number < {FIRST_REPEAT} AND r.metric_id = m.id AND r.trial_id = t.id AND r.value {better} ?",
            (metric, int(maximize), study_id, goal),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _write(self, conn: sqlite3.Connection, update: TrialUpdate, now: float) -> bool:
        """Write everything about the trial; False if the trial is no longer this gang's."""
        trial = update.trial_id
        live = self._live.get(trial) or self._adopt(conn, trial)
        shift = live.shift if live is not None else 0.0
        final = update.final
        if final is None:
            step_at = update.checkpoint and (update.checkpoint[0], update.checkpoint[1] - shift)
            changed = conn.execute(
                "UPDATE trials SET steps = ?, checkpoint = coalesce(?, checkpoint), checkpoint_seconds ="
                " coalesce(max(?, started) - started, checkpoint_seconds)"
                " WHERE id = ? AND status = 'RUNNING' AND gang_id = ?",
                (int(update.steps), *(step_at or (None, None)), trial, self.gang_id),
            ).rowcount
        else:
            changed = end_trial(conn, trial, self.gang_id, int(update.steps), final, now - shift)
        if not changed or live is None:
            return False
        losses = update.losses.tolist()
        if losses:
            rows = zip(repeat(trial), count(int(update.first_step)), losses, strict=False)
            conn.executemany("INSERT INTO losses VALUES (?, ?, ?)", rows)
        if update.measurements:
            self._measure(conn, live, update.measurements)
        if update.noise:
            conn.executemany(
                "INSERT INTO gradient_noise VALUES (?, ?, ?, ?, ?)", [(trial, *row) for row in update.noise]
            )
        if final is not None and final.train_seconds and update.steps > live.first:
            made = int(update.steps) - live.first
            add_speed(conn, live.study_id, self.gang_id, made, final.train_seconds, now)
        return True

    def _measure(
        self, conn: sqlite3.Connection, live: _Live, measurements: Sequence[tuple[int, Mapping[str, float]]]
    ) -> None:
        trial = live.best.trial_id
        ids: dict[str, tuple[int, bool]] = {}
        rows: dict[tuple[str, ...], list[tuple[float, ...]]] = {}
        for step, values in measurements:
            rows.setdefault(tuple(values), []).append((trial, int(step), *map(float, values.values())))
        for names, group in rows.items():
            for name in names:
                if name not in self._columns:
                    ensure_metric_column(conn, name)
                    self._columns.add(name)
                key = name, live.goal.get(name, naturally_maximised(name))
                if key not in self._metrics:
                    self._metrics[key] = metric_id(conn, *key)
                ids[name] = self._metrics[key], key[1]
            insert = self._inserts.get(names)
            if insert is None:
                columns = ", ".join(["trial_id", "step", *map(quoted, names)])
                marks = ", ".join("?" * (2 + len(names)))
                insert = self._inserts[names] = f"INSERT INTO measurements ({columns}) VALUES ({marks})"
            conn.executemany(insert, group)
        conn.executemany("INSERT INTO best_records VALUES (?, ?, ?, ?)", live.best.records(measurements, ids))

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
        row = conn.execute(
            "SELECT s.request, g.state FROM gangs g JOIN sweeps s ON s.id = g.sweep_id WHERE g.id = ?",
            (self.gang_id,),
        ).fetchone()
        # No row: the sweep was deleted while this gang was running unnoticed.
        return row is None or row[0] == "stop" or row[1] in ("STOPPED", "DEAD")

    def _heartbeat(self, conn: sqlite3.Connection, state: str, trial_id: int | None, now: float) -> None:
        conn.execute(
            "UPDATE gangs SET heartbeat = ?, trial_id = ?, state = CASE WHEN state IN ('STOPPED', 'DEAD')"
            " THEN state ELSE ? END WHERE id = ?",
            (now, trial_id, state, self.gang_id),
        )

    def _forget(self, update: TrialUpdate | None) -> None:
        self._columns.clear()
        self._metrics.clear()
        self._knowledge = Knowledge()
        if update is not None:
            self._live.pop(update.trial_id, None)


def _goal(definition: Mapping[str, Any]) -> dict[str, bool]:
    goal = definition.get("goal")
    return {goal["metric"]: bool(goal["maximize"])} if goal else {}
