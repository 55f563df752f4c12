"""The last gate before a terminal: of escape sequences only those pass that this program's own output is made of."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_OWN = r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]"
"""Colours; hiding and showing the cursor; a line up and erasing a line, as bars of progress need them."""

_ANY = re.compile(rf"({_OWN})|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class GuardedStream(io.TextIOWrapper):
    """A text stream on which no foreign text can steer the terminal, whoever forgot to make it visible."""

    owner: io.TextIOWrapper

    def write(self, text: str, /) -> int:
        super().write(_ANY.sub(_passed, text))
        return len(text)


class Messages(GuardedStream):
    """stderr: a message that finds no room there, or no reader, must change neither the work nor the exit code."""

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
    """Drop what is written to the descriptor from now on. Python would fail on what is left in its buffer when it ends."""
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
        # A terminal without Unicode shows a question mark for what it cannot show, rather than nothing at all.
        errors="replace" if stream.errors in ("strict", "backslashreplace") else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    # The old one would close the file when it is forgotten.
    new.owner = stream
    return new
