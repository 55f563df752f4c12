"""The stores to read together, whether they belong together, and attaching one to another."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.identity import definition_diff
from hvdsweep.store.connection import error_for
from hvdsweep.store.reader import read_only_uri
from hvdsweep.store.store import Store


@contextmanager
def attached(conn: sqlite3.Connection, source: Path) -> Iterator[None]:
    """Inside the block the store at `source` is attached as `src`, read-only, after the usual checks."""
    with Store(source):
        pass
    conn.execute("ATTACH ? AS src", (read_only_uri(source)[0],))
    try:
        yield
    except (sqlite3.DatabaseError, RunFailed) as error:
        cause = error.__cause__ if isinstance(error, RunFailed) else error
        # A failing transaction blames the store it writes; blame a damaged source if its own check finds the damage.
        if isinstance(cause, sqlite3.DatabaseError) and not _is_whole(conn):
            raise error_for(source, cause) from cause
        raise
    finally:
        conn.execute("DETACH src")


def _is_whole(conn: sqlite3.Connection) -> bool:
    try:
        return bool(conn.execute("PRAGMA src.quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def check_one_sweep(sources: Sequence[Path], database: Path) -> None:
    """UserError unless the sources, and the database if any, have one definition, with any number of trials."""
    first: tuple[Path, dict[str, tuple[str, str]]] | None = None
    problems = []
    there = database.exists()
    for number, path in enumerate([database] * there + list(sources)):
        is_main = there and not number
        if there and not is_main and path.exists() and path.samefile(database):
            raise UserError(f"{path}: is the database to merge into. Name only the shards after it.")
        with Store(path) as reader:
            rows = reader.rows("SELECT key, name, definition FROM sweeps WHERE source = 'launch' ORDER BY id")
        sweeps = {key: (name, definition) for key, name, definition in rows}
        if not sweeps:
            if not is_main:
                problems.append(f"{path}: holds no sweep. Leave it out until its job has begun.")
        elif first is None:
            first = path, sweeps
        elif not sweeps.keys() & first[1].keys():
            problems.append(_other_sweep(first, path, sweeps))
    if problems:
        raise UserError(*problems)


def _other_sweep(
    first: tuple[Path, dict[str, tuple[str, str]]], path: Path, sweeps: dict[str, tuple[str, str]]
) -> str:
    (name, text), (other, other_text) = next(iter(first[1].values())), next(iter(sweeps.values()))
    changed = definition_diff(json.loads(text), json.loads(other_text))
    lines = "".join(f"\n  {line}" for line in changed)
    return (
        f"{path}: holds another sweep ({other}) than {first[0]} ({name}). Merge each sweep into a database of its own. "
        f"What differs:{lines or ' the version of hvdsweep that made it.'}"
    )


def sources_of(paths: Sequence[Path]) -> list[Path]:
    """The stores to merge: files themselves, folders as their shards that have begun and their plan."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            folder = BatchFolder(path)
            found += [shard for _, shard in folder.shards() if _has_begun(shard)]
            # Last, so that it only adds trials that no shard has.
            found += [folder.plan] if folder.plan.exists() else []
        else:
            found.append(path)
    return found


def _has_begun(shard: Path) -> bool:
    """Whether the job of a shard has written its sweep. True also for a file that cannot be read: that is an error."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(read_only_uri(shard)[0], uri=True)) as conn:
        tables = conn.execute("SELECT 1 FROM sqlite_master").fetchone()
        return tables is not None and conn.execute("SELECT 1 FROM sweeps").fetchone() is not None
    return True
