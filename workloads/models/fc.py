"""Fully connected nets: ReLU layers with dropout (paper section 4, `fc_N.._N`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from workloads.layers import Dropout


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Features [b, *input_shape], flattened, to logits [b, classes]; `widths` are the hidden layers."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    for width in options["widths"]:
        x = Dropout(options["dropout"])(keras.layers.Dense(width, activation="relu")(x))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))
