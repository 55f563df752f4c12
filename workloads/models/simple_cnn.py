"""The paper's simple convolutional net: a 5x5 convolution, ReLU and 2x2 max-pool, twice, then one hidden layer
with dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from workloads.layers import Dropout, halve


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Images [b, height, width, channels] of any size to logits [b, classes]."""
    inputs = keras.Input(input_shape)
    x = inputs
    for filters in options["filters"]:
        x = halve(keras.layers.Conv2D(filters, 5, padding="same", activation="relu")(x))
    x = keras.layers.Dense(options["hidden"], activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(classes)(Dropout(options["dropout"])(x)))
