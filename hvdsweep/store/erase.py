"""Taking recorded data away again: of trials that start anew, and of whole sweeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable


def erase_data(conn: sqlite3.Connection, trial_ids: Iterable[int]) -> None:
    """Remove losses, measurements and records of these trials. Inside the caller's write transaction."""
    ids = [(trial_id,) for trial_id in trial_ids]
    conn.executemany("DELETE FROM losses WHERE trial_id = ?", ids)
    conn.executemany("DELETE FROM measurements WHERE trial_id = ?", ids)
    # Naming the metrics lets SQLite use the primary key, which starts with them.
    conn.executemany(
        "DELETE FROM best_records WHERE metric_id IN (SELECT id FROM metrics) AND trial_id = ?", ids
    )
