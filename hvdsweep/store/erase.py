"""Removing recorded data: of trials that start again or resume from a checkpoint, and of whole sweeps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.store.checkpoints import tidy
from hvdsweep.store.connection import transaction
from hvdsweep.store.runs import event, is_live


def erase_data(conn: sqlite3.Connection, trial_ids: Sequence[int]) -> None:
    """Remove losses, measurements and records of these trials. Inside the caller's write transaction."""
    _cut(conn, [(trial_id, -1) for trial_id in trial_ids])


def cut_back(conn: sqlite3.Connection, trial_ids: Sequence[int]) -> None:
    """Remove what these trials recorded after their checkpoint; all of it where they have none. Inside the caller's write
    transaction."""
    rows = conn.execute(
        "SELECT id, ifnull(checkpoint, -1) FROM trials WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(trial_ids)),),
    )
    _cut(conn, rows.fetchall())


def _cut(conn: sqlite3.Connection, last: Sequence[tuple[int, int]]) -> None:
    """Of each (trial, step) remove the data beyond the step."""
    conn.executemany("DELETE FROM losses WHERE trial_id = ? AND step > ?", last)
    conn.executemany("DELETE FROM measurements WHERE trial_id = ? AND step > ?", last)
    conn.executemany("DELETE FROM gradient_noise WHERE trial_id = ? AND step > ?", last)
    # Naming the metrics lets SQLite use the primary key, which starts with them.
    conn.executemany(
        "DELETE FROM best_records WHERE metric_id IN (SELECT id FROM metrics) AND trial_id = ? AND step > ?",
        last,
    )


def delete_sweep(conn: sqlite3.Connection, sweep_id: int) -> int:
    """Remove a sweep with all its trials; their number. Study by study, so that a killed deletion can simply be repeated.

    RunFailed while a supervisor is at work on it; UserError where there is no such sweep. The file keeps its
    size: the space is used again, or given back by `VACUUM`.
    """
    row = conn.execute("SELECT name FROM sweeps WHERE id = ?", (sweep_id,)).fetchone()
    if row is None:
        raise UserError(f"sweep {sweep_id}: is not in the database.")
    if is_live(conn, sweep_id):
        raise RunFailed(
            f"sweep {sweep_id} is being trained: stop it first (Ctrl-C there, or its stop button)."
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
