"""Open Images V4 from TFRecord shards: photographs with any number of the 7,186 trainable labels."""

from __future__ import annotations

from workloads.catalogue import DatasetInfo
from workloads.datasets import files, tfrecords
from workloads.datasets.dataset import Dataset, Split
from workloads.datasets.photographs import FromRecords, PhotographStream


def load(info: DatasetInfo) -> Dataset:
    """Streams of photographs [n, 224, 224, 3] with labels uint8 [n, classes].

    As many examples as the shards hold: images disappear from the web, so counts may differ from the paper's.
    Raises `UserError` for data that are missing or damaged.
    """
    home = files.HOMES["open_images_v4"]
    splits = []
    for part in range(len(home.patterns)):
        records = tfrecords.index(files.shards(home, part))
        source = FromRecords(records, first_label=0, classes=info.classes, many=True)
        splits.append(Split(PhotographStream(source, info.input_shape[0]), None))
    return Dataset.of(info, *splits)
