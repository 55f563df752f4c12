"""Initial weights as a function of the trial's seed, drawn in one graph call, the same on every rank.

Keras draws initial weights when a layer is built; building a model anew for each trial would cost a trace per trial. So the
initialisers are noted down while the model is built once, and drawn again for each trial with that trial's seed.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

Note = list[tuple[Any, Any]]
"""(variable, initialiser) in the order of creation."""


@contextlib.contextmanager
def noted_initializers() -> Iterator[Note]:
    """Note the initialiser of every weight that a layer creates inside the block."""
    notes: Note = []
    original = keras.layers.Layer.add_weight

    def add_weight(layer: Any, *args: Any, **kwargs: Any) -> Any:
        variable = original(layer, *args, **kwargs)
        initializer = kwargs.get("initializer", args[1] if len(args) > 1 else None)
        # Keras' own default where a layer names none: glorot_uniform for floating weights, zeros for others.
        if initializer is None:
            initializer = "glorot_uniform" if "float" in str(variable.dtype) else "zeros"
        notes.append((variable, keras.initializers.get(initializer)))
        return variable

    keras.layers.Layer.add_weight = add_weight
    try:
        yield notes
    finally:
        keras.layers.Layer.add_weight = original


class _GivenSeed(keras.random.SeedGenerator):  # type: ignore[misc]
    """A seed generator that holds no state: it hands out the tensor it was given."""

    def __init__(self, seed: Any) -> None:
        self._given = seed

    def next(self, ordered: bool = True) -> Any:
        return self._given


def weight_reset(model: Any, notes: Note) -> Callable[[Any], None]:
    """A traced function of the seed (int32 scalar) that gives every variable of the model its initial value.

    Variables without a noted, seedable initialiser (created by hand in the user's own code) return to the values that they
    had after the model was built.
    """
    noted = {id(variable): initializer for variable, initializer in notes}
    plan: list[tuple[Any, Any, Any]] = []
    for variable in model.variables:
        initializer = noted.get(id(variable))
        if isinstance(initializer, keras.initializers.Initializer):
            plan.append((variable, initializer, None))
        else:
            plan.append((variable, None, tf.constant(variable.numpy())))

    # Not under XLA, whose random numbers differ from the plain kernels': initial weights may not depend on np.
    @tf.function(input_signature=[tf.TensorSpec((), tf.int32)], autograph=False)  # type: ignore[untyped-decorator]
    def reset(seed: Any) -> None:
        for index, (variable, initializer, value) in enumerate(plan):
            if initializer is not None:
                if hasattr(initializer, "seed"):
                    initializer = copy.copy(initializer)
                    initializer.seed = _GivenSeed(tf.stack([seed, tf.constant(index, tf.int32)]))
                value = initializer(tuple(variable.shape), dtype=variable.dtype)
            variable.value.assign(tf.cast(value, variable.dtype))

    def call(seed: Any) -> None:
        reset(tf.constant(seed, tf.int32))

    return call
