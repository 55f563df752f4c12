"""Removing what trials have recorded, for trials that start again or resume from a checkpoint."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence


def erase_data(conn: sqlite3.Connection, trial_ids: Sequence[int]) -> None:
    """Remove losses, measurements and records of these trials. Inside the caller's write transaction."""
    _cut(conn, [(trial_id, -1) for trial_id in trial_ids])


def cut_back(conn: sqlite3.Connection, trial_ids: Sequence[int]) -> None:
    """Remove what these trials recorded after their checkpoint; everything if there is none. Inside the caller's write
    transaction."""
    rows = conn.execute(
        "SELECT id, ifnull(checkpoint, -1) FROM trials WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(trial_ids)),),
    )
    _cut(conn, rows.fetchall())


def _cut(conn: sqlite3.Connection, last: Sequence[tuple[int, int]]) -> None:
    """For each (trial, step), remove the data beyond the step."""
    conn.executemany("DELETE FROM losses WHERE trial_id = ? AND step > ?", last)
    conn.executemany("DELETE FROM measurements WHERE trial_id = ? AND step > ?", last)
    conn.executemany("DELETE FROM gradient_noise WHERE trial_id = ? AND step > ?", last)
    # Naming the metrics lets SQLite use the primary key, which starts with them.
    conn.executemany(
        "DELETE FROM best_records WHERE metric_id IN (SELECT id FROM metrics) AND trial_id = ? AND step > ?",
        last,
    )
