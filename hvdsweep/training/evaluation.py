"""Evaluation of the raw weights over whole splits, every example exactly once, shared out over the ranks.

Each rank adds up its examples' metrics in float64, one allreduce adds the ranks' sums, and their quotient is the metric
over the split. The same exchange carries a fingerprint of the weights and its square, so every evaluation also proves
that the ranks still agree. Most data sets are evaluated inside the compiled training loop (`traced`); streamed splits
and metrics that rank the whole split are evaluated between two calls of the loop (`measure`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.split import split_batch
from hvdsweep.training.network import Network, fingerprint
from hvdsweep.training.ranks import Ranks

PER_PASS = 512
"""Examples in one forward pass of an evaluation if the sweep sets no micro-batch."""

AGREEMENT = 4
"""Numbers before the metrics: the two words of the fingerprint, summed over ranks, and their squares, summed."""


class RanksDisagree(RuntimeError):
    """Two ranks of a gang hold different weights: the results would be wrong, so the gang must end."""


class Evaluator:
    """The metrics of some splits for one network, for example `val/classification_error`."""

    def __init__(
        self, network: Network, ranks: Ranks, splits: Sequence[str], *, per_pass: int | None = None
    ) -> None:
        self.ranks = ranks
        self._network = network
        self._splits = [SplitSums(network, ranks, split, per_pass=per_pass) for split in splits]
        self._exchange = tf.function(
            lambda sums: ranks.sum_in_graph([sums], name="evaluation")[0], autograph=False
        )

    @property
    def in_loop(self) -> bool:
        """Whether the compiled loop can do all of it."""
        return bool(self._splits) and not any(split.streamed or split.ranks_whole for split in self._splits)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that `traced` returns, in order; known once it has been traced."""
        return tuple(f"{split.split}/{name}" for split in self._splits for name in split.names)

    def traced(self) -> Any:
        """Inside a traced function: [agreement (4), then a value per name], float64, the same on every rank."""
        sums = tf.concat([split.traced() for split in self._splits], 0)
        if self.ranks.size > 1:
            words = fingerprint(self._network.weights)
            summed = self.ranks.sum_in_graph([tf.concat([words, words * words, sums], 0)], name="evaluated")[
                0
            ]
            agreement, sums = summed[:AGREEMENT], summed[AGREEMENT:]
        else:
            agreement = tf.zeros([AGREEMENT], tf.float64)
        pairs = tf.reshape(sums, [-1, 2])
        return tf.concat([agreement, pairs[:, 0] / pairs[:, 1]], 0)

    def checked(self, row: npt.NDArray[np.float64]) -> dict[str, float]:
        """The result of `traced` by metric. Raises RanksDisagree, on every rank, if their weights differ in a bit."""
        if self.ranks.size > 1:
            self._require_agreement(row[:AGREEMENT])
        return dict(zip(self.names, row[AGREEMENT:].tolist(), strict=True))

    def measure(self) -> dict[str, float]:
        """The metrics now, outside the loop; the same on every rank. Raises RanksDisagree as `checked` does."""
        if not self._splits:
            return {}
        mine = [split.measure() for split in self._splits]
        total = np.concatenate(mine)
        if self.ranks.size > 1:
            # One exchange for all splits: on a small model it takes most of an evaluation's time.
            words = self._network.fingerprint_words()
            summed = self._exchange(np.concatenate([words, words * words, total])).numpy()
            self._require_agreement(summed[:AGREEMENT])
            total = summed[AGREEMENT:]
        measured: dict[str, float] = {}
        ends = np.cumsum([len(sums) for sums in mine])[:-1]
        for split, sums in zip(self._splits, np.split(total, ends), strict=True):
            measured.update(split.metrics(sums))
        return measured

    def _require_agreement(self, numbers: npt.NDArray[np.float64]) -> None:
        if not _all_equal(numbers[:2], numbers[2:AGREEMENT], self.ranks.size):
            names = " and ".join(split.split for split in self._splits)
            raise RanksDisagree(f"the ranks' weights differ at an evaluation of the {names} split")


def _all_equal(sums: npt.NDArray[np.float64], squares: npt.NDArray[np.float64], size: int) -> bool:
    """Whether `size` integers are all equal, from their sum and the sum of their squares: they are exactly if
    size * squares = sum^2 (Cauchy and Schwarz)."""
    return all(size * int(square) == int(total) ** 2 for total, square in zip(sums, squares, strict=True))


class SplitSums:
    """The sums over this rank's share of one split."""

    def __init__(self, network: Network, ranks: Ranks, split: str, *, per_pass: int | None) -> None:
        data = getattr(network.dataset, split)
        if data is None:
            raise ValueError(f"the data set {network.dataset.name} has no {split} split")
        self.network = network
        self.ranks = ranks
        self.split = split
        self.names: list[str] = []
        """The metrics that are means; known once they have been traced."""
        self.start, self.stop = split_batch(len(data), ranks.size)[ranks.rank]
        share = max(self.stop - self.start, 1)
        self._per_pass = min(per_pass or PER_PASS, share)
        self.streamed = not isinstance(data.features, np.ndarray)
        self._data = data
        if not self.streamed:
            features, labels = data.features[self.start : self.stop], data.labels[self.start : self.stop]
            if not len(features):  # a rank without examples computes one that counts for nothing
                features, labels = data.features[:1], data.labels[:1]
            self._features, self._labels = tf.constant(features), tf.constant(labels)
        # Not under XLA: compiling it for the few evaluations outside the loop does not pay.
        self._sums = tf.function(self._local_sums, autograph=False)

    @property
    def ranks_whole(self) -> bool:
        """Whether a metric needs the ranking of the whole split."""
        return bool(self.network.dataset.task.ranks_whole)

    def traced(self) -> Any:
        """Inside a traced function: sum and weight of each metric over this rank's examples, float64 [2 * names]."""
        return self._local_sums(self._features, self._labels, self.stop - self.start)

    def measure(self) -> npt.NDArray[np.float64]:
        """Sum and weight of each metric over this rank's examples."""
        total: Any = None
        for features, labels, count in self._blocks():
            sums = self._sums(features, labels, np.int32(count))
            total = sums if total is None else total + sums
        found: npt.NDArray[np.float64] = total.numpy()
        return found

    def metrics(self, sums: npt.NDArray[np.float64]) -> dict[str, float]:
        """The metrics over the whole split, from the sum of all ranks' `measure`."""
        measured = {
            f"{self.split}/{name}": float(value / weight)
            for name, (value, weight) in zip(self.names, sums.reshape(-1, 2), strict=True)
        }
        if self.ranks_whole:
            measured.update(self._ranked())
        return measured

    def _blocks(self) -> Iterator[tuple[Any, Any, int]]:
        count = self.stop - self.start
        if not self.streamed:
            yield self._features, self._labels, count
            return
        rows = np.arange(self.start, max(self.stop, self.start + 1))
        pieces = [rows[at : at + self._per_pass] for at in range(0, len(rows), self._per_pass)]
        padded = [np.resize(piece, self._per_pass) for piece in pieces]
        for piece, (features, labels) in zip(pieces, self._data.features.blocks(padded), strict=True):
            yield features, labels, min(len(piece), count)

    def _local_sums(self, features: Any, labels: Any, count: Any) -> Any:
        """Sum and weight of each metric over the first `count` examples: float64 [2 * names]."""
        available = features.shape[0]
        passes = -(-available // self._per_pass)
        task = self.network.dataset.task

        def one(number: Any) -> Any:
            place = number * self._per_pass + tf.range(self._per_pass)
            real = place < count
            rows = tf.minimum(place, available - 1)
            converted = self.network.converted
            outputs = converted(self.network.model)(tf.gather(features, rows), training=False)
            metrics = converted(task.metrics)(outputs, tf.gather(labels, rows))
            self.names = list(metrics)
            return tf.stack(
                [
                    tf.reduce_sum(tf.where(real, tf.cast(values, tf.float64), tf.constant(0.0, tf.float64)))
                    for pair in metrics.values()
                    for values in pair
                ]
            )

        if passes == 1:
            return one(0)
        _, sums = tf.while_loop(
            lambda number, _: number < passes,
            lambda number, sums: (number + 1, sums + one(number)),
            (1, one(0)),
        )
        return sums

    def _ranked(self) -> dict[str, float]:
        """Metrics of the whole ranking (average precision), exact: gathers scores and labels of all ranks."""
        task = self.network.dataset.task
        scores, truths = [], []
        for features, labels, count in self._blocks():
            for at in range(0, count, self._per_pass):
                piece = slice(at, min(at + self._per_pass, count))
                ranked = task.ranking(self.network.model(features[piece], training=False), labels[piece])
                assert ranked is not None, f"{task.name} names a metric that it neither sums nor ranks"
                scores.append(ranked[0].numpy())
                truths.append(ranked[1].numpy())
        score, truth = np.concatenate(scores), np.concatenate(truths)
        score = self.ranks.gather(score, name=f"scores.{self.split}")
        truth = self.ranks.gather(truth, name=f"truths.{self.split}")
        return {f"{self.split}/{name}": value for name, value in task.finish(score, truth).items()}
