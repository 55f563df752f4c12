"""A model built once on this rank, with what training needs: velocities, seeded reset, fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.training.algorithms import has_velocity
from hvdsweep.training.initial import InitialWeights
from hvdsweep.training.keras_settings import prepare_keras
from hvdsweep.training.penalties import Penalties
from hvdsweep.training.trial_rows import can_be_compiled, judge_added_losses

T = TypeVar("T")


class Network:
    """One model of one data set: the variables that every study of that model trains, one trial after the other."""

    def __init__(self, dataset: Any, model: str, options: dict[str, Any], source: str | None) -> None:
        from workloads.models import build_model

        self.dataset = dataset
        self.own = ":" in model
        """Whether the model is the user's own."""
        prepare_keras()
        self.model = build_model(model, dataset, options, source=source)
        prepare_keras()
        self.granule: int = getattr(self.model, "granule", 1)
        self.weights = [variable.value for variable in self.model.trainable_variables]
        self.velocities = [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in self.weights]
        self.initial = InitialWeights(self.model)
        self.penalties = Penalties(self.model, self.converted)
        if self.own:
            judge_added_losses(model, self.model, self.penalties, dataset)
        self._fingerprint = tf.function(lambda: fingerprint(self.weights), autograph=False)
        self._traced: dict[Any, Any] = {}

    @cached_property
    def compiles(self) -> bool:
        """Whether XLA pays where this runs: convolutions on a CPU are up to 17 times slower under it. A user's model may use
        operations that it does not have."""
        pays = getattr(self.model, "xla_on_cpu", True) or bool(tf.config.list_logical_devices("GPU"))
        return bool(pays) and (not self.own or can_be_compiled(self.model, self.dataset))

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def converted(self, call: Callable[..., T]) -> Callable[..., T]:
        """`call`, with Python control flow over tensors in the user's own code. Converting ours takes most of a trace's time."""

        def with_control_flow(*arguments: Any, **options: Any) -> T:
            return call(*arguments, **options)

        return tf.autograph.to_graph(with_control_flow) if self.own else call

    @property
    def parameters(self) -> int:
        """The number of trainable weights."""
        return sum(int(tf.size(weight)) for weight in self.weights)

    def changing(self, algorithm: str) -> list[Any]:
        """The variables that training by this algorithm changes."""
        own = [variable.value for variable in self.model.variables]
        return own + self.velocities if has_velocity(algorithm) else own

    def reset(self, seed: int) -> None:
        """Set the initial weights of the trial with this seed, and velocities to zero."""
        self.initial(seed)
        self._zero_velocities()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def _zero_velocities(self) -> None:
        for velocity in self.velocities:
            velocity.assign(tf.zeros_like(velocity))

    @cached_property
    def train_tensors(self) -> tuple[Any, Any]:
        """Features and labels of an in-memory training set, made once for all studies of the network."""
        train = self.dataset.train
        return tf.constant(train.features), tf.constant(train.labels)

    def shared(self, key: Any, make: Callable[[], T]) -> T:
        """The result of `make`, made once per key: studies of one network share what they trace."""
        if key not in self._traced:
            self._traced[key] = make()
        found: T = self._traced[key]
        return found

    def fingerprint_words(self) -> npt.NDArray[np.float64]:
        """The weights' bits hashed to two 16-bit words, see `fingerprint`."""
        words: npt.NDArray[np.float64] = self._fingerprint().numpy()
        return words

    def fingerprint(self) -> int:
        """32 bits that are equal on two ranks only if all bits of their weights are (up to a chance of 2^-32)."""
        low, high = self.fingerprint_words()
        return int(high) << 16 | int(low)


def fingerprint(weights: list[Any]) -> Any:
    """The weights' bits hashed to two 16-bit words: float64 [2], exact when summed over up to 2^37 ranks."""
    total = tf.constant(0, tf.uint32)
    for index, weight in enumerate(weights):
        bits = tf.bitcast(tf.cast(weight, tf.float32), tf.uint32)
        # Odd multipliers that differ by position reveal swapped and compensating differences.
        place = tf.cast(tf.range(tf.size(bits)), tf.uint32) * tf.constant(0x9E3779B2, tf.uint32)
        place += tf.constant((2 * index + 1) * 0x85EBCA6B & 0xFFFFFFFF | 1, tf.uint32)
        total += tf.reduce_sum(tf.reshape(bits, [-1]) * place)
    low = tf.bitwise.bitwise_and(total, tf.constant(0xFFFF, tf.uint32))
    high = tf.bitwise.right_shift(total, tf.constant(16, tf.uint32))
    # Through int32, since not every device casts uint32 to floats.
    return tf.cast(tf.cast(tf.stack([low, high]), tf.int32), tf.float64)
