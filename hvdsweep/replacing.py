"""Writing a file so that it is whole or not there: a full disk or a kill leaves what was there before."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b"SQLite format 3\0"


def write_whole(path: str | os.PathLike[str], content: bytes, *, new: bool = False) -> None:
    """Make `content` the file's, through a file beside it that gets its name last.

    OSError if it cannot be written, or is a database; FileExistsError if it must be `new` and is there.
    """
    path = Path(path)
    # Of a link, the file that it leads to is written, as by any other program.
    place = Path(os.path.realpath(path))
    if holds_database(place):
        raise FileExistsError(errno.EEXIST, "it belongs to a database; give another name", str(path))
    if path.exists() and not path.is_file():
        # A device or a pipe keeps its name; a folder refuses, and so does a pipe that nobody reads, rather than wait.
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
    """A name beside `path` to write to; the file gets `path`'s name when the block ends well, and is removed when it does not.

    Hosts and processes may do the same at once: each writes a file of its own. FileExistsError if `path` must be `new` and
    is there.
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


def _linked(partial: Path, path: Path) -> bool:
    """Give a file the name `path` too: unlike a rename, that fails where a file has the name. False if there are no hard
    links: then an empty file holds the name."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        path.open("xb").close()
        return False
    return True


def holds_database(path: Path) -> bool:
    """Whether the file is an SQLite database or, by its name, part of one: nothing else is ever written over it.

    A process that has that database open must not ask: closing any descriptor of the file would end SQLite's locks.
    """
    for suffix in ("-wal", "-shm", "-journal", ""):
        database = Path(str(path).removesuffix(suffix))
        with contextlib.suppress(OSError, ValueError):
            if str(path).endswith(suffix) and database.is_file():
                with database.open("rb") as file:
                    if file.read(len(_MAGIC)) == _MAGIC:
                        return True
    return False
