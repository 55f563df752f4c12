"""One sweep of an attached store, and copying it into the open one."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from hvdsweep.batch.merge_report import Conflict, MergeReport
from hvdsweep.repeats import repeat_of
from hvdsweep.states import ENDED
from hvdsweep.store.connection import transaction
from hvdsweep.store.erase import erase_data
from hvdsweep.store.events import event
from hvdsweep.store.inserts import insert
from hvdsweep.store.repeats import repeats_to_come
from hvdsweep.store.schema import SEARCH_TRIAL, ensure_metric_column, metric_id, quoted
from hvdsweep.words import counted

TRIALS_AT_ONCE = 500
ROWS_AT_ONCE = 1_000_000
"""Approximate number of trials and losses per transaction, which a killed merge has to repeat."""


CARRIED = (
    "key, parameters, seed, status, steps, attempts, started, ended, stop_reason, message, chosen, repeats"
)
"""Columns of a trial that are copied unchanged."""


SPEED = "time, workload, batch_size, np, gangs, host, steps, seconds, steps_per_second, examples_per_second, source"
"""Columns of `throughput` that are copied unchanged."""


def columns_of(conn: sqlite3.Connection, table: str) -> set[str]:
    """The columns that a table of the attached source has; a store of an older version has fewer."""
    return {row[1] for row in conn.execute(f"PRAGMA src.table_info({table})")}


def selected(conn: sqlite3.Connection, table: str, names: str, prefix: str = "") -> str:
    """SQL for these columns of a table of the attached source; NULL for those that its version lacks."""
    there = columns_of(conn, table)
    every = names.split(", ")
    return ", ".join(f"{prefix}{name}" if name in there else f"NULL AS {name}" for name in every)


def make_maps(conn: sqlite3.Connection) -> None:
    """Create the tables that map rows of an attached store to rows here; `copies`: the trials of one transaction."""
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS study_map (there INTEGER PRIMARY KEY, here INTEGER)")
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS metric_map (there INTEGER PRIMARY KEY, here INTEGER)")
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS copies (here INTEGER PRIMARY KEY, there INTEGER)")


def copy_records(conn: sqlite3.Connection, copies: str, values: tuple[int, ...]) -> None:
    """Copy the records and the noise estimates of trials; `copies`: SQL with `values` for their ids `there` and `here`."""
    conn.execute(
        f"INSERT INTO main.best_records SELECT map.here, c.here, r.step, r.value FROM ({copies}) c"
        " CROSS JOIN temp.metric_map map CROSS JOIN src.best_records r ON r.metric_id = map.there AND r.trial_id = c.there",
        values,
    )
    # A shard of an older schema has no such table.
    if columns_of(conn, "gradient_noise"):
        conn.execute(
            "INSERT INTO main.gradient_noise SELECT c.here, n.step, n.layer, n.grad_sq, n.trace_sigma"
            f" FROM ({copies}) c CROSS JOIN src.gradient_noise n ON n.trial_id = c.there",
            values,
        )


class SourceSweep:
    """One sweep of the attached source."""

    def __init__(self, conn: sqlite3.Connection, report: MergeReport, source: Path, there: int) -> None:
        self._conn = conn
        self._report = report
        self._source = str(source)
        self._there = there
        self._here = 0
        self._gangs: dict[int, int] = {}
        self._carried = selected(conn, "trials", CARRIED)
        self._columns: list[str] = []
        self._copied = 0
        self._left_out = -len(report.conflicts) - len(report.problems)

    def merge(self) -> None:
        conn = self._conn
        with transaction(conn):
            self.prepare()
        after: tuple[int, int] | None = (0, -1)
        while after is not None:
            with transaction(conn):
                after = self._some_trials(after)
        with transaction(conn):
            self._throughput()
            self._finish()

    def prepare(self) -> int:
        """Create sweep, workloads, studies and metrics here; returns the sweep's id. In the caller's transaction."""
        self._here = self._sweep()
        self._studies()
        self._metrics()
        return self._here

    def _sweep(self) -> int:
        """The sweep's row here, created if new; its definition is the one with more trials."""
        conn = self._conn
        (key,) = conn.execute("SELECT key FROM src.sweeps WHERE id = ?", (self._there,)).fetchone()
        conn.execute(
            "INSERT INTO main.sweeps (name, key, source, file, definition, state, created, versions)"
            " SELECT name, key, source, file, definition, 'IDLE', created, versions FROM src.sweeps WHERE id = ?"
            " ON CONFLICT (key) DO NOTHING",
            (self._there,),
        )
        return int(conn.execute("SELECT id FROM main.sweeps WHERE key = ?", (key,)).fetchone()[0])

    def _whole(self) -> tuple[dict[tuple[str, int], tuple[int, int]], dict[tuple[str, int], int]]:
        """For the whole sweep, as far as the source knows it: (workload, batch size) -> (target, max_trials), as stored
        by a shard, and -> repeats of its best trial."""
        conn, text = self._conn, None
        if "shard" in columns_of(conn, "sweeps"):
            (text,) = conn.execute("SELECT shard FROM src.sweeps WHERE id = ?", (self._there,)).fetchone()
        note = json.loads(text) if text else {}
        numbers = {
            (study["workload"], study["batch_size"]): (study["trials"], study["max_trials"])
            for study in note.get("studies", ())
        }
        repeats = {
            (study["workload"], study["batch_size"]): study["repeats"] for study in note.get("repeats", ())
        }
        return numbers, repeats

    def _studies(self) -> None:
        """Map workloads and studies of the source to those here."""
        conn, (planned, noted) = self._conn, self._whole()
        repeats = selected(conn, "studies", "repeats", "s.")
        pairs = []
        wider = False
        rows = conn.execute(
            f"SELECT w.name, s.batch_size, s.id, w.id, s.target_trials, s.max_trials, {repeats}, m.id, m.target_trials, m.repeats"
            " FROM src.workloads w JOIN src.studies s ON s.workload_id = w.id"
            " LEFT JOIN main.workloads v ON v.sweep_id = ? AND v.name = w.name"
            " LEFT JOIN main.studies m ON m.workload_id = v.id AND m.batch_size = s.batch_size"
            " WHERE w.sweep_id = ? ORDER BY s.id",
            (self._here, self._there),
        ).fetchall()
        for name, size, there, workload, *numbers, repeats_there, here, target_here, repeats_here in rows:
            target, most = planned.get((name, size), numbers)
            if here is None:
                here = self._new_study(there, workload, name, target, most)
            elif target > target_here:
                wider = True
                conn.execute(
                    "UPDATE main.studies SET target_trials = ?, max_trials = ?, (definition, search) ="
                    " (SELECT definition, search FROM src.studies WHERE id = ?) WHERE id = ?",
                    (target, most, there, here),
                )
            wanted = max(noted.get((name, size), 0), repeats_there or 0)
            if wanted > (repeats_here or 0):
                conn.execute("UPDATE main.studies SET repeats = ? WHERE id = ?", (wanted, here))
            pairs.append((there, here))
        conn.execute("DELETE FROM temp.study_map")
        conn.executemany("INSERT INTO temp.study_map VALUES (?, ?)", pairs)
        if wider:
            conn.execute(
                "UPDATE main.sweeps SET definition = (SELECT definition FROM src.sweeps WHERE id = ?) WHERE id = ?",
                (self._there, self._here),
            )

    def _new_study(self, there: int, workload_there: int, workload: str, target: int, most: int) -> int:
        """Create a study of the source here, with its workload; returns its id."""
        conn = self._conn
        conn.execute(
            "INSERT INTO main.workloads (sweep_id, name, dataset, model, algorithm, metric, goal, maximize, train_examples,"
            " parameters) SELECT ?, name, dataset, model, algorithm, metric, goal, maximize, train_examples, parameters"
            " FROM src.workloads WHERE id = ? ON CONFLICT (sweep_id, name) DO NOTHING",
            (self._here, workload_there),
        )
        cursor = conn.execute(
            "INSERT INTO main.studies (workload_id, batch_size, train_steps, target_trials, max_trials, seed, definition, search)"
            " SELECT (SELECT id FROM main.workloads WHERE sweep_id = ? AND name = ?), batch_size, train_steps, ?, ?, seed,"
            " definition, search FROM src.studies WHERE id = ?",
            (self._here, workload, target, most, there),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _metrics(self) -> None:
        conn = self._conn
        self._columns = [row[1] for row in conn.execute("PRAGMA src.table_info(measurements)")][2:]
        for name in self._columns:
            ensure_metric_column(conn, name)
        conn.execute("DELETE FROM temp.metric_map")
        conn.executemany(
            "INSERT INTO temp.metric_map VALUES (?, ?)",
            [
                (there, metric_id(conn, name, bool(maximize)))
                for there, name, maximize in conn.execute(
                    "SELECT id, name, maximize FROM src.metrics"
                ).fetchall()
            ],
        )

    def _some_trials(self, after: tuple[int, int]) -> tuple[int, int] | None:
        """Copy the next trials beyond (study here, number); returns the last one, or None if there are no more."""
        # Begun and ended at the same instants with the same result: the same training, copied before.
        same = "m.status = t.status AND m.steps = t.steps AND m.started IS t.started AND m.ended IS t.ended"
        rows = self._conn.execute(
            "SELECT map.here, t.number, t.id, t.status, t.steps, t.key, m.id, m.status, m.key FROM temp.study_map map"
            " JOIN src.trials t ON t.study_id = map.there"
            " LEFT JOIN main.trials m ON m.study_id = map.here AND m.number = t.number"
            f" WHERE (map.here, t.number) > (?, ?) AND NOT (m.id IS NOT NULL AND m.key IS t.key AND (({same})"
            " OR t.status IN ('PENDING', 'RUNNING'))) ORDER BY map.here, t.number LIMIT ?",
            (*after, TRIALS_AT_ONCE),
        ).fetchall()
        self._conn.execute("DELETE FROM temp.copies")
        copied = 0
        last: tuple[int, int] | None = None
        for study, number, there, status, steps, key, here, status_here, key_here in rows:
            last = (study, number)
            if here is not None and key_here != key:
                self._conflict(here, "they have other metaparameters under this number")
            elif status not in ENDED:
                self._plan(study, number, there)
            elif (
                here is None
                or status_here == "PENDING"
                or (status_here == "INCOMPLETE" and status != "INCOMPLETE")
            ):
                self._copy(study, number, there, here, status, steps)
                copied += steps
                if copied >= ROWS_AT_ONCE:
                    break
            elif status_here != "RUNNING" and status != "INCOMPLETE":
                # A trial in training here is compared when it has ended.
                self._compare(there, here)
        else:
            last = last if len(rows) == TRIALS_AT_ONCE else None
        copy_records(self._conn, "SELECT there, here FROM temp.copies", ())
        return last

    def _plan(self, study: int, number: int, there: int) -> None:
        """Add a trial that has not ended there, as PENDING."""
        self._conn.execute(
            "INSERT INTO main.trials (study_id, number, key, status, parameters, seed, repeats)"
            " SELECT ?, ?, key, 'PENDING', parameters, seed, ? FROM src.trials WHERE id = ?",
            (study, number, (repeat_of(number) or (None,))[0], there),
        )
        self._report.planned += 1

    def _copy(self, study: int, number: int, there: int, here: int | None, status: str, steps: int) -> None:
        conn = self._conn
        (losses,) = conn.execute("SELECT count(*) FROM src.losses WHERE trial_id = ?", (there,)).fetchone()
        if not steps <= losses <= steps + (status == "INFEASIBLE"):
            self._report.problems.append(
                f"{self._source}: trial {there}: holds {counted(losses, 'loss', 'losses')} of {counted(steps, 'step')}: left out"
            )
            return
        found = conn.execute(f"SELECT gang_id, {self._carried} FROM src.trials WHERE id = ?", (there,))
        gang, *values = found.fetchone()
        named = dict(zip(CARRIED.split(", "), values, strict=True)) | {
            "gang_id": self._gang(gang),
            "origin": self._source,
        }
        if here is None:
            named |= {"study_id": study, "number": number}
            here = insert(conn, "main.trials", named)
        else:
            erase_data(conn, [here])
            # The checkpoint of an interrupted trial is no longer needed.
            named |= {"checkpoint": None, "checkpoint_seconds": None}
            changes = ", ".join(f"{name} = ?" for name in named)
            conn.execute(f"UPDATE main.trials SET {changes} WHERE id = ?", (*named.values(), here))
        conn.execute(
            "INSERT INTO main.losses SELECT ?, step, loss FROM src.losses WHERE trial_id = ?", (here, there)
        )
        names = "".join(f", {quoted(name)}" for name in self._columns)
        self._report.measurements += conn.execute(
            f"INSERT INTO main.measurements (trial_id, step{names})"
            f" SELECT ?, step{names} FROM src.measurements WHERE trial_id = ?",
            (here, there),
        ).rowcount
        conn.execute("INSERT INTO temp.copies VALUES (?, ?)", (here, there))
        self._report.losses += losses
        self._report.copied += 1
        self._copied += 1

    def _gang(self, there: int | None) -> int | None:
        """The gang that trained it, stored as ended; a gang is identified by its host and start time."""
        if there is None:
            return None
        if there not in self._gangs:
            conn = self._conn
            row = conn.execute(
                "SELECT g.id FROM src.gangs s JOIN main.gangs g ON g.sweep_id = ? AND g.host IS s.host AND g.started = s.started"
                " AND g.pid IS s.pid WHERE s.id = ?",
                (self._here, there),
            ).fetchone()
            if row is None:
                cursor = conn.execute(
                    "INSERT INTO main.gangs (sweep_id, np, host, pid, state, started, heartbeat, ended, log_dir)"
                    " SELECT ?, np, host, pid, CASE state WHEN 'DEAD' THEN 'DEAD' ELSE 'STOPPED' END, started,"
                    " heartbeat, coalesce(ended, heartbeat), log_dir FROM src.gangs WHERE id = ?",
                    (self._here, there),
                )
                row = (cursor.lastrowid,)
            self._gangs[there] = row[0]
        return self._gangs[there]

    def _compare(self, there: int, here: int) -> None:
        from hvdsweep.batch.compare import compared

        difference = compared(self._conn, there, here, self._columns)
        if difference is not None and difference.rounding:
            self._report.rounded += 1
        elif difference is not None:
            self._conflict(here, difference.words)

    def _conflict(self, here: int, words: str) -> None:
        conn = self._conn
        workload, batch_size, number, origin = conn.execute(
            "SELECT w.name, s.batch_size, t.number, t.origin FROM main.trials t JOIN main.studies s ON s.id = t.study_id"
            " JOIN main.workloads w ON w.id = s.workload_id WHERE t.id = ?",
            (here,),
        ).fetchone()
        conflict = Conflict(
            f"{workload}, batch size {batch_size}, trial {number}",
            origin or self._report.database,
            self._source,
            words,
        )
        self._report.conflicts.append(conflict)
        known = "SELECT 1 FROM main.events WHERE kind = 'conflict' AND message = ?"
        if conn.execute(known, (str(conflict),)).fetchone() is None:
            event(conn, "conflict", str(conflict), sweep_id=self._here, trial_id=here)

    def _throughput(self) -> None:
        """The source's measured speeds, replacing those of an earlier merge."""
        conn = self._conn
        mine = "FROM main.throughput WHERE origin = ?"
        # Speeds that the source itself merged belong to its sources.
        own = "WHERE origin IS NULL" if "origin" in columns_of(conn, "throughput") else ""
        there = conn.execute(f"SELECT {SPEED} FROM src.throughput {own} ORDER BY id").fetchall()
        if there != conn.execute(f"SELECT {SPEED} {mine} ORDER BY id", (self._source,)).fetchall():
            conn.execute(f"DELETE {mine}", (self._source,))
            conn.execute(
                f"INSERT INTO main.throughput ({SPEED}, origin) SELECT {SPEED}, ? FROM src.throughput {own} ORDER BY id",
                (self._source,),
            )

    def _finish(self) -> None:
        """Count the results, and record the state of the sweep."""
        conn = self._conn
        (ended,) = conn.execute(
            "SELECT count(*) FROM temp.study_map map JOIN src.trials t ON t.study_id = map.there"
            " WHERE t.status IN ('COMPLETE', 'INFEASIBLE', 'INCOMPLETE')"
        ).fetchone()
        self._left_out += len(self._report.conflicts) + len(self._report.problems)
        self._report.present += ended - self._copied - self._left_out
        if not self._copied:
            return
        event(conn, "merge", f"{counted(self._copied, 'trial')} of {self._source}", sweep_id=self._here)
        mine = "SELECT s.id FROM main.workloads w JOIN main.studies s ON s.workload_id = w.id WHERE w.sweep_id = ?1"
        (left,) = conn.execute(
            f"SELECT count(*) FROM main.trials WHERE study_id IN ({mine}) AND status IN ('PENDING', 'RUNNING')",
            (self._here,),
        ).fetchone()
        (short,) = conn.execute(
            f"SELECT count(*) FROM main.studies s WHERE s.id IN ({mine}) AND s.target_trials > (SELECT count(*)"
            f" FROM main.trials t WHERE t.study_id = s.id AND t.status = 'COMPLETE' AND {SEARCH_TRIAL})",
            (self._here,),
        ).fetchone()
        conn.execute(
            "UPDATE main.sweeps SET state = ?2, started = (SELECT min(started) FROM main.trials WHERE study_id IN"
            f" ({mine})), ended = (SELECT max(ended) FROM main.trials WHERE study_id IN ({mine}))"
            " WHERE id = ?1 AND state IN ('IDLE', 'DONE')",
            (self._here, "IDLE" if left or short or repeats_to_come(conn) else "DONE"),
        )
