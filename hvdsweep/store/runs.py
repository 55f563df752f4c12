"""Who is at work on a sweep: supervisors, gangs, requests to stop, events and measured throughput."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from hvdsweep.store.connection import transaction

SILENT_SECONDS = 120.0
"""After so long without a heartbeat a process on another host counts as dead."""


def begin_run(
    conn: sqlite3.Connection,
    sweep_id: int,
    *,
    np: int,
    gangs: int,
    versions: Mapping[str, str] | None = None,
    pid: int | None = None,
    order: str | None = None,
) -> None:
    """Register this process as the sweep's supervisor: state RUNNING, a pending request to stop forgotten.

    `order`: in which its gangs take trials, one of `claims.ORDERS`; None: `claims.default_order`.
    """
    now = time.time()
    with transaction(conn):
        conn.execute(
            "UPDATE sweeps SET state = 'RUNNING', request = NULL, started = ?, ended = NULL, heartbeat = ?,"
            " supervisor_pid = ?, supervisor_host = ?, np = ?, gangs = ?, trial_order = ?, versions = ? WHERE id = ?",
            (
                now,
                now,
                pid or os.getpid(),
                platform.node(),
                np,
                gangs,
                order,
                json.dumps(dict(versions or {})),
                sweep_id,
            ),
        )
        event(conn, "run", f"started with --gangs {gangs} --np {np}", sweep_id=sweep_id)


def beat(conn: sqlite3.Connection, sweep_id: int) -> bool:
    """The supervisor lives; True where it is asked to stop."""
    with transaction(conn):
        rows = conn.execute(
            "UPDATE sweeps SET heartbeat = ?, state = CASE WHEN request = 'stop' THEN 'STOPPING' ELSE state"
            " END WHERE id = ? RETURNING request",
            (time.time(), sweep_id),
        ).fetchall()
    return rows == [("stop",)]


def end_run(conn: sqlite3.Connection, sweep_id: int, state: str, message: str = "") -> None:
    """The supervisor leaves the sweep `state`: IDLE (stopped, work left), DONE or FAILED."""
    if state not in ("IDLE", "DONE", "FAILED"):
        raise ValueError(f"a run cannot end {state}")
    now = time.time()
    with transaction(conn):
        conn.execute(
            "UPDATE sweeps SET state = ?, request = NULL, ended = ?, heartbeat = ?, supervisor_pid = NULL"
            " WHERE id = ?",
            (state, now, now, sweep_id),
        )
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
    """Whether a supervisor is at work on the sweep: its process on this host, its heartbeat on another."""
    row = conn.execute(
        "SELECT supervisor_pid, supervisor_host, started, heartbeat FROM sweeps WHERE id = ? AND state IN"
        " ('RUNNING', 'STOPPING')",
        (sweep_id,),
    ).fetchone()
    return row is not None and gang_is_live(row[0], row[1], row[2], row[3], time.time())


def gang_is_live(
    pid: int | None, host: str | None, started: float | None, heartbeat: float | None, now: float
) -> bool:
    """Whether the process registered as (pid, host, started) lives; on another host: whether it was heard of lately."""
    if pid is not None and host == platform.node():
        begun = process_started(pid)
        # A process that began after it was registered is another one with the same number.
        return begun is not None and (started is None or begun <= started + 2.0)
    latest = max(filter(None, (started, heartbeat)), default=None)
    return latest is not None and now - latest < SILENT_SECONDS


def process_started(pid: int) -> float | None:
    """Unix time at which process `pid` of this host began; None where it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except OSError:
        return None
    # The second field, the name in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return time.time() - uptime + int(fields[19]) / os.sysconf("SC_CLK_TCK")


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
            "INSERT INTO gangs (sweep_id, np, host, pid, state, started, heartbeat, log_dir, stage) VALUES (?, ?,"
            " ?, ?, 'STARTING', ?, ?, ?, ?)",
            (sweep_id, np, platform.node(), pid, now, now, log_dir, stage),
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
            "UPDATE gangs SET state = coalesce(?, state), pid = coalesce(?, pid), message = coalesce(?,"
            " message), started = CASE WHEN ? IS NULL THEN started ELSE ? END,"
            " ended = CASE WHEN ? THEN ? ELSE ended END, trial_id = CASE WHEN ? THEN NULL ELSE trial_id END,"
            " stage = CASE WHEN ? THEN NULL ELSE stage END WHERE id = ?",
            (state, pid, message, pid, now, ended, now, ended, ended, gang_id),
        )


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
