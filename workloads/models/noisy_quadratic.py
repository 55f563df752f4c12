"""The noisy quadratic model (Zhang et al. 2019, arXiv 1907.04163): a problem that needs no data and has a
known answer.

Loss 1/2 sum_i h_i w_i^2 with h_i = 1/i; a batch of B examples gives the gradient h_i w_i plus noise of
variance h_i / B. The closed form and the exact number of steps to any loss are plain numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads import stateless

_STREAM = 1


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """A model of one weight vector of `classes` dimensions; see `NoisyQuadratic`."""
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, NoisyQuadratic(classes)(inputs))


class NoisyQuadratic(keras.layers.Layer):
    """Features [b, ...] (ignored) to [b, 2]: the exact loss, and each row's noise sum_i sqrt(h_i) xi_i w_i (0 in
    evaluation).

    The noise xi of a row is a vector of random signs: mean 0 and variance 1 as in the closed form, for a 32nd of the
    random words that normal numbers need. The gradient of the mean over B rows is thus h w + sqrt(h / B) times noise of
    unit variance.
    """

    def __init__(self, dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dimension = dimension

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.w = self.add_weight(name="w", shape=(self.dimension,), initializer="ones")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        h = tf.constant(curvatures(self.dimension), tf.float32)
        w = self.w.value
        rows = tf.zeros_like(tf.reshape(inputs, (tf.shape(inputs)[0], -1))[:, 0])
        exact = rows + 0.5 * tf.reduce_sum(h * tf.square(w))
        scope = stateless.current()
        if scope is None:
            return tf.stack([exact, rows], axis=1)
        signs = random_signs(stateless.row_keys(scope, scope.stream(_STREAM)), self.dimension)
        return tf.stack([exact, tf.linalg.matvec(signs, tf.sqrt(h) * w)], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[0], 2


def random_signs(keys: Any, dimension: int, xp: Any = None) -> Any:
    """-1 or +1 for each key and dimension, float32 [b, dimension]: bit i % 32 of word i // 32."""
    words = stateless.bits(keys, -(-dimension // 32), xp)
    shifts = np.arange(32, dtype=np.uint32)
    if xp is np:
        ones = (words[:, :, None] >> shifts) & np.uint32(1)
        return (2.0 * ones.reshape(len(words), -1)[:, :dimension] - 1.0).astype(np.float32)
    ones = tf.bitwise.bitwise_and(
        tf.bitwise.right_shift(words[:, :, None], shifts), tf.constant(1, tf.uint32)
    )
    signs = 2.0 * tf.cast(tf.cast(ones, tf.int32), tf.float32) - 1.0
    return tf.reshape(signs, (-1, 32 * words.shape[1]))[:, :dimension]


def curvatures(dimension: int) -> npt.NDArray[Any]:
    """h_i = 1/i for i = 1..dimension, float64."""
    return 1.0 / np.arange(1, dimension + 1)


def expected_loss(
    steps: npt.NDArray[Any] | float,
    learning_rate: float,
    batch_size: float,
    dimension: int = 10_000,
    start: float = 1.0,
) -> npt.NDArray[Any]:
    """E[loss] after `steps` updates of plain SGD at a constant learning rate, from w_i^2 = `start`: same
    shape as `steps`.

    s_t = s* + beta^t (s_0 - s*), beta = (1 - eta h)^2, s* = eta^2 (h / B) / (1 - beta); the loss is 1/2 sum_i
    h_i s_i. If beta = 1 (eta h = 2) the noise adds up: s_t = s_0 + t eta^2 h / B.
    """
    h = curvatures(dimension)
    beta = (1.0 - learning_rate * h) ** 2
    noise = learning_rate**2 * h / batch_size
    t = np.asarray(steps, float)[..., None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        fixed = noise / (1.0 - beta)
        s = np.where(beta == 1.0, start + t * noise, fixed + beta**t * (start - fixed))
    loss: npt.NDArray[Any] = 0.5 * np.sum(h * s, axis=-1)
    return loss


def steps_to_loss(
    loss: float, learning_rate: float, batch_size: float, dimension: int = 10_000, start: float = 1.0
) -> int | None:
    """The least number of steps after which the expected loss is below `loss`; None if it never is.

    With h in descending order, s_i rises towards s*_i = eta / (B (2 - eta h_i)) for at most the first few i
    and falls for the others, and those that rise converge first. So the loss may rise, then falls for good, and
    bisection is exact. Only i = 1 can be slow to rise (1 < eta): it is followed step by step until it has
    converged.
    """
    h = curvatures(dimension)
    noise = learning_rate**2 * h / batch_size
    beta = (1.0 - learning_rate * h) ** 2
    s, t = np.full(dimension, start), 0
    if learning_rate > 1.0:
        while True:
            if 0.5 * np.sum(h * s) < loss:
                return t
            risen = beta[0] * s[0] + noise[0]
            if risen <= s[0] * (1.0 + 1e-15):
                break
            if 0.5 * risen >= loss:
                return None
            s, t = beta * s + noise, t + 1
    if float(expected_loss(np.inf, learning_rate, batch_size, dimension, start)) >= loss:
        return None

    def below(steps: int) -> bool:
        return float(expected_loss(steps, learning_rate, batch_size, dimension, start)) < loss

    low, high = t - 1, max(t, 1)
    while not below(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if below(middle) else (middle, high)
    return high


def best_steps_to_loss(
    loss: float,
    batch_size: float,
    learning_rates: npt.NDArray[Any],
    dimension: int = 10_000,
    start: float = 1.0,
) -> tuple[int, float] | None:
    """The fewest steps over the given learning rates, and the (smallest) rate that takes them; None if none
    gets there."""
    found = [
        (steps, float(rate))
        for rate in learning_rates
        if (steps := steps_to_loss(loss, float(rate), batch_size, dimension, start)) is not None
    ]
    return min(found, default=None)
