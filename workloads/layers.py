"""Layers whose randomness and statistics depend on the global batch alone, never on how many ranks share it.

`Dropout` draws its mask from `workloads.stateless`; `GhostBatchNormalization` normalises ghost batches of a
fixed number of examples. Both read the active `stateless.scope`; outside one, a layer evaluates.
"""

from __future__ import annotations

from math import prod

import keras
import tensorflow as tf

from workloads import stateless


class Dropout(keras.layers.Dropout):
    """Inverted dropout: in training a unit is 0 with probability `rate`, else divided by 1 - rate.

    The mask of an example is a function of (seed, step, row of the global batch, layer, unit). The rate is
    the scope's `dropout` where it has one (a tensor, so that one traced function serves every trial), else
    the layer's own.
    """

    stream_number = 1
    """Tells the layers of a model apart; set by `workloads.models.build_model` in the order of the model."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        scope = stateless.current()
        if scope is None or ("dropout" not in scope.rates and not self.rate):
            return inputs
        rate = tf.cast(scope.rates.get("dropout", self.rate), tf.float32)
        shape = inputs.shape[1:]
        keys = stateless.row_keys(scope, scope.stream(self.stream_number))
        kept = stateless.uniform(keys, prod(shape)) >= rate
        scaled = inputs / tf.cast(1.0 - rate, inputs.dtype)
        return tf.where(tf.reshape(kept, (-1, *shape)), scaled, tf.zeros_like(scaled))


class MaxPool2x2(keras.layers.Layer):
    """2x2 max-pool with stride 2; an odd last row or column is left out, one pixel stays one pixel.

    Written as the maximum of four strided slices: XLA's gradient of a windowed maximum is a serial loop on a
    CPU.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs
        for axis in (1, 2):
            pairs = x.shape[axis] // 2
            if pairs:
                halves = [_every_other(x, axis, start, pairs) for start in (0, 1)]
                x = tf.maximum(*halves)
        return x

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        return batch, max(1, height // 2), max(1, width // 2), channels


def _every_other(x: tf.Tensor, axis: int, start: int, count: int) -> tf.Tensor:
    cut = [slice(None)] * 4
    cut[axis] = slice(start, start + 2 * count - 1, 2)
    return x[tuple(cut)]
