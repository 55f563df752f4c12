"""Data sets by name: `load_dataset` gives arrays or streams ready for training, or says what is missing
and how to get it."""

from __future__ import annotations

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
    if name == "digits":
        from workloads.datasets import digits

        return digits.load()
    if name == "python_source":
        from workloads.datasets import python_source

        return python_source.load(**options)
    if name == "noisy_quadratic":
        from workloads.datasets import noisy_quadratic

        return noisy_quadratic.load(options)
    raise UserError(f"dataset: {name} has no loader")
