"""scikit-learn's handwritten digits (UCI): 1,797 real 8x8 images that need no download."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workloads import stateless
from workloads.catalogue import DatasetInfo
from workloads.datasets.dataset import Dataset, Split


def load(info: DatasetInfo) -> Dataset:
    """1,297 / 250 / 250 images float32 [n, 8, 8, 1] in [0, 1], labels int32 [n]; the split is a fixed
    permutation."""
    images, labels = _table()
    features = (images / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    # Sorting by hashes of the index gives a permutation that no numpy release can change.
    order = np.argsort(stateless.mix(np.arange(len(features)), np), kind="stable")
    parts = np.split(order, [info.train, info.train + info.val])
    return Dataset.of(info, *(Split(features[part], labels[part].astype(np.int32)) for part in parts))


def _table() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Pixels [n, 64] of 0 to 16 and labels [n], as `sklearn.datasets.load_digits` returns them.

    Read from scikit-learn's file, since importing scikit-learn takes a second of processor time in every rank.
    """
    package = find_spec("sklearn")
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            with gzip.open(file, "rt") as lines:
                table = np.loadtxt(lines, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)  # type: ignore[no-any-return]
