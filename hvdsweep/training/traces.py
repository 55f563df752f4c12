"""A user's model as TensorFlow's graphs: operations that cannot be repeated, and a hash of all that a graph computes with.

Whatever the user's Python looks at while a graph is made (files, the clock, the rank, the host, the environment) ends there as
an operation, a setting or a constant.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import keras
import tensorflow as tf

from hvdsweep.training.trial_rows import Rows, call

if TYPE_CHECKING:
    from hvdsweep.training.network import Network

STATELESS = "draw from workloads.stateless, or leave it out"
GHOST = "for batch normalisation: workloads.layers.GhostBatchNormalization"
UNREPEATABLE = {
    re.compile(
        r"Random|Stateful(?!PartitionedCall)|Rng|Multinomial|TruncatedNormal|ParameterizedTruncatedNormal"
    ): f"draws random numbers in {{mode}} ({{op}}), others in every run and on every rank; {STATELESS}",
    re.compile(r"Timestamp"): "reads the clock in {mode} ({op}); leave it out",
    re.compile(
        r"(Eager)?PyFunc"
    ): "runs Python in {mode} ({op}: tf.py_function, tf.numpy_function), which may give other values "
    "in every run; write it with operations of TensorFlow or keras.ops",
}
"""Operations whose result is another one at each call, and what to say of them."""
WRITES = re.compile(r"Assign|ResourceScatter|ResourceStridedSliceAssign")
"""Operations that change a variable."""
FINDS = "LookupTableFindV2"
"""The operation that reads a hash table."""
NAMES = {"shared_name", "container", "token", "debug_name", "config_proto", "executor_type"}
"""Settings of operations that change nothing, or only count calls."""

Maker = tuple[Any, set[str]]
"""A layer, and the operations that one call of it put into a graph."""


@dataclass(frozen=True)
class Trace:
    """A traced function of a model."""

    mode: str
    """What it does, as in "draws random numbers in MODE"."""
    function: Any
    makers: list[Maker]
    whole: str = "the model"
    """What it is a function of, as in "THE MODEL draws random numbers"."""

    @classmethod
    def of(cls, mode: str, function: Callable[..., Any], *specs: Any, **also: Any) -> Trace:
        """Trace a function of tensors like `specs`."""
        with _operations() as makers:
            traced = tf.function(function, autograph=True).get_concrete_function(*specs)
        return cls(mode, traced, makers, **also)

    @property
    def nodes(self) -> list[Any]:
        """The operations, those of branches and loops included."""
        graph = self.function.graph.as_graph_def()
        return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]

    def problem(self, name: str) -> str | None:
        """A random, timed, Python or state-changing operation, as a sentence about the user's function `name`."""
        nodes = self.nodes
        for node in nodes:
            for pattern, sentence in UNREPEATABLE.items():
                if pattern.match(node.op):
                    return f"{name}: {self._maker(node.name)} {sentence.format(mode=self.mode, op=node.op)}"
        written = next((node for node in nodes if WRITES.match(node.op)), None)
        if written is None:
            return None
        maker = self._maker(written.name)
        if any(node.op.startswith("Stateless") for node in nodes):
            # Keras' generators count their draws in a variable.
            return (
                f"{name}: {maker} draws random numbers in {self.mode} (keras.random), others in every run and on every rank; "
                f"{STATELESS}"
            )
        return (
            f"{name}: {maker} changes its own variables in {self.mode} ({written.op}), on each rank by the rows that it sees; "
            f"use layers without such a state ({GHOST}, or freeze it: trainable = False)"
        )

    def _maker(self, operation: str) -> str:
        """The innermost layer that made an operation; operations of branches and loops belong to no layer by name."""
        return next(
            (
                f"layer {layer.name} ({type(layer).__name__})"
                for layer, made in self.makers
                if operation in made
            ),
            self.whole,
        )

    def content(self, known: set[int]) -> bytes:
        """Hash of operations, settings and constants, and of variables that are not the model's own (by `id`, `known`)."""
        graph = self.function.graph
        definition = graph.as_graph_def()
        found = hashlib.sha256(_digest(definition.node))
        # Functions have names that count traces, so their order is that of what they hold.
        found.update(b"".join(sorted(_digest(function.node_def) for function in definition.library.function)))
        captured = [outer for outer, _ in graph.captures if outer.dtype not in (tf.resource, tf.variant)]
        for value in [*captured, *(one for one in graph.variables if id(one) not in known)]:
            array = value.numpy()
            found.update(repr((str(value.dtype), tuple(value.shape))).encode() + array.tobytes())
        kinds = {(node.attr["Tin"].type, node.attr["Tout"].type) for node in self.nodes if node.op == FINDS}
        handles = [outer for outer, _ in graph.captures if outer.dtype == tf.resource]
        for handle, (keys, values) in product(handles, sorted(kinds)):
            # Other resources, and tables of other types, cannot be exported so.
            with suppress(tf.errors.OpError):
                table = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=keys, Tvalues=values)
                pairs = zip(*(part.numpy().tolist() for part in table), strict=True)
                found.update(repr(sorted(pairs)).encode())
        return found.digest()


def _digest(nodes: Any) -> bytes:
    found = hashlib.sha256()
    for node in nodes:
        found.update(node.op.encode())
        for key in sorted(node.attr):
            value = node.attr[key]
            if key.startswith("_") or key in NAMES or value.HasField("func") or value.list.func:
                continue
            found.update(key.encode() + value.SerializeToString(deterministic=True))
    return found.digest()


@contextmanager
def _operations() -> Iterator[list[Maker]]:
    """The operations that every layer called inside the block puts into the graph, inner layers first."""
    made: list[Maker] = []
    original = keras.layers.Layer.__call__

    def watched(layer: Any, *args: Any, **kwargs: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        before = len(graph.get_operations())
        outputs = original(layer, *args, **kwargs)
        made.append((layer, {operation.name for operation in graph.get_operations()[before:]}))
        return outputs

    with patch.object(keras.layers.Layer, "__call__", watched):
        yield made


def forward_traces(network: Network) -> Iterator[Trace]:
    """What a trial computes by the user's own code: the outputs and added losses in training, the outputs in evaluation, the
    initial weights, regularisers and constraints."""
    rows = Rows.of(network.dataset, network.granule)
    spec = tf.TensorSpec(rows.features.shape, rows.features.dtype)
    for mode in ("training", "evaluation"):
        yield Trace.of(
            mode,
            lambda features, mode=mode: call(
                network.model, replace(rows, features=features), training=mode == "training"
            ),
            spec,
        )
    yield Trace.of("the initial weights", network.initial.drawn, tf.TensorSpec((), tf.int32))
    if network.penalties.of_weights_alone:
        yield Trace.of("regularisers and constraints", network.penalties.penalised)


def augment_trace(dataset: Any) -> Trace:
    """A data set's augmentation."""
    rows = Rows.of(dataset, 1)
    specs = [
        tf.TensorSpec((None, *rows.features.shape[1:]), rows.features.dtype),
        tf.TensorSpec((None,), tf.uint32),
    ]
    return Trace.of(
        "training", lambda features, keys: dataset.augment(features, keys), *specs, whole="augment"
    )


def task_trace(dataset: Any) -> Trace:
    """Losses and metrics of a task of the user's own, for an output per class, or per label and class (sequences)."""
    labels, task = Rows.of(dataset, 1).labels, dataset.task

    def traced(shape: tuple[int, ...]) -> Trace:
        return Trace.of(
            "losses and metrics",
            lambda outputs, labels: (task.losses(outputs, labels, None), task.metrics(outputs, labels)),
            tf.TensorSpec((*shape, dataset.classes), tf.float32),
            tf.TensorSpec(labels.shape, labels.dtype),
            whole=f"the task {task.name}",
        )

    try:
        return traced((len(labels),))
    except Exception as error:
        if len(labels.shape) == 1:
            raise
        try:
            return traced(tuple(labels.shape))
        except Exception:
            raise error from None


def gradient_trace(network: Network) -> Trace:
    """The backward pass, where gradients of the user's own may draw random numbers too."""
    rows = Rows.of(network.dataset, network.granule)
    spec = tf.TensorSpec((len(rows.all),), tf.int32)
    return Trace.of("the gradient", lambda chosen: row_gradients(network, rows, chosen), spec)


def row_gradients(network: Network, rows: Rows, chosen: Any) -> list[Any]:
    """The gradients of the sum of these rows' losses in training, without those that layers add."""
    with tf.GradientTape() as tape:
        outputs, _ = call(network.model, rows, chosen)
        losses, _ = network.dataset.task.losses(outputs, tf.gather(rows.labels, chosen))
        total = tf.reduce_sum(losses)
    gradients = tape.gradient(total, network.weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def content_of_traces(network: Network) -> bytes:
    """Hash of all that the user's code put into the graphs of a model."""
    known = {id(variable.value) for variable in network.model.variables}
    # Recurrent layers have another graph on a GPU; the machine that plans may have none.
    with patch("keras.src.backend.tensorflow.rnn._is_gpu_available", lambda: False):
        return b"".join(trace.content(known) for trace in forward_traces(network))
