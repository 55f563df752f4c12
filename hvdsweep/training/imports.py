"""TensorFlow imported as quickly as it can be.

Keras also imports scikit-learn, pandas, matplotlib and with them scipy wherever they are installed, for wrappers and pictures
that no rank uses: 45 % of the processor time of `import tensorflow, horovod.tensorflow`. Each of these imports is optional
in Keras, so for the duration of this one import the packages are hidden.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OPTIONAL = ("sklearn", "pandas", "matplotlib", "scipy")


def import_tensorflow() -> Any:
    """The module `tensorflow`; Keras is imported with it. A user's own code can import everything afterwards."""
    with hidden(OPTIONAL):
        import keras  # noqa: F401
        import tensorflow as tf
    return tf


@contextmanager
def hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Importing any of these packages fails as if it were not installed, unless it has been imported before."""
    mine = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(mine))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in mine:
            del sys.modules[package]
