"""The gradient noise scale, measured while a trial trains: |G|^2 and tr Sigma of McCandlish et al. (2018, appendix A).

From time to time, right after an evaluation, the gradient is taken on two halves of a set of fresh examples, usually the
next two batches, for any number of ranks. Each half is summed over the ranks exactly as an update's gradient is. With
H1 and H2 the gradients of the mean loss over the halves of n examples each,

    |G|^2    = H1 . H2               (the halves are independent, so noise does not add to it)
    tr Sigma = |H1 - H2|^2 n / 2     (each half has the variance tr Sigma / n)

are unbiased; they are the paper's two estimates for the batch sizes n and 2 n. An example is one row of a batch; for a
language model, a sequence. No estimate enters an update, so losses have the same bits with and without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.training.ranks import Ranks
from hvdsweep.training.step import Batch, Share

if TYPE_CHECKING:
    from hvdsweep.training.batches import Shuffle
    from hvdsweep.training.network import Network
    from hvdsweep.training.step import Update

SPACING = 512
"""Least updates between two estimates: each takes as long as one or two updates, of small models without XLA four."""
EARLY: tuple[int, ...] = (64, 256)
"""Updates after which there is an estimate too, so that short trials have one."""
STREAM_BYTES = 64 << 20
"""Memory that the streamed examples of one estimate may take, unless one batch takes more."""

Estimates = list[tuple[int, npt.NDArray[np.float64]]]
"""(updates made, [[|G|^2 ...], [tr Sigma ...]]): float64 [2, layers], or [2, 1] for all weights together."""


def estimated_at(evaluations: Sequence[int], before: int) -> list[int]:
    """The evaluations that take an estimate; `before`: updates at the evaluation before them."""
    steps = np.array([before, *evaluations])
    marks = steps // SPACING + sum(steps >= mark for mark in EARLY)
    found: list[int] = steps[1:][np.diff(marks) > 0].tolist()
    return found


@dataclass(frozen=True)
class Halves:
    """The examples of an estimate that this rank computes."""

    size: int
    """Examples of each half, over all ranks."""
    batch_size: int
    positions: npt.NDArray[np.int32]
    """Position of each row among the estimate's examples: [2 * passes, rows a pass], the first half first."""
    real: npt.NDArray[np.bool_]
    """Which rows count; the others are padding. Of the same shape."""

    @classmethod
    def of(
        cls,
        network: Network,
        ranks: Ranks,
        batch_size: int,
        every: int,
        micro_batch: int | None,
    ) -> Halves | None:
        """A half is one batch. If evaluations are far apart it is several: 1 of `SPACING`, at any spacing.

        None if the training set is too small to give two halves that share no example.
        """
        train, granule = network.dataset.train, network.granule
        batches = max(1, every // SPACING)
        if not train.in_memory:
            example = 4 * int(np.prod(network.dataset.input_shape))
            batches = min(batches, max(1, STREAM_BYTES // (2 * example * batch_size)))
        size = min(batches * batch_size, len(train) // 2)
        # Rows that a model processes together stay together: a half is at least one batch, or as many rows.
        size = size // granule * granule or min(batch_size, granule)
        if 2 * size > len(train):
            return None
        padded = not network.penalties.by_rows
        share = Share.of(size, ranks, micro_batch, granule, padded=padded)
        first = share.rows.reshape(share.layout).astype(np.int32)
        real = share.real.reshape(share.layout)
        return cls(size, batch_size, np.concatenate([first, first + size]), np.concatenate([real, real]))

    def rows(self, shuffle: Shuffle, steps: Sequence[int]) -> npt.NDArray[np.int64]:
        """The next training examples of the stream after each of `steps` updates, [steps, rows of this rank]."""
        return shuffle.at(
            np.array(steps)[:, None] * self.batch_size + self.positions.ravel().astype(np.int64)
        )

    def estimates(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """[|G|^2, tr Sigma], float64 [2, layers], from the result of `NoiseEstimator.traced`."""
        found: npt.NDArray[np.float64] = sums.reshape(2, -1) * np.array([[1.0], [self.size / 2]])
        return found


@dataclass(frozen=True)
class Probes:
    """The estimates of one call of the loop."""

    halves: Halves
    steps: list[int]
    """The numbers of updates after which they are due."""
    rows: npt.NDArray[np.int32]
    """Training examples, [room, rows of this rank]."""

    @classmethod
    def of(
        cls, halves: Halves, shuffle: Shuffle, evaluations: Sequence[int], before: int, room: int
    ) -> Probes:
        """`evaluations`: steps of the evaluations the call may make; `before`: step of the one before them. `room`: the
        number of estimates that XLA compiles for."""
        steps = estimated_at(evaluations, before)
        rows = np.zeros((room, halves.positions.size), np.int32)
        if steps:
            rows[: len(steps)] = halves.rows(shuffle, steps)
        return cls(halves, steps, rows)

    def after(self, first_step: int) -> npt.NDArray[np.int32]:
        """Updates of the call before each estimate, and then more than it makes: int32 [room + 1]."""
        found = np.full(len(self.rows) + 1, np.iinfo(np.int32).max, np.int32)
        found[: len(self.steps)] = np.array(self.steps, np.int32) - first_step
        return found

    def estimates(self, done: int, finite: Any, sums: npt.NDArray[np.float64]) -> Estimates:
        """Those that were made by a call that ended after `done` updates, from `NoiseEstimator.traced`."""
        pairs = zip(self.steps, sums, strict=False)
        return [(step, self.halves.estimates(row)) for step, row in pairs if step < done + finite]


def most_estimates(updates: int, every: int) -> int:
    """The most estimates in a call of `updates` updates, with an evaluation every `every` updates."""
    return min(updates // every + 2, (updates + every) // SPACING + len(EARLY) + 1)


class NoiseEstimator:
    """The estimates for one network and algorithm."""

    def __init__(self, update: Update, *, by_layer: bool) -> None:
        self._update = update
        self._layers = layers_of(update.network) if by_layer else None
        self.width = 2 * (len(set(self._layers)) if self._layers else 1)
        """Numbers in an estimate."""
        self._alone = tf.function(
            self._of_arrays,
            autograph=False,
            # The user's own model may read its batch's static shape.
            reduce_retracing=not update.network.own,
        )

    def traced(self, batch: Batch, seed: Any, step: Any, metaparameters: Any) -> Any:
        """Inside a traced function: [H1 . H2 by layer, |H1 - H2|^2 by layer], float64 [width], the same on every rank.

        `batch` holds the passes of the first half, then as many of the second.
        """
        update, network = self._update, self._update.network
        named = update.named(metaparameters)
        passes = tf.shape(batch.rows)[0]
        sizes = [int(np.prod(weight.shape)) for weight in network.weights]

        def flat(tensors: Sequence[Any]) -> Any:
            return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)

        def add(number: Any, halves: Any, weights: Any) -> Any:
            gradients, _, sums = update.pass_sums(batch, number, seed, step, named)
            mine = tf.one_hot(2 * number // passes, 2)
            return number + 1, halves + mine[:, None] * flat(gradients), weights + mine * sums[1]

        # One loop over both halves, so that the model is traced once.
        _, halves, weights = tf.while_loop(
            lambda number, *_: number < passes, add, (0, tf.zeros([2, sum(sizes)]), tf.zeros([2]))
        )
        halves, weights = update.ranks.sum_in_graph([halves, weights], name="noise")
        halves /= weights[:, None]
        difference = halves[0] - halves[1]
        _, slopes = network.penalties.of_weights()
        if slopes:
            halves += flat([slopes.get(i, tf.zeros_like(weight)) for i, weight in enumerate(network.weights)])
        layers = self._layers or [0]
        parts = sizes if self._layers else [sum(sizes)]

        def by_layer(one: Any, other: Any) -> list[Any]:
            dots = [_dot(*pair) for pair in zip(tf.split(one, parts), tf.split(other, parts), strict=True)]
            return [
                tf.add_n([value for value, layer in zip(dots, layers, strict=True) if layer == chosen])
                for chosen in dict.fromkeys(layers)
            ]

        return tf.stack([*by_layer(halves[0], halves[1]), *by_layer(difference, difference)])

    def measure(
        self, features: Any, labels: Any, rows: Any, halves: Halves, seed: int, step: int, values: Any
    ) -> npt.NDArray[np.float64]:
        """The estimates outside the loop, on `rows` (any shape) of `features` and `labels`: float64 [2, layers]."""
        arrays = (rows.reshape(halves.positions.shape).astype(np.int32), halves.positions, halves.real)
        numbers = np.array([halves.batch_size, seed, step], np.int32)
        sums = self._alone(features, labels, *arrays, numbers, values).numpy()
        return halves.estimates(sums)

    def _of_arrays(
        self, features: Any, labels: Any, rows: Any, positions: Any, real: Any, numbers: Any, values: Any
    ) -> Any:
        batch = Batch(features, labels, rows, positions, real, numbers[0])
        return self.traced(batch, numbers[1], numbers[2], values)


def _dot(one: Any, other: Any) -> Any:
    """The inner product of two vectors, float64; rows of 256 in float32 first: exact enough, without a float64 copy."""
    product = one * other
    rows = tf.reshape(tf.pad(product, [[0, -product.shape[0] % 256]]), [-1, 256])
    return tf.reduce_sum(tf.cast(tf.reduce_sum(rows, 1), tf.float64))


def layers_of(network: Network) -> list[int]:
    """The layer of each weight, counted from 0."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(_layer(variable), len(numbers)) for variable in _variables(network)]


def layer_names(network: Network) -> list[str]:
    """`1 dense`, `2 dense`, ...; without Keras' own numbers, which differ from process to process."""
    names = dict.fromkeys(_layer(variable) for variable in _variables(network))
    return [f"{number} {re.sub(r'_[0-9]+(?=/|$)', '', name)}" for number, name in enumerate(names, 1)]


def _variables(network: Network) -> list[Any]:
    return list(network.model.trainable_variables)


def _layer(variable: Any) -> str:
    return str(variable.path).rpartition("/")[0] or str(variable.path)
