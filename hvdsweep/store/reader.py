"""Reading a store while others write it: strictly read-only, so that no viewer can ever stop a run."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from hvdsweep.errors import HvdsweepError, RunFailed, UserError
from hvdsweep.states import Status
from hvdsweep.store.connection import checked_version, told, usable
from hvdsweep.store.content import explained, problems
from hvdsweep.store.liveness import Heartbeats, lives_here
from hvdsweep.store.rows import (
    EventRow,
    GangRow,
    Measurements,
    StudyRow,
    SweepRow,
    ThroughputRow,
    TrialFilter,
    TrialPage,
    TrialRow,
    WorkloadRow,
)
from hvdsweep.store.schema import SEARCH_TRIAL, metric_columns, quoted
from hvdsweep.store.stages import usual_seconds
from hvdsweep.store.throughput import THROUGHPUT
from hvdsweep.visible import visible

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from hvdsweep.curves.table import WorkloadTable

WAIT_SECONDS = 5.0
"""How long a question waits for a writer that holds the file alone (rollback journals only; never under WAL)."""


def open_reader(path: str | os.PathLike[str]) -> Reader:
    """The store at `path`, read-only; a batch folder is read as one store of all its shards.

    UserError: missing, empty, not a store, newer, locked or damaged.
    """
    from hvdsweep.batch.folder import is_batch_folder

    path = Path(path)
    if is_batch_folder(path):
        from hvdsweep.batch.view import FolderReader

        return FolderReader(path)
    return Reader(path)


Method = TypeVar("Method", bound=Callable[..., Any])


def _explaining(method: Method) -> Method:
    """An answer that fails over what the file holds says which table, row and column it is, as RunFailed."""

    @functools.wraps(method)
    def ask(self: Reader, *values: Any, **named: Any) -> Any:
        try:
            return method(self, *values, **named)
        except HvdsweepError:
            raise
        except (sqlite3.Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.explain(error)
            raise

    return ask  # type: ignore[return-value]


class Reader:
    """One read-only connection. For one thread at a time; every thread that reads opens its own.

    Each method asks one question of the state the file is in at that moment; `snapshot` holds one state for
    several.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._renewed = 0
        self._heartbeats = Heartbeats()
        self._connect()

    def _connect(self) -> None:
        usable(self.path)
        # Looked at before it is opened: what is written in between makes it look changed, never unchanged.
        seen = file_traces(self.path)
        try:
            self._conn, at_rest = open_connection(self.path)
            wrong = list(problems(self._conn, small=True))
        except sqlite3.Error as error:
            raise told(self.path, error) from error
        if wrong:
            self._conn.close()
            raise RunFailed(explained(self.path, wrong))
        self._at_rest = seen if at_rest else None
        """How the file looked when it was opened as one that nobody writes; None where SQLite itself sees what is written."""

    @property
    def at_rest(self) -> bool:
        """Whether the file was opened as one that nobody writes: later answers hold for that moment alone."""
        return self._at_rest is not None

    def close(self) -> None:
        self._conn.close()

    def explain(self, error: Exception) -> None:
        """RunFailed, naming table, row and column, if the file holds what no store may hold; nothing if it does not."""
        from hvdsweep.store.maintenance import check

        # The deeper look relies on tables and columns being there.
        wrong = list(problems(self._conn)) or check(self._conn)
        if wrong:
            raise RunFailed(explained(self.path, wrong)) from error

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """All questions in the block are answered from one state of the file. Keep it short: it holds back the WAL."""
        if self._conn.in_transaction:
            yield self
            return
        self._renew()
        self.rows("BEGIN")
        try:
            yield self
        finally:
            self._conn.rollback()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of any SELECT, as tuples; UserError where the file is locked or damaged."""
        self._renew()
        try:
            return self._conn.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise told(self.path, error) from error

    def measured(self, ids: Sequence[int], metric: str) -> npt.NDArray[np.void]:
        """See `workload_tables.measured`."""
        from hvdsweep.store.workload_tables import measured

        return measured(self, ids, metric)

    def need_records(self) -> None:
        """Make `best_records` complete, where that is done only when it is asked for."""

    def check_measurements(self) -> None:
        """UserError where the table `measurements` does not hold everything that was measured."""

    def column(self, table: str, name: str) -> str:
        """`name` for a SELECT; NULL where `table` is of an older schema, which a reader cannot migrate, and lacks it."""
        found = self.rows("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, name))
        return name if found else f"NULL AS {name}"

    def array(self, dtype: npt.DTypeLike, sql: str, values: Sequence[Any] = ()) -> npt.NDArray[Any]:
        """The rows of a SELECT as a structured array; NULL becomes NaN in a float field."""
        import numpy as np

        self._renew()
        try:
            return np.fromiter(self._conn.execute(sql, values), np.dtype(dtype))
        except sqlite3.DatabaseError as error:
            raise told(self.path, error) from error

    def data_version(self) -> int:
        """A number that changes when, and only when, another connection has committed since it was last asked.

        A store at rest that its owner begins to write again is opened anew.
        """
        self._renew()
        return int(self.rows("PRAGMA data_version")[0][0]) + (self._renewed << 32)

    def _renew(self) -> None:
        """Open a store at rest again once somebody has begun to write it."""
        if self.at_rest and not self._conn.in_transaction and file_traces(self.path) != self._at_rest:
            self._conn.close()
            self._connect()
            self._renewed += 1

    @_explaining
    def sweeps(self) -> list[SweepRow]:
        """All sweeps, oldest first."""
        now = time.time()
        rows = self.rows(
            "SELECT id, name, key, source, file, state, request, created, started, ended, heartbeat, np, gangs,"
            f" {self.column('sweeps', 'slots')}, versions, {self.column('sweeps', 'supervisor')}, supervisor_pid,"
            " supervisor_host FROM sweeps ORDER BY id"
        )
        found = []
        for *fields, versions, process, pid, host in rows:
            sweep_id, state, heartbeat = fields[0], fields[5], fields[10]
            live = False
            if state in ("RUNNING", "STOPPING"):
                here = lives_here(process, pid, host)
                live = self._heartbeats.lives(sweep_id, heartbeat, now) if here is None else here
            found.append(
                SweepRow(*[fields[0], visible(fields[1]), *fields[2:], json.loads(versions or "{}"), live])
            )
        return found

    @_explaining
    def workloads(self, sweep_id: int | None = None) -> list[WorkloadRow]:
        """The workloads of one sweep, or of all."""
        rows = self.rows(
            "SELECT id, sweep_id, name, dataset, model, algorithm, metric, goal, maximize, train_examples, parameters"
            " FROM workloads WHERE ?1 IS NULL OR sweep_id = ?1 ORDER BY id",
            (sweep_id,),
        )
        return [WorkloadRow(*[*row[:8], bool(row[8]), *row[9:]]) for row in rows]

    @_explaining
    def studies(self, sweep_id: int | None = None) -> list[StudyRow]:
        """The studies of one sweep, or of all, by workload and batch size."""
        rows = self.rows(
            "SELECT s.id, w.sweep_id, w.id, w.name, s.batch_size, s.train_steps, s.target_trials, s.max_trials, s.seed,"
            " s.definition, s.search FROM studies s JOIN workloads w ON w.id = s.workload_id"
            " WHERE ?1 IS NULL OR w.sweep_id = ?1 ORDER BY w.id, s.batch_size",
            (sweep_id,),
        )
        return [StudyRow(*[*row[:9], json.loads(row[9]), json.loads(row[10])]) for row in rows]

    @_explaining
    def counts(self, *, repeats: bool = False) -> dict[int, dict[Status, int]]:
        """Study id -> how many trials of its search, or repeats of its best trial, are in each state (absent: none)."""
        which = f"NOT {SEARCH_TRIAL}" if repeats else SEARCH_TRIAL
        found: dict[int, dict[Status, int]] = {}
        # The index on (study_id, status, number) alone answers this.
        for study, status, count in self.rows(
            f"SELECT study_id, status, count(*) FROM trials t WHERE {which} GROUP BY 1, 2"
        ):
            found.setdefault(study, {})[Status[status]] = count
        return found

    @_explaining
    def metrics(self) -> list[str]:
        """Every metric that was ever measured, in the order they appeared."""
        return metric_columns(self._conn)

    @_explaining
    def trials(
        self,
        where: TrialFilter | None = None,
        *,
        sort: str = "id",
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> TrialPage:
        """A page of trials; `sort` is one of `trial_pages.SORTS` or "parameters.NAME"."""
        from hvdsweep.store.trial_pages import trial_page

        return trial_page(self, where or TrialFilter(), sort, descending, offset, limit)

    @_explaining
    def trial(self, trial_id: int) -> TrialRow:
        """One trial; UserError where there is none of that id."""
        from hvdsweep.store.trial_pages import trial_rows

        rows = trial_rows(self, [trial_id])
        if not rows:
            raise UserError(
                f"{self.path}: no trial {trial_id}. `status --json` and the table `trials` name them."
            )
        return rows[0]

    @_explaining
    def parameter_names(self) -> list[str]:
        """Every metaparameter that the first trial of some study has, sorted."""
        rows = self.rows(
            "SELECT DISTINCT j.key FROM trials t, json_each(t.parameters) j WHERE t.number = 0 ORDER BY 1"
        )
        return [row[0] for row in rows]

    @_explaining
    def losses(self, trial_id: int, after: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(steps [n], losses [n]) of a trial beyond step `after`, ascending; NaN where the loss was not a number."""
        import numpy as np

        rows = self.array(
            [("step", "i8"), ("loss", "f8")],
            "SELECT step, loss FROM losses WHERE trial_id = ? AND step > ? ORDER BY step",
            (trial_id, after),
        )
        return np.ascontiguousarray(rows["step"]), np.ascontiguousarray(rows["loss"])

    @_explaining
    def measurements(self, trial_id: int) -> Measurements:
        """All evaluations of a trial."""
        import numpy as np

        names = self.metrics()
        columns = ", ".join(["step", *map(quoted, names)])
        rows = self.rows(f"SELECT {columns} FROM measurements WHERE trial_id = ? ORDER BY step", (trial_id,))
        table = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), len(names))
        steps = np.array([row[0] for row in rows], np.int64)
        return Measurements(
            steps,
            {
                name: np.ascontiguousarray(table[:, i])
                for i, name in enumerate(names)
                if any(row[i + 1] is not None for row in rows)
            },
        )

    @_explaining
    def workload_table(
        self,
        workload: str,
        metric: str | None = None,
        sweep: int | None = None,
        maximize: bool | None = None,
        *,
        repeats: bool = False,
    ) -> WorkloadTable:
        """What curves are made of: one workload of a sweep (default: the latest that has it) under one metric.

        The trials of its searches, or only the `repeats` of their best trials (`hvdsweep.repeats` says which number repeats
        which trial). `metric` and `maximize` default to the goal's. UserError names what there is where the name is
        unknown.
        """
        from hvdsweep.store.workload_tables import workload_table

        return workload_table(self, workload, metric, sweep, maximize, repeats)

    @_explaining
    def gangs(self, sweep_id: int | None = None) -> list[GangRow]:
        """All gangs, oldest first, each with the trial it trains now."""
        rows = self.rows(
            "SELECT g.id, g.sweep_id, g.np, g.host, g.pid, g.state, g.trial_id, w.name, s.batch_size, t.number, t.steps,"
            f" s.train_steps, g.started, g.heartbeat, g.ended, g.message, g.log_dir, {self.column('gangs', 'stage')},"
            f" {self.column('gangs', 'first_step')} FROM gangs g"
            " LEFT JOIN trials t ON t.id = g.trial_id LEFT JOIN studies s ON s.id = t.study_id"
            " LEFT JOIN workloads w ON w.id = s.workload_id WHERE ?1 IS NULL OR g.sweep_id = ?1 ORDER BY g.id",
            (sweep_id,),
        )
        return [
            self._with_usual(
                dataclasses.replace(
                    GangRow(*row),
                    host=None if row[3] is None else visible(row[3]),
                    message=None if row[15] is None else visible(row[15], lines=True),
                )
            )
            for row in rows
        ]

    def _with_usual(self, gang: GangRow) -> GangRow:
        if gang.stage is None or gang.first_step is not None or gang.ended is not None:
            return gang
        try:
            return dataclasses.replace(gang, usual_start_seconds=usual_seconds(self._conn, gang.np))
        except sqlite3.DatabaseError as error:
            raise told(self.path, error) from error

    @_explaining
    def events(
        self, after_id: int = 0, *, sweep_id: int | None = None, latest: int | None = None
    ) -> list[EventRow]:
        """Events with a greater id than `after_id`, oldest first; only the last `latest` of them if given."""
        rows = self.rows(
            "SELECT id, time, sweep_id, gang_id, trial_id, kind, message FROM events"
            " WHERE id > ?1 AND (?2 IS NULL OR sweep_id = ?2) ORDER BY id DESC LIMIT ?3",
            (after_id, sweep_id, -1 if latest is None else latest),
        )
        return [EventRow(*[*row[:5], visible(row[5]), visible(row[6], lines=True)]) for row in reversed(rows)]

    @_explaining
    def throughput(self) -> list[ThroughputRow]:
        """Every measured speed, oldest first."""
        return [ThroughputRow(*row) for row in self.rows(THROUGHPUT)]

    @_explaining
    def status(self, sweep_id: int | None = None) -> dict[str, Any]:
        """What `hvdsweep status --json` prints."""
        from hvdsweep.store.summary import status

        return status(self, sweep_id)

    @_explaining
    def trials_frame(self, workload: str | None = None, sweep_id: int | None = None) -> pd.DataFrame:
        """One row per trial, metaparameters as columns `parameters.NAME`, indexed by trial id."""
        from hvdsweep.store.frames import trials_frame

        return trials_frame(self, workload, sweep_id)

    @_explaining
    def losses_frame(self, trial_ids: int | Sequence[int]) -> pd.DataFrame:
        """Columns trial_id, step, loss."""
        from hvdsweep.store.frames import losses_frame

        return losses_frame(self, trial_ids)

    @_explaining
    def measurements_frame(self, trial_ids: int | Sequence[int]) -> pd.DataFrame:
        """Columns trial_id, step and one per metric."""
        from hvdsweep.store.frames import measurements_frame

        return measurements_frame(self, trial_ids)


def file_traces(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes whenever somebody writes the store at `path`."""
    found: list[tuple[int, int, int] | None] = []
    for name in (path, Path(f"{path}-wal")):
        try:
            stat = name.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def read_only_uri(path: Path) -> tuple[str, bool]:
    """The store as SQLite opens it for reading, and whether it is taken for one that nobody writes."""
    at_rest = _is_at_rest(path)
    return f"file:{quote(str(path.absolute()))}?{'immutable=1' if at_rest else 'mode=ro'}", at_rest


def open_connection(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it takes the store for one that nobody writes."""
    name, at_rest = read_only_uri(path)
    conn = sqlite3.connect(
        name, uri=True, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        checked_version(conn, path)
    except BaseException:
        conn.close()
        raise
    return conn, at_rest


_open_files: dict[tuple[int, int], int] = {}
"""(device, inode) -> descriptor of the stores whose header was read. They stay open for good: closing any descriptor of a file
drops all locks that this process holds on it, those of SQLite's connections included."""


def _header(path: Path) -> bytes:
    """The first bytes of a store."""
    found = path.stat()
    identity = (found.st_dev, found.st_ino)
    if identity not in _open_files:
        _open_files[identity] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return os.pread(_open_files[identity], 20, 0)


def _is_at_rest(path: Path) -> bool:
    """Whether nobody can be writing the store: whoever has a store in WAL mode open keeps a WAL beside it.

    SQLite would make one, and leave it there, even to read; or could not read at all in a folder that may not be written.
    """
    wal = Path(f"{path}-wal")
    try:
        header = _header(path)
        return header[18:20] == b"\x02\x02" and not (
            wal.exists() and (wal.stat().st_size or os.access(path.parent, os.W_OK))
        )
    except OSError:
        return False
