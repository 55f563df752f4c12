"""Residual nets: ResNet-8 without normalisation (He et al. 2016a, section 4.2, n = 1) and pre-activation
ResNet-50 (He et al. 2016b) with ghost batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from workloads.layers import GhostBatchNormalization


def build(options: Mapping[str, Any], input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Images [b, height, width, channels] to logits [b, classes]."""
    inputs = keras.Input(input_shape)
    x = _resnet_50(inputs, options) if "ghost_batch" in options else _resnet_8(inputs, options["filters"])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


def _conv(filters: int, kernel: int, stride: int = 1, bias: bool = True) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters, kernel, stride, padding="same", use_bias=bias, kernel_initializer="he_normal"
    )


class ZeroPaddedShortcut(keras.layers.Layer):
    """The parameter-free shortcut (option A): every `stride`-th pixel, and zeros for the new channels."""

    def __init__(self, channels: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.stride = stride

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs[:, :: self.stride, :: self.stride]
        return tf.pad(x, ((0, 0), (0, 0), (0, 0), (0, self.channels - x.shape[-1])))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        sides = (None if side is None else -(-side // self.stride) for side in (height, width))
        return batch, *sides, self.channels


def _resnet_8(x: Any, filters: list[int]) -> Any:
    relu = keras.layers.ReLU
    x = relu()(_conv(filters[0], 3)(x))
    for stage, channels in enumerate(filters):
        stride = 1 if stage == 0 else 2
        inner = _conv(channels, 3)(relu()(_conv(channels, 3, stride)(x)))
        shortcut = x if stage == 0 else ZeroPaddedShortcut(channels, stride)(x)
        x = relu()(keras.layers.Add()([shortcut, inner]))
    return x


def _resnet_50(x: Any, options: Mapping[str, Any]) -> Any:
    def normalised(y: Any) -> Any:
        y = GhostBatchNormalization(options["ghost_batch"], options["moving_average"])(y)
        return keras.layers.ReLU()(y)

    width = options["width"]
    if options["stem"] == "imagenet":
        x = keras.layers.MaxPooling2D(3, 2, padding="same")(_conv(width, 7, 2, bias=False)(x))
    else:
        x = _conv(width, 3, bias=False)(x)
    for stage, blocks in enumerate(options["blocks"]):
        inner = width * 2**stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = normalised(x)
            # A stage's first block projects its activated input; the others pass on the sum itself.
            shortcut = _conv(4 * inner, 1, stride, bias=False)(y) if block == 0 else x
            y = normalised(_conv(inner, 1, bias=False)(y))
            y = normalised(_conv(inner, 3, stride, bias=False)(y))
            x = keras.layers.Add()([shortcut, _conv(4 * inner, 1, bias=False)(y)])
    return normalised(x)
