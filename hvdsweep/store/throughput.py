"""How fast trials train: measured by `hvdsweep scale`, and during every trial."""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Iterable

from hvdsweep.store.connection import transaction
from hvdsweep.store.rows import ThroughputRow


def record_throughput(
    conn: sqlite3.Connection,
    *,
    workload: str,
    batch_size: int,
    np: int,
    gangs: int,
    steps: int,
    seconds: float,
    source: str = "scale",
    host: str | None = None,
) -> None:
    """Store a measured speed: `steps` of `batch_size` examples in `seconds`, by one of `gangs` gangs of `np` ranks."""
    if not (seconds > 0 and steps > 0):
        raise ValueError(f"no speed in {steps} steps and {seconds} s")
    study = (workload, batch_size, np, gangs, host or platform.node())
    with transaction(conn):
        _insert(conn, study, source, *_speed(batch_size, steps, seconds, time.time()))


def add_speed(
    conn: sqlite3.Connection, study_id: int, gang_id: int, steps: int, seconds: float, now: float
) -> None:
    """Add a finished trial to the row for its study, ranks, gangs and host: one row of sums, whose rates are means.

    Inside the caller's write transaction.
    """
    study = conn.execute(
        "SELECT w.name, s.batch_size, g.np, coalesce(CASE WHEN s.np = g.np THEN s.gangs END, p.gangs, 1), g.host"
        " FROM studies s"
        " JOIN workloads w ON w.id = s.workload_id JOIN gangs g ON g.id = ? JOIN sweeps p ON p.id = g.sweep_id"
        " WHERE s.id = ?",
        (gang_id, study_id),
    ).fetchone()
    row = conn.execute(
        "SELECT id, steps, seconds FROM throughput WHERE workload = ? AND batch_size = ? AND np = ? AND gangs = ?"
        " AND host IS ? AND source = 'trial' AND origin IS NULL",
        study,
    ).fetchone()
    if row is None:
        _insert(conn, study, "trial", *_speed(study[1], steps, seconds, now))
        return
    conn.execute(
        "UPDATE throughput SET time = ?, steps = ?, seconds = ?, steps_per_second = ?, examples_per_second = ?"
        " WHERE id = ?",
        (*_speed(study[1], steps + row[1], seconds + row[2], now), row[0]),
    )


THROUGHPUT = (
    "SELECT id, time, workload, batch_size, np, gangs, host, steps, seconds, steps_per_second, examples_per_second, source"
    " FROM throughput ORDER BY id"
)
"""SQL: every measured speed, oldest first, with the fields of `ThroughputRow`."""


def throughput(conn: sqlite3.Connection) -> list[ThroughputRow]:
    """Every measured speed, oldest first."""
    return [ThroughputRow(*row) for row in conn.execute(THROUGHPUT)]


def here_last(rows: Iterable[ThroughputRow]) -> list[ThroughputRow]:
    """Speeds in order of time, but those of this machine last: the last one of a kind counts."""
    here = platform.node()
    return sorted(rows, key=lambda row: row.host == here)


def _speed(batch_size: int, steps: int, seconds: float, now: float) -> tuple[float, int, float, float, float]:
    return now, steps, seconds, steps / seconds, steps * batch_size / seconds


def _insert(
    conn: sqlite3.Connection, study: tuple[str, int, int, int, str], source: str, *speed: float
) -> None:
    conn.execute(
        "INSERT INTO throughput (workload, batch_size, np, gangs, host, source, time, steps, seconds,"
        " steps_per_second, examples_per_second) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*study, source, *speed),
    )
