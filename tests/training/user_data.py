"""Data sets as users write them; `REFUSED` says what a refusal must name. How to add one: tests/README.md."""

import os
import time

import numpy as np
import tensorflow as tf

from workloads.datasets import Dataset, Split
from workloads.tasks import Classification, LanguageModel

X = np.random.default_rng(0).standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)

REFUSED = {
    "unseeded": "gives other data when another rank calls it: seed what it draws",
    "module_generator": "gives other data when another rank calls it",
    "sharded": r"do not cut the data by rank \(`x\[rank::size\]`\)",
    "horovod": "Horovod has not been initialized.*user code may not depend on the rank",
    "ragged": "train: features have examples of different lengths",
    "random_augment": "augment draws random numbers in training",
    "numpy_augment": "augment gives an example other values in two equal calls",
    "mixed_rows": "augment gives an example other values .*when other examples are in its batch",
    "wider_augment": "augment: returns shape",
    "infinite_augment": "augment: returns NaN or infinite",
    "clock_augment": "gives other data when another rank calls it",
    "own_task": "the task own gives an example other losses when other examples are in its batch",
    "constant_task": "the task own: the losses do not depend on the model's outputs",
    "column_task": r"the task own: losses are float32 of shape \(4, 1\) for 4 examples",
    "whole_task": r"the task own: losses are int32 of shape \(4,\) for 4 examples",
    "weightless_task": "the task own: losses have .* weights that are not positive",
    "short_task": "takes 3 positional arguments but 4 were given",
    "type_augment": "augment: gives other results for features of type uint8, as the data have it",
    "exits": "SystemExit: 4 .*it calls exit",
}
"""Function -> regular expression that the refusal matches."""


def plain():
    """The same at every call."""
    return {"train": (X, Y), "val": (X, Y)}


def hardly_meant():
    """Labels from 1, and the training examples once more."""
    return {"train": (X, Y + 1), "val": (X, Y + 1), "classes": 3}


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


def random_augment():
    """Other random numbers in every run."""
    return {**plain(), "augment": lambda x, keys: x + tf.random.normal(tf.shape(x))}


def numpy_augment():
    """Random numbers that a graph would freeze."""
    return {**plain(), "augment": lambda x, keys: x + np.random.standard_normal(4).astype("float32")}


def mixed_rows():
    """Mixup with the other rows of a rank's batch."""
    return {**plain(), "augment": lambda x, keys: (x + tf.reverse(x, [0])) / 2}


def wider_augment():
    """Examples of another shape."""
    return {**plain(), "augment": lambda x, keys: tf.concat([x, x], -1)}


def infinite_augment():
    """No numbers."""
    return {**plain(), "augment": lambda x, keys: x / 0.0}


def clock_augment():
    """A number that only a closure knows."""
    now = time.time() % 10
    return {**plain(), "augment": lambda x, keys: x * now}


def of_task(change):
    """A data set whose task changes what the losses of a classification are."""

    class Task(Classification):
        name = "own"

        def losses(self, outputs, labels, label_smoothing=None):
            return change(*super().losses(outputs, labels))

    split = Split(X.astype("float32"), Y.astype("int32"))
    return Dataset("own", Task(), split, split, None, (4,), 2)


def own_task():
    """Divides by the rows that it sees."""
    return of_task(lambda sums, weights: (sums / tf.reduce_sum(weights), weights))


def constant_task():
    """Losses that the model does not change."""
    return of_task(lambda sums, weights: (tf.ones_like(weights), weights))


def column_task():
    """A column in place of a line: it would be spread over all rows."""
    return of_task(lambda sums, weights: (sums[:, None], weights[:, None]))


def whole_task():
    """Weights that are whole numbers."""
    return of_task(lambda sums, weights: (sums, tf.cast(weights, tf.int32)))


def weightless_task():
    """No example counts."""
    return of_task(lambda sums, weights: (sums, 0 * weights))


def short_task():
    """Losses without an argument for label smoothing."""

    class Task(Classification):
        name = "own"

        def losses(self, outputs, labels):
            return super().losses(outputs, labels)

    split = Split(X.astype("float32"), Y.astype("int32"))
    return Dataset("own", Task(), split, split, None, (4,), 2)


FACTOR = 2.0


def factor_task():
    """A number that only the losses show."""
    return of_task(lambda sums, weights: (FACTOR * sums, weights))


def type_augment():
    """Bytes become numbers between 0 and 1; fractions are taken for such numbers already."""
    return {**in_bytes(), "augment": lambda x, keys: tf.image.convert_image_dtype(x, tf.float32)}


def in_bytes():
    """Features as images have them."""
    return {"train": (np.arange(240, dtype=np.uint8).reshape(60, 4), Y), "val": (X, Y)}


def sentences():
    """Tokens without padding."""
    x = np.arange(240).reshape(60, 4) % 9 + 1
    return {"train": (x, x), "val": (x, x), "task": "language_model"}


def phrases_task():
    """A loss for every token, as a language model has it."""

    class Task(LanguageModel):
        name = "language_model"

    x = (np.arange(240).reshape(60, 4) % 9 + 1).astype("int32")
    return Dataset("phrases", Task(), Split(x, x), Split(x, x), None, (4,), 10)


def tokens():
    """One token of the largest number."""
    x = np.arange(240).reshape(60, 4) % 9
    x[11, 2] = 9
    return {"train": (x, Y), "val": (x[:9], Y[:9])}


def exits():
    """Ends the process."""
    raise SystemExit(4)
