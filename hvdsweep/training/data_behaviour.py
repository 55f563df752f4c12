"""Checks of what a user's data set does: its augmentation, its type, and a task of its own, on a few real rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from hvdsweep.training.behaviour import ALONE, REPEATED, differ, rows_differ
from hvdsweep.training.traces import augment_trace, task_trace
from hvdsweep.training.trial_rows import Rows, call
from workloads.usercode import describe

if TYPE_CHECKING:
    from hvdsweep.training.network import Network


def data_doubts(name: str, dataset: Any) -> list[str]:
    """What a user's data set may hold but is hardly meant, one sentence each."""
    train, found = dataset.train, []
    if dataset.task.name == "classification" and train.in_memory:
        used = np.unique(train.labels)
        if len(used) < dataset.classes:
            first = int(np.append(np.flatnonzero(used != np.arange(len(used))), len(used))[0])
            found.append(
                f"{name}: train has examples of {len(used)} of {dataset.classes} classes only, none of class {first}"
            )
    for key in ("val", "test"):
        split = dataset.splits.get(key)
        if split is None or not (train.in_memory and split.in_memory):
            continue
        rows = [hash(row.tobytes()) for row in split.features]
        known = set(rows).intersection(hash(row.tobytes()) for row in train.features)
        if 2 * (twice := sum(row in known for row in rows)) >= len(rows):
            found.append(
                f"{name}: {twice} of {len(rows)} examples of {key} are in train too, so what is measured on them says little "
                "about new examples"
            )
    return found


def augment_problem(name: str, dataset: Any) -> str | None:
    """Why the user's augmentation would not give every example the same on any number of ranks; None if it does."""
    if dataset.augment is None:
        return None
    rows = Rows.of(dataset, 1)
    keys = tf.cast(tf.range(len(rows.all)) * 7919 + 1, tf.uint32)
    try:
        if problem := augment_trace(dataset).problem(name):
            return problem
        every = np.asarray(dataset.augment(rows.features, keys))
        others = [
            (chosen, np.asarray(dataset.augment(tf.gather(rows.features, chosen), tf.gather(keys, chosen))))
            for chosen in (rows.all, rows.all[::-1], rows.all[-1:])
        ]
    except Exception as error:
        return f"{name}: augment: {describe(error)}"
    if every.shape != rows.features.shape:
        return f"{name}: augment: returns shape {every.shape} for {tuple(rows.features.shape)}; an example has to keep its shape"
    if any(differ(every[chosen], other, REPEATED) for chosen, other in others):
        return (
            f"{name}: augment gives an example other values in two equal calls, or when other examples are in its batch; make "
            "each depend on its own features and key alone (`workloads.stateless.uniform(keys, units)`)"
        )
    return None if np.isfinite(every).all() else f"{name}: augment: returns NaN or infinite values"


def type_problem(name: str, dataset: Any, run: Callable[[Any], Any]) -> str | None:
    """Whether the user's code gives other results for features of the type that their data have than for float32."""
    features = Rows.of(dataset, 1).features
    if dataset.task.name == "language_model" or dataset.given == features.dtype.name:
        return None
    try:
        as_given = run(tf.cast(features, dataset.given))
    except Exception:
        return None  # Written for float32.
    try:
        if not differ(run(features), tf.cast(as_given, tf.float32), ALONE):
            return None
    except Exception:
        pass  # It is written for the given type only.
    return (
        f"{name}: gives other results for features of type {dataset.given}, as the data have it, than for float32, as which they "
        "are trained (tf.image.convert_image_dtype and // depend on the type); make them float32 where they are loaded"
    )


def task_problem(name: str, network: Network) -> str | None:
    """Whether losses and metrics of a task of the user's own are numbers of each example, which depend on it alone."""
    task, rows = network.dataset.task, Rows.of(network.dataset, network.granule)
    outputs, _ = call(network.model, rows, training=False)
    outputs += tf.random.stateless_normal(outputs.shape, (0, 1), dtype=outputs.dtype)

    def found(chosen: list[int]) -> dict[str, Any]:
        picked, labels = tf.gather(outputs, chosen), tf.gather(rows.labels, chosen)
        return {"losses": task.losses(picked, labels, None), **task.metrics(picked, labels)}

    try:
        if problem := task_trace(network.dataset).problem(name):
            return problem
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            every = found(rows.all)
            total = tf.reduce_sum(every["losses"][0])
    except Exception as error:
        return f"{name}: the task {task.name}: {describe(error)}"
    for what, (sums, weights) in every.items():
        wrong = next(
            (part for part in (sums, weights) if _form(part) != (np.float32, (len(rows.all),))), None
        )
        if wrong is not None:
            kind, shape = _form(wrong)
            return (
                f"{name}: the task {task.name}: {what} are {kind} of shape {shape} for {len(rows.all)} examples; return two "
                "tensors of float32, a sum and a weight for every example"
            )
        if not np.isfinite(sums).all() or np.min(weights) < 0 or not np.max(weights) > 0:
            return f"{name}: the task {task.name}: {what} have sums that are no numbers, or weights that are not positive"
    if tape.gradient(total, outputs) is None:
        return f"{name}: the task {task.name}: the losses do not depend on the model's outputs, so nothing would be trained"
    for unit in rows.units:
        for what, pair in found(unit).items():
            if any(
                rows_differ(one, other, unit, ALONE) for one, other in zip(every[what], pair, strict=True)
            ):
                return (
                    f"{name}: the task {task.name} gives an example other {what} when other examples are in its batch, so the "
                    "result would change with the number of ranks; return sums and weights of each example"
                )
    return None


def _form(part: Any) -> tuple[Any, tuple[int, ...]]:
    array = np.asarray(part)
    return array.dtype, array.shape
