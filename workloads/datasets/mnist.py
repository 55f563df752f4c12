"""MNIST and Fashion MNIST from their IDX files, compressed or not, with the paper's splits and subsets."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError
from workloads import stateless
from workloads.catalogue import DatasetInfo, dataset_info
from workloads.datasets import files
from workloads.datasets.dataset import Dataset, Split

_PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def load(info: DatasetInfo, whole: DatasetInfo | None = None) -> Dataset:
    """Images float32 [n, 28, 28, 1] in [0, 1], labels int32 [n].

    The last 5,000 of the 60,000 training images validate. A subset trains on the first images of a fixed permutation;
    `whole` gives the sizes of the set that it is taken from. Raises `UserError` for missing and damaged files.
    """
    home = files.home_of(info.name)
    assert home is not None
    arrays: dict[str, npt.NDArray[Any]] = {}
    for part, file in zip(_PARTS, home.files, strict=True):
        path = files.locate(home, file)
        files.check(path, file)
        arrays[part] = read_idx(path)
    whole = whole or dataset_info(home.folder)
    _agree(arrays, home, whole)
    train_images, train_labels = arrays["train-images"], arrays["train-labels"]
    rest = len(train_images) - info.val
    # Sorting by hashes of the index gives a permutation that no numpy release can change.
    chosen = np.argsort(stateless.mix(np.arange(rest), np), kind="stable")[: info.train]
    val = np.arange(rest, len(train_images))
    return Dataset.of(
        info,
        _split(train_images[chosen], train_labels[chosen]),
        _split(train_images[val], train_labels[val]),
        _split(arrays["t10k-images"], arrays["t10k-labels"]),
    )


def _split(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    return Split((images[..., None] / np.float32(255)).astype(np.float32), labels.astype(np.int32))


def _agree(arrays: Mapping[str, npt.NDArray[Any]], home: files.Home, whole: DatasetInfo) -> None:
    folder = files.folder_of(home)
    for part, count in (("train", whole.train + whole.val), ("t10k", whole.test)):
        images, labels = arrays[f"{part}-images"], arrays[f"{part}-labels"]
        if images.shape != (count, *whole.input_shape[:2]) or labels.shape != (count,):
            raise UserError(
                f"{folder}: {part}: images {images.shape} and labels {labels.shape} instead of "
                f"{(count, *whole.input_shape[:2])} and ({count},)\n{files.instructions(home)}"
            )
        if labels.max() >= whole.classes:
            raise UserError(f"{folder}: {part}-labels: a label is {labels.max()}; there are {whole.classes}")


def read_idx(path: Path) -> npt.NDArray[Any]:
    """An IDX file of unsigned bytes, compressed (.gz) or not: uint8 of the shape in its header. Raises
    `UserError`."""
    data = files.read_unpacked(path)
    if len(data) < 4:
        raise UserError(f"{path}: {len(data)} bytes are too few for an IDX header; fetch it again")
    zeros, kind, dimensions = struct.unpack(">HBB", data[:4])
    if zeros != 0 or kind != 0x08 or dimensions == 0:
        raise UserError(f"{path}: begins with {data[:4].hex()}, which is not an IDX file of unsigned bytes")
    start = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", data[4:start]) if len(data) >= start else ()
    if not shape or len(data) - start != prod(shape):
        raise UserError(
            f"{path}: {len(data):,} bytes do not hold the {shape} values that its header announces; fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
