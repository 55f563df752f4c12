"""Models by name: `build_model` gives a Keras model that returns logits and whose randomness is stateless."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import keras

from hvdsweep.errors import UserError
from workloads import architectures, catalogue
from workloads.datasets.dataset import Dataset
from workloads.models import user

__all__ = ["build_model"]


def build_model(
    name: str, dataset: Dataset, options: Mapping[str, Any] | None = None, source: str | None = None
) -> keras.Model:
    """The built-in model `name`, or the user's `module:function`, for one data set: features [b,
    *input_shape] to logits [b, classes] ([b, length, classes] for tokens).

    Its `granule` (1, or the ghost batch) says at which multiples batch rows may be split. Call it inside a
    `stateless.scope` to train, outside one to evaluate. Raises `UserError` for unknown names and options, and
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
    return model
