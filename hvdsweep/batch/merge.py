"""Merging shards: copies the finished trials of many stores into one, each once, for any order and number of merges.

A trial is identified by its sweep's key, its study and its number; its own key proves that it is the same. It is copied
whole, with losses, measurements and records, in a transaction with others, so a killed merge continues where it was. An
existing trial is compared, never overwritten. Sources are only read.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from hvdsweep.batch.merge_report import MergeReport
from hvdsweep.batch.source_sweep import SourceSweep, make_maps
from hvdsweep.batch.sources import attached

WAL_PAGES = 16_384
CACHE_KIB = 65_536


def merge(conn: sqlite3.Connection, source: Path, report: MergeReport) -> int:
    """Merge `source` into an open store; returns how many of its sweeps are being trained: a trial of theirs that diverged
    may still be replaced.

    Its transactions are short; readers never wait. Raises UserError and RunFailed like `open_store`; everything merged
    before stays.
    """
    conn.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    conn.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    make_maps(conn)
    # Identified by its path, under whatever name it was given.
    source = Path(os.path.realpath(source))
    with attached(conn, source):
        report.sources += 1
        rows = conn.execute(
            "SELECT id, state = 'RUNNING' FROM src.sweeps WHERE source = 'launch' ORDER BY id"
        ).fetchall()
        for sweep, _ in rows:
            SourceSweep(conn, report, source, sweep).merge()
    return sum(running for _, running in rows)
