"""The last filter before a terminal: passes only the escape sequences that this program itself uses."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from hvdsweep.visible import UNSEEN

_OWN = r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]"
"""Colours; hiding and showing the cursor; moving up a line and erasing a line, for progress bars."""

_ANY = re.compile(rf"({_OWN})|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{UNSEEN}]")


class GuardedStream(io.TextIOWrapper):
    """A text stream through which foreign text cannot control the terminal, even if it was not made visible before."""

    owner: io.TextIOWrapper

    def write(self, text: str, /) -> int:
        super().write(_ANY.sub(_passed, text))
        return len(text)


class Messages(GuardedStream):
    """stderr: if a message cannot be written there, neither the work nor the exit code may change."""

    def write(self, text: str, /) -> int:
        with self._dropped():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._dropped():
            super().flush()

    @contextmanager
    def _dropped(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            into_nothing(self.fileno())


def into_nothing(descriptor: int) -> None:
    """Drop everything written to the descriptor from now on: at exit Python would fail on the rest of its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _passed(match: re.Match[str]) -> str:
    return match[1] or match[0].encode("unicode_escape").decode("ascii")


def guarded(stream: io.TextIOWrapper, kind: type[GuardedStream] = GuardedStream) -> GuardedStream:
    """The same stream, guarded."""
    stream.flush()
    new = kind(
        stream.buffer,
        encoding=stream.encoding,
        # A terminal without Unicode shows a question mark for a character that it lacks, instead of failing.
        errors="replace" if stream.errors in ("strict", "backslashreplace") else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    # The old one would close the file when it is garbage-collected.
    new.owner = stream
    return new
