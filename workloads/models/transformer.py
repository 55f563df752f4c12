"""A Transformer decoder as a language model (Vaswani et al. 2017): causal self-attention and feed-forward
layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from workloads.layers import Dropout


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Tokens int [b, length] to the next token's logits [b, length, classes].

    Embeddings are scaled by sqrt(width), positions are sinusoids. `tied` uses the embedding as the output's
    matrix (as the original does), plus a bias. `norm = "pre"` normalises the input of every sublayer and, once,
    the last output; "post" the residual sum.
    """
    width, rate = options["width"], options["dropout"]
    tokens = keras.Input(input_shape, dtype="int32")
    embedding = Embedding(classes, width)
    x = Dropout(rate)(Positions()(embedding(tokens)))
    for _ in range(options["layers"]):
        x = _sublayer(x, CausalAttention(options["heads"]), options["norm"], rate)
        hidden = keras.layers.Dense(options["filter"], activation="relu")
        x = _sublayer(x, keras.Sequential([hidden, keras.layers.Dense(width)]), options["norm"], rate)
    if options["norm"] == "pre":
        x = _norm()(x)
    logits = TiedLogits(embedding)(x) if options["tied"] else keras.layers.Dense(classes)(x)
    return keras.Model(tokens, logits)


def _norm() -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=1e-6)


def _sublayer(x: Any, layer: Any, norm: str, rate: float) -> Any:
    add = keras.layers.Add()
    if norm == "pre":
        return add([x, Dropout(rate)(layer(_norm()(x)))])
    return _norm()(add([x, Dropout(rate)(layer(x))]))


class Embedding(keras.layers.Layer):
    """Rows of a matrix [classes, width] drawn from N(0, 1/width), times sqrt(width)."""

    def __init__(self, classes: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = classes
        self.width = width
        self.embeddings_initializer = keras.initializers.RandomNormal(stddev=width**-0.5)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.embeddings = self.add_weight(
            name="embeddings", shape=(self.classes, self.width), initializer=self.embeddings_initializer
        )

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.embeddings.value, tokens) * self.width**0.5

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return *input_shape, self.width


class TiedLogits(keras.layers.Layer):
    """x [b, length, width] times the transposed embedding, plus a bias: [b, length, classes]."""

    def __init__(self, embedding: Embedding, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(name="bias", shape=(self.embedding.classes,), initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.einsum("btd,kd->btk", inputs, self.embedding.embeddings.value) + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return *input_shape[:-1], self.embedding.classes


class Positions(keras.layers.Layer):
    """Adds sin(p / 10000^(2i/width)) to the first half of the channels and the cosine to the second half."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs + tf.constant(sinusoids(inputs.shape[1], inputs.shape[2]))


def sinusoids(length: int, width: int) -> npt.NDArray[Any]:
    """Position codes float32 [length, width]."""
    frequencies = 10_000.0 ** (-2.0 * np.arange(width // 2) / width)
    angles = np.arange(length)[:, None] * frequencies[None, :]
    codes: npt.NDArray[Any] = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    return codes


class CausalAttention(keras.layers.Layer):
    """Multi-head scaled dot-product attention from every position to itself and earlier ones."""

    def __init__(self, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = input_shape[-1]
        assert width is not None
        # Query, key and value in one product; each third gets the initial spread of a separate matrix.
        limit = (6.0 / (2 * width)) ** 0.5
        self.project = keras.layers.Dense(
            3 * width, kernel_initializer=keras.initializers.RandomUniform(-limit, limit)
        )
        self.output_projection = keras.layers.Dense(width)
        self.project.build(input_shape)
        self.output_projection.build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        length, width = inputs.shape[1], inputs.shape[2]
        size = width // self.heads
        parts = tf.reshape(self.project(inputs), (-1, length, 3, self.heads, size))
        query, key, value = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        scores = tf.matmul(query, key, transpose_b=True) * size**-0.5
        past = tf.constant(np.tril(np.ones((length, length), bool)))
        weights = tf.nn.softmax(tf.where(past, scores, -1e9))
        mixed = tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3))
        return self.output_projection(tf.reshape(mixed, (-1, length, width)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape
