"""The user's own model, checked, and made independent of the number of ranks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from hvdsweep.errors import UserError
from workloads import layers, usercode
from workloads.datasets.dataset import Dataset

_RATES = ("dropout", "recurrent_dropout")


def build(name: str, dataset: Dataset, options: Mapping[str, Any], source: str | None) -> keras.Model:
    """Call `module:function` with whichever of `dataset`, `input_shape`, `classes` are among its parameters (else with
    the data set as its first argument, if that has no default) and with the options as keywords."""
    function = usercode.find(name, source)
    facts = {"dataset": dataset, "input_shape": dataset.input_shape, "classes": dataset.classes}
    known = inspect.signature(function).parameters
    named = {key: value for key, value in facts.items() if key in known and key not in options}
    positional = any(
        parameter.kind
        in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.default is parameter.empty
        and key not in options
        for key, parameter in known.items()
    )
    first = () if named or not positional else (dataset,)
    model = usercode.call(name, function, *first, **named, **options)
    if not isinstance(model, keras.Model):
        raise UserError(f"{name}: returned a {type(model).__name__}, not a keras.Model")
    example = np.zeros(
        (2, *dataset.input_shape), np.int32 if dataset.task.name == "language_model" else np.float32
    )
    outputs = usercode.call(name, model, example)
    expected = (
        (2, *dataset.input_shape, dataset.classes)
        if dataset.task.name == "language_model"
        else (2, dataset.classes)
    )
    shape = getattr(outputs, "shape", None)
    if shape is None or tuple(shape) != expected:
        got = type(outputs).__name__ if shape is None else tuple(shape)
        raise UserError(f"{name}: for 2 examples the model's output is {got}, not logits of shape {expected}")
    if not model.trainable_variables:
        raise UserError(f"{name}: the model has nothing to train")
    values = np.asarray(outputs)
    if (values >= 0).all() and np.allclose(values.sum(-1), 1.0, atol=1e-4):
        raise UserError(f"{name}: the model's output is a softmax; return logits (no activation at the end)")
    model.granule = max([int(getattr(layer, "granule", 1)) for layer in _every(model)], default=1)
    return model


def _every(model: keras.Model) -> list[keras.layers.Layer]:
    return list(model._flatten_layers(include_self=False))


def make_stateless(name: str, model: keras.Model) -> None:
    """Replace every `keras.layers.Dropout` by the stateless one, number the streams in the order of the
    model, and refuse other random layers of Keras, and stateful ones: their numbers would change with the number of
    ranks."""
    stream = 0
    for layer in _every(model):
        if type(layer) is keras.layers.Dropout and layer.noise_shape is None:
            layer.__class__ = layers.Dropout
        if getattr(layer, "stateful", False):
            raise UserError(
                f"{name}: layer {layer.name}: {type(layer).__name__} begins a batch where the last one ended; examples come in "
                "random order here, so leave stateful=True out"
            )
        if any(getattr(one, "overwrite_with_gradient", False) for one in layer.variables):
            raise UserError(
                f"{name}: layer {layer.name}: {type(layer).__name__} has scales that only optimizers of Keras update; leave "
                'quantize("float8") out'
            )
        if isinstance(layer, layers.Dropout):
            stream += 1
            layer.stream_number = stream
        elif _draws(layer):
            raise UserError(
                f"{name}: layer {layer.name}: {type(layer).__name__} draws random numbers that would change with "
                "the number of ranks; of the random layers only Dropout (without noise_shape) is made stateless, and a data "
                "set's `augment` changes examples"
            )


def _draws(layer: keras.layers.Layer) -> bool:
    if not any(isinstance(value, keras.random.SeedGenerator) for value in vars(layer).values()):
        return False
    # Recurrent cells have a generator that they only use at a rate above zero.
    rates = [getattr(layer, rate) for rate in _RATES if hasattr(layer, rate)]
    return not rates or any(rates)
