"""Hashes of what the user's code returned: equal hashes mean the same data and the same model.

The proof before a launch makes them part of every trial's identity, and every rank of a gang compares them with its
own: data shuffled without a seed, or split by rank, would otherwise give wrong numbers without any error.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hvdsweep.training.network import Network

SAMPLED = 8
"""Examples of a stream that are hashed in place of all of them."""


def contents(network: Network) -> tuple[str, str]:
    """Hashes of a network's data set and of its model, made once."""
    return network.shared("contents", lambda: (data_content(network.dataset), model_content(network)))


def data_content(dataset: Any) -> str:
    """Hash of a data set: its task, its splits' features and labels in their order (of a stream: its length and some
    examples), and what its augmentation and a task of the user's own compute with."""
    found = hashlib.sha256(
        repr((dataset.task.name, tuple(dataset.input_shape), int(dataset.classes))).encode()
    )
    for name, split in sorted(dataset.splits.items()):
        found.update(f"{name} {len(split)}".encode())
        if isinstance(split.features, np.ndarray):
            arrays = [split.features, split.labels]
        else:
            rows = np.linspace(0, len(split) - 1, min(SAMPLED, len(split))).astype(np.int64)
            arrays = list(next(iter(split.features.blocks([rows]))))
        for array in arrays:
            values = np.ascontiguousarray(array)
            found.update(repr((values.dtype.str, values.shape)).encode())
            found.update(values.reshape(-1).view(np.uint8).data)
    from workloads.tasks import TASKS

    own_task = type(dataset.task) not in TASKS.values()
    if dataset.augment is not None or own_task:
        from hvdsweep.training.traces import augment_trace, task_trace

        if dataset.augment is not None:
            found.update(augment_trace(dataset).content(set()))
        if own_task:
            found.update(task_trace(dataset).content(set()))
    return found.hexdigest()[:16]


def model_content(network: Network) -> str:
    """Hash of a model's form (layers, their settings, shapes of weights), of the weights that it keeps, and of what the graphs
    of a user's model compute with (`traces.content_of_traces`)."""
    from hvdsweep.training.traces import content_of_traces

    model = network.model
    traced = content_of_traces(network) if network.own else b""
    found = hashlib.sha256(repr(network.initial.content).encode() + traced)
    for layer in model._flatten_layers(include_self=False):
        found.update(repr((type(layer).__name__, _settings(layer))).encode())
    for variable in model.weights:
        form = (tuple(variable.shape), str(variable.dtype), bool(variable.trainable))
        also = [_described(getattr(variable, name, None)) for name in ("regularizer", "constraint")]
        found.update(repr((form, also)).encode())
    return found.hexdigest()[:16]


def _settings(thing: Any) -> list[tuple[str, Any]]:
    """Plain values of its configuration, without names, seeds and functions (whose source is hashed already)."""
    try:
        config = thing.get_config()
    except Exception:
        return []
    return sorted(
        (key, value)
        for key, value in config.items()
        if key not in ("name", "seed") and isinstance(value, bool | int | float | str)
    )


def _described(thing: Any) -> Any:
    return None if thing is None else (type(thing).__name__, _settings(thing))
