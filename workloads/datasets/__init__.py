"""Data sets by name: `load_dataset` returns arrays or streams ready for training, or an error that says what is missing
and how to get it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from hvdsweep.errors import UserError
from workloads import catalogue
from workloads.datasets import files
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
    home = files.home_of(name)
    folder = home.folder if home is not None else name
    loader = importlib.import_module(f"workloads.datasets.{_MODULES.get(folder, folder)}")
    return loader.load(catalogue.dataset_info(name, options))  # type: ignore[no-any-return]


_MODULES = {"fashion_mnist": "mnist", "lm1b": "sentences", "common_crawl": "sentences"}
"""Folder of a data set -> the module that loads it, if it is not of that name."""
