"""The losses and metrics of a workload: per-example sums and weights, so that any split of a batch or of an
evaluation over ranks adds up to the same number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Pair = tuple[tf.Tensor, tf.Tensor]
"""Sums and weights, float32 [b] each: the mean over many examples is the total of sums over the total of
weights."""


class Task:
    """One kind of learning problem. `outputs` are the model's (logits, no softmax); rows are
    independent."""

    name: str

    def losses(
        self, outputs: tf.Tensor, labels: tf.Tensor, label_smoothing: tf.Tensor | float | None = None
    ) -> Pair:
        """Training loss: (loss sums [b], weights [b]). The loss of a batch is sum(loss sums) / sum(weights)
        over all its rows.

        `label_smoothing` (paper section 3) puts 1 - eps on the label and eps / (K - 1) on each other class;
        None costs nothing.
        """
        raise TypeError(f"{type(self).__name__} defines no loss")

    def metrics(self, outputs: tf.Tensor, labels: tf.Tensor) -> dict[str, Pair]:
        """Evaluation metrics that are means: name -> (sums [b], weights [b])."""
        raise TypeError(f"{type(self).__name__} defines no metrics")

    def ranking(self, outputs: tf.Tensor, labels: tf.Tensor) -> Pair | None:
        """(scores, labels) of the rows given, to be gathered from a whole split and passed to `finish`; None if
        no metric ranks."""
        return None

    def finish(self, scores: npt.NDArray[Any], labels: npt.NDArray[Any]) -> dict[str, float]:
        """The metrics that need the whole split at once."""
        return {}

    @property
    def ranks_whole(self) -> bool:
        """Whether a metric needs the ranking of a whole split and so cannot be a sum over its rows."""
        return type(self).ranking is not Task.ranking


def _smoothed_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, label_smoothing: Any) -> tf.Tensor:
    """Cross entropy of logits [..., K] against labels [...], float32."""
    logits = tf.cast(logits, tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    if label_smoothing is None:
        return losses
    # The target moves eps from the label to the other K - 1 classes; log-normalisers cancel because the
    # weights sum to 1.
    classes = logits.shape[-1]
    at_label = tf.gather(logits, labels, batch_dims=len(labels.shape))
    others = (tf.reduce_sum(logits, -1) - at_label) / (classes - 1)
    return losses + tf.cast(label_smoothing, tf.float32) * (at_label - others)


class Classification(Task):
    """One label per example: logits [b, K], labels int [b]."""

    name = "classification"

    def losses(
        self, outputs: tf.Tensor, labels: tf.Tensor, label_smoothing: tf.Tensor | float | None = None
    ) -> Pair:
        losses = _smoothed_cross_entropy(outputs, labels, label_smoothing)
        return losses, tf.ones_like(losses)

    def metrics(self, outputs: tf.Tensor, labels: tf.Tensor) -> dict[str, Pair]:
        losses, ones = self.losses(outputs, labels)
        wrong = tf.cast(tf.argmax(outputs, -1, output_type=labels.dtype) != labels, tf.float32)
        return {"cross_entropy_error": (losses, ones), "classification_error": (wrong, ones)}


class LanguageModel(Task):
    """The next token at every position: logits [b, T, K], labels int [b, T]; a negative label is padding and
    does not count.

    An example's loss is summed over its tokens and its weight is their number, so means are per token of the
    global batch.
    """

    name = "language_model"

    def _pair(self, per_token: tf.Tensor, real: tf.Tensor) -> Pair:
        return tf.reduce_sum(tf.where(real, per_token, 0.0), -1), tf.reduce_sum(tf.cast(real, tf.float32), -1)

    def losses(
        self, outputs: tf.Tensor, labels: tf.Tensor, label_smoothing: tf.Tensor | float | None = None
    ) -> Pair:
        real = labels >= 0
        return self._pair(_smoothed_cross_entropy(outputs, tf.maximum(labels, 0), label_smoothing), real)

    def metrics(self, outputs: tf.Tensor, labels: tf.Tensor) -> dict[str, Pair]:
        wrong = tf.cast(tf.argmax(outputs, -1, output_type=labels.dtype) != labels, tf.float32)
        return {
            "cross_entropy_error": self.losses(outputs, labels),
            "classification_error": self._pair(wrong, labels >= 0),
        }


class NoisyQuadraticTask(Task):
    """The model's outputs [b, 2] are the exact loss and the noise's share of it (paper: arXiv 1907.04163,
    section 3)."""

    name = "noisy_quadratic"

    def losses(
        self, outputs: tf.Tensor, labels: tf.Tensor, label_smoothing: tf.Tensor | float | None = None
    ) -> Pair:
        return outputs[:, 0] + outputs[:, 1], tf.ones_like(outputs[:, 0])

    def metrics(self, outputs: tf.Tensor, labels: tf.Tensor) -> dict[str, Pair]:
        return {"loss": (outputs[:, 0], tf.ones_like(outputs[:, 0]))}


class Multilabel(Task):
    """Any number of labels per example: logits [b, K], labels 0 or 1 [b, K]. Sigmoid cross entropy summed
    over classes.

    Average precision is class-agnostic: every (example, class) of the split is one entry of a single ranked
    list.
    """

    name = "multilabel"

    def losses(
        self, outputs: tf.Tensor, labels: tf.Tensor, label_smoothing: tf.Tensor | float | None = None
    ) -> Pair:
        targets = tf.cast(labels, tf.float32)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=tf.cast(outputs, tf.float32))
        losses = tf.reduce_sum(losses, -1)
        return losses, tf.ones_like(losses)

    def metrics(self, outputs: tf.Tensor, labels: tf.Tensor) -> dict[str, Pair]:
        return {"cross_entropy_error": self.losses(outputs, labels)}

    def ranking(self, outputs: tf.Tensor, labels: tf.Tensor) -> Pair | None:
        return tf.cast(outputs, tf.float32), tf.cast(labels, tf.uint8)

    def finish(self, scores: npt.NDArray[Any], labels: npt.NDArray[Any]) -> dict[str, float]:
        return {"average_precision": average_precision(scores, labels)}


def average_precision(scores: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """The mean precision over all relevant entries, ties sharing one threshold: sum over thresholds of (R_n -
    R_n-1) P_n.

    `scores` and `labels` (nonzero = relevant) have the same shape; NaN without any relevant entry, or with a
    NaN score. Sorts values instead of arguments: the 296 million entries of Open Images' validation set need
    no index array.
    """
    flat = np.sort(np.asarray(scores).ravel())
    relevant = np.sort(np.asarray(scores).ravel()[np.asarray(labels).ravel() != 0])
    if relevant.size == 0 or np.isnan(flat[-1]):
        return float("nan")
    thresholds, counts = np.unique(relevant, return_counts=True)
    found = relevant.size - np.searchsorted(relevant, thresholds, side="left")
    retrieved = flat.size - np.searchsorted(flat, thresholds, side="left")
    return float(np.sum(counts * (found / retrieved)) / relevant.size)


TASKS: Mapping[str, type[Task]] = {
    kind.name: kind for kind in (Classification, LanguageModel, Multilabel, NoisyQuadraticTask)
}


def task(name: str) -> Task:
    """The task named `name` (a key of `catalogue.METRICS`)."""
    return TASKS[name]()
