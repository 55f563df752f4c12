"""A few real training rows, passed through a user's model once: the data for the checks of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from hvdsweep.errors import UserError
from hvdsweep.training.penalties import Penalties, Sample, added_losses
from workloads import stateless

UNITS = 4
"""Pieces of a batch that are compared: rows, or ghost batches if the model has them."""
SPREAD = (0.5, 4.0)
"""Standard deviations of the random weights with which a model is checked, in addition to its initial ones."""


@dataclass(frozen=True)
class Rows:
    """The first training rows, enough for `UNITS` pieces."""

    features: Any
    labels: Any
    unit: int
    """Rows of a piece."""

    @classmethod
    def of(cls, dataset: Any, unit: int) -> Rows:
        """Rows spread over the training set; fewer if it is smaller, but whole pieces, at least one."""
        count = len(dataset.train)
        wanted = max(unit, min(UNITS * unit, count // unit * unit))
        chosen = np.linspace(0, count - 1, wanted).astype(np.int64)
        if isinstance(dataset.train.features, np.ndarray):
            features, labels = dataset.train.features[chosen], dataset.train.labels[chosen]
        else:
            features, labels = next(iter(dataset.train.features.blocks([chosen])))
        return cls(tf.convert_to_tensor(features), tf.convert_to_tensor(labels), unit)

    @property
    def units(self) -> list[list[int]]:
        """The rows of every piece."""
        rows = range(int(self.features.shape[0]))
        return [list(rows[at : at + self.unit]) for at in range(0, len(rows), self.unit)]

    @property
    def all(self) -> list[int]:
        """Every row."""
        return [row for unit in self.units for row in unit]


def call(
    model: Any,
    rows: Rows,
    chosen: Any = None,
    *,
    training: bool = True,
    rates: dict[str, float] | None = None,
) -> tuple[Any, list[Any]]:
    """The outputs of these rows (int32) at their places in the batch, and the losses that layers added, as in training (dropout
    at work) or in evaluation."""
    chosen = tf.convert_to_tensor(rows.all if chosen is None else chosen, tf.int32)
    features = tf.gather(rows.features, chosen)
    if not training:
        outputs = model(features, training=False)
    else:
        with stateless.scope(1, 1, chosen, valid=tf.ones_like(chosen, tf.float32), **(rates or {})):
            outputs = model(features, training=True)
    return outputs, added_losses(model)


@contextmanager
def random_weights(model: Any, spread: float, seed: int = 0) -> Iterator[None]:
    """Inside the block, trainable weights are drawn from a normal distribution; afterwards they are restored."""
    generator = np.random.default_rng(seed)
    before = [variable.numpy() for variable in model.trainable_variables]
    try:
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign(generator.standard_normal(value.shape) * spread)
        yield
    finally:
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign(value)


def can_be_compiled(model: Any, dataset: Any) -> bool:
    """Whether XLA has all operations of the model."""
    rows = Rows.of(dataset, getattr(model, "granule", 1))
    try:
        tf.function(lambda: call(model, rows, rows.units[0])[0], jit_compile=True)()
    except tf.errors.OpError:
        return False
    return True


def judge_added_losses(name: str, model: Any, penalties: Penalties, dataset: Any) -> None:
    """Find out how the losses that the model's layers add depend on the rows. UserError if ranks cannot add them up."""
    rows = Rows.of(dataset, getattr(model, "granule", 1))
    if not call(model, rows, rows.units[0])[1]:
        return
    samples = [_measured(model, rows)]
    # A loss may be 0 for the initial weights, and its kind show only for others.
    for spread in SPREAD:
        with random_weights(model, spread):
            samples.append(_measured(model, rows))
    penalties.judge(name, samples)
    if not penalties.by_rows:
        return
    outputs, _ = call(model, rows)
    weights = np.asarray(dataset.task.losses(outputs, rows.labels)[1])
    if dataset.task.name == "language_model" and isinstance(dataset.train.labels, np.ndarray):
        weights = (dataset.train.labels >= 0).sum(-1)
    if weights.min() != weights.max():
        raise UserError(
            f"{name}: a loss that the model adds (add_loss, an activity regulariser) depends on the examples, and examples "
            "of this data set weigh differently (padding among their tokens), so that ranks cannot add it up exactly. Leave "
            "it out, or give sequences without padding"
        )
    penalties.row_weight = float(weights.min())


def _measured(model: Any, rows: Rows) -> Sample:
    def losses(chosen: Sequence[int]) -> list[float]:
        return [float(loss) for loss in call(model, rows, chosen)[1]]

    return Sample(losses(rows.all), [losses(unit) for unit in rows.units])
