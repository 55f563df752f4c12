"""Import TensorFlow as fast as possible.

Keras also imports scikit-learn, pandas, matplotlib and with them scipy if they are installed, for wrappers and plots
that no rank uses: 45 % of the processor time of `import tensorflow, horovod.tensorflow`. Each of these imports is
optional in Keras, so the packages are hidden during this one import.
"""

from __future__ import annotations

import gc
from typing import Any

from hvdsweep.lazy import hidden

OPTIONAL = ("sklearn", "pandas", "matplotlib", "scipy")


def import_tensorflow() -> Any:
    """The module `tensorflow`; Keras is imported with it. A user's own code can import everything afterwards.

    What modules hold stays for good: Python's search for garbage, a fifth of the import and of tracing, leaves it out.
    """
    gc.disable()
    try:
        with hidden(OPTIONAL):
            import keras  # noqa: F401
            import tensorflow as tf
        gc.freeze()
    finally:
        gc.enable()
    return tf
