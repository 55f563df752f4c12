"""Every transition of a trial, a sweep and a gang, one statement each; no other code changes their states.

trial   PENDING -> RUNNING -> COMPLETE | INFEASIBLE | INCOMPLETE;  back to PENDING if its gang dies or is stopped
sweep   IDLE -> RUNNING -> STOPPING -> IDLE | DONE | FAILED
gang    STARTING -> IDLE <-> TRAINING -> STOPPED | DEAD
"""

from __future__ import annotations

import json
import platform
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.process_id import ProcessId
from hvdsweep.states import ENDED, GANG_ENDS, GangState, Status, StopReason, SweepState
from hvdsweep.store.checkpoints import tidy
from hvdsweep.store.connection import transaction
from hvdsweep.store.erase import cut_back, erase_data
from hvdsweep.store.events import event
from hvdsweep.store.exchange import Final
from hvdsweep.store.inserts import insert
from hvdsweep.store.liveness import TakenOver, is_at_work, lives_here, occupant

_RUNNING = f"status = '{Status.RUNNING.name}'"

LOST = "max(0.0, g.heartbeat - t.started - ifnull(t.checkpoint_seconds, 0))"
"""Seconds that the gang `g` has trained the RUNNING trial `t` since its last checkpoint, or since it started it."""


def start_trial(
    conn: sqlite3.Connection, trial_id: int, gang_id: int, chosen: str | None, now: float
) -> None:
    """Set a PENDING trial RUNNING in a gang, from its checkpoint on. Inside the caller's write transaction."""
    cut_back(conn, [trial_id])
    conn.execute(
        # Its start is moved back by the time before its checkpoint, so that its seconds add up.
        f"UPDATE trials SET status = '{Status.RUNNING.name}', gang_id = ?, started = ? - ifnull(checkpoint_seconds, 0),"
        " ended = NULL, steps = ifnull(checkpoint, 0), stop_reason = NULL, message = NULL, chosen = ? WHERE id = ?",
        (gang_id, now, chosen, trial_id),
    )


def end_trial(
    conn: sqlite3.Connection, trial_id: int, gang_id: int, steps: int, final: Final, now: float
) -> bool:
    """End a RUNNING trial of the gang; False if the gang no longer has it. Inside the caller's write transaction."""
    if final.status.name not in ENDED:
        raise ValueError(f"a trial cannot end as {final.status.name}")
    changed = conn.execute(
        # If the clock was set back, the trial must not end before it began.
        "UPDATE trials SET steps = ?, status = ?, stop_reason = ?, message = ?, ended = max(?, started),"
        " attempts = attempts + ?, checkpoint = NULL, checkpoint_seconds = NULL"
        f" WHERE id = ? AND {_RUNNING} AND gang_id = ?",
        (
            steps,
            final.status.name,
            final.stop_reason.word,
            final.message,
            now,
            final.status is Status.INCOMPLETE,
            trial_id,
            gang_id,
        ),
    ).rowcount
    return bool(changed)


def release_trial(conn: sqlite3.Connection, trial_id: int, gang_id: int) -> bool:
    """Set a RUNNING trial of the gang PENDING at its checkpoint and remove later data; False if the gang no longer has
    it. Inside the caller's write transaction."""
    changed = conn.execute(
        f"UPDATE trials SET status = '{Status.PENDING.name}', steps = ifnull(checkpoint, 0), gang_id = NULL, started = NULL"
        f" WHERE id = ? AND {_RUNNING} AND gang_id = ?",
        (trial_id, gang_id),
    ).rowcount
    if changed:
        cut_back(conn, [trial_id])
    return bool(changed)


def restart_trial(conn: sqlite3.Connection, trial_id: int, gang_id: int, now: float) -> bool:
    """Restart a RUNNING trial of the gang at its first step; False if the gang no longer has it. Inside the caller's
    write transaction."""
    changed = conn.execute(
        "UPDATE trials SET steps = 0, checkpoint = NULL, checkpoint_seconds = NULL, started = ?"
        f" WHERE id = ? AND {_RUNNING} AND gang_id = ?",
        (now, trial_id, gang_id),
    ).rowcount
    if changed:
        erase_data(conn, [trial_id])
    return bool(changed)


@dataclass(frozen=True)
class Recovered:
    """What `recover` changed."""

    requeued: int
    """RUNNING trials put back to PENDING because their gang is dead."""
    resumed: int
    """How many of those resume from a checkpoint."""
    retried: int
    """INCOMPLETE trials that get another round of attempts."""


def requeue(
    conn: sqlite3.Connection,
    trial_ids: Iterable[int],
    *,
    count_attempt: bool,
    message: str | None,
    max_attempts: int,
) -> tuple[list[int], list[int]]:
    """Set RUNNING trials PENDING at their checkpoint and erase later data; out of attempts: INCOMPLETE, data kept.

    With `count_attempt` the attempt counts as failed. Returns the ids (requeued, given up). One transaction.
    """
    requeued: list[int] = []
    aside: list[int] = []
    now = time.time()
    with transaction(conn):
        for trial_id in trial_ids:
            row = conn.execute(
                f"SELECT attempts FROM trials WHERE id = ? AND {_RUNNING}", (trial_id,)
            ).fetchone()
            if row is None:
                continue
            attempts = row[0] + int(count_attempt)
            if count_attempt and attempts >= max_attempts:
                aside.append(trial_id)
                conn.execute(
                    "UPDATE trials SET status = ?, stop_reason = ?, attempts = ?, message"
                    " = ?, ended = ?, checkpoint = NULL, checkpoint_seconds = NULL WHERE id = ?",
                    (Status.INCOMPLETE.name, StopReason.FAILED.word, attempts, message, now, trial_id),
                )
            else:
                requeued.append(trial_id)
                _set_pending(conn, trial_id, attempts, message)
        cut_back(conn, requeued)
    tidy(conn)
    return requeued, aside


def recover(conn: sqlite3.Connection, sweep_id: int, *, retry_incomplete: bool = False) -> Recovered:
    """Before a run: set RUNNING trials of dead gangs PENDING, without counting an attempt.

    Those gangs are marked DEAD. With `retry_incomplete`, INCOMPLETE trials start over with no attempts
    counted.
    """
    now = time.time()
    with transaction(conn):
        living = []
        for gang_id, process, pid, host in conn.execute(
            f"SELECT id, process, pid, host FROM gangs WHERE sweep_id = ? AND state NOT IN {GANG_ENDS}",
            (sweep_id,),
        ).fetchall():
            # Only the caller works on the sweep. A gang elsewhere has lost its supervisor; DEAD stops it from writing.
            if lives_here(process, pid, host):
                living.append(gang_id)
            else:
                conn.execute(
                    f"UPDATE gangs SET state = '{GangState.DEAD}', ended = ?, trial_id = NULL, message ="
                    " coalesce(message, 'found dead') WHERE id = ?",
                    (now, gang_id),
                )
        mine = (
            "study_id IN (SELECT s.id FROM studies s JOIN workloads w ON w.id = s.workload_id"
            " WHERE w.sweep_id = ?)"
        )
        running = conn.execute(
            f"SELECT id, gang_id, attempts, message, checkpoint FROM trials WHERE {_RUNNING} AND {mine}",
            (sweep_id,),
        )
        lost = [row for row in running.fetchall() if row[1] not in living]
        for trial_id, gang_id, attempts, message, _ in lost:
            conn.execute(
                f"UPDATE gangs SET lost_seconds = (SELECT {LOST} FROM trials t JOIN gangs g ON g.id = t.gang_id WHERE t.id = ?)"
                " WHERE id = ?",
                (trial_id, gang_id),
            )
            _set_pending(conn, trial_id, attempts, message)
        resumed = sum(row[4] is not None for row in lost)
        retried: list[int] = []
        if retry_incomplete:
            rows = conn.execute(
                f"SELECT id, message FROM trials WHERE status = '{Status.INCOMPLETE.name}' AND {mine}",
                (sweep_id,),
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
    return Recovered(len(lost), resumed, len(retried))


def _set_pending(conn: sqlite3.Connection, trial_id: int, attempts: int, message: str | None) -> None:
    conn.execute(
        f"UPDATE trials SET status = '{Status.PENDING.name}', steps = ifnull(checkpoint, 0), attempts = ?, message = ?,"
        " gang_id = NULL, started = NULL, ended = NULL, stop_reason = NULL WHERE id = ?",
        (attempts, message, trial_id),
    )


def sign_in(conn: sqlite3.Connection, sweep_id: int, process: ProcessId, now: float) -> None:
    """Record `process` as the one that works on the sweep. Inside the caller's write transaction."""
    conn.execute(
        f"UPDATE sweeps SET state = '{SweepState.RUNNING}', request = NULL, started = ?, ended = NULL, heartbeat = ?,"
        " supervisor = ?, supervisor_pid = ?, supervisor_host = ? WHERE id = ?",
        (now, now, str(process), process.pid, process.host, sweep_id),
    )


def begin_run(
    conn: sqlite3.Connection,
    sweep_id: int,
    *,
    np: int | None,
    gangs: int | None,
    slots: int | None = None,
    versions: Mapping[str, str] | None = None,
    process: ProcessId | None = None,
    order: str | None = None,
) -> None:
    """Register `process` (this one) as the sweep's supervisor: state RUNNING, a pending request to stop cleared. Inside
    the caller's transaction if there is one.

    `order`: in which gangs take trials, a `claims.Order`; None: `claims.default_order`. `slots`: for `--np auto`;
    then `np` and `gangs` are None, and every study has its own (`assign`).
    """
    with nullcontext() if conn.in_transaction else transaction(conn):
        sign_in(conn, sweep_id, process or ProcessId.current(), time.time())
        conn.execute(
            "UPDATE sweeps SET np = ?, gangs = ?, slots = ?, trial_order = ?, versions = ? WHERE id = ?",
            (np, gangs, slots, order, json.dumps(dict(versions or {})), sweep_id),
        )
        how = f"--gangs {gangs} --np {np}" if slots is None else f"--np auto --slots {slots}"
        event(conn, "run", f"started with {how}", sweep_id=sweep_id)


def heartbeat(conn: sqlite3.Connection, sweep_id: int, process: ProcessId | None = None) -> bool:
    """The supervisor lives; True if it is asked to stop. TakenOver if the sweep is no longer that of `process`. Inside the
    caller's transaction if there is one."""
    with nullcontext() if conn.in_transaction else transaction(conn):
        rows = conn.execute(
            f"UPDATE sweeps SET heartbeat = ?, state = CASE WHEN request = 'stop' THEN '{SweepState.STOPPING}' ELSE state"
            " END WHERE id = ? AND (?3 IS NULL OR supervisor = ?3) RETURNING request",
            (time.time(), sweep_id, None if process is None else str(process)),
        ).fetchall()
        other = occupant(conn, sweep_id) if not rows else None
    if other is not None:
        raise TakenOver(str(other))
    return rows == [("stop",)]


def leave_sweep(
    conn: sqlite3.Connection, sweep_id: int, state: str, process: ProcessId | None = None
) -> bool:
    """Set the sweep IDLE, DONE or FAILED, as nobody works on it any more. False, and nothing written, if `process` is
    given and another one has registered meanwhile. Inside the caller's write transaction."""
    if state not in (SweepState.IDLE, SweepState.DONE, SweepState.FAILED):
        raise ValueError(f"a run cannot end {state}")
    now = time.time()
    changed = conn.execute(
        "UPDATE sweeps SET state = ?, request = NULL, ended = ?, heartbeat = ?, supervisor = NULL,"
        " supervisor_pid = NULL WHERE id = ?4 AND (?5 IS NULL OR supervisor = ?5)",
        (state, now, now, sweep_id, None if process is None else str(process)),
    ).rowcount
    return bool(changed)


def end_run(
    conn: sqlite3.Connection, sweep_id: int, state: str, message: str = "", process: ProcessId | None = None
) -> None:
    """The supervisor leaves the sweep in `state`: IDLE (stopped, work left), DONE or FAILED.

    Nothing is written if `process` is given and another one has registered meanwhile.
    """
    with transaction(conn):
        if leave_sweep(conn, sweep_id, state, process):
            event(conn, "run", f"ended {state}" + (f": {message}" if message else ""), sweep_id=sweep_id)


def request_stop(conn: sqlite3.Connection, sweep_id: int) -> None:
    """Ask the sweep's supervisor and gangs to stop; they read the request at their next commit or heartbeat."""
    with transaction(conn):
        conn.execute(
            f"UPDATE sweeps SET request = 'stop', state = CASE state WHEN '{SweepState.RUNNING}' THEN '{SweepState.STOPPING}'"
            " ELSE state END WHERE id = ?",
            (sweep_id,),
        )
        event(conn, "stop", "asked to stop", sweep_id=sweep_id)


def delete_sweep(conn: sqlite3.Connection, sweep_id: int) -> int:
    """Remove a sweep with all its trials; returns their number. Study by study, so that a killed deletion can be
    repeated.

    RunFailed if a supervisor is working on it; UserError if there is no such sweep. The file keeps its size: the space
    is reused, or freed by `VACUUM`.
    """
    row = conn.execute("SELECT name FROM sweeps WHERE id = ?", (sweep_id,)).fetchone()
    if row is None:
        raise UserError(f"sweep {sweep_id}: is not in the database.")
    if is_at_work(conn, sweep_id):
        raise RunFailed(
            f"sweep {sweep_id} is being trained: stop it first (Ctrl-C in its terminal, or `x` on the Sweeps screen)."
        )
    deleted = 0
    studies = conn.execute(
        "SELECT s.id FROM workloads w JOIN studies s ON s.workload_id = w.id WHERE w.sweep_id = ?",
        (sweep_id,),
    ).fetchall()
    for study in studies:
        with transaction(conn):
            trials = [row[0] for row in conn.execute("SELECT id FROM trials WHERE study_id = ?", study)]
            erase_data(conn, trials)
            conn.execute("DELETE FROM trials WHERE study_id = ?", study)
            conn.execute("DELETE FROM studies WHERE id = ?", study)
        deleted += len(trials)
    with transaction(conn):
        for table in ("workloads", "gangs", "events"):
            conn.execute(f"DELETE FROM {table} WHERE sweep_id = ?", (sweep_id,))
        conn.execute("DELETE FROM sweeps WHERE id = ?", (sweep_id,))
        event(conn, "delete", f"sweep {sweep_id} ({row[0]}) removed with {deleted} trials")
    tidy(conn)
    return deleted


def new_gang(conn: sqlite3.Connection, sweep_id: int, *, np: int, stage: str | None = None) -> int:
    """Register a gang that is about to start; returns its id. `gang_state` sets its process id once it is known.

    `stage`: of its start, for display (`hvdsweep.store.stages`).
    """
    now = time.time()
    with transaction(conn):
        values = {"sweep_id": sweep_id, "np": np, "host": platform.node(), "state": GangState.STARTING.value}
        return insert(conn, "gangs", {**values, "started": now, "heartbeat": now, "stage": stage})


def gang_state(
    conn: sqlite3.Connection,
    gang_id: int,
    state: str | None = None,
    *,
    pid: int | None = None,
    message: str | None = None,
) -> None:
    """Update a gang; None leaves a field unchanged. STOPPED and DEAD are final: its writer can write no more."""
    if state is not None:
        GangState(state)
    now = time.time()
    ended = state in GANG_ENDS
    with transaction(conn):
        conn.execute(
            "UPDATE gangs SET state = coalesce(?, state), pid = coalesce(?, pid), process = coalesce(?, process),"
            " message = coalesce(?, message), started = CASE WHEN ? IS NULL THEN started ELSE ? END,"
            " ended = CASE WHEN ? THEN ? ELSE ended END, trial_id = CASE WHEN ? THEN NULL ELSE trial_id END,"
            " stage = CASE WHEN ? THEN NULL ELSE stage END WHERE id = ?",
            (state, pid, _identity(pid), message, pid, now, ended, now, ended, ended, gang_id),
        )


def _identity(pid: int | None) -> str | None:
    try:
        return None if pid is None else str(ProcessId.of(pid))
    except ProcessLookupError:
        # It has ended already; a pid without an identity might be taken for a later process.
        return "ended"
