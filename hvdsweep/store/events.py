"""The table `events`: what happened, for people."""

from __future__ import annotations

import sqlite3
import time
from contextlib import nullcontext

from hvdsweep.store.connection import transaction


def event(
    conn: sqlite3.Connection,
    kind: str,
    message: str,
    *,
    sweep_id: int | None = None,
    gang_id: int | None = None,
    trial_id: int | None = None,
) -> None:
    """Record what happened; inside the caller's transaction if there is one."""
    with nullcontext() if conn.in_transaction else transaction(conn):
        conn.execute(
            "INSERT INTO events (time, sweep_id, gang_id, trial_id, kind, message) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), sweep_id, gang_id, trial_id, kind, message),
        )
