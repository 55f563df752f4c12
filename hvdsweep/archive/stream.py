"""An archive file as a stream of plain tar bytes, decompressed and hashed by a separate thread while the program reads
what is ready.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import queue
import threading
import zlib
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 20
"""Bytes read from the file at a time."""

AHEAD = 16
"""Most decompressed pieces waiting to be read."""

LARGEST_PIECE = 4 << 20
"""Bytes decompressed at a time: a small file may contain a very long run of zeros."""


LARGEST_READ = 128 << 20
"""Most bytes per read; a longer one means a damaged header."""


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class _Gzip:
    """zlib with the interface of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _decompressor(start: bytes) -> _Decompressor | None:
    """Chosen by the first bytes of the file; None if it is not compressed."""
    if start.startswith(b"BZh"):
        return bz2.BZ2Decompressor()
    if start.startswith(b"\x1f\x8b"):
        return _Gzip()
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMADecompressor()
    return None


class Stream:
    """Forward-only bytes with `tell` and `seek`, as `tarfile` needs them.

    `read` raises EOFError if the compressed file is truncated or damaged: what was read before is intact.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.total = path.stat().st_size
        self.consumed = 0
        """Bytes of the file read so far."""
        self.last = b""
        """The bytes read last."""
        self._sha256 = hashlib.sha256()
        self._pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(AHEAD)
        self._rest = b""
        self._place = 0
        self._ended = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading. Not needed after `drain`."""
        self._closed.set()
        self._thread.join()
        self._file.close()

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        if not 0 <= size <= LARGEST_READ:
            raise EOFError(f"a header or file of {size} bytes makes no sense")
        parts, missing = [], size
        while missing and (self._rest or self._next()):
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        found = parts[0] if len(parts) == 1 else b"".join(parts)
        self._place += len(found)
        self.last = found
        return found

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> int:
        """Forward only; stops at the end of the stream."""
        while self._place < place:
            if not self.read(min(place - self._place, CHUNK)):
                break
        return self._place

    def drain(self) -> str:
        """Read to the end of the file, beyond the archive's end, and return its sha256 (hexadecimal)."""
        while self._next():
            self._rest = b""
        # After the last piece the thread may still be reading what follows it.
        self._thread.join()
        return self._sha256.hexdigest()

    def _next(self) -> bool:
        """Another piece of plain bytes; False at the end."""
        if self._ended:
            return False
        piece = self._pieces.get()
        if isinstance(piece, BaseException):
            self._ended = True
            raise EOFError(str(piece)) from piece
        if piece is None:
            self._ended = True
            return False
        self._rest = piece
        return True

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        try:
            self._decompress()
            self._put(None)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            self._put(error)
            while self._raw():
                pass  # the checksum is of the whole file, damaged or not

    def _decompress(self) -> None:
        data = self._raw()
        decompressor = _decompressor(data)
        while data or (decompressor is not None and not decompressor.needs_input):
            if self._closed.is_set():
                return
            if decompressor is None:
                self._put(data)
            else:
                self._put(decompressor.decompress(data, LARGEST_PIECE))
                if decompressor.eof:
                    # Parallel compressors write several streams in a row.
                    rest = decompressor.unused_data or self._raw()
                    decompressor = _decompressor(rest)
                    if decompressor is None:
                        while self._raw():
                            pass
                        return
                    data = rest
                    continue
                if not decompressor.needs_input:
                    data = b""
                    continue
            data = self._raw()
        if decompressor is not None:
            raise EOFError("the compressed file ends in the middle")

    def _raw(self) -> bytes:
        data = self._file.read(CHUNK)
        self._sha256.update(data)
        self.consumed += len(data)
        return data

    def _put(self, piece: bytes | BaseException | None) -> None:
        if piece == b"":
            return
        while not self._closed.is_set():
            try:
                self._pieces.put(piece, timeout=0.2)
                return
            except queue.Full:
                continue
