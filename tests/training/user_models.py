"""Models as users write them, one function per behaviour: digits (8, 8, 1) in, logits of 10 classes out.

Named `user_models:NAME` by the tests of this folder. How to add one: tests/README.md.
"""

import keras
import numpy as np

from workloads.layers import Dropout

SIZE = 64
"""Pixels of a digit."""


def stack(*layers, out=None):
    """The layers on a flattened digit, then logits."""
    return keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), *layers, out or keras.layers.Dense(10)]
    )


def matrix(seed, *shape):
    """Fixed numbers."""
    return (np.random.default_rng(seed).standard_normal(shape) / 8).astype(np.float32)


# Weights that build sets itself.


def plain():
    """Nothing is set: every weight is drawn from the trial's seed."""
    return stack(keras.layers.Dense(5, activation="tanh"))


def set_weights():
    """Layer.set_weights after building."""
    model = stack(keras.layers.Dense(5, activation="tanh"))
    model.layers[1].set_weights([matrix(1, SIZE, 5), matrix(2, 5)])
    return model


def assigned():
    """Variable.assign on one weight of a layer: its bias is still drawn."""
    model = stack(keras.layers.Dense(5, activation="tanh"))
    model.layers[1].kernel.assign(matrix(1, SIZE, 5))
    return model


def loaded_model():
    """A saved model, loaded again."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        set_weights().save(path)
        return keras.models.load_model(path)


def loaded_weights():
    """Model.load_weights."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "all.weights.h5")
        set_weights().save_weights(path)
        model = plain()
        model.load_weights(path)
        return model


def frozen_base():
    """A base with its own weights, frozen, under a head with drawn weights."""
    base = keras.Sequential([keras.Input((SIZE,)), keras.layers.Dense(5, activation="tanh")])
    base.set_weights([matrix(1, SIZE, 5), matrix(2, 5)])
    base.trainable = False
    return stack(base)


def embedding():
    """Embedding(weights=..., trainable=False) over pixel values."""
    table = keras.layers.Embedding(17, 3, weights=[matrix(1, 17, 3)], trainable=False)
    return stack(keras.layers.Rescaling(16), table, keras.layers.Flatten())


def by_hand():
    """A variable made without add_weight."""

    class Own(keras.layers.Layer):
        def build(self, shape):
            self.kernel = keras.Variable(matrix(1, shape[-1], 5), trainable=True)

        def call(self, x):
            return keras.ops.tanh(x @ self.kernel)

    return stack(Own())


def with_state():
    """A weight that training does not touch, and the seeds of Keras' Dropout."""

    class Own(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(), initializer="ones", trainable=False)

        def call(self, x):
            return self.scale * x

    return stack(Own(), keras.layers.Dense(5, activation="tanh"), keras.layers.Dropout(0.2))


def lazy():
    """A subclassed model whose layers are built at the first call."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = [
                keras.layers.Flatten(),
                keras.layers.Dense(5, activation="tanh"),
                keras.layers.Dense(10),
            ]

        def call(self, x):
            for layer in self.body:
                x = layer(x)
            return x

    return Net()


# Losses that the model adds, and constraints. The rates are large enough to be seen in the first losses.


def regularised():
    """Regularisers of kernels and a bias: one shared by two layers, one that is no sum over entries."""
    both = keras.regularizers.L1L2(0.1, 0.2)
    return stack(
        keras.layers.Dense(5, kernel_regularizer=keras.regularizers.L2(0.5)),
        keras.layers.Dense(5, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.5)),
        keras.layers.Dense(5, kernel_regularizer=both, bias_regularizer=both),
        out=keras.layers.Dense(10, kernel_regularizer=both),
    )


def activity():
    """An activity regulariser: Keras divides it by the rows of the batch."""
    return stack(keras.layers.Dense(5, activation="tanh", activity_regularizer=keras.regularizers.L2(0.5)))


class Adds(keras.layers.Layer):
    """Adds what a function of its input (and kernel) gives."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 5))

    def call(self, x):
        y = keras.ops.tanh(x @ self.kernel)
        self.add_loss(self.function(y, self.kernel))
        return y


def add_mean_after_dropout():
    """add_loss of a mean over rows, after dropout."""
    return stack(Dropout(0.3), Adds(lambda y, w: keras.ops.mean(keras.ops.square(y - 0.3))))


def add_sum():
    """add_loss of a sum over rows."""
    return stack(Adds(lambda y, w: 0.05 * keras.ops.sum(keras.ops.square(y))))


def add_weights():
    """add_loss of weights alone."""
    return stack(Adds(lambda y, w: 0.5 * keras.ops.sum(keras.ops.square(w))))


def add_two():
    """Two kinds in one model."""
    return stack(
        Adds(lambda y, w: keras.ops.mean(keras.ops.abs(y))),
        Adds(lambda y, w: 0.1 * keras.ops.sum(keras.ops.abs(w))),
    )


def add_squared_mean():
    """The square of a mean: no mean, no sum."""
    return stack(Adds(lambda y, w: 10 * keras.ops.square(keras.ops.mean(y))))


def add_variance():
    """The variance over the batch."""
    return stack(Adds(lambda y, w: keras.ops.mean(keras.ops.var(y, axis=0))))


class Smaller(keras.constraints.Constraint):
    """A constraint with Python control flow over tensors."""

    def __call__(self, weight):
        while keras.ops.sum(keras.ops.square(weight)) > 4:
            weight = 0.9 * weight
        return weight


def constrained():
    """Columns of at most a norm, a regulariser and a constraint on one weight, no negative weight in the head, the user's own."""
    layers = keras.layers
    l2 = keras.regularizers.L2(0.5)
    return stack(
        layers.Dense(5, kernel_constraint=keras.constraints.MaxNorm(0.3)),
        layers.Dense(5, kernel_regularizer=l2, kernel_constraint=keras.constraints.UnitNorm()),
        layers.Dense(5, kernel_constraint=Smaller()),
        out=layers.Dense(10, kernel_constraint="non_neg"),
    )


def everything():
    """Weights that are set, regularisers, dropout, added means and sums and a constraint in one model."""
    layers = keras.layers
    l2 = keras.regularizers.L2(0.5)
    model = stack(
        layers.Dense(5, activation="tanh", kernel_regularizer=l2, activity_regularizer=l2),
        Dropout(0.3),
        Adds(lambda y, w: keras.ops.mean(keras.ops.square(y - 0.3))),
        Adds(lambda y, w: 0.05 * keras.ops.sum(keras.ops.square(y))),
        Adds(lambda y, w: 0.1 * keras.ops.sum(keras.ops.abs(w))),
        layers.Dense(5, kernel_constraint=keras.constraints.MaxNorm(0.3)),
    )
    model.layers[1].set_weights([matrix(1, SIZE, 5), matrix(2, 5)])
    return model
