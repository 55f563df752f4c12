"""CIFAR-10 from its binary batches, in the published archive or unpacked, each image standardised."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError
from workloads.catalogue import DatasetInfo
from workloads.datasets import files
from workloads.datasets.dataset import Dataset, Split

_PIXELS = 3 * 32 * 32


def load(info: DatasetInfo) -> Dataset:
    """Images float32 [n, 32, 32, 3], each with mean 0 and standard deviation 1; labels int32 [n].

    The last 5,000 of the 50,000 training images validate. Raises `UserError` for missing and damaged files.
    """
    home = files.HOMES["cifar_10"]
    unpacked = files.folder_of(home) / files.CIFAR_FOLDER
    if unpacked.is_dir():
        batches = {name: _read(unpacked / name, home) for name in files.CIFAR_BATCHES}
    else:
        batches = _read_archive(files.locate(home, home.files[0]), home)
    counts = [(info.train + info.val) // 5] * 5 + [info.test]
    parts = [
        _parse(batches[name], count, files.folder_of(home) / name)
        for name, count in zip(files.CIFAR_BATCHES, counts, strict=True)
    ]
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    train, end = info.train, info.train + info.val
    cuts = (slice(0, train), slice(train, end), slice(end, None))
    return Dataset.of(info, *(Split(standardised(images[cut]), labels[cut]) for cut in cuts))


def _read(path: Path, home: files.Home) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}\n{files.instructions(home)}") from error


def _read_archive(path: Path, home: files.Home) -> dict[str, bytes]:
    files.check(path, home.files[0])
    try:
        with tarfile.open(path) as archive:
            found = {}
            for member in archive:
                name = Path(member.name).name
                if name in files.CIFAR_BATCHES and (stream := archive.extractfile(member)) is not None:
                    found[name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read as an archive: {error}") from error
    if missing := [name for name in files.CIFAR_BATCHES if name not in found]:
        raise UserError(f"{path}: holds no {', '.join(missing)}; fetch it again from {home.files[0].url}")
    return found


def verify(path: Path) -> None:
    """Read one unpacked batch of 10,000 images. Raises `UserError` if it is not one."""
    _parse(path.read_bytes(), 10_000, path)


def _parse(data: bytes, count: int, path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """One label byte, then 1,024 red, green and blue bytes per image."""
    if len(data) != count * (1 + _PIXELS):
        raise UserError(
            f"{path}: {len(data):,} bytes instead of {count * (1 + _PIXELS):,}; fetch CIFAR-10 again"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + _PIXELS)
    labels = rows[:, 0].astype(np.int32)
    if labels.max() > 9:
        raise UserError(f"{path}: a label is {labels.max()}, not 0 to 9; this is no batch of CIFAR-10")
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def standardised(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each image minus its mean, over its standard deviation (at least 1 / sqrt(values), as TensorFlow
    does): float32."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    deviation = np.maximum(flat.std(1, keepdims=True), flat.shape[1] ** -0.5)
    scaled: npt.NDArray[Any] = (flat / deviation).reshape(images.shape)
    return scaled
