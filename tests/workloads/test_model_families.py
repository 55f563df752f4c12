"""Every model family against an independent numpy implementation: outputs, loss, gradient and one training
step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.workloads import numpy_models as oracle
from workloads import architectures, catalogue, layers, stateless
from workloads.datasets import Dataset, Split
from workloads.models import build_model
from workloads.tasks import task

BATCH, SEED, STEP = 6, 2**32 - 5, 17
IMAGES, TOKENS = (7, 6, 2), (5,)
CASES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "fc": (oracle.fc, "fc_9_7", {"dropout": 0.3}),
    "simple_cnn": (oracle.simple_cnn, "simple_cnn_base", {"filters": [3, 4], "hidden": 6, "dropout": 0.4}),
    "vgg": (oracle.vgg, "vgg_11", {"filters": [3, 2, 3, 3, 2, 3, 2, 4], "hidden": 6, "dropout": 0.5}),
    "resnet_8": (oracle.resnet_8, "resnet_8", {"filters": [3, 4, 6]}),
    "resnet_50": (
        oracle.resnet_50,
        "resnet_50",
        {"width": 2, "blocks": [2, 1, 1, 1], "stem": "small", "ghost_batch": 4},
    ),
    "transformer": (
        oracle.transformer,
        "transformer_base",
        {"layers": 2, "width": 8, "heads": 2, "filter": 12, "dropout": 0.2},
    ),
    "transformer, original": (
        oracle.transformer,
        "transformer_shallow",
        {"width": 8, "heads": 4, "filter": 6, "norm": "post", "tied": False},
    ),
    "lstm": (oracle.lstm, "lstm", {"embedding": 4, "hidden": 6, "projection": 3, "dropout": 0.2}),
}


def small_dataset(kind: str, image: tuple[int, ...] = IMAGES) -> Dataset:
    rng = np.random.default_rng(1)
    if kind == "language_model":
        x, y = (rng.integers(0, 11, (BATCH, *TOKENS)).astype(np.int32) for _ in range(2))
        y[2, 3:] = -1  # padding
        y[4] = -1
        shape: tuple[int, ...] = TOKENS
        classes = 11
    else:
        x, y = (
            rng.standard_normal((BATCH, *image)).astype(np.float32),
            rng.integers(0, 3, BATCH).astype(np.int32),
        )
        shape, classes = image, 3
    split = Split(x, y)
    return Dataset("small", task(kind), split, split, None, shape, classes)


def in_order_of_creation(model: Any) -> list[Any]:
    """Trainable variables by the number Keras gave their layer: the order in which builders create layers."""

    def number(layer: Any) -> int:
        return order[id(layer)]

    order = {id(layer): i for i, layer in enumerate(CREATED)}
    found, seen = [], set()
    for layer in sorted((x for x in model._flatten_layers() if id(x) in order), key=number):
        own = [v for v in layer._trainable_variables if id(v) not in seen]
        seen |= {id(v) for v in own}
        found += own
    assert len(found) == len(model.trainable_variables)
    return found


CREATED: list[Any] = []


@pytest.fixture(autouse=True)
def _note_creation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remember layers as they are built, which is when the functional API calls them for the first time."""
    import keras

    original = keras.layers.Layer.add_weight

    def add_weight(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if all(layer is not known for known in CREATED):
            CREATED.append(layer)
        return original(layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "add_weight", add_weight)
    yield
    CREATED.clear()


def masks_of(rate: float) -> Any:
    """The dropout factors as plain numpy draws them, layer after layer."""
    numbers = itertools.count(1)
    scope = stateless.Scope(np.uint32(SEED), np.uint32(STEP), np.arange(BATCH, dtype=np.uint32), {})

    def factors(shape: tuple[int, ...]) -> np.ndarray:
        keys = stateless.row_keys(scope, next(numbers), np)
        kept = stateless.kept(keys, int(np.prod(shape[1:])), rate, np)
        return kept.reshape(shape) / (1.0 - rate)

    return factors if rate else None


@pytest.mark.parametrize("case", CASES)
def test_outputs_loss_gradient_and_step_equal_numpy(case: str) -> None:
    """Logits, mean loss, every gradient along a random direction, and the loss after an SGD step are numpy's,
    with dropout, label smoothing and padding on, compiled or not."""
    function, name, options = CASES[case]
    reads = architectures.find(name).reads
    # Normalising two or four single pixels would amplify rounding, so the last stage keeps 2x2 of them.
    image = (13, 12, 2) if case == "resnet_50" else IMAGES
    dataset = small_dataset("language_model" if reads == "tokens" else "classification", image)
    model = build_model(name, dataset, options)
    rng = np.random.default_rng(2)
    variables = in_order_of_creation(model)
    for variable in variables:  # biases and scales start at 0 and 1, where mistakes would not show
        variable.assign(variable.numpy() + 0.1 * rng.standard_normal(variable.shape))
    values = [variable.numpy().astype(np.float64) for variable in variables]
    chosen = architectures.resolve(name, options)
    x, y = dataset.train.features, dataset.train.labels
    smoothing, rate = 0.1, 0.25

    def forward(weights: list[np.ndarray]) -> tuple[np.ndarray, float]:
        masks = masks_of(rate) if "dropout" in chosen else None
        logits = function(iter(weights), x.astype(np.float64) if x.dtype == np.float32 else x, chosen, masks)
        per_position = oracle.cross_entropy(logits, np.maximum(y, 0), smoothing)
        return logits, float(per_position[y >= 0].sum() / (y >= 0).sum())

    raw = [variable.value for variable in variables]

    def step(features: Any, labels: Any, dropout: Any, eps: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(raw)
            with stateless.scope(SEED, STEP, tf.range(BATCH), dropout=dropout):
                logits = model(features, training=True)
            sums, weights = dataset.task.losses(logits, labels, eps)
            loss = tf.reduce_sum(sums) / tf.reduce_sum(weights)
        return logits, loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, raw)]

    given = x, y, tf.constant(rate), tf.constant(smoothing)
    expected_logits, expected_loss = forward(values)
    ways = {"graph": tf.function(step), "xla": tf.function(step, jit_compile=True)}
    gradients = {}
    for way, call in ways.items():
        logits, loss, gradients[way] = call(*given)
        np.testing.assert_allclose(logits, expected_logits, rtol=2e-4, atol=2e-4, err_msg=way)
        assert float(loss) == pytest.approx(expected_loss, rel=1e-5), way

    for index, value in enumerate(values):
        direction = rng.standard_normal(value.shape)
        ends = []
        for sign in (1, -1):
            moved = list(values)
            moved[index] = value + sign * 1e-6 * direction
            ends.append(forward(moved)[1])
        slope = pytest.approx((ends[0] - ends[1]) / 2e-6, rel=2e-3, abs=2e-5)
        for way, found in gradients.items():
            assert float((found[index].numpy() * direction).sum()) == slope, (way, index)

    before = [variable.numpy() for variable in raw]
    for way, call in ways.items():
        for variable, value, gradient in zip(raw, before, gradients[way], strict=True):
            variable.assign(value - 0.05 * gradient)
        stepped = [
            v - 0.05 * g.numpy().astype(np.float64) for v, g in zip(values, gradients[way], strict=True)
        ]
        _, loss, _ = call(*given)
        assert float(loss) == pytest.approx(forward(stepped)[1], rel=1e-4), way


@pytest.mark.parametrize("case", CASES)
def test_the_catalogue_counts_what_keras_counts(case: str) -> None:
    """The closed form of the catalogue is the number of trainable parameters that Keras holds."""
    _, name, options = CASES[case]
    reads = architectures.find(name).reads
    dataset = small_dataset("language_model" if reads == "tokens" else "classification")
    model = build_model(name, dataset, options)
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert catalogue.parameter_count(name, dataset.info, options) == trained


def test_the_imagenet_stem_is_counted_too() -> None:
    """ResNet-50's 7x7 stem halves the image twice and is part of the count."""
    dataset = small_dataset("classification")
    options = {"width": 2, "blocks": [1, 1, 1, 1], "stem": "imagenet"}
    model = build_model("resnet_50", dataset, options)
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert catalogue.parameter_count("resnet_50", dataset.info, options) == trained
    first_pool = next(layer for layer in model.layers if type(layer).__name__ == "MaxPooling2D")
    assert first_pool.output.shape[1:] == (2, 2, 2)


def test_a_language_model_never_sees_the_future() -> None:
    """Changing a token changes no logit before it (Transformer and LSTM)."""
    dataset = small_dataset("language_model")
    for name, options in (
        ("transformer_shallow", {"width": 8, "heads": 2, "filter": 8}),
        ("lstm", {"embedding": 4, "hidden": 6, "projection": 3}),
    ):
        model = build_model(name, dataset, options)
        tokens = dataset.train.features.copy()
        before = model(tokens).numpy()
        tokens[:, 3] = (tokens[:, 3] + 1) % dataset.classes
        after = model(tokens).numpy()
        np.testing.assert_array_equal(before[:, :3], after[:, :3])
        assert not np.allclose(before[:, 3:], after[:, 3:])


def test_ghost_statistics_do_not_depend_on_how_a_batch_is_split() -> None:
    """Logits and the summed statistics of 10 rows in ghost batches of 4 are the same computed at once, in
    parts at multiples of 4, and with padded rows; the moving averages follow the closed form."""
    dataset = small_dataset("classification")
    options = {"width": 2, "blocks": [1, 1, 1, 1], "stem": "small", "ghost_batch": 4, "moving_average": 0.8}
    model = build_model("resnet_50", dataset, options)
    assert model.granule == 4
    x = np.random.default_rng(3).standard_normal((10, *IMAGES)).astype(np.float32)

    def run(rows: list[int], valid: list[float] | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
        keep = None if valid is None else tf.constant(valid)
        with stateless.scope(SEED, STEP, tf.constant(rows), valid=keep) as scope:
            logits = model(x[rows], training=True).numpy()
        assert scope.aux_layers == model.auxiliary
        return logits, [entry.numpy() for entry in scope.aux]

    whole, sums = run(list(range(10)))
    parts = [run(list(range(8))), run([8, 9, 9], [1.0, 1.0, 0.0])]
    np.testing.assert_allclose(np.concatenate([parts[0][0], parts[1][0][:2]]), whole, rtol=1e-4, atol=1e-5)
    for total, *shares in zip(sums, *(part[1] for part in parts), strict=True):
        np.testing.assert_allclose(np.sum(shares, axis=0), total, rtol=1e-4, atol=1e-4)

    first = model.auxiliary[0]
    means = [tf.constant(total / 10) for total in sums]
    layers.apply_auxiliary(model, means)
    np.testing.assert_allclose(first.moving_mean.numpy(), 0.2 * sums[0][0] / 10, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        first.moving_variance.numpy(), 0.8 + 0.2 * sums[0][1] / 10, rtol=1e-5, atol=1e-7
    )
    alone, together = model(x[:1]).numpy(), model(x).numpy()[:1]
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)


def test_a_pass_that_is_all_padding_leaves_nothing() -> None:
    """A rank without rows computes one padded pass: finite logits, no statistics."""
    dataset = small_dataset("classification")
    model = build_model("resnet_50", dataset, {"width": 2, "blocks": [1, 1, 1, 1], "stem": "small"})
    with stateless.scope(SEED, STEP, tf.constant([0]), valid=tf.constant([0.0])) as scope:
        logits = model(dataset.train.features[:1], training=True)
    assert np.isfinite(logits.numpy()).all()
    assert all(not entry.numpy().any() for entry in scope.aux)


def test_ghost_normalisation_equals_numpy() -> None:
    """A single layer on images against the oracle, which loops over the ghost batches."""
    layer = layers.GhostBatchNormalization(3)
    x = np.random.default_rng(4).standard_normal((8, 3, 2, 5)).astype(np.float32)
    layer.build(x.shape)
    layer.gamma.assign(np.linspace(0.5, 2, 5))
    layer.beta.assign(np.linspace(-1, 1, 5))
    with stateless.scope(1, 1, tf.range(8)) as scope:
        y = layer(x)
    expected, sums = oracle.ghost_norm(x.astype(np.float64), layer.gamma.numpy(), layer.beta.numpy(), 3)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scope.aux[0], sums, rtol=1e-4, atol=1e-5)
