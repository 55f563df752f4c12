"""TFRecord shards by record number: an index of every record, built once and cached, and reading in any
order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError
from hvdsweep.replacing import replaced
from workloads.datasets import files

_FRAME = 16
"""Bytes around a record's data: length (8), checksum of the length (4), checksum of the data (4)."""


@dataclass(frozen=True)
class Records:
    """All records of some shards, in the order of the shards' names."""

    paths: list[Path]
    shard: npt.NDArray[Any]
    """Index into `paths`: int32 [n]."""
    offset: npt.NDArray[Any]
    """Start of the record's frame: int64 [n]."""

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, chosen: npt.NDArray[Any]) -> Records:
        """Only these records, in this order."""
        return Records(self.paths, self.shard[chosen], self.offset[chosen])


def index(paths: list[Path]) -> Records:
    """Find every record by walking the frames of all shards; the index is cached next to the data.

    Raises `UserError` for a shard that is empty, truncated or not made of TFRecords.
    """
    counts, offsets = kept("records", paths, lambda: _walk_all(paths))
    return Records(paths, np.repeat(np.arange(len(paths), dtype=np.int32), counts), offsets)


def _walk_all(paths: list[Path]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    walked = [_walk(path) for path in paths]
    return np.array([len(offsets) for offsets in walked]), np.concatenate(walked)


def _walk(path: Path) -> npt.NDArray[Any]:
    size, offset, offsets = path.stat().st_size, 0, []
    if size == 0:
        raise UserError(f"{path}: is empty; make this shard again")
    with open(path, "rb", buffering=0) as stream:
        while offset < size:
            stream.seek(offset)
            header = stream.read(12)
            if len(header) < 12:
                raise UserError(f"{path}: ends within the frame of a record; make this shard again")
            length, checksum = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != checksum:
                raise UserError(
                    f"{path}: no TFRecord at byte {offset:,} (wrong checksum); make this shard again"
                )
            if offset + _FRAME + length > size:
                raise UserError(f"{path}: ends within the record at byte {offset:,}; make this shard again")
            offsets.append(offset)
            offset += _FRAME + length
    return np.array(offsets, np.int64)


def kept(
    kind: str, paths: list[Path], make: Callable[[], tuple[npt.NDArray[Any], ...]]
) -> tuple[npt.NDArray[Any], ...]:
    """The result of `make`, cached in `<root>/.index/` under the names, sizes and times of `paths`, so that
    changed data are read again. If the folder cannot be written, it is made each time."""
    digest = hashlib.sha256(kind.encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    place = files.root() / ".index" / f"{kind}-{digest.hexdigest()[:32]}.npz"
    # A damaged index is rebuilt: it holds nothing that the data do not.
    with (
        contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile),
        np.load(place) as saved,
    ):
        return tuple(saved[f"arr_{i}"] for i in range(len(saved.files)))
    made = make()
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with replaced(place) as partial, partial.open("wb") as file:
            np.savez(file, *made)
    return made


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord frames: CRC-32C, rotated and offset."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def verify(paths: list[Path]) -> int:
    """Read every record and check its checksum; returns their number. Raises `UserError` at the first damaged
    one."""
    import tensorflow as tf

    count = 0
    for path in paths:
        if os.path.getsize(path) == 0:
            raise UserError(f"{path}: is empty; make this shard again")
        try:
            count += int(tf.data.TFRecordDataset(str(path)).reduce(np.int64(0), lambda n, _: n + 1).numpy())
        except tf.errors.DataLossError as error:
            # TensorFlow adds the name of its operation to the sentence.
            said = re.sub(r"\{\{.*?\}\}\s*| \[Op.*", "", error.message, flags=re.DOTALL)
            raise UserError(f"{path}: {said}; make this shard again") from error
    return count
