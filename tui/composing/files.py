"""Writing a sweep file: whole or not at all, and never over something that nobody has agreed to lose."""

from __future__ import annotations

import codecs
import contextlib
import os
import shutil
from pathlib import Path

from hvdsweep.errors import RunFailed, UserError


def write(path: Path, text: str, *, replace: bool, before: str | None) -> None:
    """Write `text` to `path`. `replace`: a file that is there may go; where `before` is given, only if it holds just that.

    UserError where a file that may not go is there, RunFailed where it cannot be written.
    """
    data = text.encode("utf-8")
    try:
        there = path.read_bytes() if path.exists() else None
        if there == data:
            return
        if there is not None and (
            not replace
            or (before is not None and there.removeprefix(codecs.BOM_UTF8) != before.encode("utf-8"))
        ):
            raise UserError(
                f"{path}: was changed elsewhere meanwhile. Save under another name, or open it anew."
            )
        new = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            new.write_bytes(data)
            if there is not None:
                shutil.copymode(path, new)
                new.replace(path)
            else:
                # Unlike a rename, this fails where another file has come there meanwhile.
                _link(new, path, data)
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
    except FileExistsError as error:
        raise UserError(f"{path}: came there meanwhile. Save under another name.") from error
    except OSError as error:
        raise RunFailed(f"{path}: cannot be written: {error.strerror}") from error


def _link(new: Path, path: Path, data: bytes) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        with path.open("xb") as file:
            file.write(data)
