"""Writing a file whole or not at all: a full disk or a kill leaves the previous content."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

_MAGIC = b"SQLite format 3\0"


def write_whole(path: str | os.PathLike[str], content: bytes, *, new: bool = False) -> None:
    """Write `content` to the file, through a temporary file in the same folder that is renamed last.

    OSError if it cannot be written, or is a database; FileExistsError if it must be `new` and exists.
    """
    path = Path(path)
    # For a link, the file it points to is written, as by any other program.
    place = Path(os.path.realpath(path))
    if holds_database(place):
        raise FileExistsError(errno.EEXIST, "it belongs to a database; give another name", str(path))
    if path.exists() and not path.is_file():
        # Devices and pipes are opened in place; a folder fails, and a pipe without a reader fails instead of waiting.
        with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb") as file:
            os.set_blocking(file.fileno(), True)
            file.write(content)
        return
    with replaced(place, new=new) as partial:
        partial.write_bytes(content)
        if place.exists():
            if not os.access(place, os.W_OK):
                raise PermissionError(13, os.strerror(13), str(place))
            os.chmod(partial, place.stat().st_mode & 0o7777)


@contextlib.contextmanager
def replaced(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Yields a temporary path next to `path`; the file is renamed to `path` if the block succeeds, else removed.

    Several hosts and processes may do so at once: each writes its own file. FileExistsError if `path` must be `new` and
    exists.
    """
    partial = path.with_name(f".{path.name[:200]}.{os.uname().nodename[:30]}.{os.getpid()}.partial")
    try:
        yield partial
        if new and _linked(partial, path):
            partial.unlink()
        else:
            os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def free_path(first: Path, taken: Collection[Path] = ()) -> Path:
    """`first`, or with a number (`digits-2.toml`): the first of them that no file has and that is not `taken`."""
    number, path = 1, first
    while path.exists() or path in taken:
        number += 1
        path = first.with_name(f"{first.stem}-{number}{first.suffix}")
    return path


def _linked(partial: Path, path: Path) -> bool:
    """Link the file as `path`: unlike a rename, this fails if `path` exists. False without hard links; then an empty
    file reserves the name."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        path.open("xb").close()
        return False
    return True


def holds_database(path: Path) -> bool:
    """Whether the file is an SQLite database or, by its name, part of one: such a file is never overwritten.

    Do not call this in a process that has the database open: closing any descriptor of it drops SQLite's locks.
    """
    for suffix in ("-wal", "-shm", "-journal", ""):
        database = Path(str(path).removesuffix(suffix))
        with contextlib.suppress(OSError, ValueError):
            if str(path).endswith(suffix) and database.is_file():
                with database.open("rb") as file:
                    if file.read(len(_MAGIC)) == _MAGIC:
                        return True
    return False
