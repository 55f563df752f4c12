"""Data sets as users write them; `REFUSED` says what a refusal must name. How to add one: tests/README.md."""

import os

import numpy as np

X = np.random.default_rng(0).standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)

REFUSED = {
    "unseeded": "gives other data when another rank calls it: seed what it draws",
    "module_generator": "gives other data when another rank calls it",
    "sharded": r"do not cut the data by rank \(`x\[rank::size\]`\)",
    "horovod": "Horovod has not been initialized.*user code may not depend on the rank",
    "ragged": "train: features have examples of different lengths",
    "exits": "SystemExit: 4 .*it calls exit",
}
"""Function -> regular expression that the refusal matches."""


def plain():
    """The same at every call."""
    return {"train": (X, Y), "val": (X, Y)}


def multilabel():
    """Labels that are no classes."""
    return {
        "train": (X, np.eye(60, 3, dtype=int)),
        "val": (X, np.eye(60, 3, dtype=int)),
        "task": "multilabel",
    }


def unseeded():
    """A shuffle without a seed."""
    order = np.random.default_rng().permutation(60)
    return {"train": (X[order], Y[order]), "val": (X, Y)}


_GENERATOR = np.random.default_rng(3)


def module_generator():
    """A generator that continues from call to call."""
    order = _GENERATOR.permutation(60)
    return {"train": (X[order], Y[order]), "val": (X, Y)}


def sharded():
    """Every rank its own rows, as Horovod's own examples have it."""
    rank, size = int(os.environ.get("HOROVOD_RANK", 0)), int(os.environ.get("HOROVOD_SIZE", 1))
    return {"train": (X[rank::size], Y[rank::size]), "val": (X, Y)}


def horovod():
    """The same by Horovod's functions."""
    import horovod.tensorflow as hvd

    return {"train": (X[hvd.rank() :: hvd.size()], Y[hvd.rank() :: hvd.size()]), "val": (X, Y)}


def ragged():
    """Lists of different lengths."""
    return {"train": ([[1.0], [1.0, 2.0]], [0, 1]), "val": (X, Y)}


def exits():
    """Ends the process."""
    raise SystemExit(4)
