"""The user's own data: whatever their function returns, checked and brought into the form a trial needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hvdsweep.errors import UserError
from workloads import usercode
from workloads.datasets.dataset import Dataset, Split
from workloads.tasks import TASKS, task

_KEYS = ("train", "val", "test", "task", "classes", "augment")


def load(name: str, options: Mapping[str, Any], source: str | None) -> Dataset:
    """Call `module:function` with the options as keywords. It returns a `Dataset`, or a dict with `train`
    and `val` (each a pair of arrays: features [n, ...], labels), and optionally `test`, `task`
    (`classification` by default), `classes`, `augment`."""
    returned = usercode.call(name, usercode.find(name, source), **options)
    if isinstance(returned, Dataset):
        return returned
    if not isinstance(returned, Mapping):
        raise UserError(
            f"{name}: returned a {type(returned).__name__}, not a dict with train and val (nor a Dataset)"
        )
    if unknown := [str(key) for key in returned if key not in _KEYS]:
        raise UserError(
            f"{name}: unknown key {', '.join(unknown)} in what it returned (known: {', '.join(_KEYS)})"
        )
    kind = returned.get("task", "classification")
    if kind not in ("classification", "language_model", "multilabel"):
        raise UserError(
            f"{name}: task: {kind!r} is not one of {', '.join(k for k in TASKS if k != 'noisy_quadratic')}"
        )
    splits = {
        key: _split(name, key, returned[key], kind)
        for key in ("train", "val", "test")
        if returned.get(key) is not None
    }
    if missing := {"train", "val"} - splits.keys():
        raise UserError(f"{name}: {' and '.join(sorted(missing))} missing in what it returned")
    shape = splits["train"].features.shape[1:]
    for key, split in splits.items():
        if split.features.shape[1:] != shape:
            raise UserError(
                f"{name}: {key}: examples have shape {split.features.shape[1:]}, those of train {shape}"
            )
    return Dataset(
        name=name,
        task=task(kind),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test"),
        input_shape=tuple(int(side) for side in shape),
        classes=_classes(name, kind, splits, returned.get("classes")),
        augment=returned.get("augment"),
    )


def _split(name: str, key: str, pair: Any, kind: str) -> Split:
    where = f"{name}: {key}"
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UserError(f"{where}: is not a pair (features, labels)")
    features, labels = (np.asarray(part) for part in pair)
    if features.ndim == 0 or len(features) == 0:
        raise UserError(f"{where}: has no examples")
    if labels.ndim == 0 or len(labels) != len(features):
        raise UserError(f"{where}: {len(features)} examples but {len(labels) if labels.ndim else 0} labels")
    if features.dtype.kind not in "fiub" or labels.dtype.kind not in "iub" + (
        "f" if kind == "multilabel" else ""
    ):
        raise UserError(
            f"{where}: features are {features.dtype} and labels {labels.dtype}; features must be numbers, labels "
            "whole numbers"
        )
    if kind == "language_model":
        if features.dtype.kind not in "iu" or labels.shape != features.shape or features.ndim != 2:
            raise UserError(
                f"{where}: a language model needs whole-number tokens [n, length] and labels of that shape"
            )
        return Split(np.ascontiguousarray(features, np.int32), np.ascontiguousarray(labels, np.int32))
    features = np.ascontiguousarray(features, np.float32)
    if not np.isfinite(features).all():
        raise UserError(f"{where}: features hold NaN or infinite values")
    if kind == "multilabel":
        if labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
            raise UserError(f"{where}: multilabel needs labels [n, classes] of 0 and 1, not {labels.shape}")
        return Split(features, np.ascontiguousarray(labels, np.uint8))
    if labels.ndim != 1:
        raise UserError(
            f"{where}: labels have shape {labels.shape}; one class number per example is needed, [n]"
        )
    return Split(features, np.ascontiguousarray(labels, np.int32))


def _classes(name: str, kind: str, splits: Mapping[str, Split], given: Any) -> int:
    if kind == "multilabel":
        widths = {split.labels.shape[1] for split in splits.values() if split.labels is not None}
        if len(widths) != 1:
            raise UserError(f"{name}: splits disagree on the number of classes: {sorted(widths)}")
        return int(widths.pop())
    least = 0 if kind == "classification" else -1
    arrays = [split.labels for split in splits.values() if split.labels is not None]
    if kind == "language_model":
        arrays += [split.features for split in splits.values() if isinstance(split.features, np.ndarray)]
        if any(
            int(split.features.min()) < 0
            for split in splits.values()
            if isinstance(split.features, np.ndarray)
        ):
            raise UserError(f"{name}: features hold negative tokens")
    low, high = min(int(a.min()) for a in arrays), max(int(a.max()) for a in arrays)
    if low < least:
        raise UserError(f"{name}: a label is {low}; classes are numbered from 0")
    classes = high + 1 if given is None else given
    if isinstance(classes, bool) or not isinstance(classes, int) or high >= classes:
        raise UserError(
            f"{name}: classes: {classes!r}, but a label is {high}; at least {high + 1} are needed"
        )
    if classes < 2:
        raise UserError(f"{name}: all labels are {high}; at least two classes are needed")
    return classes
