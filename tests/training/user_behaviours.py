"""Models whose layers behave in ways that a class name does not show. `REFUSED` says what a refusal must name; `TAKEN` train.

How to add one: tests/README.md.
"""

import itertools
import os
import time

import keras
import numpy as np
import tensorflow as tf

from tests.training.user_models import SIZE, matrix, stack
from workloads import stateless
from workloads.layers import Dropout, GhostBatchNormalization

REFUSED = {}
"""Function -> regular expression that the refusal matches."""
_WIDTHS = itertools.count(3)
_BASE = keras.Sequential([keras.Input((SIZE,)), keras.layers.Dense(6)])
TAKEN = []
"""Functions whose models are accepted."""


def refused(pattern):
    def keep(build):
        REFUSED[build.__name__] = pattern
        return build

    return keep


def taken(build):
    TAKEN.append(build.__name__)
    return build


def layer(call, name="odd", **also):
    """A layer of one function of (layer, inputs, training)."""

    class Odd(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(name=name, **options)
            for key, value in also.items():
                setattr(self, key, value)

        def call(self, x, training=False):
            return call(self, x, training)

    return Odd()


def dense():
    return keras.layers.Dense(6)


# Random layers.


@refused(r"layer odd \(Odd\) draws random numbers in training")
def keras_random():
    """keras.random with the global generator."""
    return stack(dense(), layer(lambda self, x, training: x + keras.random.normal(keras.ops.shape(x))))


@refused(r"draws random numbers in training \(keras.random\)")
def keras_generator():
    """keras.random with a generator of the layer's own, held in a list."""
    seeds = [keras.random.SeedGenerator(3)]
    return stack(
        dense(), layer(lambda self, x, training: x + keras.random.normal(keras.ops.shape(x), seed=seeds[0]))
    )


@refused(r"layer odd \(Odd\) draws random numbers in training \(RandomUniform")
def tf_random():
    """tf.random in training only."""
    return stack(
        dense(), layer(lambda self, x, training: x + tf.random.uniform(tf.shape(x)) if training else x)
    )


@refused(r"layer odd \(Odd\) draws random numbers in evaluation")
def random_in_evaluation():
    """Random in an unusual place."""
    return stack(
        dense(), layer(lambda self, x, training: x if training else x + tf.random.normal(tf.shape(x)))
    )


@refused(r"layer odd \(Odd\) draws random numbers")
def rarely_random():
    """Stochastic depth that skips once in 10,000 calls."""
    return stack(
        dense(), layer(lambda self, x, training: tf.where(tf.random.uniform(()) < 1e-4, 0.0, 1.0) * x)
    )


@refused(r"layer odd \(Lambda\) draws random numbers")
def random_lambda():
    """A Lambda layer."""
    return stack(dense(), keras.layers.Lambda(lambda x: x * tf.random.uniform((1, 6)), name="odd"), dense())


@refused(r"layer odd \(Odd\) gives other outputs in two equal calls")
def numpy_random():
    """numpy's generator, frozen where a graph is traced."""
    return stack(dense(), layer(lambda self, x, training: x + np.random.standard_normal(6).astype("float32")))


@refused(r"layer odd \(Odd\) gives a row other outputs in training")
def fixed_mask():
    """A fixed seed: the same mask at each step, by the row's place in a rank's batch."""
    return stack(
        dense(),
        layer(lambda self, x, training: x * keras.random.binomial(keras.ops.shape(x), 1, 0.5, seed=3)),
    )


@refused(r"odd.*draws random numbers")
def random_inside_a_model():
    """In a model inside the model."""
    inner = keras.Sequential([dense(), layer(lambda self, x, training: x + tf.random.normal(tf.shape(x)))])
    return stack(inner, dense())


@refused(r"layer odd \(Odd\) reads the clock in training \(Timestamp\)")
def clock():
    """The time of the call, too small to be seen in two calls."""
    return stack(dense(), layer(lambda self, x, training: x + 1e-9 * tf.cast(tf.timestamp() % 10, x.dtype)))


@refused(r"layer odd \(Odd\) runs Python in training \(EagerPyFunc")
def python_function():
    """Python inside the graph, whatever it does."""

    def run(self, x, training):
        return tf.ensure_shape(tf.py_function(lambda y: 2 * y, [x], tf.float32), x.shape)

    return stack(dense(), layer(run))


@refused("calls it: seed what it draws .*use neither clock nor rank")
def clock_at_build():
    """A number from the clock that only a closure knows."""
    now = time.time() % 10
    return stack(dense(), layer(lambda self, x, training: x * now))


@refused("calls it: seed what it draws .*use neither clock nor rank")
def rank_in_a_call():
    """Every rank computes something else with the same weights."""
    return stack(dense(), layer(lambda self, x, training: x * (1 + int(os.environ.get("HOROVOD_RANK", "0")))))


@refused("draws random numbers in the gradient")
def random_gradient():
    """Noise in the backward pass alone."""

    @tf.custom_gradient
    def noisy(x):
        return tf.identity(x), lambda upstream: upstream * tf.random.uniform(tf.shape(upstream))

    return stack(dense(), layer(lambda self, x, training: noisy(x)))


@refused("draws random numbers in regularisers and constraints")
def random_constraint():
    """A constraint with noise."""

    class Noisy(keras.constraints.Constraint):
        def __call__(self, w):
            return w + 1e-3 * tf.random.normal(tf.shape(w))

    return stack(keras.layers.Dense(6, kernel_constraint=Noisy()))


@refused("GaussianNoise draws random numbers")
def gaussian_noise():
    """A random layer of Keras."""
    return stack(keras.layers.GaussianNoise(0.1))


@refused("SpatialDropout1D draws random numbers")
def spatial_dropout():
    """Another one."""
    return stack(keras.layers.Reshape((SIZE, 1)), keras.layers.SpatialDropout1D(0.1), keras.layers.Flatten())


# States.


class Moving(keras.layers.Layer):
    """Keeps a moving average that its output does not depend on."""

    def build(self, shape):
        self.mean = self.add_weight(shape=(shape[-1],), trainable=False, initializer="zeros")

    def call(self, x, training=False):
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(x, 0))
        return x


@refused(r"layer moving \(Moving\) changes its own variables in training")
def moving_average():
    """A state that does not change the output."""
    return stack(dense(), Moving(name="moving"))


@refused(r"layer odd \(Odd\) gives other outputs in two equal calls")
def counter():
    """A counter in Python."""

    def call(self, x, training):
        self.calls[0] += 1
        return x * self.calls[0]

    return stack(dense(), layer(call, calls=np.zeros(1, np.float32)))


@refused("lstm.* changes its own variables|stateful")
def stateful_lstm():
    """A recurrent layer that continues where the last batch ended."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), batch_size=None),
            keras.layers.Reshape((8, 8)),
            Remembering(),
            keras.layers.Dense(10),
        ]
    )


class Remembering(keras.layers.Layer):
    """A state of one number, summed over what it saw."""

    def build(self, shape):
        self.seen = self.add_weight(shape=(), trainable=False, initializer="zeros", name="lstm_seen")
        self.lstm = keras.layers.LSTM(3)
        self.lstm.build(shape)

    def call(self, x):
        self.seen.assign_add(keras.ops.mean(x))
        return self.lstm(x) + self.seen


@refused("changes its own variables in training|gives other outputs")
def spectral_normalization():
    """A wrapper of Keras that updates a vector in each training call."""
    return stack(keras.layers.SpectralNormalization(dense()))


# Layers that look at the other rows.


def _normalised(x, axis=0):
    return (x - keras.ops.mean(x, axis, keepdims=True)) / (keras.ops.std(x, axis, keepdims=True) + 1e-3)


@refused("GhostBatchNormalization")
def batch_normalization():
    """Keras' own."""
    return stack(dense(), keras.layers.BatchNormalization())


@refused(r"layer odd \(Odd\) gives a row other outputs in training when other rows are in its batch")
def own_batch_normalization():
    """Self-written, in training only."""
    return stack(dense(), layer(lambda self, x, training: _normalised(x) if training else x))


@refused(r"layer odd \(Odd\) gives a row other outputs in evaluation")
def normalised_in_evaluation():
    """In evaluation only."""
    return stack(dense(), layer(lambda self, x, training: x if training else _normalised(x)))


@refused(r"gives a row other outputs in training")
def gated_normalization():
    """Behind a gate that starts at 0."""

    class Gated(keras.layers.Layer):
        def build(self, shape):
            self.gate = self.add_weight(shape=(), initializer="zeros")

        def call(self, x):
            return x + self.gate * _normalised(x)

    return stack(dense(), Gated())


@refused(r"layer odd \(Odd\) gives a row other outputs")
def divides_by_rows():
    """Divides by the size of the batch."""
    return stack(
        dense(), layer(lambda self, x, training: x / keras.ops.cast(keras.ops.shape(x)[0], "float32"))
    )


@refused(r"layer odd \(Odd\) gives a row other outputs")
def softmax_over_rows():
    """The wrong axis."""
    return stack(dense(), layer(lambda self, x, training: 5 * keras.ops.softmax(x, axis=0)))


@refused(r"layer odd \(Odd\) gives a row other outputs")
def neighbour():
    """Adds the row before."""
    return stack(dense(), layer(lambda self, x, training: x + tf.roll(x, 1, 0)))


@refused(r"layer odd \(Odd\) gives a row other outputs")
def in_batch_attention():
    """Attention over the rows of the batch."""
    return stack(dense(), layer(lambda self, x, training: keras.ops.softmax(x @ keras.ops.transpose(x)) @ x))


@refused(r"layer odd \(Odd\) gives a row other outputs")
def first_row():
    """Scales by the first row."""
    return stack(dense(), layer(lambda self, x, training: x * (1 + x[:1])))


@refused(r"layer odd \(Odd\) gives a row other outputs")
def in_large_batches():
    """In batches of more than 16 rows only."""
    return stack(
        dense(),
        layer(
            lambda self, x, training: tf.cond(
                tf.shape(x)[0] > 16, lambda: _normalised(x), lambda: tf.identity(x)
            )
        ),
    )


@refused("the gradient of .*kernel for a batch is not the sum of its rows' gradients")
def clipped_gradient():
    """A gradient cut to a norm, over the rows of a rank."""

    @tf.custom_gradient
    def clipped(x):
        return tf.identity(x), lambda upstream: tf.clip_by_norm(upstream, 1e-3)

    return stack(dense(), layer(lambda self, x, training: clipped(x)))


# Outputs that are no logits.


@refused("output is a softmax; return logits")
def softmax_output():
    """Softmax at the end."""
    return stack(out=keras.layers.Dense(10, activation="softmax"))


@refused("never negative, as after sigmoid or relu; return logits")
def sigmoid_output():
    """Sigmoid at the end."""
    return stack(dense(), out=keras.layers.Dense(10, activation="sigmoid"))


@refused("never negative")
def relu_output():
    """ReLU at the end."""
    return stack(dense(), out=keras.layers.Dense(10, activation="relu"))


@refused("never negative")
def softplus_layer():
    """An activation as a separate layer."""
    return stack(dense(), keras.layers.Dense(10), out=keras.layers.Activation("softplus"))


@refused("never negative|softmax")
def softmax_in_call():
    """In a subclassed model."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.head = keras.layers.Flatten(), keras.layers.Dense(10)

        def call(self, x):
            return keras.ops.softmax(self.head(self.flat(x)))

    return Net()


@refused("never beyond 1, as after tanh")
def tanh_output():
    """tanh at the end."""
    return stack(dense(), out=keras.layers.Dense(10, activation="tanh"))


@refused("never far below 0")
def selu_output():
    """selu at the end."""
    return stack(dense(), out=keras.layers.Dense(10, activation="selu"))


@refused("is NaN or infinite in training")
def nan_output():
    """No number."""
    return stack(dense(), layer(lambda self, x, training: x / 0.0))


@refused("never far below 0")
def elu_output():
    """elu at the end."""
    return stack(dense(), out=keras.layers.Dense(10, activation="elu"))


# What training would not read.


@refused("has a train_step of its own, which is not called")
def own_train_step():
    """A custom training step."""

    class Net(keras.Sequential):
        def train_step(self, data):
            return {}

    return Net([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


@refused("has a compute_loss of its own")
def own_loss():
    """A custom loss."""

    class Net(keras.Sequential):
        def compute_loss(self, *args, **kwargs):
            return 0.0

    return Net([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


@refused("has a fit of its own, which is not called")
def own_fit():
    """Training as a whole."""

    class Net(keras.Sequential):
        def fit(self, *args, **kwargs):
            raise NotImplementedError

    return Net([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


@refused("has a train_step of its own")
def step_of_one_model():
    """Set on the model, not on its class."""
    model = stack(dense())
    model.train_step = lambda data: {}
    return model


@refused(r"uses the tf\.Variable .*, which Keras does not train; make it with add_weight")
def raw_variable():
    """A tf.Variable, which Keras 3 leaves alone."""
    return stack(dense(), layer(lambda self, x, training: x * self.scale, scale=tf.Variable(tf.ones(6))))


@refused('is float64, and training keeps weights in float32; .*dtype="float32"')
def double():
    """Weights in float64."""
    return stack(keras.layers.Dense(6, dtype="float64"))


@refused("its gradient is 0 everywhere")
def no_gradient():
    """No gradient reaches the weights."""
    return stack(
        out=layer(lambda self, x, training: tf.stop_gradient(self.head(x)), head=keras.layers.Dense(10))
    )


@refused("the initialiser of .* gives other values for the same seed")
def unseeded_initializer():
    """An initialiser that does not follow its seed."""

    class Own(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return tf.random.normal(shape, dtype=dtype or "float32")

    return stack(keras.layers.Dense(6, kernel_initializer=Own()))


@refused("gives another model, sets other weights")
def numpy_initializer():
    """An initialiser that draws with numpy, once in every process."""

    class Own(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return tf.constant(np.random.standard_normal(shape), dtype or "float32")

    return stack(keras.layers.Dense(6, kernel_initializer=Own()))


@refused("uses the same layers or model in every call")
def one_base_for_all():
    """A base made outside the function."""
    return stack(_BASE)


@refused("is called with training=True in evaluation")
def dropout_in_evaluation():
    """Monte Carlo dropout."""
    return stack(
        dense(), layer(lambda self, x, training: self.drop(x, training=True), drop=keras.layers.Dropout(0.5))
    )


@refused("gives another model, sets other weights")
def unseeded_weights():
    """set_weights with unseeded random numbers."""
    model = stack(dense())
    model.layers[1].set_weights([np.random.standard_normal((SIZE, 6)), np.zeros(6)])
    return model


@refused("gives another model, sets other weights")
def another_model_each_time():
    """A width that changes from call to call."""
    return stack(keras.layers.Dense(next(_WIDTHS)))


@refused("gives another model, sets other weights .* when another rank calls it")
def another_model_on_another_rank():
    """A width that follows the rank."""
    import os

    return stack(keras.layers.Dense(5 + int(os.environ.get("HOROVOD_RANK", "0"))))


# Models that are as they should be.


@taken
def plain():
    """Dense layers."""
    return stack(dense())


@taken
def with_dropout():
    """Keras' Dropout, hvdsweep's, and one in a model inside."""
    return stack(
        keras.layers.Dropout(0.5),
        dense(),
        keras.Sequential([keras.layers.Dropout(0.2), dense()]),
        Dropout(0.3),
    )


@taken
def frozen_batch_normalization():
    """A frozen base with batch normalisation, as fine-tuning has it, and one that is trained with its moving statistics."""
    base = keras.Sequential([keras.Input((SIZE,)), dense(), keras.layers.BatchNormalization()])
    base.set_weights(
        [
            matrix(1, SIZE, 6),
            matrix(2, 6),
            1 + matrix(3, 6),
            matrix(4, 6),
            matrix(5, 6),
            1 + matrix(6, 6) ** 2,
        ]
    )
    base.trainable = False
    normal = keras.layers.BatchNormalization()
    return stack(base, layer(lambda self, x, training: self.normal(x, training=False), normal=normal))


@taken
def normalised_rows():
    """Normalisations over a row alone."""
    return stack(
        dense(),
        keras.layers.LayerNormalization(),
        keras.layers.UnitNormalization(),
        keras.layers.GroupNormalization(2),
    )


@taken
def ghost():
    """Ghost batches."""
    return stack(dense(), GhostBatchNormalization(4), dense())


@taken
def recurrent():
    """LSTM, GRU and attention."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Reshape((2, 32))(inputs)
    back = keras.layers.GRU(3, return_sequences=True, go_backwards=True)
    x = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True), backward_layer=back)(x)
    x = keras.layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x)
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)))


@taken
def convolution():
    """Convolutions and pooling."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.SeparableConv2D(4, 3, activation="gelu"),
            keras.layers.MaxPooling2D(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )


@taken
def compiled_by_hand():
    """A call inside a tf.function of the user's own, which builds a layer at the first call."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = stack(dense()), keras.layers.Dense(10)

        @tf.function
        def call(self, x):
            return self.head(self.body(x))

    return Net()


@taken
def own_metrics():
    """A test_step that nothing calls is a warning."""

    class Net(keras.Sequential):
        def test_step(self, data):
            return {}

    return Net([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


@taken
def flag_for_the_first_argument(pretrained=False):
    """An option with a default, and no data set among the arguments."""
    assert pretrained is False
    return stack(dense())


@taken
def own_stateless_noise():
    """Noise by row, as workloads.stateless draws it."""

    def call(self, x, training):
        scope = stateless.current()
        if scope is None:
            return x
        return x + stateless.uniform(stateless.row_keys(scope, scope.stream(40)), 6)

    return stack(dense(), layer(call))


@taken
def noise_of_the_step():
    """Noise on weights, the same on every rank: drawn from the trial's seed and step."""

    def call(self, x, training):
        scope = stateless.current()
        if scope is None:
            return x
        seed = tf.stack([tf.cast(scope.seed, tf.int32), tf.cast(scope.step, tf.int32)])
        return x * (1 + 0.1 * tf.random.stateless_normal((6,), seed))

    return stack(dense(), layer(call))


@taken
def lookup():
    """A table that XLA does not have."""
    table = keras.layers.IntegerLookup(vocabulary=list(range(17)))
    return stack(
        layer(lambda self, x, training: tf.cast(table(tf.cast(16 * x, tf.int64)), tf.float32)), dense()
    )


@taken
def reversed_gradient():
    """A gradient of its own, row by row."""

    @tf.custom_gradient
    def reverse(x):
        return tf.identity(x), lambda upstream: -upstream

    return stack(dense(), layer(lambda self, x, training: reverse(x)))


@taken
def dropout_left_out():
    """A Dropout called with training=False, as a frozen base is."""
    return stack(
        dense(), layer(lambda self, x, training: self.drop(x, training=False), drop=keras.layers.Dropout(0.5))
    )


@taken
def policy_inside():
    """A global policy, set and left by the function."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    return stack(dense())


@taken
def mixed_precision():
    """Layers that compute in 16 bits."""
    return stack(keras.layers.Dense(6, dtype="mixed_float16"), keras.layers.Dense(6, dtype="mixed_bfloat16"))


@taken
def log_softmax_output():
    """Logarithms of probabilities are logits."""
    return stack(dense(), keras.layers.Dense(10), out=keras.layers.Activation("log_softmax"))


@taken
def residual():
    """A block whose gate starts at 0."""

    class Block(keras.layers.Layer):
        def build(self, shape):
            self.inner = keras.layers.Dense(shape[-1], activation="relu")
            self.inner.build(shape)
            self.gate = self.add_weight(shape=(), initializer="zeros")

        def call(self, x):
            return x + self.gate * self.inner(x)

    return stack(dense(), Block())


@taken
def penalised():
    """Regularisers, added losses and constraints."""
    return stack(
        keras.layers.Dense(
            6,
            kernel_regularizer="l2",
            activity_regularizer=keras.regularizers.L1(0.1),
            kernel_constraint="max_norm",
        )
    )


# For the data sets of `user_data` that show what they do.


def by_type():
    """Bytes become numbers between 0 and 1; fractions are taken for such numbers already."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(2)

        def call(self, x):
            return self.head(tf.image.convert_image_dtype(x, tf.float32))

    return Net()


def small_table():
    """One token is beyond it; compiled code would take the last row for that."""
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Embedding(9, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    )


def next_tokens(dataset):
    """Scores of every class at every token."""
    inputs = keras.Input(dataset.input_shape, dtype="int32")
    embedded = keras.layers.Embedding(dataset.classes, 4)(inputs)
    return keras.Model(inputs, keras.layers.Dense(dataset.classes)(embedded))


def masked():
    """A mask that reaches the output."""
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Embedding(10, 3, mask_zero=True), keras.layers.Dense(10)]
    )


def changes_data(dataset):
    """Scales the data set that it is given."""
    dataset.train.features[:] *= 2
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


# Numbers that only the graph shows: `NUMBER` stands for a file, an environment variable, a setting of the machine.

NUMBER = 1.0
NUMBERED = []


def numbered(build):
    NUMBERED.append(build.__name__)
    return build


@numbered
def initial_values():
    """Values given to an initialiser."""
    return stack(
        keras.layers.Dense(6, kernel_initializer=keras.initializers.Constant(NUMBER * matrix(1, SIZE, 6)))
    )


@numbered
def constant():
    """A table that a closure holds."""
    table = tf.constant(NUMBER * matrix(1, 6, 600))
    return stack(dense(), layer(lambda self, x, training: x @ table))


@numbered
def attribute():
    """A table that a layer holds."""
    return stack(dense(), layer(lambda self, x, training: x @ self.table, table=NUMBER * matrix(1, 6, 6)))


@numbered
def fixed_variable():
    """A tf.Variable that nothing trains."""
    table = tf.Variable(NUMBER * matrix(1, 6, 6), trainable=False)
    return stack(dense(), layer(lambda self, x, training: x @ table))


@numbered
def hash_table():
    """A table that is looked up by keys."""
    values = tf.constant([NUMBER, 2 * NUMBER])
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1]), values), 0.0)
    return stack(dense(), layer(lambda self, x, training: x + table.lookup(tf.cast(x > 0, tf.int32))))


@numbered
def setting():
    """A setting of an operation."""
    return stack(dense(), layer(lambda self, x, training: tf.nn.leaky_relu(x, NUMBER / 4)))


@numbered
def strength():
    """A regulariser's."""

    class Own(keras.regularizers.Regularizer):
        def __call__(self, w):
            return NUMBER * tf.reduce_sum(w**2)

    return stack(keras.layers.Dense(6, kernel_regularizer=Own()))
