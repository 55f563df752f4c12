"""The training step: many updates in one compiled call, exact in the global batch whatever the number of ranks.

Each rank adds up the gradients of its examples' losses, in micro-batches where its share is large; one grouped allreduce adds
the ranks up, together with the sum of the losses and of their weights; the division by the summed weights makes it the
gradient of the mean loss over the global batch. Uneven shares, ranks without any row and micro-batches all follow from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.split import equal_passes, micro_batches, split_batch
from hvdsweep.training.algorithms import descend, has_velocity, learning_rate
from hvdsweep.training.network import Network
from hvdsweep.training.penalties import added_losses
from hvdsweep.training.ranks import Ranks
from workloads import stateless
from workloads.layers import apply_auxiliary

DEFAULTS = {
    "learning_rate": 0.0,
    "momentum": 0.0,
    "end_learning_rate_factor": 1.0,
    "learning_rate_decay_steps": 1.0,
    "label_smoothing": 0.0,
    "weight_decay": 0.0,
}
"""What a metaparameter is when a trial does not set it: a constant schedule, no smoothing, no decay."""


Sums = tuple[list[Any], list[Any], Any]
"""Summed over rows: gradients; what layers want summed beside them (ghost statistics); [losses, weights]."""


@dataclass(frozen=True)
class Share:
    """The rows of the global batch that one rank computes, laid out in passes of equal size."""

    rows: npt.NDArray[np.int64]
    """Rows of the global batch, [passes * per_pass]; the padding repeats the last row."""
    real: npt.NDArray[np.bool_]
    """Which of them count, [passes * per_pass]."""
    passes: int
    per_pass: int

    @classmethod
    def of(
        cls, batch_size: int, ranks: Ranks, micro_batch: int | None, granule: int, *, padded: bool = True
    ) -> Share:
        """This rank's share. A rank without rows computes one pass that counts for nothing, so that it can keep in step.

        Without `padded`, passes are of the largest equal size, so that none of them repeats a row.
        """
        share = split_batch(batch_size, ranks.size, granule)[ranks.rank]
        pieces = micro_batches(share, micro_batch or batch_size, granule)
        if not padded:
            pieces = equal_passes(share, micro_batch or batch_size, granule)
        per_pass = max((stop - start for start, stop in pieces), default=1)
        passes = max(len(pieces), 1)
        rows = np.full(passes * per_pass, max(share[1] - 1, 0), np.int64)
        real = np.zeros(passes * per_pass, np.bool_)
        for number, (start, stop) in enumerate(pieces):
            place = slice(number * per_pass, number * per_pass + stop - start)
            rows[place] = np.arange(start, stop)
            real[place] = True
        return cls(rows, real, passes, per_pass)


@dataclass(frozen=True)
class Chunk:
    """What a run of updates reported."""

    losses: npt.NDArray[np.float32]
    """Mean loss over the global batch of each update, before that update."""
    finite: npt.NDArray[np.bool_]
    """Whether loss and all weights were finite after each update."""
    asked: float
    """Sum over ranks of the flag that each passed in at the start (rank 0 asks the gang to stop this trial)."""
    pace: int
    """The number that rank 0 passed in: how many updates it wants in the next call."""


class TrainStep:
    """The compiled updates of one study: a network, a batch size, an algorithm; every metaparameter is a tensor."""

    def __init__(
        self,
        network: Network,
        ranks: Ranks,
        batch_size: int,
        algorithm: str,
        *,
        micro_batch: int | None = None,
        capacity: int = 100,
        metaparameters: tuple[str, ...] = (),
        compile_with_xla: bool | None = None,
    ) -> None:
        self.network = network
        self.ranks = ranks
        self.batch_size = batch_size
        self.algorithm = algorithm
        self.capacity = capacity
        self.share = Share.of(
            batch_size, ranks, micro_batch, network.granule, padded=not network.penalties.by_rows
        )
        self.names = (*DEFAULTS, *sorted(set(metaparameters) - set(DEFAULTS)))
        # The allreduce does not compile under XLA on CPUs; with one rank the whole loop does.
        wanted = ranks.size == 1 and network.compiles
        self._xla = wanted if compile_with_xla is None else compile_with_xla
        self._call = tf.function(self._updates, jit_compile=self._xla, autograph=self.network.autograph)
        self._called = False

    def metaparameters(self, values: Mapping[str, float]) -> Any:
        """The metaparameters of a trial as the tensor that `run` takes."""
        return tf.constant([{**DEFAULTS, **values}[name] for name in self.names], tf.float32)

    def run(
        self,
        features: Any,
        labels: Any,
        rows: npt.NDArray[np.int64],
        *,
        seed: int,
        first_step: int,
        metaparameters: Any,
        ask: float = 0.0,
        pace: int = 0,
    ) -> Chunk:
        """Make `len(rows)` updates, the first of them number `first_step + 1`.

        `rows` [n, share] index the examples of `features` and `labels`; n is at most `capacity`.
        """
        count = len(rows)
        table = np.zeros((self.capacity, rows.shape[1]), np.int32)
        table[:count] = rows
        arguments = (
            features,
            labels,
            table,
            np.array([count, first_step, seed], np.int32),
            metaparameters,
            np.array([ask, pace], np.float32),
        )
        try:
            losses, finite, words = self._call(*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            # Some operations of a user's model do not compile under XLA. Compilation fails before anything ran.
            if self._called or not self._xla:
                raise
            print(
                f"XLA cannot compile this model, going on without it: {str(error).splitlines()[0]}",
                flush=True,
            )
            self._xla = False
            self._call = tf.function(self._updates, autograph=self.network.autograph)
            losses, finite, words = self._call(*arguments)
        self._called = True
        asked, pace_of_first = words.numpy()
        return Chunk(losses.numpy()[:count], finite.numpy()[:count], float(asked), int(pace_of_first))

    def _updates(
        self, features: Any, labels: Any, table: Any, counts: Any, metaparameters: Any, words: Any
    ) -> Any:
        count, first_step, seed = counts[0], counts[1], counts[2]
        named = {name: metaparameters[index] for index, name in enumerate(self.names)}

        def update(index: Any, losses: Any, finite: Any, _: Any) -> Any:
            loss, ok, heard = self._update(
                features, labels, table[index], seed, first_step + index, named, words
            )
            losses = tf.tensor_scatter_nd_update(losses, [[index]], [loss])
            finite = tf.tensor_scatter_nd_update(finite, [[index]], [ok])
            return index + 1, losses, finite, heard

        _, losses, finite, heard = tf.while_loop(
            lambda index, *_: index < count,
            update,
            (0, tf.zeros([self.capacity]), tf.fill([self.capacity], True), tf.zeros([2])),
        )
        return losses, finite, heard

    def _update(
        self, features: Any, labels: Any, rows: Any, seed: Any, step: Any, named: dict[str, Any], words: Any
    ) -> tuple[Any, Any, Any]:
        network = self.network
        gradients, statistics, sums = self._local_sums(features, labels, rows, seed, step, named)
        *reduced, told = self.ranks.sum_in_graph(
            [*gradients, *statistics, tf.concat([sums, words], 0)], name="gradients"
        )
        gradients, statistics = reduced[: len(gradients)], reduced[len(gradients) :]
        loss, weight, heard = told[0], told[1], told[2:]
        eta = learning_rate(named, tf.cast(step, tf.float32))
        penalty, slopes = network.penalties.of_weights()
        loss = loss / weight + penalty
        ok = tf.math.is_finite(loss)
        for index, (variable, gradient) in enumerate(zip(network.weights, gradients, strict=True)):
            velocity = network.velocities[index] if has_velocity(self.algorithm) else None
            gradient = gradient / weight
            if index in slopes:
                gradient += slopes[index]
            new, new_velocity = descend(self.algorithm, variable, velocity, gradient, eta, named)
            new = network.penalties.constrained(index, new)
            if velocity is not None:
                velocity.assign(new_velocity)
            variable.assign(new)
            ok &= tf.reduce_all(tf.math.is_finite(new))
        if statistics:
            apply_auxiliary(network.model, [total / float(self.batch_size) for total in statistics])
        return loss, ok, heard

    def _local_sums(
        self, features: Any, labels: Any, rows: Any, seed: Any, step: Any, named: dict[str, Any]
    ) -> Sums:
        """Sums over this rank's rows; not yet divided, not yet reduced."""
        share = self.share
        layout = (share.passes, share.per_pass)
        positions = tf.constant(share.rows.reshape(layout), tf.int32)
        real = tf.constant(share.real.reshape(layout))
        rows = tf.reshape(rows, layout)

        def one(number: Any) -> Sums:
            return self._pass(
                features, labels, rows[number], positions[number], real[number], seed, step, named
            )

        if share.passes == 1:
            return one(0)

        model, weights = self.network.model, self.network.weights
        zeros = [tf.zeros_like(weight) for weight in weights]
        zeros += [tf.zeros([2, layer.gamma.shape[0]]) for layer in model.auxiliary]

        def add(number: Any, *totals: Any) -> Any:
            gradients, statistics, sums = one(number)
            more = [*gradients, *statistics, sums]
            return (number + 1, *(a + b for a, b in zip(totals, more, strict=True)))

        _, *flat, sums = tf.while_loop(
            lambda number, *_: number < share.passes, add, (0, *zeros, tf.zeros([2]))
        )
        return flat[: len(weights)], flat[len(weights) :], sums

    def _pass(
        self,
        features: Any,
        labels: Any,
        rows: Any,
        positions: Any,
        real: Any,
        seed: Any,
        step: Any,
        named: dict[str, Any],
    ) -> Sums:
        network, dataset = self.network, self.network.dataset
        inputs, targets = tf.gather(features, rows), tf.gather(labels, rows)
        rates = {name: named[name] for name in self.names if name not in DEFAULTS}
        with stateless.scope(seed, step, positions, valid=tf.cast(real, tf.float32), **rates) as scope:
            if dataset.augment is not None:
                inputs = dataset.augment(inputs, stateless.row_keys(scope, stateless.AUGMENTATION))
            with tf.GradientTape() as tape:
                outputs = network.model(inputs, training=True)
                losses, weights = dataset.task.losses(outputs, targets, named["label_smoothing"])
                total = tf.reduce_sum(tf.where(real, losses, 0.0))
                weight = tf.reduce_sum(tf.where(real, weights, 0.0))
                if network.penalties.kinds:
                    added = added_losses(network.model)
                    total += network.penalties.of_rows(added, weight, self.batch_size)
        gradients = tape.gradient(total, network.weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        # Embeddings give sparse gradients, which Horovod would exchange by two gathers.
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return dense, list(scope.aux), tf.stack([total, weight])
