"""Checks of what a user's model does on a few real rows.

They find random, stateful and batch-dependent layers by their behaviour, not by their names, and outputs that are not
logits. Every check runs with the initial weights and with random ones, since a layer may be behind a gate that starts
at 0. Problems name the layer where possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend import get_keras_mask

from hvdsweep.training.traces import GHOST, STATELESS, forward_traces, gradient_trace, row_gradients
from hvdsweep.training.trial_rows import Rows, call, random_weights
from workloads import layers
from workloads.usercode import describe

if TYPE_CHECKING:
    from hvdsweep.training.network import Network

REPEATED, ALONE = 1e-5, 1e-3
"""Relative differences that rounding explains: of two equal calls; of a row in batches of different sizes."""
HALF = 30.0
"""Tolerances are multiplied by this if layers compute in 16 bits."""
SPREADS = (None, 0.5)
"""Weights to check with: the initial ones (None), and random ones of this standard deviation."""
LOGITS = ("classification", "language_model", "multilabel")
"""Tasks whose models return logits."""
CROWD = 64
"""Rows of a larger batch that is tried, as far as they hold no more than `NUMBERS` numbers."""
NUMBERS = 1 << 21


def behaviour_problems(name: str, network: Network) -> list[str]:
    """Why losses of this model would depend on the number of ranks, one sentence each; usually empty."""
    model, dataset = network.model, network.dataset
    rows = Rows.of(dataset, network.granule)
    if problem := _graph_problem(name, network) or _dropout_problem(name, model, rows):
        return [problem]
    problems: list[str] = []
    for training in (True, False):
        for spread in SPREADS:
            with _weights(model, spread):
                found = _numbers_problem(name, model, rows, training, spread is None)
            if found is not None:
                problems.append(found)
                break
    if not problems and (problem := _extreme_problem(name, model, dataset)):
        return [problem]
    for spread in () if problems else SPREADS:
        with _weights(model, spread):
            found = _gradient_problem(name, network, rows)
        if found is not None:
            problems.append(found)
            break
    problems += _form_problems(name, model, rows)
    if dataset.task.name in LOGITS and (problem := _logits_problem(name, model, rows)):
        problems.append(problem)
    return list(dict.fromkeys(problems))


def _weights(model: Any, spread: float | None) -> Any:
    return nullcontext() if spread is None else random_weights(model, spread)


def _graph_problem(name: str, network: Network) -> str | None:
    """Random operations and changes of variables in what is traced, which a few calls might not show."""
    try:
        for trace in (*forward_traces(network), gradient_trace(network)):
            # Initialisers are judged by what they draw.
            if trace.mode != "the initial weights" and (problem := trace.problem(name)):
                return problem
    except Exception as error:
        return f"{name}: the model cannot be traced into a graph: {describe(error)}"
    return None


def _numbers_problem(name: str, model: Any, rows: Rows, training: bool, initial: bool) -> str | None:
    """Two equal calls; a row with other companions, and at another place of the local batch."""
    mode = "training" if training else "evaluation"
    before = [np.array(variable.numpy()) for variable in model.variables]

    def run(chosen: list[int]) -> tuple[Any, list[tuple[Any, list[Any]]]]:
        with _recorded() as record:
            outputs, _ = call(model, rows, chosen, training=training)
        return np.asarray(outputs), record

    together, record = run(rows.all)
    if not np.isfinite(together).all():
        # Random weights may overflow.
        text = f"{name}: the model's output for the initial weights is NaN or infinite in {mode}"
        return text if initial else None
    again, second = run(rows.all)
    loose = HALF if _computes_in_half(model) else 1.0
    if differ(together, again, REPEATED * loose):
        culprit = _first_difference(record, second, lambda a, b: differ(a, b, REPEATED * loose))
        return f"{name}: {culprit} gives other outputs in two equal calls in {mode}: it is random, or keeps a state; {STATELESS}"
    changed = [
        variable.path
        for variable, value in zip(model.variables, before, strict=True)
        if not np.array_equal(np.array(variable.numpy()), value, equal_nan=True)
    ]
    if changed:
        return (
            f"{name}: calling the model in {mode} changes {', '.join(changed[:3])}, on each rank by the rows that it sees; "
            "use layers without such a state"
        )
    units = rows.units
    every = list(range(len(units)))
    often = min(CROWD // len(rows.all), NUMBERS // int(tf.size(rows.features)))
    # The last unit alone; all units in another order; the first with the last; all of them many times.
    for order in ([every[-1]], every[::-1], [0, every[-1]], *([every * often] if often > 1 else [])):
        chosen = [row for unit in order for row in units[unit]]
        part, other = run(chosen)
        if differ(together[chosen], part, ALONE * loose):
            apart = partial(rows_differ, chosen=chosen, tolerance=ALONE * loose)
            culprit = _first_difference(record, other, apart)
            return (
                f"{name}: {culprit} gives a row other outputs in {mode} when other rows are in its batch, so the result would "
                f"change with the number of ranks; make each row depend on itself alone ({GHOST})"
            )
    return None


def _extreme_problem(name: str, model: Any, dataset: Any) -> str | None:
    """The examples with the smallest and the largest number, as a token beyond an Embedding: compiled code clips silently."""
    for key, split in dataset.splits.items():
        for what in ("argmin", "argmax") if split.in_memory else ():
            place = int(getattr(split.features, what)())
            row = place // int(np.prod(dataset.input_shape))
            where = (
                f"{name}: for example {row} of {key}, which holds {split.features.flat[place]:g}, the model"
            )
            try:
                with tf.device("/CPU:0"):
                    outputs = model(tf.convert_to_tensor(split.features[row : row + 1]), training=False)
            except Exception as error:
                return f"{where} fails: {describe(error)}"
            if not np.isfinite(outputs).all():
                return f"{where} gives NaN or infinite outputs with its initial weights"
    return None


def _gradient_problem(name: str, network: Network, rows: Rows) -> str | None:
    """Whether the gradient of a batch is the sum of its rows' gradients."""
    # In a graph: recurrent layers take seconds for a gradient outside of one.
    gradients = tf.function(partial(row_gradients, network, rows))
    together = gradients(tf.constant(rows.all, tf.int32))
    alone = [gradients(tf.constant(unit, tf.int32)) for unit in rows.units]
    loose = HALF if _computes_in_half(network.model) else 1.0
    # A gradient that is 0 but for rounding, as before a normalisation, is compared with the others'.
    largest = max(float(np.abs(whole).max(initial=0.0)) for whole in map(np.asarray, together))
    for variable, whole, *parts in zip(network.model.trainable_variables, together, *alone, strict=True):
        whole, total = np.asarray(whole, np.float64), np.sum(np.asarray(parts, np.float64), 0)
        if not (np.isfinite(whole).all() and np.isfinite(total).all()):
            continue
        if differ(whole, total, ALONE * loose) and np.abs(whole - total).max() > REPEATED * loose * largest:
            return (
                f"{name}: the gradient of {variable.path} for a batch is not the sum of its rows' gradients (a custom gradient "
                "that clips, averages or is random?), so the result would change with the number of ranks"
            )
    return None


def _dropout_problem(name: str, model: Any, rows: Rows) -> str | None:
    """A Dropout that the model asks to drop in evaluation too, which it does in training only."""
    asked: list[Any] = []
    original = layers.Dropout.call

    def watched(layer: Any, inputs: Any, training: bool | None = None) -> Any:
        if training:
            asked.append(layer)
        return original(layer, inputs, training)

    with patch.object(layers.Dropout, "call", watched):
        call(model, rows, training=False)
    if not asked:
        return None
    return (
        f"{name}: layer {asked[0].name} is called with training=True in evaluation, where Dropout does not drop here; leave "
        "that out"
    )


def _computes_in_half(model: Any) -> bool:
    return any("16" in str(layer.compute_dtype) for layer in model._flatten_layers())


def differ(one: Any, other: Any, tolerance: float) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return True
    if one.size == 0 or one.dtype.kind not in "fiub":
        return False
    one, other = one.astype(np.float64), other.astype(np.float64)
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return not np.array_equal(one, other, equal_nan=True)
    return bool(np.abs(one - other).max() > tolerance * max(np.abs(one).max(), np.abs(other).max(), 1e-12))


def rows_differ(one: Any, other: Any, chosen: list[int], tolerance: float) -> bool:
    """Whether a layer's rows differ; False if its first axis is not the batch."""
    one, other = np.asarray(one), np.asarray(other)
    if one.ndim == 0 or other.ndim == 0 or other.shape[0] != len(chosen) or one.shape[0] <= max(chosen):
        return False
    return differ(one[chosen], other, tolerance)


@contextmanager
def _recorded() -> Iterator[list[tuple[Any, list[Any]]]]:
    """Records what every layer returns inside the block, inner layers before the layers that call them."""
    record: list[tuple[Any, list[Any]]] = []
    original = keras.layers.Layer.__call__

    def watched(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = original(layer, *args, **kwargs)
        record.append((layer, [np.asarray(value) for value in tf.nest.flatten(outputs) if _is_array(value)]))
        return outputs

    with patch.object(keras.layers.Layer, "__call__", watched):
        yield record


def _is_array(value: Any) -> bool:
    # Inside a tf.function of the user's own, tensors hold no numbers.
    return isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value)


def _first_difference(
    one: list[tuple[Any, list[Any]]], other: list[tuple[Any, list[Any]]], apart: Callable[[Any, Any], bool]
) -> str:
    for (layer, outputs), (_, others) in zip(one, other, strict=False):
        if len(outputs) == len(others) and any(map(apart, outputs, others)):
            return f"layer {layer.name} ({type(layer).__name__})"
    return "the model"


def _form_problems(name: str, model: Any, rows: Rows) -> list[str]:
    """What the model contains that training would ignore."""
    problems = []
    for method in ("train_step", "compute_loss", "fit", "train_on_batch", "make_train_function"):
        if is_own(model, method):
            problems.append(
                f"{name}: {type(model).__name__} has a {method} of its own, which is not called here: the training algorithm "
                "and the task's loss are hvdsweep's. Put what the model adds to the loss into add_loss"
            )
    wide = [variable for variable in model.trainable_variables if str(variable.dtype) != "float32"]
    if wide:
        problems.append(
            f"{name}: the weight {wide[0].path} is {wide[0].dtype}, and training keeps weights in float32; build the layer "
            'with dtype="float32" (or "mixed_float16")'
        )
        return problems
    with tf.GradientTape() as tape:
        outputs, _ = call(model, rows)
    # Keras keeps it from layer to layer; the few rows may have nothing to mask.
    if get_keras_mask(outputs) is not None:
        problems.append(
            f"{name}: the output carries a mask (Masking, or Embedding(mask_zero=True)), which the loss does not read; mark "
            "padding by labels of -1, and leave the mask out"
        )
    known = {id(variable.value) for variable in model.variables}
    hand_made = [variable.name for variable in tape.watched_variables() if id(variable) not in known]
    if hand_made:
        problems.append(
            f"{name}: the model uses the tf.Variable {', '.join(hand_made[:3])}, which Keras does not train; make it with "
            "add_weight"
        )
    if not any(_slopes(model, rows, spread) for spread in SPREADS):
        problems.append(
            f"{name}: no weight changes the output: its gradient is 0 everywhere, so nothing would be trained"
        )
    return problems


def is_own(model: Any, method: str) -> bool:
    """Whether a model has a method of its own in place of Keras'."""
    return method in vars(model) or getattr(type(model), method) is not getattr(keras.Model, method)


def _slopes(model: Any, rows: Rows, spread: float | None) -> bool:
    """Whether any weight has a gradient."""
    with _weights(model, spread):
        weights = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape() as tape:
            outputs, _ = call(model, rows)
            total = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        gradients = tape.gradient(total, weights)
    return any(
        gradient is not None and bool(np.any(tf.convert_to_tensor(gradient))) for gradient in gradients
    )


DRAWS = 12
"""Random weights to try; the chance that a linear output of two classes is never negative with any of them is 10^-7."""


def _logits_problem(name: str, model: Any, rows: Rows) -> str | None:
    """Outputs limited by an activation: never negative (softmax, sigmoid, relu), or never beyond 1 (tanh)."""
    least, most, sums = np.inf, -np.inf, True
    for draw in range(DRAWS):
        with random_weights(model, (0.5, 2.0, 8.0)[draw % 3], seed=draw):
            outputs = np.asarray(tf.cast(call(model, rows, training=False)[0], tf.float32))
        outputs = outputs[np.isfinite(outputs).all(-1)] if outputs.ndim > 1 else outputs
        if outputs.size:
            least, most = min(least, float(outputs.min())), max(most, float(outputs.max()))
            sums = sums and bool(np.allclose(outputs.sum(-1), 1.0, atol=1e-3))
    if not np.isfinite(least) or most == least:
        return None
    logits = "return logits (no activation at the end)"
    if least >= 0:
        kind = "a softmax" if sums else "never negative, as after sigmoid or relu"
        return f"{name}: the model's output is {kind}; {logits}"
    if max(most, -least) <= 1.0 + 1e-5:
        return f"{name}: the model's output is never beyond 1, as after tanh; {logits}"
    if least >= -2.0 and most > 10:
        return f"{name}: the model's output is never far below 0, as after elu, selu, gelu or silu; {logits}"
    return None


def unread_metaparameters(model: Any, dataset: Any, names: set[str]) -> list[str]:
    """The `names` that the model does not use: changing them changes neither the outputs nor the loss."""
    rows = Rows.of(dataset, getattr(model, "granule", 1))
    unread = []
    if "dropout" in names and not _reads(model, lambda rate: [call(model, rows, rates={"dropout": rate})[0]]):
        unread.append("dropout")
    if "label_smoothing" in names:
        # The test needs any logits; those of a small model may all be 0.
        shape = call(model, rows)[0].shape
        logits = tf.constant(np.random.default_rng(0).standard_normal(shape), tf.float32)
        low, high = (dataset.task.losses(logits, rows.labels, tf.constant(value)) for value in (0.0, 0.5))
        if all(np.array_equal(one, other) for one, other in zip(low, high, strict=True)):
            unread.append("label_smoothing")
    return unread


def _reads(model: Any, results: Callable[[float], list[Any]]) -> bool:
    for spread in SPREADS:
        with _weights(model, spread):
            low, high = results(0.0), results(0.5)
        if any(not np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(low, high, strict=True)):
            return True
    return False


def without_influence(model: Any, dataset: Any) -> list[str]:
    """Trainable weights that neither the outputs nor added losses depend on at all."""
    rows = Rows.of(dataset, getattr(model, "granule", 1))
    weights = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        outputs, added = call(model, rows)
        total = tf.add_n([tf.reduce_sum(tf.cast(part, tf.float32)) for part in (outputs, *added)])
    gradients = tape.gradient(total, weights)
    return [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None and variable.regularizer is None
    ]
