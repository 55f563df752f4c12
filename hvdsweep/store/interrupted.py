"""Putting trials back: those of gangs that died, and those that failed before."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from hvdsweep.store.checkpoints import tidy
from hvdsweep.store.connection import transaction
from hvdsweep.store.erase import cut_back
from hvdsweep.store.liveness import lives_here
from hvdsweep.store.runs import event


@dataclass(frozen=True)
class Recovered:
    """What `recover` put back to PENDING."""

    requeued: int
    """RUNNING trials whose gang no longer lives."""
    resumed: int
    """Those of them that resume from a checkpoint."""
    retried: int
    """INCOMPLETE trials that get another round of attempts."""
    living_gangs: tuple[int, ...]
    """Gangs that still live: their trials were left alone."""


def requeue(
    conn: sqlite3.Connection,
    trial_ids: Iterable[int],
    *,
    count_attempt: bool,
    message: str | None,
    max_attempts: int,
) -> tuple[list[int], list[int]]:
    """RUNNING trials back to PENDING at their checkpoint, later data erased; those out of attempts INCOMPLETE, data kept.

    With `count_attempt` the attempt counts as failed. Returns the ids (requeued, set aside). One transaction.
    """
    requeued: list[int] = []
    aside: list[int] = []
    now = time.time()
    with transaction(conn):
        for trial_id in trial_ids:
            row = conn.execute(
                "SELECT attempts FROM trials WHERE id = ? AND status = 'RUNNING'", (trial_id,)
            ).fetchone()
            if row is None:
                continue
            attempts = row[0] + int(count_attempt)
            if count_attempt and attempts >= max_attempts:
                aside.append(trial_id)
                conn.execute(
                    "UPDATE trials SET status = 'INCOMPLETE', stop_reason = 'failed', attempts = ?, message"
                    " = ?, ended = ?, checkpoint = NULL, checkpoint_seconds = NULL WHERE id = ?",
                    (attempts, message, now, trial_id),
                )
            else:
                requeued.append(trial_id)
                _set_pending(conn, trial_id, attempts, message)
        cut_back(conn, requeued)
    tidy(conn)
    return requeued, aside


def recover(conn: sqlite3.Connection, sweep_id: int, *, retry_incomplete: bool = False) -> Recovered:
    """Before a run: RUNNING trials of gangs that no longer live become PENDING, without counting an attempt.

    Those gangs are marked DEAD. With `retry_incomplete`, INCOMPLETE trials start over with no attempts
    counted.
    """
    now = time.time()
    with transaction(conn):
        living = []
        for gang_id, process, pid, host in conn.execute(
            "SELECT id, process, pid, host FROM gangs WHERE sweep_id = ? AND state NOT IN"
            " ('STOPPED', 'DEAD')",
            (sweep_id,),
        ).fetchall():
            # Nobody works on the sweep but the caller: a gang elsewhere has lost its supervisor, and DEAD shuts its writer out.
            if lives_here(process, pid, host):
                living.append(gang_id)
            else:
                conn.execute(
                    "UPDATE gangs SET state = 'DEAD', ended = ?, trial_id = NULL, message ="
                    " coalesce(message, 'found dead') WHERE id = ?",
                    (now, gang_id),
                )
        mine = (
            "study_id IN (SELECT s.id FROM studies s JOIN workloads w ON w.id = s.workload_id"
            " WHERE w.sweep_id = ?)"
        )
        running = conn.execute(
            f"SELECT id, gang_id, attempts, message, checkpoint FROM trials WHERE status = 'RUNNING' AND {mine}",
            (sweep_id,),
        )
        lost = [row for row in running.fetchall() if row[1] not in living]
        for trial_id, _, attempts, message, _ in lost:
            _set_pending(conn, trial_id, attempts, message)
        resumed = sum(row[4] is not None for row in lost)
        retried: list[int] = []
        if retry_incomplete:
            rows = conn.execute(
                f"SELECT id, message FROM trials WHERE status = 'INCOMPLETE' AND {mine}", (sweep_id,)
            ).fetchall()
            for trial_id, message in rows:
                _set_pending(conn, trial_id, 0, message)
                retried.append(trial_id)
        cut_back(conn, [row[0] for row in lost] + retried)
        if lost or retried:
            event(
                conn,
                "recover",
                f"{len(lost)} interrupted trials ({resumed} of them at a checkpoint) and {len(retried)} failed ones will be"
                " trained again",
                sweep_id=sweep_id,
            )
    tidy(conn)
    return Recovered(len(lost), resumed, len(retried), tuple(living))


def _set_pending(conn: sqlite3.Connection, trial_id: int, attempts: int, message: str | None) -> None:
    conn.execute(
        "UPDATE trials SET status = 'PENDING', steps = ifnull(checkpoint, 0), attempts = ?, message = ?, gang_id = NULL,"
        " started = NULL, ended = NULL, stop_reason = NULL WHERE id = ?",
        (attempts, message, trial_id),
    )
