"""Mirrors shards in the tables of one store in memory, row by row if something has changed."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from hvdsweep.batch.merge_report import MergeReport
from hvdsweep.batch.source_sweep import CARRIED, SPEED, SourceSweep, copy_records, make_maps, selected
from hvdsweep.errors import UserError
from hvdsweep.store.connection import error_for
from hvdsweep.store.reader import read_only_uri
from hvdsweep.store.schema import APPLICATION_ID, VERSION

BASE = 100_000
"""Ids of trials and gangs of shard i begin at i times this number."""

EVENTS = 200
"""How many of a shard's last events are mirrored when it is first read."""

TABLES = (
    """CREATE TABLE shard_sweeps (
    shard INTEGER NOT NULL, sweep_id INTEGER NOT NULL, state TEXT, request TEXT, started REAL, ended REAL, heartbeat REAL,
    np INTEGER, gangs INTEGER, slots INTEGER, supervisor TEXT, supervisor_pid INTEGER, supervisor_host TEXT,
    PRIMARY KEY (shard, sweep_id)
)""",
)

STATE = (
    "state, request, started, ended, heartbeat, np, gangs, slots, supervisor, supervisor_pid, supervisor_host"
)
GANG = "np, host, pid, state, started, heartbeat, ended, message, log_dir, stage, first_step, process"
"""Columns of `sweeps` and `gangs` that are mirrored unchanged."""


class Mirror:
    """One connection that writes the store in memory."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        make_maps(conn)
        conn.execute("CREATE TEMP TABLE changed (there INTEGER PRIMARY KEY, study INTEGER, number INTEGER)")
        conn.execute(
            "CREATE TEMP TABLE news (time REAL, sweep_id INTEGER, gang_id INTEGER, trial_id INTEGER, kind TEXT, message TEXT)"
        )
        self._events: dict[int, int] = {}
        """Shard -> its last mirrored event."""
        self._noted: dict[str, str] = {}
        self.records = False
        """Whether records, nine tenths of the rows, are mirrored: only curves and lists of trials need them."""

    def bring(self, index: int, path: Path, everything: bool = False) -> None:
        """Make the rows of shard `index` (0: the plan) equal to its store. UserError if that cannot be read.

        `everything`: also trials that have not changed.
        """
        conn = self._conn
        try:
            conn.execute("ATTACH ? AS src", (f"{read_only_uri(path)[0]}&vfs=unix",))
        except sqlite3.Error as error:
            raise error_for(path, error) from error
        try:
            self._check(path)
            conn.execute("BEGIN IMMEDIATE")
            sweeps = conn.execute("SELECT id FROM src.sweeps WHERE source = 'launch' ORDER BY id").fetchall()
            for (there,) in sweeps:
                self._sweep(index, path, there, everything)
            self._speeds(index)
            conn.execute("COMMIT")
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise error_for(path, error) from error
        finally:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            conn.execute("DETACH src")

    def _check(self, path: Path) -> None:
        conn = self._conn
        (application,), (version,) = (
            conn.execute(f"PRAGMA src.{name}").fetchone() for name in ("application_id", "user_version")
        )
        if application != APPLICATION_ID:
            raise UserError(f"{path}: is not a store of hvdsweep.")
        if version > VERSION:
            raise UserError(f"{path}: was written by a newer hvdsweep. Upgrade hvdsweep to read it.")
        for table in ("trials", "gangs"):
            (last,) = conn.execute(f"SELECT max(id) FROM src.{table}").fetchone()
            if last is not None and last >= BASE:
                raise UserError(
                    f"{path}: has more than {BASE:,} {table}: `hvdsweep merge` makes one database of the shards."
                )

    def _sweep(self, index: int, path: Path, there: int, everything: bool) -> None:
        conn = self._conn
        here = SourceSweep(conn, MergeReport(""), path, there).prepare()
        self._trials(index, everything)
        if not index:
            return
        first = index * BASE
        conn.execute(
            f"INSERT OR REPLACE INTO main.shard_sweeps (shard, sweep_id, {STATE})"
            f" SELECT ?, ?, {selected(conn, 'sweeps', STATE)} FROM src.sweeps WHERE id = ?",
            (index, here, there),
        )
        conn.execute(
            f"INSERT OR REPLACE INTO main.gangs (id, sweep_id, trial_id, {GANG})"
            f" SELECT id + ?1, ?2, trial_id + ?1, {selected(conn, 'gangs', GANG)} FROM src.gangs g WHERE sweep_id = ?3"
            " AND NOT EXISTS (SELECT 1 FROM main.gangs m WHERE m.id = g.id + ?1 AND m.state IN ('STOPPED', 'DEAD'))",
            (first, here, there),
        )
        (last,) = conn.execute("SELECT coalesce(max(id), 0) FROM src.events").fetchone()
        conn.execute(
            "INSERT INTO temp.news SELECT time, ?1, gang_id + ?2, trial_id + ?2, kind, message FROM src.events"
            " WHERE id > ?3 AND (sweep_id = ?4 OR sweep_id IS NULL) ORDER BY id",
            (here, first, self._events.get(index, last - EVENTS), there),
        )
        self._events[index] = last

    def _trials(self, index: int, everything: bool) -> None:
        """Trials that differ from the mirror, with their records. If two shards have one, the first to end counts."""
        conn, first = self._conn, index * BASE
        conn.execute("DELETE FROM temp.changed")
        if not index:
            # The plan: trials that no shard has.
            conn.execute(
                "INSERT OR IGNORE INTO main.trials (id, study_id, number, key, status, parameters, seed)"
                " SELECT t.id, map.here, t.number, t.key, 'PENDING', t.parameters, t.seed"
                " FROM temp.study_map map JOIN src.trials t ON t.study_id = map.there"
            )
            return
        conn.execute(
            "INSERT INTO temp.changed SELECT t.id, map.here, t.number FROM temp.study_map map"
            " JOIN src.trials t ON t.study_id = map.there LEFT JOIN main.trials m ON m.id = t.id + ?1"
            " WHERE ?2 OR m.id IS NULL OR m.status != t.status OR m.steps != t.steps OR m.started IS NOT t.started"
            " OR m.ended IS NOT t.ended OR m.attempts != t.attempts",
            (first, everything),
        )
        conn.execute(
            "DELETE FROM main.trials WHERE id IN (SELECT m.id FROM temp.changed c JOIN src.trials t ON t.id = c.there"
            " JOIN main.trials m ON m.study_id = c.study AND m.number = c.number WHERE m.id = t.id + ?1 OR m.status = 'PENDING'"
            " OR (m.status IN ('RUNNING', 'INCOMPLETE') AND t.status IN ('COMPLETE', 'INFEASIBLE')))",
            (first,),
        )
        conn.execute(
            f"INSERT OR IGNORE INTO main.trials (id, study_id, number, gang_id, {CARRIED})"
            f" SELECT t.id + ?1, c.study, c.number, t.gang_id + ?1, {selected(conn, 'trials', CARRIED, 't.')}"
            " FROM temp.changed c JOIN src.trials t ON t.id = c.there",
            (first,),
        )
        if self.records:
            self._records(first)

    def _records(self, first: int) -> None:
        """The records of the trials in `changed`."""
        changed = "trial_id IN (SELECT there + ? FROM temp.changed)"
        self._conn.execute(
            f"DELETE FROM main.best_records WHERE metric_id IN (SELECT id FROM main.metrics) AND {changed}",
            (first,),
        )
        self._conn.execute(f"DELETE FROM main.gradient_noise WHERE {changed}", (first,))
        copies = "SELECT there, there + ?1 AS here FROM temp.changed WHERE there + ?1 IN (SELECT id FROM main.trials)"
        copy_records(self._conn, copies, (first,))

    def _speeds(self, index: int) -> None:
        self._conn.execute("DELETE FROM main.throughput WHERE origin = ?", (str(index),))
        self._conn.execute(
            f"INSERT INTO main.throughput ({SPEED}, origin) SELECT {SPEED}, ? FROM src.throughput ORDER BY id",
            (str(index),),
        )

    def note(self, path: str, message: str) -> None:
        """Add an event for a shard that cannot be read; once for each reason."""
        if self._noted.get(path) != message:
            self._noted[path] = message
            self._conn.execute(
                "INSERT INTO temp.news VALUES (?, NULL, NULL, NULL, 'shard', ?)", (time.time(), message)
            )

    def add_events(self) -> None:
        """Mirror the new events of all shards, in order of time."""
        if self._conn.execute("SELECT 1 FROM temp.news LIMIT 1").fetchone():
            self._conn.execute(
                "INSERT INTO main.events (time, sweep_id, gang_id, trial_id, kind, message)"
                " SELECT * FROM temp.news ORDER BY time"
            )
            self._conn.execute("DELETE FROM temp.news")
