"""Data sets by name: `load_dataset` returns arrays or streams ready for training, or an error that says what is missing
and how to get it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from hvdsweep.errors import UserError
from workloads import catalogue
from workloads.datasets.dataset import Dataset, Split, Stream

__all__ = ["Dataset", "Split", "Stream", "load_dataset"]


def load_dataset(name: str, options: Mapping[str, Any] | None = None, source: str | None = None) -> Dataset:
    """The data set `name`, or what the user's `module:function` returns for these options (`source` is the
    directory of the sweep file, searched first).

    Raises `UserError` for an unknown name or option, for missing or corrupt files, and for user code that
    fails or returns something that cannot be trained on.
    """
    options = dict(options or {})
    if catalogue.is_user_code(name):
        from workloads.datasets import user

        return user.load(name, options, source)
    if problem := catalogue.check_dataset(name, options):
        raise UserError(f"dataset: {problem}")
    loader = importlib.import_module(f"workloads.datasets.{_MODULES[name.rpartition('/')[2]]}")
    return loader.load(catalogue.dataset_info(name, options))  # type: ignore[no-any-return]


_MODULES = {
    "digits": "digits",
    "python_source": "python_source",
    "noisy_quadratic": "noisy_quadratic",
    "mnist": "mnist",
    "fashion_mnist": "mnist",
    **{f"mnist_{n}": "mnist" for n in (55_000, 27_500, 13_750, 6_875)},
    "cifar_10": "cifar_10",
    "imagenet": "imagenet",
    "imagenet_half_images": "imagenet",
    "imagenet_half_classes": "imagenet",
    "open_images_v4": "open_images_v4",
    "lm1b": "sentences",
    "common_crawl": "sentences",
}
"""Last part of a data set's name -> the module that loads it."""
