"""VGG-11, model "A" of Simonyan and Zisserman (2015): eight 3x3 convolutions, five pools, three dense
layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from workloads.architectures import VGG_11_POOL_AFTER
from workloads.layers import Dropout, halve


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Images [b, height, width, channels] to logits [b, classes]. A pool leaves a side of one pixel
    unchanged, so that small images pass; dropout follows both hidden dense layers."""
    inputs = keras.Input(input_shape)
    x = inputs
    for i, filters in enumerate(options["filters"]):
        x = keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer=_he_normal(x.shape[1:3])
        )(x)
        x = halve(x) if i in VGG_11_POOL_AFTER else x
    x = keras.layers.Flatten()(x)
    for _ in range(2):
        x = keras.layers.Dense(options["hidden"], activation="relu", kernel_initializer="he_normal")(x)
        x = Dropout(options["dropout"])(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


def _he_normal(sides: tuple[int, int]) -> keras.initializers.Initializer:
    """He's normal distribution, counting only inputs that are not padding: (3 n - 2) / n of 3 weights along a
    side of n pixels. Otherwise the signal would vanish after eight layers, on images that end at one pixel."""
    seen = [(3 * side - 2) / side for side in sides]
    return keras.initializers.VarianceScaling(2.0 * 9.0 / (seen[0] * seen[1]), "fan_in", "truncated_normal")
