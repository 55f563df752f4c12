"""ImageNet (ILSVRC 2012) from TFRecord shards or image folders, with the paper's splits and subsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError
from workloads import stateless
from workloads.catalogue import DatasetInfo, dataset_info
from workloads.datasets import files, tfrecords
from workloads.datasets.dataset import Dataset, Split
from workloads.datasets.photographs import FromFiles, FromRecords, PhotographStream

Source = FromRecords | FromFiles
_HALF_CLASSES = "imagenet_half_classes"


def load(info: DatasetInfo, whole: DatasetInfo | None = None) -> Dataset:
    """Streams of photographs [n, 224, 224, 3] with labels int32 [n].

    The official validation set validates. Of the training images, the 50,045 whose numbers have the smallest hashes are
    held out to test. Half the images are the first half in the order of hashes; half the classes are 0 to 499. `whole`
    gives the sizes of the full set. Raises `UserError` for data that are missing, incomplete or damaged.
    """
    whole = whole or dataset_info("imagenet")
    home = files.HOMES["imagenet"]
    train = _source(home, 0, whole.train + whole.test, whole.classes)
    val = _source(home, 1, whole.val, whole.classes)
    order = np.argsort(stateless.mix(np.arange(len(train)), np), kind="stable")
    test_rows, train_rows = order[: whole.test], np.sort(order[whole.test :])
    if info.name.endswith("imagenet_half_images"):
        train_rows = np.sort(order[whole.test :][: info.train])
    sources = [_take(train, train_rows), val, _take(train, np.sort(test_rows))]
    if info.name.endswith(_HALF_CLASSES):
        sources = [_take(source, np.flatnonzero(labels_of(source) < info.classes)) for source in sources]
    return Dataset.of(
        info, *(Split(PhotographStream(source, info.input_shape[0]), None) for source in sources)
    )


def _source(home: files.Home, part: int, count: int, classes: int) -> Source:
    paths = files.shards(home, part)
    if "-of-" in paths[0].name:
        source: Source = FromRecords(tfrecords.index(paths), first_label=1, classes=classes, many=False)
    else:
        source = _folders(paths, classes)
    if len(source) != count:
        raise UserError(
            f"{files.folder_of(home)}: {home.patterns[part][0].partition('-')[0]}: {len(source):,} images instead of "
            f"{count:,}; some are missing\n{files.instructions(home)}"
        )
    return source


def _folders(paths: list[Path], classes: int) -> FromFiles:
    """Classes are numbered in the order of the folders' names (the synsets), as in the usual TFRecord
    shards."""
    folders = sorted({path.parent for path in paths})
    if len(folders) != classes:
        raise UserError(
            f"{folders[0].parent}: {len(folders)} folders instead of one for each of {classes} classes"
        )
    number = {folder: i for i, folder in enumerate(folders)}
    labels = np.array([number[path.parent] for path in paths], np.int32)
    return FromFiles(np.array([str(path) for path in paths]), labels)


def _take(source: Source, rows: npt.NDArray[Any]) -> Source:
    if isinstance(source, FromFiles):
        return FromFiles(source.paths[rows], source.labels[rows])
    return FromRecords(source.records.take(rows), source.first_label, source.classes, source.many)


def labels_of(source: Source) -> npt.NDArray[Any]:
    """The label of every example, int32 [n]. TFRecords are all read once, which takes minutes, and the result is
    cached."""
    if isinstance(source, FromFiles):
        return source.labels
    records = source.records

    def read() -> tuple[npt.NDArray[Any]]:
        import tensorflow as tf

        def label(record: tf.Tensor) -> tf.Tensor:
            spec = {"image/class/label": tf.io.FixedLenFeature([], tf.int64)}
            return tf.io.parse_single_example(record, spec)["image/class/label"] - source.first_label

        everything = tf.data.TFRecordDataset([str(path) for path in records.paths])
        found = everything.map(label, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).batch(4096)
        return (np.concatenate([block.numpy() for block in found]).astype(np.int32),)

    (every,) = tfrecords.kept("labels", records.paths, read)
    # The labels are those of all records; select the ones of this source by their position.
    full = tfrecords.index(records.paths)
    starts = np.concatenate([[0], np.cumsum(np.bincount(full.shard, minlength=len(records.paths)))])
    within = np.empty(len(records), np.int64)
    for shard in range(len(records.paths)):
        mine = records.shard == shard
        within[mine] = np.searchsorted(full.offset[starts[shard] : starts[shard + 1]], records.offset[mine])
    picked: npt.NDArray[Any] = every[starts[records.shard] + within]
    return picked
