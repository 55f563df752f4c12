"""Who is at work on a sweep: supervisors, gangs, requests to stop, events and measured throughput."""

from __future__ import annotations

import json
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from hvdsweep.errors import RunFailed
from hvdsweep.process_id import ProcessId
from hvdsweep.store.connection import transaction
from hvdsweep.store.liveness import Occupant, is_at_work, occupant


class TakenOver(RunFailed):
    """Another process has signed in for the sweep meanwhile."""


@contextmanager
def vacant(
    conn: sqlite3.Connection, sweep_id: int, watch: Callable[[Occupant], None] | None = None
) -> Iterator[None]:
    """A write transaction during which nobody works on the sweep. TakenOver, naming the process, if somebody does.

    May take `liveness.WATCH_SECONDS`, of which `watch` hears first.
    """
    while True:
        seen = occupant(conn, sweep_id)
        if seen is not None and is_at_work(conn, sweep_id, watch=watch):
            raise TakenOver(str(occupant(conn, sweep_id) or seen))
        with transaction(conn):
            # Between the look and the lock somebody may have signed in.
            if occupant(conn, sweep_id) == seen:
                yield
                return


def sign_in(conn: sqlite3.Connection, sweep_id: int, process: ProcessId, now: float) -> None:
    """Write the process down as the one that works on the sweep. Inside the caller's write transaction."""
    conn.execute(
        "UPDATE sweeps SET state = 'RUNNING', request = NULL, started = ?, ended = NULL, heartbeat = ?,"
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
    """Register `process` (this one) as the sweep's supervisor: state RUNNING, a pending request to stop forgotten.

    `order`: in which its gangs take trials, one of `claims.ORDERS`; None: `claims.default_order`. `slots` of `--np auto`; `np`
    and `gangs` are None then, and every study has its own (`assign`).
    """
    with transaction(conn):
        sign_in(conn, sweep_id, process or ProcessId.current(), time.time())
        conn.execute(
            "UPDATE sweeps SET np = ?, gangs = ?, slots = ?, trial_order = ?, versions = ? WHERE id = ?",
            (np, gangs, slots, order, json.dumps(dict(versions or {})), sweep_id),
        )
        how = f"--gangs {gangs} --np {np}" if slots is None else f"--np auto --slots {slots}"
        event(conn, "run", f"started with {how}", sweep_id=sweep_id)


def assign(conn: sqlite3.Connection, sweep_id: int, shapes: Mapping[int, tuple[int, int]]) -> None:
    """Leave each study to gangs of one size: study -> (ranks, gangs side by side). Any gang may train the others."""
    with transaction(conn):
        conn.execute(
            "UPDATE studies SET np = NULL, gangs = NULL WHERE np IS NOT NULL"
            " AND workload_id IN (SELECT id FROM workloads WHERE sweep_id = ?)",
            (sweep_id,),
        )
        conn.executemany(
            "UPDATE studies SET np = ?, gangs = ? WHERE id = ?",
            [(np, gangs, study) for study, (np, gangs) in shapes.items()],
        )


def beat(conn: sqlite3.Connection, sweep_id: int, process: ProcessId | None = None) -> bool:
    """The supervisor lives; True if it is asked to stop. TakenOver if the sweep is no longer that of `process`."""
    with transaction(conn):
        rows = conn.execute(
            "UPDATE sweeps SET heartbeat = ?, state = CASE WHEN request = 'stop' THEN 'STOPPING' ELSE state"
            " END WHERE id = ? AND (?3 IS NULL OR supervisor = ?3) RETURNING request",
            (time.time(), sweep_id, None if process is None else str(process)),
        ).fetchall()
        other = occupant(conn, sweep_id) if not rows else None
    if other is not None:
        raise TakenOver(str(other))
    return rows == [("stop",)]


def end_run(
    conn: sqlite3.Connection, sweep_id: int, state: str, message: str = "", process: ProcessId | None = None
) -> None:
    """The supervisor leaves the sweep `state`: IDLE (stopped, work left), DONE or FAILED.

    Nothing is written if `process` is given and another one has signed in meanwhile.
    """
    if state not in ("IDLE", "DONE", "FAILED"):
        raise ValueError(f"a run cannot end {state}")
    now = time.time()
    with transaction(conn):
        ended = conn.execute(
            "UPDATE sweeps SET state = ?, request = NULL, ended = ?, heartbeat = ?, supervisor = NULL,"
            " supervisor_pid = NULL WHERE id = ?4 AND (?5 IS NULL OR supervisor = ?5)",
            (state, now, now, sweep_id, None if process is None else str(process)),
        ).rowcount
        if ended:
            event(conn, "run", f"ended {state}" + (f": {message}" if message else ""), sweep_id=sweep_id)


def request_stop(conn: sqlite3.Connection, sweep_id: int) -> None:
    """Ask the sweep's supervisor and its gangs to stop; they see it at their next commit or beat."""
    with transaction(conn):
        conn.execute(
            "UPDATE sweeps SET request = 'stop', state = CASE state WHEN 'RUNNING' THEN 'STOPPING' ELSE"
            " state END WHERE id = ?",
            (sweep_id,),
        )
        event(conn, "stop", "asked to stop", sweep_id=sweep_id)


def is_live(conn: sqlite3.Connection, sweep_id: int) -> bool:
    """Whether a supervisor is at work on the sweep (`liveness.is_at_work`). Outside any transaction."""
    return is_at_work(conn, sweep_id)


def new_gang(
    conn: sqlite3.Connection,
    sweep_id: int,
    *,
    np: int,
    pid: int | None = None,
    log_dir: str | None = None,
    stage: str | None = None,
) -> int:
    """Register a gang that is about to start; its id. `gang_state` sets its process id once it is known.

    `stage` of its start, for people (`hvdsweep.store.stages`).
    """
    now = time.time()
    with transaction(conn):
        cursor = conn.execute(
            "INSERT INTO gangs (sweep_id, np, host, pid, process, state, started, heartbeat, log_dir, stage)"
            " VALUES (?, ?, ?, ?, ?, 'STARTING', ?, ?, ?, ?)",
            (sweep_id, np, platform.node(), pid, _identity(pid), now, now, log_dir, stage),
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def gang_state(
    conn: sqlite3.Connection,
    gang_id: int,
    state: str | None = None,
    *,
    pid: int | None = None,
    message: str | None = None,
) -> None:
    """Change what is known of a gang; None leaves a field as it is. STOPPED and DEAD are final: its writer is shut out."""
    if state not in (None, "STARTING", "IDLE", "TRAINING", "STOPPED", "DEAD"):
        raise ValueError(f"no such state of a gang: {state}")
    now = time.time()
    ended = state in ("STOPPED", "DEAD")
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
        # It has ended already; without an identity its pid might pass for its successor's.
        return "ended"


def event(
    conn: sqlite3.Connection,
    kind: str,
    message: str,
    *,
    sweep_id: int | None = None,
    gang_id: int | None = None,
    trial_id: int | None = None,
) -> None:
    """Tell people what happened; inside the caller's transaction where there is one."""
    row = (time.time(), sweep_id, gang_id, trial_id, kind, message)
    statement = (
        "INSERT INTO events (time, sweep_id, gang_id, trial_id, kind, message) VALUES (?, ?, ?, ?, ?, ?)"
    )
    if conn.in_transaction:
        conn.execute(statement, row)
    else:
        with transaction(conn):
            conn.execute(statement, row)
