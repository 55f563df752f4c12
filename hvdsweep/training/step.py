"""One update of the weights, exact in the global batch for any number of ranks.

Each rank adds up the gradients of its examples' losses, in micro-batches if its share is large. One grouped allreduce
adds up the ranks' sums, together with the sums of the losses and of their weights. Dividing by the summed weights gives
the gradient of the mean loss over the global batch. Uneven shares, ranks without rows and micro-batches are all covered
by this.
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
"""Value of a metaparameter that a trial does not set: a constant schedule, no smoothing, no decay."""
OPTIONAL = tuple(name for name in DEFAULTS if name not in ("learning_rate", "momentum"))
"""Metaparameters that change nothing at their default, so that they need not be computed."""


Sums = tuple[list[Any], list[Any], Any]
"""Summed over rows: gradients; further sums that layers ask for (ghost statistics); [losses, weights]."""


@dataclass(frozen=True)
class Share:
    """The rows of the global batch that one rank computes, in passes of equal size."""

    rows: npt.NDArray[np.int64]
    """Rows of the global batch, [passes * per_pass]; the padding repeats the last row."""
    real: npt.NDArray[np.bool_]
    """Which rows count, [passes * per_pass]."""
    passes: int
    per_pass: int

    @classmethod
    def of(
        cls, batch_size: int, ranks: Ranks, micro_batch: int | None, granule: int, *, padded: bool = True
    ) -> Share:
        """This rank's share. A rank without rows computes one pass with weight 0, to join every collective.

        Without `padded`, passes have the largest equal size for which none repeats a row.
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

    @property
    def layout(self) -> tuple[int, int]:
        """(passes, rows a pass)."""
        return self.passes, self.per_pass


@dataclass(frozen=True)
class Batch:
    """The rows of one update, as tensors."""

    features: Any
    labels: Any
    rows: Any
    """Indices into features and labels: int32 [passes, per_pass]."""
    positions: Any
    """Positions in the global batch: int32 [passes, per_pass]."""
    real: Any
    """Which rows count: bool [passes, per_pass]."""
    size: Any
    """The global batch size, int32 scalar."""


class Update:
    """The update of a network's weights by one algorithm, for use in a traced function; metaparameters are tensors."""

    def __init__(
        self, network: Network, ranks: Ranks, algorithm: str, names: tuple[str, ...], *, accumulate: bool
    ) -> None:
        """`names`: metaparameters of the trials. `accumulate`: whether a rank's share takes several passes."""
        self.network = network
        self.ranks = ranks
        self.algorithm = algorithm
        self.names = (*DEFAULTS, *sorted(set(names) - set(DEFAULTS)))
        # Smoothing, decay and a schedule are neither traced nor computed if no trial uses them.
        given = set(names)
        if "end_learning_rate_factor" in given:
            given.add("learning_rate_decay_steps")
        self._left_out = set(OPTIONAL) - given
        self._accumulate = accumulate

    def metaparameters(self, values: Mapping[str, float]) -> Any:
        """The metaparameters of a trial as one tensor, float32 [names]."""
        return tf.constant([{**DEFAULTS, **values}[name] for name in self.names], tf.float32)

    def named(self, metaparameters: Any) -> dict[str, Any]:
        """Metaparameters by name, from a tensor that `metaparameters` made."""
        return {
            name: metaparameters[index] for index, name in enumerate(self.names) if name not in self._left_out
        }

    def apply(
        self, batch: Batch, seed: Any, step: Any, metaparameters: Any, words: Any
    ) -> tuple[Any, Any, Any]:
        """Make update number `step` (0-based): (mean loss before it, whether all is finite, the words summed over ranks).

        `words` are sent with the gradients, so rank 0's messages cost no extra exchange.
        """
        network = self.network
        named = self.named(metaparameters)
        gradients, statistics, sums = self._local_sums(batch, seed, step, named)
        *reduced, tail = self.ranks.sum_in_graph(
            [*gradients, *statistics, tf.concat([sums, words], 0)], name="gradients"
        )
        gradients, statistics = reduced[: len(gradients)], reduced[len(gradients) :]
        loss, weight, heard = tail[0], tail[1], tail[2:]
        eta = learning_rate(named, tf.cast(step, tf.float32))
        penalty, slopes = network.penalties.of_weights()
        loss = loss / weight + penalty
        finite = tf.math.is_finite(loss)
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
            finite &= tf.reduce_all(tf.math.is_finite(new))
        if statistics:
            apply_auxiliary(network.model, [total / tf.cast(batch.size, tf.float32) for total in statistics])
        return loss, finite, heard

    def _local_sums(self, batch: Batch, seed: Any, step: Any, named: dict[str, Any]) -> Sums:
        """Sums over this rank's rows, before division and allreduce."""

        def one(number: Any) -> Sums:
            return self.pass_sums(batch, number, seed, step, named)

        if not self._accumulate:
            return one(0)

        model, weights = self.network.model, self.network.weights
        zeros = [tf.zeros_like(weight) for weight in weights]
        zeros += [tf.zeros([2, layer.gamma.shape[0]]) for layer in model.auxiliary]
        passes = tf.shape(batch.rows)[0]

        def add(number: Any, *totals: Any) -> Any:
            gradients, statistics, sums = one(number)
            more = [*gradients, *statistics, sums]
            return (number + 1, *(a + b for a, b in zip(totals, more, strict=True)))

        _, *flat, sums = tf.while_loop(lambda number, *_: number < passes, add, (0, *zeros, tf.zeros([2])))
        return flat[: len(weights)], flat[len(weights) :], sums

    def pass_sums(self, batch: Batch, number: Any, seed: Any, step: Any, named: dict[str, Any]) -> Sums:
        """The sums over pass `number` of this rank's rows, in update number `step` (0-based)."""
        network, dataset = self.network, self.network.dataset
        rows, real = batch.rows[number], batch.real[number]
        inputs, targets = tf.gather(batch.features, rows), tf.gather(batch.labels, rows)
        rates = {name: value for name, value in named.items() if name not in DEFAULTS}
        valid = tf.cast(real, tf.float32)
        with stateless.scope(seed, step, batch.positions[number], valid=valid, **rates) as scope:
            if dataset.augment is not None:
                keys = stateless.row_keys(scope, stateless.AUGMENTATION)
                inputs = network.converted(dataset.augment)(inputs, keys)
            with tf.GradientTape() as tape:
                outputs = network.converted(network.model)(inputs, training=True)
                smoothing = named.get("label_smoothing")
                losses, weights = network.converted(dataset.task.losses)(outputs, targets, smoothing)
                total = tf.reduce_sum(tf.where(real, losses, 0.0))
                weight = tf.reduce_sum(tf.where(real, weights, 0.0))
                if network.penalties.kinds:
                    added = added_losses(network.model)
                    size = tf.cast(batch.size, tf.float32)
                    total += network.penalties.of_rows(added, weight, size)
        gradients = network.converted(tape.gradient)(
            total, network.weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        # Embeddings return sparse gradients, which Horovod would exchange by two gathers.
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return dense, list(scope.aux), tf.stack([total, weight])
