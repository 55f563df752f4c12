"""An archive file as a stream of plain tar bytes, hashed on the way."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import zlib
from pathlib import Path
from typing import IO, cast

CHUNK = 1 << 20
"""Bytes read at a time."""

LARGEST_READ = 128 << 20
"""Bytes asked for at once; more is a damaged header."""


class _Hashed(io.RawIOBase):
    """A file, with the SHA-256 of what was read of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.sha256 = hashlib.sha256()
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer)
        self.sha256.update(buffer[:count])
        self.consumed += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(file: io.BufferedReader) -> IO[bytes]:
    """What a file holds once it is decompressed, judged by its first bytes; files of several compressed parts included."""
    start = file.peek(6)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file)
    return file


class ArchiveStream:
    """Forward-only bytes with `tell` and `seek`, as `tarfile` needs them.

    `read` raises EOFError if the compressed file is truncated or damaged: what was read before is intact.
    """

    def __init__(self, path: Path) -> None:
        self.total = path.stat().st_size
        self.last = b""
        """What was read last."""
        self._raw = _Hashed(path)
        self._file = _unpacked(io.BufferedReader(self._raw, CHUNK))
        self._place = 0

    @property
    def consumed(self) -> int:
        """Bytes of the file read so far."""
        return self._raw.consumed

    def close(self) -> None:
        """Stop reading."""
        self._raw.close()

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        if not 0 <= size <= LARGEST_READ:
            raise EOFError(f"a header or file of {size} bytes makes no sense")
        try:
            self.last = self._file.read(size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise EOFError(str(error)) from error
        self._place += len(self.last)
        return self.last

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> int:
        """Forward only; stops at the end of the stream."""
        while self._place < place:
            if not self.read(min(place - self._place, CHUNK)):
                break
        return self._place

    def drain(self) -> None:
        """Read whatever follows the archive. EOFError where that is damaged."""
        while self.read(CHUNK):
            pass

    def sha256(self) -> str:
        """Of the whole file, damaged or not (hexadecimal)."""
        while self._raw.read(CHUNK):
            pass
        return self._raw.sha256.hexdigest()
