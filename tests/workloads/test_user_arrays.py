"""The user's own arrays reach training as they are, or are refused in words: never cast into something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from hvdsweep.errors import UserError
from tests.workloads.test_user_workloads import arrays, returned
from workloads.datasets import Dataset, Split
from workloads.tasks import task

X, Y = arrays()
TOKENS = np.arange(12).reshape(2, 6)
GOOD = {"train": (X, Y), "val": (X, Y)}
TEXT = {"train": (TOKENS, TOKENS), "val": (TOKENS, TOKENS), "task": "language_model"}
EPOCH = 1.7e9 + np.arange(24).reshape(6, 4) / 10

REFUSED: dict[str, tuple[Any, str]] = {
    "labels beyond 32 bits": (
        {**GOOD, "train": (X, Y + 2**33)},
        "train: labels hold 85.*, beyond the whole numbers of 32",
    ),
    "labels unsigned": (
        {**GOOD, "val": (X, (Y + 2**31).astype(np.uint32))},
        "val: labels hold 21474836.., beyond",
    ),
    "tokens beyond 32 bits": (
        {**TEXT, "train": (TOKENS + 2**32, TOKENS)},
        "train: features hold .*, beyond the whole",
    ),
    "next tokens beyond 32 bits": (
        {**TEXT, "val": (TOKENS, TOKENS + 2**40)},
        "val: labels hold .*, beyond the whole",
    ),
    "large names": (
        {**GOOD, "train": (np.arange(24).reshape(6, 4) + 2**24, Y)},
        "whole number 16777217, which float32 rounds to 16777216",
    ),
    "huge names": (
        {**GOOD, "train": (np.full((6, 4), 2**64 - 1, np.uint64), Y)},
        "whole number 18446744073709551615",
    ),
    "times": (
        {**GOOD, "val": (EPOCH, Y)},
        "val: features: feature 0 lies between 1.7e.09 and .*subtract its mean",
    ),
    "beyond float32": (
        {**GOOD, "train": (X * 1e300, Y)},
        "train: features hold .*, beyond float32; scale them",
    ),
    "masked": (
        {**GOOD, "train": (np.ma.masked_greater(X, 0.5), Y)},
        r"train: features are a masked array.*x\.filled\(0\)",
    ),
    "masked labels": ({**GOOD, "train": (X, np.ma.masked_equal(Y, 1))}, "train: labels are a masked array"),
    "a dict": (
        {**GOOD, "train": ({"a": X, "b": X}, Y)},
        "train: features are a dict of a, b; a model has one input",
    ),
    "sparse": (
        {**GOOD, "train": (scipy.sparse.csr_matrix(X), Y)},
        r"features are a sparse matrix.*x\.toarray\(\)",
    ),
    "sparse array": ({**GOOD, "train": (scipy.sparse.coo_array(X), Y)}, "features are a sparse matrix"),
    "a sparse tensor": ({**GOOD, "train": (tf.sparse.from_dense(X), Y)}, r"tf\.sparse\.to_dense\(x\)"),
    "no features": ({**GOOD, "train": (X[:, :0], Y)}, r"examples have shape \(0,\), so no numbers"),
    "numbers that count as 0": (
        {**GOOD, "train": (X * 1e-42, Y)},
        "which TensorFlow takes for 0; scale them",
    ),
    "ragged lists": (
        {**GOOD, "train": ([[1, 2], [3]] * 3, Y)},
        "features have examples of different lengths",
    ),
    "a ragged tensor": (
        {**GOOD, "train": (tf.ragged.constant([[1.0], [2.0, 3.0]] * 3), Y)},
        "are a ragged tensor",
    ),
    "numbers as objects": (
        {**GOOD, "train": (X.astype(object), Y)},
        r"Python objects \(float\), .*x\.astype\(float\)",
    ),
    "objects as labels": (
        {**GOOD, "train": (X, Y.astype(str).astype(object))},
        r"Python objects \(str\), .*np\.searchsorted",
    ),
    "arrays as objects": (
        {**GOOD, "train": (np.array([*X, None], object)[:-1], Y)},
        r"objects \(ndarray\), .*np\.stack",
    ),
    "objects": ({**GOOD, "train": (np.array([[1, "a"]] * 6, object), Y)}, r"Python objects \(int, str\)"),
    "complex": ({**GOOD, "train": (X + 1j, Y)}, "complex numbers"),
    "weights of examples": ({**GOOD, "train": (X, Y, Y)}, r"is not a pair \(features, labels\); weights"),
    "one-hot labels": ({**GOOD, "train": (X, np.eye(3)[Y])}, r"labels have shape \(6, 3\).*y\.argmax"),
    "a column of labels": ({**GOOD, "train": (X, Y[:, None])}, r"labels have shape \(6, 1\).*y\.ravel\(\)"),
    "fractions as labels": ({**GOOD, "val": (X, Y / 2)}, r"labels are float64, .*y\.astype\(int\)"),
    "examples without a label": (
        {**GOOD, "val": (X, Y - 1)},
        "a label is -1; .*leave examples without a label out",
    ),
    "another mark of padding": (
        {**TEXT, "val": (TOKENS, np.where(TOKENS > 3, TOKENS, -100))},
        "a label is -100; .*-1 marks padding",
    ),
    "nothing but padding": (
        {**TEXT, "train": (TOKENS, np.where(TOKENS > 5, TOKENS, -1))},
        "train: example 0 has nothing but padding",
    ),
    "a generator": ({**GOOD, "train": ((x for x in X), Y)}, r"objects \(generator\).*np\.array\(list\(x\)\)"),
    "tf.data": (
        {**GOOD, "train": tf.data.Dataset.from_tensor_slices((X, Y))},
        "a tf.data.Dataset has to be read into arrays",
    ),
    "classes of another width": (
        {"train": (X, np.eye(6, 5)), "val": (X, np.eye(6, 5)), "task": "multilabel", "classes": 7},
        "classes: 7, but labels have 5 columns",
    ),
    "classes a flag": ({**GOOD, "classes": np.bool_(True)}, "classes: .* is not a whole number"),
    "classes a fraction": ({**GOOD, "classes": 3.0}, "classes: 3.0 is not a whole number"),
    "augment": ({**GOOD, "augment": 3}, "augment: is a int, not a function"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_cast_would_change_is_refused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each names the function, the split, the value and what to do."""
    value, message = REFUSED[case]
    with pytest.raises(UserError, match=rf"(?s)^mine:load: .*{message}"):
        returned(value, monkeypatch)


NOT_IN_A_DATASET = ("weights of examples", "augment", "tf.data")
ARRAYS = [
    case
    for case, (value, _) in REFUSED.items()
    if not {"task", "classes"} & value.keys() and case not in NOT_IN_A_DATASET
]


@pytest.mark.parametrize("case", ARRAYS)
def test_a_data_set_made_by_hand_is_looked_at_too(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same arrays inside a `Dataset` are refused alike."""
    value, message = REFUSED[case]
    splits = [Split(*value[key]) for key in ("train", "val")]
    with pytest.raises(UserError, match=rf"(?s)^mine:load: .*{message}"):
        returned(Dataset("own", task("classification"), *splits, None, (4,), 3), monkeypatch)


class Stream:
    """Arrays read by their numbers; `lost`: examples that every block lacks."""

    def __init__(self, x: Any, y: Any, lost: int = 0) -> None:
        self.x, self.y, self.lost = x, y, lost

    def __len__(self) -> int:
        return len(self.x)

    def blocks(self, rows: Any, keys: Any = None) -> Any:
        for block in rows:
            chosen = block[self.lost :]
            yield self.x[chosen], self.y[chosen]


STREAMS: dict[str, tuple[Stream, str]] = {
    "labels beyond 32 bits": (Stream(X, Y + 2**33), "val: labels hold 85.*, beyond the whole numbers of 32"),
    "one-hot labels": (Stream(X, np.eye(3)[Y]), r"val: labels have shape \(6, 3\)"),
    "NaN": (Stream(X * np.nan, Y), "val: features hold NaN"),
    "another shape": (Stream(X[:, :3], Y), r"val: examples have shape \(3,\), those of train \(4,\)"),
    "classes": (Stream(X, Y + 1), "classes: 3, but a label is 3"),
    "empty": (Stream(X[:0], Y[:0]), "val: has no examples"),
    "too few": (Stream(X, Y, lost=1), "val: the stream gave 5 examples where 6 were asked for"),
    "a number out of range": (Stream(X, Y[:2]), "IndexError: .*test_user_arrays.py"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_the_first_examples_of_a_stream_are_looked_at(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As arrays are; a right stream is taken as it is, next to arrays too."""
    stream, message = STREAMS[case]
    right = Split(Stream(X, Y), None)  # type: ignore[arg-type]
    own = Dataset("own", task("classification"), right, right, Split(X, Y), (4,), 3)
    taken = returned(own, monkeypatch)
    assert (taken.train, taken.val) == (right, right)
    with pytest.raises(UserError, match=rf"(?s)^mine:load: .*{message}"):
        returned(replace(own, val=Split(stream, None)), monkeypatch)  # type: ignore[arg-type]


KEPT: dict[str, np.ndarray] = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(6, 4),
    "whole numbers up to 2^24": np.arange(24).reshape(6, 4) + 2**24 - 23,
    "whole numbers that float32 has": np.arange(24).reshape(6, 4) * 2**30,
    "negative": -np.arange(24, dtype=np.int16).reshape(6, 4),
    "half": X.astype(np.float16),
    "half of another form": (X > 0.5).astype(tf.bfloat16.as_numpy_dtype),
    "flags": X > 0.5,
    "nothing masked": np.ma.masked_greater(X, 9),
    "a constant large feature": np.concatenate([X, np.full((6, 1), 1.7e9 + 0.3)], 1),
    "wide": X * 1e30,
}


@pytest.mark.parametrize("case", KEPT)
def test_what_float32_can_hold_is_taken(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features keep their values to float32's precision."""
    x = KEPT[case]
    dataset = returned({"train": (x, Y), "val": (x, Y)}, monkeypatch)
    np.testing.assert_allclose(
        np.asarray(dataset.train.features, np.float64), np.asarray(x, np.float64), rtol=1e-7
    )


@pytest.mark.parametrize(
    "number", [3, np.int64(3), np.uint8(3), Y.max() + 1], ids=lambda value: type(value).__name__
)
def test_classes_may_be_any_whole_number(number: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy's integers, as `y.max() + 1` gives them, count as Python's."""
    dataset = returned({**GOOD, "classes": number}, monkeypatch)
    assert (dataset.classes, type(dataset.classes)) == (3, int)
