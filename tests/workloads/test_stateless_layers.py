"""Stateless randomness in layers: masks that any rank, backend or numpy loop draws alike."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvdsweep.errors import UserError
from workloads import layers, stateless
from workloads.datasets import load_dataset
from workloads.models import user


def numpy_mask(seed: int, step: int, rows: list[int], stream: int, units: int, rate: float) -> np.ndarray:
    """The kept units, one row and one unit at a time, from the scalar definition of the mixer."""

    def mix(x: int) -> int:
        x = ((x ^ x >> 16) * 0x7FEB352D) & 0xFFFFFFFF
        x = ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF
        return x ^ x >> 16

    def fold(key: int, value: int) -> int:
        return mix((key * 0x9E3779B9 + 1 & 0xFFFFFFFF) ^ mix(value))

    base = fold(fold(seed, step), stream)

    def word(key: int, unit: int) -> int:
        x = ((key ^ mix(unit)) * 0x7FEB352D) & 0xFFFFFFFF
        return ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF

    words = [[word(fold(base, row), unit) for unit in range(units)] for row in rows]
    return np.array(words, np.uint64) >= int(np.float32(rate) * np.float32(2.0**32 - 2.0**8))


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("rows", [[0, 1, 2], [7, 3, 3, 900_000]])
def test_a_mask_is_the_scalar_definitions(xla: bool, rows: list[int]) -> None:
    """Dropout keeps exactly the units that a plain Python loop over rows and units keeps, whatever the
    backend."""
    layer = layers.Dropout(0.5)
    layer.stream_number = 3
    x = np.random.default_rng(0).standard_normal((len(rows), 4, 5)).astype(np.float32)

    @tf.function(jit_compile=xla)
    def call(x: Any, seed: Any, step: Any, rows: Any, rate: Any) -> Any:
        with stateless.scope(seed, step, rows, dropout=rate):
            return layer(x)

    y = call(x, 2**31 - 1, 12, tf.constant(rows), tf.constant(0.3)).numpy()
    kept = numpy_mask(2**31 - 1, 12, rows, 3, 20, 0.3).reshape(x.shape)
    np.testing.assert_allclose(y, np.where(kept, x / np.float32(0.7), 0.0), rtol=1e-6)


def test_no_dropout_in_evaluation_nor_at_rate_zero() -> None:
    """Outside a scope, and at a rate of 0, the layer changes nothing; a layer's own rate holds where no
    metaparameter overrides it."""
    x = tf.ones((2, 50))
    layer = layers.Dropout(0.4)
    np.testing.assert_array_equal(layer(x, training=True), x)
    with stateless.scope(1, 1, tf.range(2), dropout=tf.constant(0.0)):
        np.testing.assert_array_equal(layer(x), x)
    with stateless.scope(1, 1, tf.range(2)):
        kept = layer(x).numpy() != 0
    np.testing.assert_array_equal(kept, numpy_mask(1, 1, [0, 1], 1, 50, 0.4))


def test_a_layer_called_twice_draws_twice() -> None:
    """Two calls of one layer in one forward pass have different masks, the same in the next pass."""
    layer, x = layers.Dropout(0.5), tf.ones((1, 64))
    draws = []
    for _ in range(2):
        with stateless.scope(1, 1, tf.range(1)):
            draws.append([layer(x).numpy() for _ in range(2)])
    assert (draws[0][0] != draws[0][1]).any()
    np.testing.assert_array_equal(draws[0], draws[1])


def test_the_rate_is_met_and_rows_are_independent() -> None:
    """Over 200,000 units the kept share is 1 - rate within five standard errors, and masks of neighbouring
    rows, steps and layers agree as often as independent ones do."""
    layer, units, rate = layers.Dropout(0.4), 50_000, 0.4
    with stateless.scope(9, 5, tf.range(4)):
        kept = layer(tf.ones((4, units))).numpy() != 0
    error = (rate * (1 - rate) / kept.size) ** 0.5
    assert abs(kept.mean() - (1 - rate)) < 5 * error
    with stateless.scope(9, 6, tf.range(4)):
        later = layer(tf.ones((4, units))).numpy() != 0
    layer.stream_number = 2
    with stateless.scope(9, 5, tf.range(4)):
        other = layer(tf.ones((4, units))).numpy() != 0
    agree = (1 - rate) ** 2 + rate**2
    for a, b in ((kept[0], kept[1]), (kept[0], later[0]), (kept, other)):
        assert abs((a == b).mean() - agree) < 5 * (agree * (1 - agree) / a.size) ** 0.5


def finished(*stack: keras.layers.Layer, shape: tuple[int, ...] = (8, 8, 1)) -> keras.Model:
    inputs = keras.Input(shape)
    x = inputs
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


def test_a_users_dropout_becomes_stateless_wherever_it_is() -> None:
    """keras.layers.Dropout inside nested models and attention draws the scope's masks, each layer its own."""
    inner = keras.Sequential([keras.layers.Dense(6), keras.layers.Dropout(0.5)])
    model = finished(keras.layers.Reshape((8, 8)), inner, keras.layers.Dropout(0.5))
    user.make_stateless("mine:model", model)
    drops = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]
    assert [type(layer) for layer in drops] == [layers.Dropout] * 2
    assert {layer.stream_number for layer in drops} == {1, 2}
    x = load_dataset("digits").train.features[:2]
    calls = []
    for _ in range(2):
        with stateless.scope(1, 1, tf.range(2)):
            calls.append(model(x, training=True).numpy())
    np.testing.assert_array_equal(calls[0], calls[1])
    assert (calls[0] != model(x).numpy()).any()


def test_attention_with_dropout_is_made_stateless() -> None:
    """MultiHeadAttention's inner dropout follows the scope too."""
    inputs = keras.Input((4, 8))
    x = keras.layers.MultiHeadAttention(2, 4, dropout=0.5)(inputs, inputs)
    model = keras.Model(inputs, x)
    user.make_stateless("mine:model", model)
    x = np.random.default_rng(0).standard_normal((2, 4, 8)).astype(np.float32)
    calls = []
    for _ in range(2):
        with stateless.scope(1, 1, tf.range(2)):
            calls.append(model(x, training=True).numpy())
    np.testing.assert_array_equal(calls[0], calls[1])
    assert (calls[0] != model(x, training=False).numpy()).any()


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (keras.layers.GaussianNoise(0.1), "GaussianNoise draws random numbers"),
        (keras.layers.SpatialDropout2D(0.1), "SpatialDropout2D draws random numbers"),
        (keras.layers.Dropout(0.1, noise_shape=(None, 1, 1, 1)), "Dropout draws random numbers"),
        (keras.layers.RandomFlip(), "RandomFlip draws random numbers"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_depend_on_the_number_of_ranks_are_refused(layer: keras.layers.Layer, word: str) -> None:
    """Other random layers would make a trial depend on np; the message names the layer."""
    with pytest.raises(UserError, match=word):
        user.make_stateless("mine:model", finished(layer))


def test_recurrent_layers_pass_without_dropout_and_are_refused_with_it() -> None:
    """An LSTM holds a seed generator even when it drops nothing; only with a rate does it draw."""
    user.make_stateless("mine:model", finished(keras.layers.LSTM(3), shape=(4, 2)))
    with pytest.raises(UserError, match="LSTM"):
        user.make_stateless("mine:model", finished(keras.layers.LSTM(3, dropout=0.1), shape=(4, 2)))
