"""scikit-learn's handwritten digits (UCI): 1,797 real 8x8 images that need no download."""

from __future__ import annotations

import numpy as np

from workloads import stateless
from workloads.catalogue import DatasetInfo
from workloads.datasets.dataset import Dataset, Split
from workloads.tasks import task


def load(info: DatasetInfo) -> Dataset:
    """1,297 / 250 / 250 images float32 [n, 8, 8, 1] in [0, 1], labels int32 [n]; the split is a fixed
    permutation."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    features = (images / 16.0).astype(np.float32).reshape(-1, 8, 8, 1)
    # Sorting hashes of the index is a permutation that no numpy release can change.
    order = np.argsort(stateless.mix(np.arange(len(features)), np), kind="stable")
    parts = np.split(order, [info.train, info.train + info.val])
    splits = [Split(features[part], labels[part].astype(np.int32)) for part in parts]
    return Dataset(info.name, task(info.task), *splits, input_shape=info.input_shape, classes=info.classes)
