"""What a model adds to the loss and does to its weights, exact in the global batch: Keras' regularisers, `add_loss` and
constraints.

A weight regulariser is the same on every rank and is added once, after the allreduce. A loss that a layer adds depends
on the rows it sees. If it is their mean, their sum, or does not depend on them, the ranks' shares add up to the loss of
the global batch. We find out which by measuring it on rows alone and together. Anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from hvdsweep.errors import UserError

Kind = Literal["mean", "sum", "constant"]
"""How an added loss of a batch follows from those of its rows."""

CLOSE, SAME = 1e-3, 1e-6
"""Relative differences up to which measured losses count as equal: for float32 sums of rows in different orders; for
losses that do not depend on rows."""


@dataclass(frozen=True)
class Sample:
    """The added losses of some rows, for one set of weights."""

    together: Sequence[float]
    """For all rows in one batch, one value per loss."""
    alone: Sequence[Sequence[float]]
    """For every smallest piece of that batch in a batch of its own, one value per loss."""


def added_losses(model: Any) -> list[Any]:
    """The losses that layers added in the latest call of `model`, float32 scalars; weight regularisers left out."""
    losses = list(model.losses)
    of_weights = sum(variable.regularizer is not None for variable in model.trainable_weights)
    return [tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in losses[: len(losses) - of_weights]]


class Penalties:
    """The penalties and constraints of one model."""

    def __init__(self, model: Any, converted: Callable[[Any], Any]) -> None:
        """`converted`: see `Network`."""
        self._converted = converted
        self._weights = [variable.value for variable in model.trainable_variables]
        self._regularizers = [variable.regularizer for variable in model.trainable_variables]
        self._constraints = [variable.constraint for variable in model.trainable_variables]
        self.kinds: tuple[Kind, ...] = ()
        """Kinds of the losses that layers add, in order; set by `judge`."""
        self.row_weight = 1.0
        """Weight of one row in the mean loss."""

    @property
    def by_rows(self) -> bool:
        """Whether an added loss depends on the rows of a batch, so that a pass may hold no padding."""
        return any(kind != "constant" for kind in self.kinds)

    def judge(self, name: str, samples: Sequence[Sample]) -> None:
        """Find out how every added loss depends on its rows. Raises UserError for one that ranks cannot add up."""
        count = len(samples[0].together)
        kinds: list[Kind] = []
        for index in range(count):
            measured = [
                (sample.together[index], [alone[index] for alone in sample.alone]) for sample in samples
            ]
            kind = kind_of(measured)
            if kind is None:
                together, alone = measured[0]
                raise UserError(
                    f"{name}: a loss that the model adds (add_loss, an activity regulariser) is {together:g} for "
                    f"{len(alone)} examples together and {', '.join(f'{value:g}' for value in alone)} for each alone: neither "
                    "their mean nor their sum, so that ranks cannot add it up exactly. Make it a mean over the examples"
                )
            kinds.append(kind)
        self.kinds = tuple(kinds)

    def of_rows(self, losses: Sequence[Any], weight: Any, batch_size: Any) -> Any:
        """The part of the summed loss due to `losses`, which a pass's layers added; `weight` is that of the pass's real
        rows (0 for a pass of padding)."""
        total = tf.constant(0.0)
        for kind, loss in zip(self.kinds, losses, strict=True):
            here = tf.where(weight > 0, loss, 0.0)
            total += here * (batch_size * self.row_weight if kind == "sum" else weight)
        return total

    def of_weights(self) -> tuple[Any, dict[int, Any]]:
        """The sum of the weights' regularisers, and its gradient for each weight (by index) that has one."""
        places = [place for place, regularizer in enumerate(self._regularizers) if regularizer is not None]
        if not places:
            return 0.0, {}
        weights = [self._weights[place] for place in places]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            values = [
                tf.reduce_sum(tf.cast(self._regularizers[place](weight), tf.float32))
                for place, weight in zip(places, weights, strict=True)
            ]
            total = tf.add_n(values)
        gradients = tape.gradient(total, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return total, dict(zip(places, gradients, strict=True))

    @property
    def of_weights_alone(self) -> bool:
        """Whether a weight has a regulariser or a constraint."""
        return any(one is not None for one in (*self._regularizers, *self._constraints))

    def penalised(self) -> tuple[Any, list[Any]]:
        """The sum of the regularisers, and every weight after its constraint."""
        total, _ = self.of_weights()
        return total, [self.constrained(place, weight.value()) for place, weight in enumerate(self._weights)]

    def constrained(self, place: int, value: Any) -> Any:
        """The value of a weight after its constraint, if it has one."""
        constraint = self._constraints[place]
        return value if constraint is None else tf.cast(self._converted(constraint)(value), value.dtype)


def kind_of(measured: Sequence[tuple[float, Sequence[float]]]) -> Kind | None:
    """How the loss of a batch depends on those of its rows; None for no known way. `measured` holds (together, [alone,
    ...]) for several sets of weights."""
    possible: list[Kind] = ["constant", "mean", "sum"]
    for together, alone in measured:
        if not np.isfinite([together, *alone]).all():
            continue
        size = max(abs(together), *(abs(value) for value in alone))
        fits = {
            "constant": max(abs(value - together) for value in alone) <= SAME * size,
            "mean": abs(together - float(np.mean(alone))) <= CLOSE * size,
            "sum": abs(together - float(np.sum(alone))) <= CLOSE * size,
        }
        possible = [kind for kind in possible if fits[kind]]
    return possible[0] if possible else None
