"""One read-only connection to a store that others write: no viewer can ever stop a run. `Store` asks the questions."""

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
from hvdsweep.store.connection import checked_version, told, usable
from hvdsweep.store.content import explained, problems
from hvdsweep.store.rows import (
    KEY,
    RECORD,
)
from hvdsweep.store.schema import metric_columns, quoted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


WAIT_SECONDS = 5.0
"""How long a question waits for a writer that holds the file alone (rollback journals only; never under WAL)."""


class Reader:
    """One read-only connection. For one thread at a time; every thread that reads opens its own.

    Each call sees the state the file is in at that moment; `snapshot` holds one state for several.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._renewed = 0
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
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
        """The rows of any SELECT, as tuples; UserError if the file is locked or damaged."""
        self._renew()
        try:
            return self._conn.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise told(self.path, error) from error

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
        """Make `best_records` complete, where that is done only when it is asked for."""

    def check_measurements(self) -> None:
        """UserError if the table `measurements` does not hold everything that was measured."""

    def column(self, table: str, name: str) -> str:
        """`name` for a SELECT; NULL where `table` is of an older schema, which a reader cannot migrate, and lacks it."""
        found = self.rows("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, name))
        return name if found else f"NULL AS {name}"

    def metrics(self) -> list[str]:
        """Every metric that was ever measured, in the order they appeared."""
        return metric_columns(self._conn)

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
