"""The user's own data: the result of their function, checked and converted to the form for training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError
from workloads import usercode
from workloads.datasets import arrays
from workloads.datasets.dataset import Dataset, Split
from workloads.tasks import task

_KEYS = ("train", "val", "test", "task", "classes", "augment")
KINDS = ("classification", "language_model", "multilabel")
"""The tasks whose data are plain arrays."""
FIRST = 32
"""Examples of a stream that are checked."""


def load(name: str, options: Mapping[str, Any], source: str | None) -> Dataset:
    """Call `module:function` with the options as keywords. It returns a `Dataset`, or a dict with `train`
    and `val` (each a pair of arrays: features [n, ...], labels), and optionally `test`, `task`
    (`classification` by default), `classes`, `augment`."""
    returned = usercode.call(name, usercode.find(name, source), **options)
    if isinstance(returned, Dataset):
        return _checked(name, returned)
    if not isinstance(returned, Mapping):
        raise UserError(
            f"{name}: returned a {type(returned).__name__}, not a dict with train and val (nor a Dataset)"
        )
    if unknown := [str(key) for key in returned if key not in _KEYS]:
        raise UserError(
            f"{name}: unknown key {', '.join(unknown)} in what it returned (known: {', '.join(_KEYS)})"
        )
    kind = returned.get("task", "classification")
    if kind not in KINDS:
        raise UserError(f"{name}: task: {kind!r} is not one of {', '.join(KINDS)}")
    splits = {
        key: _split(name, key, returned[key], kind)
        for key in ("train", "val", "test")
        if returned.get(key) is not None
    }
    if missing := {"train", "val"} - splits.keys():
        raise UserError(f"{name}: {' and '.join(sorted(missing))} missing in what it returned")
    augment = returned.get("augment")
    if augment is not None and not callable(augment):
        raise UserError(
            f"{name}: augment: is a {type(augment).__name__}, not a function of features and keys"
        )
    shape = _shape(name, splits)
    return Dataset(
        name=name,
        task=task(kind),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test"),
        input_shape=shape,
        classes=_classes(name, kind, splits, returned.get("classes")),
        augment=augment,
        given=_given(returned["train"][0]),
    )


def _given(features: Any) -> str:
    kind = getattr(features, "dtype", None)
    return str(getattr(kind, "name", None) or np.asarray(features).dtype.name)


def _checked(name: str, dataset: Dataset) -> Dataset:
    """The user's own `Dataset`: arrays of a known task, and the first examples of streams, are checked like those of a dict."""
    kind = dataset.task.name
    if kind not in KINDS:
        return dataset
    splits = {key: _looked_at(name, key, split, kind) for key, split in dataset.splits.items()}
    shape = _shape(name, splits)
    if tuple(dataset.input_shape) != shape:
        raise UserError(f"{name}: input_shape: {tuple(dataset.input_shape)}, but examples have shape {shape}")
    classes = _classes(name, kind, splits, dataset.classes)
    # A stream stays one: only its first examples were read.
    kept: dict[str, Any] = {
        key: split if hasattr(split.features, "blocks") else splits[key]
        for key, split in dataset.splits.items()
    }
    stream = hasattr(dataset.train.features, "blocks")
    given = dataset.given if stream else _given(dataset.train.features)
    return replace(dataset, **kept, input_shape=shape, classes=classes, given=given)


def _looked_at(name: str, key: str, split: Split, kind: str) -> Split:
    """A split of the user's own `Dataset`, checked; of a stream, its first examples."""
    if not hasattr(split.features, "blocks"):
        return _split(name, key, (split.features, split.labels), kind)
    rows, blocks = np.arange(min(FIRST, usercode.call(name, len, split))), split.features.blocks
    if not len(rows):
        raise UserError(f"{name}: {key}: has no examples")
    found = _split(name, key, usercode.call(name, lambda: next(iter(blocks([rows])), None)), kind)
    if len(found) != len(rows):
        raise UserError(
            f"{name}: {key}: the stream gave {len(found)} examples where {len(rows)} were asked for"
        )
    return found


def _shape(name: str, splits: Mapping[str, Split]) -> tuple[int, ...]:
    shapes = {key: _array(split.features).shape[1:] for key, split in splits.items()}
    for key, shape in shapes.items():
        if 0 in shape:
            raise UserError(f"{name}: {key}: examples have shape {shape}, so no numbers at all")
        if shape != shapes["train"]:
            raise UserError(f"{name}: {key}: examples have shape {shape}, those of train {shapes['train']}")
    return tuple(int(side) for side in shapes["train"])


def _array(part: Any) -> npt.NDArray[Any]:
    assert isinstance(part, np.ndarray)
    return part


def _split(name: str, key: str, pair: Any, kind: str) -> Split:
    where = f"{name}: {key}"
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        if isinstance(pair, tuple | list) and len(pair) == 3:
            raise UserError(
                f"{where}: is not a pair (features, labels); weights of examples are not supported"
            )
        array = (
            "; a tf.data.Dataset has to be read into arrays first"
            if hasattr(pair, "as_numpy_iterator")
            else ""
        )
        raise UserError(f"{where}: is not a pair (features, labels) but a {type(pair).__name__}{array}")
    features = arrays.plain(f"{where}: features", pair[0])
    labels = arrays.plain(f"{where}: labels", pair[1])
    if features.ndim == 0 or len(features) == 0:
        raise UserError(f"{where}: has no examples")
    if labels.ndim == 0 or len(labels) != len(features):
        raise UserError(f"{where}: {len(features)} examples but {len(labels) if labels.ndim else 0} labels")
    if kind == "classification" and labels.ndim != 1:
        flat = "y.ravel()" if labels.shape[1:] == (1,) else "y.argmax(-1) if they are one-hot"
        raise UserError(
            f"{where}: labels have shape {labels.shape}; give one class number per example: {flat}"
        )
    if features.dtype.kind not in "fiub":
        raise UserError(f"{where}: features are {features.dtype}, not numbers")
    if labels.dtype.kind not in "iub" + ("f" if kind == "multilabel" else ""):
        remedy = arrays.NUMBERED
        if labels.dtype.kind == "f":
            remedy = "`y.astype(int)` if they are whole; to predict numbers needs a task of your own"
        raise UserError(f"{where}: labels are {labels.dtype}, not whole numbers: {remedy}")
    if kind == "language_model":
        if features.dtype.kind not in "iu" or labels.shape != features.shape or features.ndim != 2:
            raise UserError(
                f"{where}: a language model needs whole-number tokens [n, length] and labels of that shape"
            )
        if empty := np.flatnonzero((labels < 0).all(-1)).tolist():
            raise UserError(
                f"{where}: example {empty[0]} has nothing but padding, so that a batch of it has no loss; leave such examples out"
            )
        return _locked(
            arrays.as_int32(f"{where}: features", features), arrays.as_int32(f"{where}: labels", labels)
        )
    features = arrays.as_float32(f"{where}: features", features)
    if kind == "multilabel":
        if labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
            raise UserError(f"{where}: multilabel needs labels [n, classes] of 0 and 1, not {labels.shape}")
        return _locked(features, np.ascontiguousarray(labels, np.uint8))
    return _locked(features, arrays.as_int32(f"{where}: labels", labels))


def _locked(features: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    """A split that `build` cannot change: it is hashed before, and the next call of `build` would find it changed."""
    split = Split(features.view(), labels.view())
    for array in (split.features, split.labels):
        _array(array).flags.writeable = False
    return split


def _classes(name: str, kind: str, splits: Mapping[str, Split], given: Any) -> int:
    if given is not None:
        if isinstance(given, bool | np.bool_) or not isinstance(given, int | np.integer):
            raise UserError(f"{name}: classes: {given!r} is not a whole number")
        given = int(given)
    if kind == "multilabel":
        widths = {split.labels.shape[1] for split in splits.values() if split.labels is not None}
        if len(widths) != 1:
            raise UserError(f"{name}: splits disagree on the number of classes: {sorted(widths)}")
        width = int(widths.pop())
        if given not in (None, width):
            raise UserError(f"{name}: classes: {given}, but labels have {width} columns, one for each class")
        return width
    least = 0 if kind == "classification" else -1
    values = [split.labels for split in splits.values() if split.labels is not None]
    if kind == "language_model":
        tokens = [_array(split.features) for split in splits.values()]
        if any(int(one.min()) < 0 for one in tokens):
            raise UserError(f"{name}: features hold negative tokens")
        values += tokens
    low, high = min(int(a.min()) for a in values), max(int(a.max()) for a in values)
    if low < least:
        more = "-1 marks padding"
        if least == 0:
            more = f"leave examples without a label out, or number the classes: {arrays.NUMBERED}"
        raise UserError(f"{name}: a label is {low}; classes are numbered from 0; {more}")
    classes = high + 1 if given is None else given
    if high >= classes:
        raise UserError(f"{name}: classes: {classes}, but a label is {high}; at least {high + 1} are needed")
    if classes < 2:
        raise UserError(f"{name}: all labels are {high}; at least two classes are needed")
    if kind == "classification" and given is None:
        used = np.unique(np.concatenate(values))
        if len(used) < classes:
            missing = int(np.flatnonzero(used != np.arange(len(used)))[0])
            from_1 = len(used) == classes - 1 and missing == 0
            raise UserError(
                f"{name}: labels are {used[0]} to {high}, and none is {missing}; number classes from 0 without gaps: "
                f"{'`y - 1`' if from_1 else arrays.NUMBERED}; or return classes = {classes}, if a class without examples is meant"
            )
    return classes
