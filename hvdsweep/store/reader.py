"""A read-only connection to a store that others write: no viewer can stop a run. `Store` adds the queries."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from hvdsweep.errors import RunFailed
from hvdsweep.store.connection import checked_version, error_for, usable
from hvdsweep.store.content import explained, problems
from hvdsweep.store.rows import KEY, RECORD
from hvdsweep.store.schema import metric_columns, quoted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


WAIT_SECONDS = 5.0
"""Longest wait for a writer that holds the file exclusively (rollback journals only; never under WAL)."""


class Reader:
    """One read-only connection, for one thread at a time; every reading thread opens its own.

    Each call sees the file's state at that moment; `snapshot` keeps one state for several calls.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._renewed = 0
        self._connect()

    def _connect(self) -> None:
        usable(self.path)
        # Read before the file is opened: a write in between then makes it look changed, never unchanged.
        seen = file_traces(self.path)
        try:
            self._conn, at_rest = open_connection(self.path)
            wrong = list(problems(self._conn, small=True))
        except sqlite3.Error as error:
            raise error_for(self.path, error) from error
        if wrong:
            self._conn.close()
            raise RunFailed(explained(self.path, wrong))
        self._at_rest = seen if at_rest else None
        """The file's traces when it was opened as not being written; None if SQLite itself notices writes."""

    @property
    def at_rest(self) -> bool:
        """Whether the file was opened as not being written: then answers hold for that moment only."""
        return self._at_rest is not None

    def close(self) -> None:
        self._conn.close()

    def explain(self, error: Exception) -> None:
        """RunFailed, naming table, row and column, if the file has content that no store may have."""
        from hvdsweep.store.maintenance import check

        # The thorough check relies on tables and columns being there.
        try:
            wrong = list(problems(self._conn)) or check(self._conn)
        except sqlite3.Error as damage:
            raise error_for(self.path, damage) from error
        if wrong:
            raise RunFailed(explained(self.path, wrong)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """All queries in the block see one state of the file. Keep it short: it holds back the WAL."""
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
        """The rows of any SELECT, as tuples; UserError if the file is locked or damaged."""
        self._renew()
        try:
            return self._conn.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise error_for(self.path, error) from error

    def measured(self, ids: Sequence[int], metric: str) -> npt.NDArray[np.void]:
        """RECORD of every finite measurement of these trials, by trial and step."""
        name = quoted(metric)
        return self.array(
            RECORD,
            f"SELECT {KEY.replace('r.', 'm.')}, m.{name} FROM json_each(?) AS wanted"
            f" CROSS JOIN measurements m ON m.trial_id = wanted.value WHERE abs(m.{name}) < 9e999"
            " ORDER BY m.trial_id, m.step",
            (json.dumps(list(ids)),),
        )

    def need_records(self) -> None:
        """Complete `best_records`, for stores that do so only on request."""

    def check_measurements(self) -> None:
        """UserError if the table `measurements` does not hold everything that was measured."""

    def column(self, table: str, name: str) -> str:
        """`name` for a SELECT; NULL if `table` lacks it because of an older schema, which a reader cannot migrate."""
        found = self.rows("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, name))
        return name if found else f"NULL AS {name}"

    def metrics(self) -> list[str]:
        """Every metric ever measured, in order of appearance."""
        return metric_columns(self._conn)

    def array(self, dtype: npt.DTypeLike, sql: str, values: Sequence[Any] = ()) -> npt.NDArray[Any]:
        """The rows of a SELECT as a structured array; NULL becomes NaN in a float field."""
        import numpy as np

        self._renew()
        try:
            return np.fromiter(self._conn.execute(sql, values), np.dtype(dtype))
        except sqlite3.DatabaseError as error:
            raise error_for(self.path, error) from error

    def data_version(self) -> int:
        """A number that changes if, and only if, another connection has committed since the last call.

        Reopens a store that was not being written and now is.
        """
        self._renew()
        return int(self.rows("PRAGMA data_version")[0][0]) + (self._renewed << 32)

    def _renew(self) -> None:
        """Reopen a store that was not being written, once it is."""
        if self.at_rest and not self._conn.in_transaction and file_traces(self.path) != self._at_rest:
            self._conn.close()
            self._connect()
            self._renewed += 1


def file_traces(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """Values that change whenever the store at `path` is written."""
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
    """The store's URI for reading, and whether it is taken as not being written."""
    at_rest = _is_at_rest(path)
    return f"file:{quote(str(path.absolute()))}?{'immutable=1' if at_rest else 'mode=ro'}", at_rest


def open_connection(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it takes the store as not being written."""
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
"""(device, inode) -> descriptor of the stores whose header was read. They stay open: closing any descriptor of a file
drops all locks that this process holds on it, those of SQLite's connections included."""


def _header(path: Path) -> bytes:
    """The first bytes of a store."""
    found = path.stat()
    identity = (found.st_dev, found.st_ino)
    if identity not in _open_files:
        _open_files[identity] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return os.pread(_open_files[identity], 20, 0)


def _is_at_rest(path: Path) -> bool:
    """Whether nobody can be writing the store: a process that has a store in WAL mode open keeps a WAL next to it.

    SQLite would create a WAL, and leave it, even to read; and in a read-only folder it could not read at all.
    """
    wal = Path(f"{path}-wal")
    try:
        header = _header(path)
        return header[18:20] == b"\x02\x02" and not (
            wal.exists() and (wal.stat().st_size or os.access(path.parent, os.W_OK))
        )
    except OSError:
        return False
