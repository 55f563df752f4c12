"""Models by name: `build_model` returns a Keras model that returns logits and whose randomness is stateless."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import keras
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.pooling.base_pooling import BasePooling

from hvdsweep.errors import UserError
from workloads import architectures, catalogue, layers
from workloads.datasets.dataset import Dataset
from workloads.models import user

__all__ = ["build_model"]

_WINDOWED = (BaseConv, BaseDepthwiseConv, BasePooling)
"""On a CPU XLA runs these as plain loops, while TensorFlow's kernels use oneDNN: measured 10 to 30 times
slower."""


def build_model(
    name: str, dataset: Dataset, options: Mapping[str, Any] | None = None, source: str | None = None
) -> keras.Model:
    """The built-in model `name`, or the user's `module:function`, for one data set: features [b,
    *input_shape] to logits [b, classes] ([b, length, classes] for tokens).

    Call the model inside a `stateless.scope` to train, outside one to evaluate. It has three attributes: `granule` (1,
    or the ghost batch): batch rows may only be split over ranks and passes at its multiples; `auxiliary`: the layers
    whose moving statistics `layers.apply_auxiliary` updates (none for most models); `xla_on_cpu`: whether compiling it
    for a CPU pays (convolutions run several times slower there). Raises `UserError` for unknown names and options, and
    for user models that do not fit.
    """
    options = dict(options or {})
    if catalogue.is_user_code(name):
        model = user.build(name, dataset, options, source)
    else:
        if problem := catalogue.check_model(name, options, dataset.info):
            raise UserError(f"model: {problem}")
        family = importlib.import_module(f"workloads.models.{architectures.find(name).family}")
        chosen = architectures.resolve(name, options)
        model = family.build(chosen, dataset.input_shape, dataset.classes)
        model.granule = chosen.get("ghost_batch", 1)
    user.make_stateless(name, model)
    model.auxiliary = layers.auxiliary_layers(model, dataset.input_shape)
    model.xla_on_cpu = not any(isinstance(layer, _WINDOWED) for layer in model._flatten_layers())
    return model
