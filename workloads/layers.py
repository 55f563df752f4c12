"""Layers whose randomness and statistics depend only on the global batch, never on how many ranks share it.

`Dropout` draws its mask from `workloads.stateless`; `GhostBatchNormalization` normalises ghost batches of a
fixed number of examples. Both read the active `stateless.scope`; without one, a layer evaluates.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
import tensorflow as tf

from workloads import stateless


class Dropout(keras.layers.Dropout):
    """Inverted dropout: in training a unit is 0 with probability `rate`, else divided by 1 - rate.

    The mask of an example is a function of (seed, step, row of the global batch, layer, unit). The rate is
    the scope's `dropout` if it has one (a tensor, so that one traced function serves every trial), else
    the layer's own.
    """

    stream_number = 1
    """Distinguishes the layers of a model; set by `workloads.models.build_model` in the order of the model."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        scope = stateless.current()
        if scope is None or training is False or ("dropout" not in scope.rates and not self.rate):
            return inputs
        rate = tf.cast(scope.rates.get("dropout", self.rate), tf.float32)
        shape = inputs.shape[1:]
        keys = stateless.row_keys(scope, scope.stream(self.stream_number))
        kept = stateless.kept(keys, prod(shape), rate)
        scaled = inputs / tf.cast(1.0 - rate, inputs.dtype)
        return tf.where(tf.reshape(kept, (-1, *shape)), scaled, tf.zeros_like(scaled))


class GhostBatchNormalization(keras.layers.Layer):
    """Batch normalisation over ghost batches: rows 0..g-1 of the global batch, g..2g-1, and so on (Hoffer et
    al. 2017).

    In training every ghost batch is normalised by its own mean and (biased) variance per channel. So the result does
    not depend on the batch size beyond g, nor on the number of ranks as long as batches are split at multiples of
    `granule`. A last ghost batch may be shorter; padded rows (`Scope.valid`) do not count. In evaluation the moving
    statistics are used: m <- a m + (1 - a) x after every update, where x is the mean over the rows of the global batch
    of their ghost batch's statistic. Since x is a sum over ranks, the layer adds its share to `Scope.aux`, float32 [2,
    C] (mean and variance, summed over the local rows), and `apply_auxiliary` makes the update.
    """

    def __init__(
        self, ghost_batch: int = 32, moving_average: float = 0.9, epsilon: float = 1e-5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ghost_batch = ghost_batch
        self.moving_average = moving_average
        self.epsilon = epsilon

    @property
    def granule(self) -> int:
        """Batches may be split over ranks and passes at multiples of this many rows."""
        return self.ghost_batch

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer="zeros", trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer="ones", trainable=False
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        scope = stateless.current()
        if scope is None or training is False:
            scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
            return inputs * scale + (self.beta - self.moving_mean * scale)
        local = inputs.shape[0] if inputs.shape[0] is not None else tf.shape(inputs)[0]
        missing = -local % self.ghost_batch
        valid = tf.ones([local]) if scope.valid is None else tf.cast(scope.valid, tf.float32)
        # [ghosts, rows, pixels, channels]: rows that are padding, added here or by the caller, have weight 0.
        channels, pixels = inputs.shape[-1], prod(inputs.shape[1:-1])
        x = tf.pad(tf.reshape(inputs, (local, pixels, channels)), ((0, missing), (0, 0), (0, 0)))
        x = tf.reshape(x, (-1, self.ghost_batch, pixels, channels))
        weights = tf.reshape(tf.pad(valid, ((0, missing),)), (-1, self.ghost_batch, 1, 1))
        rows = tf.reduce_sum(weights, 1, keepdims=True)
        # A ghost batch without a real row has only zeros to sum; dividing by one row keeps the result finite.
        values = tf.maximum(rows, 1.0) * pixels
        mean = tf.reduce_sum(x * weights, (1, 2), keepdims=True) / values
        # Padding leaves as beta, like a row at the mean: without that it could grow to infinity through many
        # layers.
        centred = (x - mean) * weights
        variance = tf.reduce_sum(tf.square(centred), (1, 2), keepdims=True) / values
        statistics = tf.stop_gradient(tf.concat([mean, variance], 2) * rows)
        scope.aux.append(tf.reduce_sum(statistics, (0, 1)))
        scope.aux_layers.append(self)
        x = centred * (self.gamma * tf.math.rsqrt(variance + self.epsilon)) + self.beta
        return tf.reshape(tf.reshape(x, (-1, pixels, channels))[:local], tf.shape(inputs))


def halve(images: Any) -> Any:
    """2x2 max-pool of stride 2 on images [b, height, width, channels]; a side of one pixel stays unchanged."""
    window = [min(2, side) for side in images.shape[1:3]]
    return images if window == [1, 1] else keras.layers.MaxPooling2D(window)(images)


def auxiliary_layers(model: keras.Model, input_shape: tuple[int, ...]) -> list[GhostBatchNormalization]:
    """The ghost normalisations of `model` in the order in which a forward pass adds their shares to
    `Scope.aux`."""
    if not any(isinstance(layer, GhostBatchNormalization) for layer in model._flatten_layers()):
        return []
    found: list[GhostBatchNormalization] = []

    def trace(x: tf.Tensor) -> tf.Tensor:
        with stateless.scope(0, 0, tf.range(1)) as scope:
            outputs = model(x, training=True)
        found.extend(scope.aux_layers)
        return outputs

    # Tracing alone shows the order; nothing is computed.
    tf.function(trace).get_concrete_function(tf.TensorSpec((1, *input_shape), tf.float32))
    return found


def apply_auxiliary(model: keras.Model, means: Sequence[tf.Tensor]) -> None:
    """Update the moving statistics of `model` (made by `build_model`) after one update of the weights.

    `means` are the entries of `Scope.aux` summed over micro-batches and ranks and divided by the global batch
    size, float32 [2, C] each, in that order. Works eagerly, in a graph and under XLA.
    """
    for layer, mean in zip(model.auxiliary, means, strict=True):
        keep = layer.moving_average
        for moving, now in ((layer.moving_mean, mean[0]), (layer.moving_variance, mean[1])):
            moving.assign(keep * moving.value + (1.0 - keep) * now)
