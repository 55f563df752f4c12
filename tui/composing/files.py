"""Writing a sweep file: whole or not at all, and never over a database or a file that the user has not agreed to lose."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.replacing import write_whole


def refuse_open(path: Path, database: Path) -> None:
    """UserError if `path` is a file of the database that this process has open.

    Such a file is not even read: closing any descriptor of it would end SQLite's locks.
    """
    files = {os.path.realpath(f"{database}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")}
    same = path.exists() and database.exists() and path.samefile(database)
    if same or os.path.realpath(path) in files:
        raise UserError(f"{path}: belongs to the database that is open here. Give the name of a sweep file.")


def write(path: Path, text: str, *, replace: bool, before: str | None, database: Path) -> None:
    """Write `text` to `path`. `replace`: a file that is there may go; where `before` is given, only if it holds just that.

    `database` is the one that this process has open. UserError if a file that may not go is there, RunFailed where it
    cannot be written.
    """
    data = text.encode("utf-8")
    try:
        refuse_open(path, database)
        there = path.read_bytes().removeprefix(codecs.BOM_UTF8) if path.is_file() else None
        if there == data:
            return
        expected = there if before is None else before.encode("utf-8")
        if there is not None and (not replace or there != expected):
            raise UserError(
                f"{path}: another program has changed it. Save under another name, or open it again (^o)."
            )
        write_whole(path, data, new=not path.exists())
    except FileExistsError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}. Save under another name.") from error
    except OSError as error:
        raise RunFailed(f"{path}: cannot be written: {error.strerror}") from error
