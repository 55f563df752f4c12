"""How long training waits for its data: photographs in ImageNet's format, streamed from TFRecord shards by tf.data.

    python benchmarks/streaming.py [--json FILE] [--images 512] [--steps 12]

1. ResNet-50 in full, and at a quarter of its width (an eighth of the work a step and more), train from small shards that this
   program writes (JPEG, 500 x 375): the share of the training loop's time spent waiting for the next block.
2. The stream alone, by shuffled example number, against a pipeline as one writes it by hand (shards read in order, a shuffle
   buffer, the same decoding): images a second.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.telling import parser_of, tell

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from workloads.datasets import tfrecords
from workloads.datasets.dataset import Dataset, Split
from workloads.datasets.photographs import FromRecords, PhotographStream, photograph
from workloads.tasks import task

SHARDS, SIDE, CLASSES, BATCH = 4, 224, 1000, 32


def write_shards(folder: Path, images: int) -> list[Path]:
    """Photographs of clouds: smooth noise, as large as ImageNet's usual 500 x 375, in files of about its size."""
    draw = np.random.default_rng(1)
    paths = []
    for shard in range(SHARDS):
        paths.append(folder / f"train-{shard:05}-of-{SHARDS:05}")
        with tf.io.TFRecordWriter(str(paths[-1])) as writer:
            for _ in range(images // SHARDS):
                coarse = tf.constant(draw.uniform(0, 255, (1, 24, 32, 3)), tf.float32)
                image = tf.image.resize(coarse, (375, 500), "bicubic")[0] + draw.normal(0, 12, (375, 500, 3))
                encoded = tf.io.encode_jpeg(tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8), quality=92)
                label = tf.train.Int64List(value=[int(draw.integers(1, CLASSES + 1))])
                feature = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded.numpy()])),
                    "image/class/label": tf.train.Feature(int64_list=label),
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
    return paths


class Watched:
    """A stream that knows how long its reader waited, from its third block on."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.waited: list[float] = []

    def __len__(self) -> int:
        return len(self.stream)

    def blocks(self, rows: Iterable[np.ndarray], keys: Iterable[np.ndarray] | None = None) -> Iterator[Any]:
        blocks = iter(self.stream.blocks(rows, keys))
        while True:
            began = time.perf_counter()
            block = next(blocks, None)
            if block is None:
                return
            self.waited.append(time.perf_counter() - began)
            yield block


def waiting(stream: PhotographStream, options: dict[str, Any], steps: int) -> dict[str, float]:
    """The share of the loop's time that is spent waiting, the first two calls (compilation, the pipeline's start) apart."""
    watched = Watched(stream)
    split = Split(watched, None)
    dataset = Dataset(
        "imagenet", task("classification"), split, split, None, input_shape=(SIDE, SIDE, 3), classes=CLASSES
    )
    definition = {
        "batch_size": BATCH,
        "steps": steps + 2,
        "algorithm": "nesterov_momentum",
        "evaluation": {"every": 1, "splits": [], "at_start": False},
        "goal": {"metric": "val/loss", "value": 0.0, "maximize": False},
        "stop": "budget",
        "micro_batch": None,
    }
    study = Study(Network(dataset, "resnet_50", options, None), Ranks(), definition, ("learning_rate",))
    times: list[float] = []

    def record(*_: Any) -> bool:
        times.append(time.perf_counter())
        return False

    study.train({"seed": 1, "metaparameters": {"learning_rate": 0.01}}, record, lambda: None)
    whole = times[-1] - times[1]
    return {"seconds a step": whole / steps, "share waiting": sum(watched.waited[2:]) / whole}


def stream_rate(stream: PhotographStream, blocks: int) -> float:
    """Images a second, by shuffled number, decoded and augmented."""
    draw = np.random.default_rng(2)
    orders = [draw.integers(0, len(stream), BATCH) for _ in range(blocks + 2)]
    keys = [draw.integers(0, 2**32, BATCH, np.uint32) for _ in orders]
    began = 0.0
    for number, _ in enumerate(stream.blocks(orders, keys)):
        if number == 1:
            began = time.perf_counter()
    return blocks * BATCH / (time.perf_counter() - began)


def plain_rate(paths: list[Path], blocks: int) -> float:
    """Images a second of the pipeline that one writes by hand, in no order that anybody knows."""

    def decode(record: Any, key: Any) -> tuple[Any, Any]:
        spec = {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        }
        example = tf.io.parse_single_example(record, spec)
        image = photograph(example["image/encoded"], tf.cast(key, tf.uint32))
        return image, example["image/class/label"] - 1

    records = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    records = records.interleave(tf.data.TFRecordDataset, num_parallel_calls=tf.data.AUTOTUNE)
    records = tf.data.Dataset.zip((records.repeat().shuffle(256, seed=1), tf.data.Dataset.counter()))
    batches = records.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)
    began = 0.0
    for number, _ in enumerate(batches.take(blocks + 2)):
        if number == 1:
            began = time.perf_counter()
    return blocks * BATCH / (time.perf_counter() - began)


def measure(images: int, steps: int) -> dict[str, float]:
    """All figures."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = write_shards(Path(name), images)
        records = tfrecords.index(paths)
        stream = PhotographStream(FromRecords(records, first_label=1, classes=CLASSES, many=False), SIDE)
        ours, plain = [], []
        for _ in range(3):
            ours.append(stream_rate(stream, 12))
            plain.append(plain_rate(paths, 12))
        figures["stream by number: images a second"] = float(np.median(ours))
        figures["plain tf.data: images a second"] = float(np.median(plain))
        figures["stream / plain tf.data"] = float(np.median(np.array(ours) / np.array(plain)))
        for words, options in (("ResNet-50", {}), ("ResNet-50, quarter width", {"width": 16})):
            for label, value in waiting(stream, options, steps).items():
                figures[f"{words}, batch size {BATCH}: {label}"] = value
    return figures


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    figures = measure(options.images, options.steps)
    tell(figures, options.json)


if __name__ == "__main__":
    main()
