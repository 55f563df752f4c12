"""Writing a file so that it is whole or not there: a full disk or a kill leaves what was there before."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Make `content` the file's, through a file beside it that gets its name last. OSError where that cannot be."""
    path = Path(path)
    if path.exists() and not path.is_file():
        # A device or a pipe keeps its name; a folder refuses.
        path.write_bytes(content)
        return
    # Of a link, the file that it leads to is written, as by any other program.
    place = Path(os.path.realpath(path))
    partial = place.with_name(f".{place.name[:200]}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        if place.exists():
            if not os.access(place, os.W_OK):
                raise PermissionError(13, os.strerror(13), str(place))
            os.chmod(partial, place.stat().st_mode & 0o7777)
        os.replace(partial, place)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
