"""Files that wait for their other half: in memory while they are few, beyond that in a temporary file."""

from __future__ import annotations

import tempfile
from typing import BinaryIO

IN_MEMORY = 64 << 20
"""Most bytes waiting in memory."""


class SpillFile:
    """Byte strings by key. What does not fit in memory goes to a file that vanishes with the process."""

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._held: dict[str, bytes] = {}
        self._bytes = 0
        self._file: BinaryIO | None = None
        self._places: dict[str, tuple[int, int]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._held or key in self._places

    def put(self, key: str, content: bytes) -> None:
        """Store `content`; only once per key."""
        if self._bytes + len(content) <= self._in_memory:
            self._held[key] = content
            self._bytes += len(content)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="hvdsweep-import-")  # noqa: SIM115 - lives as long as this object
        place = self._file.seek(0, 2)
        self._file.write(content)
        self._places[key] = (place, len(content))

    def take(self, key: str) -> bytes:
        """The content of `key`, which is on the file no longer. KeyError where it never was."""
        held = self._held.pop(key, None)
        if held is not None:
            self._bytes -= len(held)
            return held
        place, size = self._places.pop(key)
        assert self._file is not None
        self._file.seek(place)
        content = self._file.read(size)
        if not self._places:
            self._file.seek(0)
            self._file.truncate()
        return content

    def close(self) -> None:
        """Release everything."""
        self._held.clear()
        self._places.clear()
        if self._file is not None:
            self._file.close()
