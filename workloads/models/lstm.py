"""An LSTM language model with a recurrent projection (Sak et al. 2014; Jozefowicz et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from workloads.layers import Dropout
from workloads.models.transformer import Embedding


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Tokens int [b, length] to the next token's logits [b, length, classes]; dropout around the LSTM."""
    rate = options["dropout"]
    tokens = keras.Input(input_shape, dtype="int32")
    x = Dropout(rate)(Embedding(classes, options["embedding"])(tokens))
    x = Dropout(rate)(ProjectedLSTM(options["hidden"], options["projection"])(x))
    return keras.Model(tokens, keras.layers.Dense(classes)(x))


class ProjectedLSTM(keras.layers.Layer):
    """x [b, length, n] to h [b, length, projection]: with (i, f, g, o) = x_t W + h_(t-1) U + b,
    c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g), h_t = (sigmoid(o) tanh(c_t)) P. The state starts at 0.

    PyTorch's LSTM with `proj_size`, with one bias instead of two; the forget gate's starts at 1.
    """

    def __init__(self, hidden: int, projection: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden
        self.projection = projection
        self.bias_initializer = self._open_forget_gate

    def _open_forget_gate(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        ones, hidden = tf.ones([self.hidden]), self.hidden
        return tf.concat([tf.zeros([hidden]), ones, tf.zeros([2 * hidden])], 0)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        gates = 4 * self.hidden
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], gates), initializer="glorot_uniform"
        )
        self.recurrent = self.add_weight(
            name="recurrent", shape=(self.projection, gates), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer=self.bias_initializer)
        self.project = self.add_weight(
            name="project", shape=(self.hidden, self.projection), initializer="glorot_uniform"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        length = inputs.shape[1]
        recurrent, project = self.recurrent.value, self.project.value
        # The inputs' part of the gates needs no recurrence: one product for all positions, time first.
        driven = tf.transpose(tf.tensordot(inputs, self.kernel.value, 1) + self.bias, (1, 0, 2))
        cell = tf.zeros_like(driven[0, :, : self.hidden])
        state = tf.zeros_like(tf.matmul(cell, project))

        def advance(t: Any, cell: Any, state: Any, states: Any) -> Any:
            i, f, g, o = tf.split(driven[t] + tf.matmul(state, recurrent), 4, axis=-1)
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
            state = tf.matmul(tf.sigmoid(o) * tf.tanh(cell), project)
            return t + 1, cell, state, states.write(t, state)

        states = tf.TensorArray(inputs.dtype, length, element_shape=(inputs.shape[0], self.projection))
        _, _, _, states = tf.while_loop(
            lambda t, *_: t < length,
            advance,
            (0, cell, state, states),
            maximum_iterations=length,
        )
        return tf.transpose(states.stack(), (1, 0, 2))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return *input_shape[:-1], self.projection
