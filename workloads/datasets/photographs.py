"""Photographs streamed by example number: read, decoded, cut to 224 x 224 and normalised in the background
by tf.data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.data.ops import dataset_ops
from tensorflow.python.ops import gen_dataset_ops

from hvdsweep.errors import UserError
from workloads import stateless
from workloads.datasets.tfrecords import Records

SIDE = 224
SHORTER = 256
"""Length of the shorter side in evaluation, before the centre is cut out."""
JITTER = (256, 512)
"""The range of the shorter side in training: scale jitter of Simonyan and Zisserman (2015)."""
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's training pixels, in [0, 1]; the usual normalisation (the paper names none)."""
BLOCKS_AHEAD = 2


class _RecordAt(dataset_ops.DatasetSource):
    """The records of one shard from a byte on. tf.data.TFRecordDataset does not expose the offset that its kernel
    takes."""

    def __init__(self, path: Any, offset: Any) -> None:
        paths, offsets = tf.reshape(path, [1]), tf.reshape(offset, [1])
        super().__init__(gen_dataset_ops.tf_record_dataset_v2(paths, "", np.int64(0), offsets))

    @property
    def element_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([], tf.string)


@dataclass(frozen=True)
class FromRecords:
    """Examples in TFRecords with `image/encoded` and `image/class/label`."""

    records: Records
    first_label: int
    """The number of class 0 in the files."""
    classes: int
    many: bool
    """Whether labels are a list (multi-hot uint8 [classes]), not one number (int32)."""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def place(self) -> Path:
        """The folder of the examples."""
        return self.records.paths[0].parent

    def examples(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Dataset of (row, key) -> dataset of (encoded image, label, key), in order."""
        paths = tf.constant([str(path) for path in self.records.paths])
        where = rows.map(
            lambda row, key: (tf.gather(self.records.shard, row), tf.gather(self.records.offset, row), key)
        )
        # One record per source and block_length 1 keep the order of rows, whatever runs in parallel.
        return where.interleave(
            lambda shard, offset, key: (
                _RecordAt(tf.gather(paths, shard), offset)
                .take(1)
                .map(lambda record: (*self._parse(record), key))
            ),
            cycle_length=max(4, os.cpu_count() or 4),
            block_length=1,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )

    def _parse(self, record: Any) -> tuple[Any, Any]:
        features = tf.io.parse_single_example(
            record,
            {
                "image/encoded": tf.io.FixedLenFeature([], tf.string),
                "image/class/label": tf.io.VarLenFeature(tf.int64),
            },
        )
        labels = features["image/class/label"].values - self.first_label
        if self.many:
            return features["image/encoded"], tf.reduce_max(
                tf.one_hot(labels, self.classes, dtype=tf.uint8), 0
            )
        return features["image/encoded"], tf.cast(labels[0], tf.int32)


@dataclass(frozen=True)
class FromFiles:
    """Examples in image files."""

    paths: npt.NDArray[Any]
    """Absolute paths as strings [n]."""
    labels: npt.NDArray[Any]
    """int32 [n]."""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def place(self) -> Path:
        """The folder of the examples."""
        return Path(self.paths[0]).parents[1]

    def examples(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Dataset of (row, key) -> dataset of (encoded image, label, key), in order."""
        paths, labels = tf.constant(self.paths), tf.constant(self.labels)
        return rows.map(
            lambda row, key: (tf.io.read_file(tf.gather(paths, row)), tf.gather(labels, row), key),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )


@dataclass(frozen=True)
class PhotographStream:
    """`Stream` of photographs: features float32 [n, 224, 224, 3], labels int32 [n] or uint8 [n, classes]."""

    source: FromRecords | FromFiles
    side: int = SIDE

    def __len__(self) -> int:
        return len(self.source)

    def blocks(
        self, rows: Iterable[npt.NDArray[Any]], keys: Iterable[npt.NDArray[Any]] | None = None
    ) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """See `Stream.blocks`. With `keys` images are cut at random (jitter, position, flip), else at the
        centre."""
        unkeyed = keys is None

        def pairs() -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
            drawn = iter(keys) if keys is not None else None
            for block in rows:
                own = np.zeros(len(block), np.uint32) if drawn is None else next(drawn)
                yield np.asarray(block, np.int64), np.asarray(own, np.uint32)

        def decode(encoded: Any, label: Any, key: Any) -> tuple[Any, Any]:
            return photograph(encoded, None if unkeyed else key, self.side), label

        def block(numbers: Any, own: Any) -> tf.data.Dataset:
            examples = self.source.examples(tf.data.Dataset.from_tensor_slices((numbers, own)))
            decoded = examples.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            return decoded.batch(tf.size(numbers, tf.int64))

        spec = (tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.uint32))
        numbered = tf.data.Dataset.from_generator(pairs, output_signature=spec)
        # Every block is a pipeline of one element, so interleaving keeps their order and overlaps their work.
        blocks = numbered.interleave(
            block,
            cycle_length=BLOCKS_AHEAD,
            block_length=1,
            num_parallel_calls=BLOCKS_AHEAD,
            deterministic=True,
        )
        return self._guarded(blocks.prefetch(1))

    def _guarded(self, blocks: tf.data.Dataset) -> Iterator[tuple[Any, Any]]:
        try:
            yield from blocks
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
            what = error.message.splitlines()[0].removeprefix("{{function_node ").strip()
            raise UserError(
                f"{self.source.place}: an example cannot be read: {what}; `hvdsweep datasets NAME --verify` names the file"
            ) from error


def photograph(encoded: Any, key: Any | None, side: int = SIDE) -> Any:
    """An encoded image (JPEG, PNG, ...) as float32 [side, side, 3], normalised by MEAN and DEVIATION.

    Without a key (uint32 scalar) the shorter side becomes SHORTER and the centre is cut out. With a key, the shorter
    side is uniform over the integers of JITTER, the position of the square uniform over the image, and the image
    mirrored half of the time. The square is cut before it is resized: the same pixels for less work.
    """
    is_jpeg = tf.io.is_jpeg(encoded)

    def whole() -> tf.Tensor:
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)

    shape = tf.cond(is_jpeg, lambda: tf.io.extract_jpeg_shape(encoded), lambda: tf.shape(whole()))
    height, width = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)
    ratio = side / SIDE
    if key is None:
        shorter, at_y, at_x, mirror = tf.constant(SHORTER * ratio), 0.5, 0.5, tf.constant(False)
    else:
        drawn = stateless.uniform(key[None], 4)[0]
        shorter = ratio * (JITTER[0] + tf.floor(drawn[0] * (JITTER[1] - JITTER[0] + 1)))
        at_y, at_x, mirror = drawn[1], drawn[2], drawn[3] < 0.5
    cut = side * tf.minimum(height, width) / shorter
    size = tf.maximum(1, tf.cast(tf.round(cut), tf.int32))
    y = tf.cast(tf.round(at_y * (height - tf.cast(size, tf.float32))), tf.int32)
    x = tf.cast(tf.round(at_x * (width - tf.cast(size, tf.float32))), tf.int32)
    square = tf.cond(
        is_jpeg,
        lambda: tf.io.decode_and_crop_jpeg(encoded, tf.stack([y, x, size, size]), channels=3),
        lambda: whole()[y : y + size, x : x + size],
    )
    resized = tf.image.resize(tf.ensure_shape(square, (None, None, 3)), (side, side))
    resized = tf.cond(mirror, lambda: tf.reverse(resized, [1]), lambda: resized)
    return (resized / 255.0 - tf.constant(MEAN)) / tf.constant(DEVIATION)
