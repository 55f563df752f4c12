"""Checkpoints of trials: files in a folder next to the database, named by trial and step and verified by a hash.

A file holds a line of JSON (format, key of the trial, step, type and shape of every array), the arrays' bytes, and the
SHA-256 of all that. It counts once `trials.checkpoint` names its step; by then the losses up to that step are in the
database.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT = 1
HASH_BYTES = 32
_NAME = re.compile(r"trial-(\d+)-step-(\d+)\.(?:checkpoint|partial)")

Form = list[tuple[str, tuple[int, ...]]]
"""Type and shape of every array, in order."""


class Refused(Exception):
    """A checkpoint that training cannot resume from; the message gives the reason (`is damaged`)."""


@dataclass(frozen=True)
class CheckpointFile:
    """A file in the folder of checkpoints, whole or partial."""

    path: Path
    trial_id: int
    step: int


def folder_of(db: str | os.PathLike[str]) -> Path:
    """The folder of a database's checkpoints: `DATABASE.checkpoints`."""
    return Path(f"{os.path.realpath(db)}.checkpoints")


def form_of(arrays: Sequence[npt.NDArray[Any]]) -> Form:
    """Type and shape of every array."""
    return [(array.dtype.name, array.shape) for array in arrays]


def save(
    db: str | os.PathLike[str], trial_id: int, key: str | None, step: int, arrays: Sequence[npt.NDArray[Any]]
) -> None:
    """Write the state of a trial after `step` updates: whole and on disk when this returns. OSError if it cannot be."""
    header = {"format": FORMAT, "key": key, "step": step, "arrays": form_of(arrays)}
    digest = hashlib.sha256()
    with _written(_path(db, trial_id, step)) as file:
        for piece in (memoryview(json.dumps(header).encode() + b"\n"), *map(_bytes, arrays)):
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest())


def load(db: str | os.PathLike[str], trial_id: int, key: str | None, step: int) -> tuple[Form, memoryview]:
    """Types and shapes of the arrays, and the bytes of all of them. Refused if the file is not as it was saved."""
    try:
        content = _path(db, trial_id, step).read_bytes()
    except FileNotFoundError:
        raise Refused("is gone") from None
    except OSError as error:
        raise Refused(f"cannot be read ({error.strerror})") from error
    body = memoryview(content)[:-HASH_BYTES]
    if len(content) < HASH_BYTES or hashlib.sha256(body).digest() != content[-HASH_BYTES:]:
        raise Refused("is damaged (its content does not match its hash)")
    start = content.index(b"\n") + 1
    header = json.loads(content[:start])
    if header["format"] != FORMAT:
        raise Refused("was written by another version of hvdsweep")
    if header["key"] != key or header["step"] != step:
        raise Refused("belongs to another trial")
    return [(name, tuple(shape)) for name, shape in header["arrays"]], body[start:]


def files(db: str | os.PathLike[str]) -> list[CheckpointFile]:
    """Every checkpoint of the database, partial ones included."""
    try:
        names = os.listdir(folder_of(db))
    except OSError:
        return []
    matches = ((name, _NAME.fullmatch(name)) for name in names)
    return [
        CheckpointFile(folder_of(db) / name, int(m[1]), int(m[2])) for name, m in matches if m is not None
    ]


def being_written(db: str | os.PathLike[str]) -> bool:
    """Whether a checkpoint is being written."""
    return any(file.path.suffix == ".partial" for file in files(db))


def sizes(db: str | os.PathLike[str]) -> dict[int, int]:
    """Bytes on disk by trial."""
    found: dict[int, int] = {}
    for file in files(db):
        with contextlib.suppress(FileNotFoundError):
            found[file.trial_id] = found.get(file.trial_id, 0) + file.path.stat().st_size
    return found


def remove(db: str | os.PathLike[str], trial_id: int, *, but: int | None = None) -> None:
    """Remove the checkpoints of a trial, except the one at step `but`."""
    for file in files(db):
        if file.trial_id == trial_id and (file.step != but or file.path.suffix == ".partial"):
            file.path.unlink(missing_ok=True)


def named(conn: sqlite3.Connection) -> set[tuple[int, int]]:
    """(trial, step) of the checkpoints that count; empty for a store of an older schema."""
    if not conn.execute("SELECT 1 FROM pragma_table_info('trials') WHERE name = 'checkpoint'").fetchone():
        return set()
    return set(conn.execute("SELECT id, checkpoint FROM trials WHERE checkpoint IS NOT NULL"))


def carry(
    source: str | os.PathLike[str], target: str | os.PathLike[str], wanted: set[tuple[int, int]]
) -> None:
    """Copy the wanted checkpoints of one database to another. FileNotFoundError if one disappears meanwhile."""
    there = {(file.trial_id, file.step) for file in files(target) if file.path.suffix == ".checkpoint"}
    for trial_id, step in sorted(wanted - there):
        path = _path(target, trial_id, step)
        with _path(source, trial_id, step).open("rb") as original, _written(path) as file:
            shutil.copyfileobj(original, file, 1 << 20)


def keep_only(db: str | os.PathLike[str], wanted: set[tuple[int, int]]) -> None:
    """Remove all checkpoints except the wanted ones, and the folder if it is then empty."""
    for file in files(db):
        if (file.trial_id, file.step) not in wanted or file.path.suffix == ".partial":
            file.path.unlink(missing_ok=True)
    _remove_if_empty(folder_of(db))


def tidy(conn: sqlite3.Connection) -> None:
    """Remove checkpoints that no trial will resume from. Those of RUNNING trials are left to their gangs."""
    db = conn.execute("PRAGMA database_list").fetchone()[2]
    # Listed before the store is read, so that the list has nothing that a gang writes meanwhile.
    for file in files(db):
        row = conn.execute("SELECT status, checkpoint FROM trials WHERE id = ?", (file.trial_id,)).fetchone()
        if row is not None and row[0] == "RUNNING":
            continue
        if row != ("PENDING", file.step) or file.path.suffix == ".partial":
            file.path.unlink(missing_ok=True)
    _remove_if_empty(folder_of(db))


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _path(db: str | os.PathLike[str], trial_id: int, step: int) -> Path:
    return folder_of(db) / f"trial-{trial_id}-step-{step}.checkpoint"


@contextlib.contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """A new file that is renamed, and on disk, when the block ends; removed if the block raises."""
    partial = path.with_suffix(".partial")
    try:
        with _opened(partial) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(exist_ok=True)
    try:
        return path.open("wb")
    except FileNotFoundError:
        # `tidy` of another run has removed the empty folder.
        path.parent.mkdir(exist_ok=True)
        return path.open("wb")


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    import numpy as np

    # Through numpy, since a memoryview does not support every type (bfloat16).
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
