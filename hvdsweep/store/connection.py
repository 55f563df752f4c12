"""Opening a store for writing, and the one way to write: short BEGIN IMMEDIATE transactions that queue."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.store.content import explained, problems
from hvdsweep.store.filesystem import file_system_of
from hvdsweep.store.schema import APPLICATION_ID, PAGE_SIZE, VERSION, migrate
from hvdsweep.visible import visible

log = logging.getLogger(__name__)

BUSY_SECONDS = 30.0
"""How long one statement waits for a lock that another process holds."""

ATTEMPTS = 4
"""How often a transaction is attempted."""

_HEARERS: list[Callable[[str], object]] = []

CHECKED_BYTES = 256 * 2**20
"""Larger files are checked by `hvdsweep doctor --db` only; above a sixteenth of this only some losses are checked."""

JOURNAL_BYTES = 64 * 2**20
"""A WAL that grew beyond this during a long read is truncated once its content is in the main file."""


SPECIAL = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

OPENED: dict[Path, None] = {}
"""The stores that this process has opened: searched for damage when the program fails."""


def connect(path: str | os.PathLike[str], *, create: bool = False) -> sqlite3.Connection:
    """A connection that may write. Migrates an older store; creates a missing one if `create`.

    WAL on a local file system; on a network file system a rollback journal, and an event that reports it.
    Transactions are explicit (`with transaction(conn)`). UserError: missing, not a store, newer, unwritable.
    """
    path = Path(path)
    usable(path, may_be_missing=create)
    writable(path)
    try:
        # As a URI, so that other stores can be attached read-only.
        name = f"file:{quote(os.path.abspath(path))}?mode=rwc"
        conn = sqlite3.connect(
            name, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise error_for(path, error) from error
    try:
        _prepare(conn, path, create)
    except BaseException as error:
        conn.close()
        if isinstance(error, sqlite3.Error):
            raise error_for(path, error) from error
        raise
    return conn


def _prepare(conn: sqlite3.Connection, path: Path, create: bool) -> None:
    version = checked_version(conn, path, may_be_empty=create)
    if version == 0:
        conn.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    kind = file_system_of(path)
    wanted = "delete" if kind.network else "wal"
    mode = conn.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != wanted:
        try:
            conn.execute(f"PRAGMA journal_mode = {wanted}").fetchall()
        except sqlite3.OperationalError:
            # Another process has the file open. Its journal mode changes when a process next opens it alone.
            if kind.network:
                raise
    conn.execute("PRAGMA synchronous = NORMAL")
    # Looking up the parent row of every loss would cost more than storing it; `maintenance.check` does so instead.
    conn.execute("PRAGMA foreign_keys = OFF")
    conn.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    if version:
        _verify(conn, path, whole=create)
    if version < VERSION:
        with transaction(conn):
            # Another process may have done it while this one waited for the lock.
            if conn.execute("PRAGMA user_version").fetchone()[0] < VERSION:
                log.info("%s: migrating from schema %d to %d", path, version, VERSION)
                migrate(conn)
    if kind.network and (mode != wanted or version == 0):
        message = f"{kind.type} at {kind.mount} is a network file system: rollback journal, not WAL"
        with transaction(conn):
            conn.execute(
                "INSERT INTO events (time, kind, message) VALUES (?, 'journal', ?)", (time.time(), message)
            )


def _verify(conn: sqlite3.Connection, path: Path, *, whole: bool) -> None:
    """RunFailed if the file has content that no store may have: more data must not be added to it.

    `whole`: check thoroughly, for a command, which has some seconds; the writer of a gang checks small tables only.
    """
    size = path.stat().st_size
    wrong = []
    if whole and size <= CHECKED_BYTES:
        wrong = [f"SQLite: {row[0]}" for row in conn.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
    wrong = wrong or list(problems(conn, small=not whole or size > CHECKED_BYTES // 16))
    if wrong:
        raise RunFailed(explained(path, wrong))


def checked_version(conn: sqlite3.Connection, path: Path, *, may_be_empty: bool = False) -> int:
    """The schema version of an open file; UserError if it is no store, or one of a newer program."""
    OPENED[path] = None
    # One snapshot: another process may be creating the tables right now.
    conn.execute("BEGIN")
    try:
        application = conn.execute("PRAGMA application_id").fetchone()[0]
        version = int(conn.execute("PRAGMA user_version").fetchone()[0])
        empty = not conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        conn.rollback()
    if application != APPLICATION_ID:
        if not empty:
            raise UserError(
                f"{path}: is an SQLite database of another program, not a store of hvdsweep."
                " Name another file with --db."
            )
        if not may_be_empty:
            raise UserError(f"{path}: holds nothing yet. `hvdsweep launch --db {path} WORKLOAD` fills it.")
        return 0
    if version > VERSION:
        raise UserError(
            f"{path}: was written by a newer hvdsweep (schema {version}; this one knows {VERSION})."
            " Upgrade hvdsweep to open it."
        )
    return version


def usable(path: Path, *, may_be_missing: bool = False) -> None:
    """UserError unless `path` can be a database: an ordinary file that exists or can be created in its folder.

    Checked before SQLite opens it: SQLite waits for ever at a FIFO, and leaves a journal next to a device.
    """
    other = "Name another file with --db."
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        kind = 0
    except ValueError as error:
        raise UserError(f"{visible(str(path))}: {error}. {other}") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(
                f"{visible(str(path))}: the name is too long for this file system. {other}"
            ) from error
        raise UserError(
            f"{visible(str(path))}: cannot be reached: {error.strerror}. Its folders must be open to you."
        ) from error
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{visible(str(path))}: SQLite takes only names that are UTF-8; this one has other bytes. Rename it. {other}"
        ) from error
    if not kind:
        if not may_be_missing:
            raise UserError(
                f"{path}: no such database. `hvdsweep launch WORKLOAD` makes one; "
                "name another with --db or the environment variable HVDSWEEP_DB."
            )
        if not path.parent.is_dir():
            raise UserError(
                f"{path}: the folder {path.parent} does not exist. Make it, or name another file with --db."
            )
    elif stat.S_ISDIR(kind) and (path / "shards").is_dir():
        raise UserError(
            f"{path}: is a batch folder, which can only be read. `hvdsweep batch cancel {path}` stops its jobs;"
            f" `hvdsweep merge {path}` makes a database of it."
        )
    elif stat.S_ISDIR(kind):
        raise UserError(f"{path}: is a folder, not a database. Name a file with --db.")
    elif not stat.S_ISREG(kind):
        what = next((word for test, word in SPECIAL if test(kind)), "something else")
        raise UserError(f"{path}: is {what}, not a database. {other}")


def writable(path: Path) -> None:
    """UserError unless the database and its folder, where SQLite keeps a journal, are writable.

    Checked before SQLite opens it: SQLite opens a read-only file, and leaves files next to it.
    """
    for place in (path, path.absolute().parent):
        if place.exists() and not os.access(place, os.W_OK):
            what = "" if place == path else f"its folder {place} "
            raise UserError(
                f"{path}: {what}cannot be written: you have no right to, or the disk is mounted read-only. "
                "Change that, or name another file with --db."
            )


def error_for(path: Path, error: sqlite3.Error) -> Exception:
    """The UserError for a failure of the file or the machine; any other `error`, being a bug, is returned as it is."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
        return UserError(
            f"{path}: a trigger that another program put into the database refuses: {error}. Drop that trigger."
        )
    match code & 0xFF:
        case sqlite3.SQLITE_NOTADB:
            problem = "is not an SQLite database. Name another file with --db."
        case sqlite3.SQLITE_CORRUPT:
            problem = (
                f"is damaged ({error}). Take a backup, or save what can be read: "
                f"`sqlite3 {path} .recover | sqlite3 rescued.db`."
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            problem = (
                f"is locked by another process. End that process (`fuser {path}` names it), then try again."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            problem = (
                f"{error}. Check the rights on the file and on its folder, or name another file with --db."
            )
        case sqlite3.SQLITE_FULL:
            problem = "the disk is full. Free some space; nothing that was recorded is lost."
        case sqlite3.SQLITE_IOERR:
            problem = (
                f"{error}. The disk or the network behind it fails; nothing that was recorded before is lost."
            )
        case _:
            return error
    return UserError(f"{path}: {problem}")


@contextmanager
def heard(hear: Callable[[str], object]) -> Iterator[None]:
    """Inside the block, `hear` alone is called with a message if a transaction still waits after its first attempt."""
    _HEARERS.append(hear)
    try:
        yield
    finally:
        _HEARERS.remove(hear)


@contextmanager
def transaction(conn: sqlite3.Connection, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
    """One write transaction: all of the block or nothing. Waits for other writers.

    `durable`: it and all transactions before it survive a power failure; otherwise the last ones may be lost.
    RunFailed, with the remedy, if the lock cannot be had, the disk is full or the file is unreachable.
    """
    if durable:
        conn.execute("PRAGMA synchronous = FULL")
    try:
        # Takes the write lock first, so that the data cannot change between statements.
        _insist(conn, "BEGIN IMMEDIATE")
        try:
            yield conn
            # Waits for readers, if the journal mode makes them block it.
            _insist(conn, "COMMIT")
        except BaseException as error:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _failed(conn, error) from error
            raise
    finally:
        if durable:
            conn.execute("PRAGMA synchronous = NORMAL")


def _insist(conn: sqlite3.Connection, statement: str) -> None:
    for attempt in range(ATTEMPTS):
        try:
            conn.execute(statement)
            return
        except sqlite3.Error as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            )
            known = _failed(conn, error)
            log.warning("%s, try %d: %s", statement, attempt + 1, known)
            if not busy or attempt == ATTEMPTS - 1:
                raise known from error
            for hear in _HEARERS[-1:] if attempt == 0 else ():
                hear(f"Waiting up to {BUSY_SECONDS * (ATTEMPTS - 1):.0f} s more: {known}")


def _failed(conn: sqlite3.Connection, error: sqlite3.Error) -> Exception:
    """The error of a failed write as a message; a bug is returned as it is."""
    explained = error_for(Path(conn.execute("PRAGMA database_list").fetchone()[2]), error)
    return RunFailed(str(explained)) if isinstance(explained, UserError) else explained
