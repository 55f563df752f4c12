"""Initial weights of a trial: drawn from its seed, except the weights that the user's `build` set, which are kept.

Keras draws initial weights when a layer is built; building a model for every trial would cost a trace per trial. So we
record the initialiser of every weight when the layer creates it, and draw from it again with each trial's seed. A
weight that no longer holds its initialiser's value (`load_model`, `set_weights`, `Embedding(weights=...)`, `assign`)
was set on purpose: every trial starts from the value that `build` left.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

_NOTE = "_hvdsweep_initial"
"""The attribute of a variable that holds its note."""


class _Note:
    """How a variable was created."""

    def __init__(self, initializer: Any) -> None:
        self.initializer = initializer
        self.digest: bytes | None = None
        """Hash of the first value; None until there is one."""


def note_initializers() -> None:
    """From now on, record the initialiser and the first value of every weight that a Keras layer creates."""
    if hasattr(keras.layers.Layer.add_weight, _NOTE):
        return
    original = keras.layers.Layer.add_weight
    backend.compute_output_spec = _without_traces(backend.compute_output_spec)

    def add_weight(layer: Any, *args: Any, **kwargs: Any) -> Any:
        variable = original(layer, *args, **kwargs)
        initializer = kwargs.get("initializer", args[1] if len(args) > 1 else None)
        # Keras' default if a layer names none: glorot_uniform for floating weights, zeros for others.
        if initializer is None:
            initializer = "glorot_uniform" if "float" in str(variable.dtype) else "zeros"
        note = _Note(keras.initializers.get(initializer))
        setattr(variable, _NOTE, note)
        if variable._value is not None:
            note.digest = _digest(variable)
        else:
            # Created while Keras only infers shapes: the value follows.
            deferred = variable._deferred_initialize

            def initialize() -> None:
                deferred()
                note.digest = _digest(variable)

            variable._deferred_initialize = initialize
        return variable

    setattr(add_weight, _NOTE, True)
    keras.layers.Layer.add_weight = add_weight


def _without_traces(infers: Callable[..., Any]) -> Callable[..., Any]:
    """A function by which Keras infers shapes, and builds layers: a tf.function of the user's own that is traced there would
    compute with the weights' initial values for ever."""

    def infer(*args: Any, **kwargs: Any) -> Any:
        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            return infers(*args, **kwargs)
        except Exception:
            # Python's control flow over tensors needs a trace. Where there are numbers, Keras calls the layer with them instead.
            if not any(isinstance(value, keras.KerasTensor) for value in keras.tree.flatten((args, kwargs))):
                raise
        finally:
            tf.config.run_functions_eagerly(before)
        return infers(*args, **kwargs)

    return infer


def _digest(variable: Any) -> bytes:
    with tf.init_scope():  # a layer may be built in a graph
        value = np.ascontiguousarray(variable.numpy())
    return hashlib.sha256(repr((value.dtype.str, value.shape)).encode() + value.tobytes()).digest()


class _GivenSeed(keras.random.SeedGenerator):  # type: ignore[misc]
    """A seed generator without state: it returns the tensor it was given."""

    def __init__(self, seed: Any) -> None:
        self._given = seed

    def next(self, ordered: bool = True) -> Any:
        return self._given


def _seeded(initializer: Any, seed: Any) -> Any:
    """A copy of the initialiser with this seed, its nested initialisers included."""
    initializer = copy.copy(initializer)
    for name, value in vars(initializer).items():
        if isinstance(value, keras.initializers.Initializer):
            setattr(initializer, name, _seeded(value, seed))
        elif isinstance(value, keras.random.SeedGenerator):
            setattr(initializer, name, _GivenSeed(seed))
    if hasattr(initializer, "seed"):
        initializer.seed = _GivenSeed(seed)
    return initializer


class InitialWeights:
    """Sets every variable of a model to its initial value for a trial's seed."""

    def __init__(self, model: Any) -> None:
        """Create it once, after the model is built and before anything trains it."""
        self.kept: list[Any] = []
        """The weights that start from the value `build` left, for every seed."""
        weights = {id(variable) for variable in model.weights}
        self._plan: list[tuple[Any, Any, Any]] = []
        kept = hashlib.sha256()
        for index, variable in enumerate(model.variables):
            note: _Note | None = getattr(variable, _NOTE, None)
            digest = _digest(variable)
            if (
                note is not None
                and isinstance(note.initializer, keras.initializers.Initializer)
                and note.digest in (None, digest)
            ):
                self._plan.append((variable, note.initializer, None))
                continue
            self._plan.append((variable, None, tf.constant(variable.numpy())))
            # The others are states of Keras' seed generators, which are refused if a layer uses them.
            if id(variable) in weights:
                self.kept.append(variable)
                kept.update(index.to_bytes(8, "little") + digest)
        self.content: str | None = kept.hexdigest()[:16] if self.kept else None
        """Hash of the kept weights and their positions; None if there are none."""
        # Not under XLA: its random numbers differ from the plain kernels', and initial weights must not depend on np.
        self._reset = tf.function(self._draw, input_signature=[tf.TensorSpec((), tf.int32)], autograph=False)

    def __call__(self, seed: int) -> None:
        """Set the variables for this seed."""
        self._reset(tf.constant(seed, tf.int32))

    def drawn(self, seed: Any) -> dict[int, Any]:
        """The values that initialisers draw, by the place of their variable; inside a graph."""
        return {
            index: _seeded(initializer, tf.stack([seed, tf.constant(index, tf.int32)]))(
                tuple(variable.shape), dtype=variable.dtype
            )
            for index, (variable, initializer, _) in enumerate(self._plan)
            if initializer is not None
        }

    def _draw(self, seed: Any) -> None:
        drawn = self.drawn(seed)
        for index, (variable, _, value) in enumerate(self._plan):
            variable.value.assign(tf.cast(drawn.get(index, value), variable.dtype))
