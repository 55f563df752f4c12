"""The noisy quadratic: closed form, exact steps to a loss, and the trained model's agreement with both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from workloads import stateless
from workloads.datasets import load_dataset
from workloads.models import build_model
from workloads.models.noisy_quadratic import (
    best_steps_to_loss,
    curvatures,
    expected_loss,
    random_signs,
    steps_to_loss,
)


def followed(steps: int, rate: float, batch: float, dimension: int) -> list[float]:
    """The expected loss after 0..steps updates, by the recursion of the expected squares."""
    h = [1.0 / i for i in range(1, dimension + 1)]
    s, losses = [1.0] * dimension, []
    for _ in range(steps + 1):
        losses.append(0.5 * sum(a * b for a, b in zip(h, s, strict=True)))
        s = [(1 - rate * a) ** 2 * b + rate**2 * a / batch for a, b in zip(h, s, strict=True)]
    return losses


@pytest.mark.parametrize("rate", [0.01, 0.5, 1.0, 1.7, 2.0, 2.1])
@pytest.mark.parametrize("batch", [1, 64])
def test_the_closed_form_is_the_recursion(rate: float, batch: int) -> None:
    """E[loss] after t steps equals t applications of s <- (1 - eta h)^2 s + eta^2 h / B, also where it
    diverges."""
    expected = followed(40, rate, batch, 30)
    np.testing.assert_allclose(expected_loss(np.arange(41), rate, batch, 30), expected, rtol=1e-10)


@pytest.mark.parametrize("rate", [0.003, 0.2, 0.9, 1.3, 1.7, 1.95, 2.0, 2.5])
@pytest.mark.parametrize("batch", [1, 3, 50, 1e6])
@pytest.mark.parametrize("goal", [3.0, 1.6, 1.2, 0.7, 0.3, 0.05])
def test_steps_to_a_loss_are_the_first_of_the_recursion(rate: float, batch: float, goal: float) -> None:
    """Bisection finds the first step below the goal that following the recursion finds, or that there is
    none."""
    dimension, horizon = 12, 3000
    losses = followed(horizon, rate, batch, dimension)
    first = next((t for t, loss in enumerate(losses) if loss < goal), None)
    found = steps_to_loss(goal, rate, batch, dimension)
    if first is None:
        assert found is None or found > horizon
    else:
        assert found == first


def test_more_parallelism_helps_until_it_does_not() -> None:
    """Best steps over learning rates fall as the batch grows, perfectly at first, and end on a plateau."""
    rates = np.geomspace(1e-3, 1.99, 60)
    steps = [best_steps_to_loss(0.02, 2.0**k, rates, 100) for k in range(1, 22, 2)]
    counts = [found[0] for found in steps if found is not None]
    assert len(counts) == len(steps)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] / counts[1] > 3
    assert counts[-2] / counts[-1] < 1.1


def test_the_noise_is_signs_of_unit_variance() -> None:
    """Graph and numpy draw the same signs; mean, variance and neighbouring correlations are those of fair
    coins."""
    scope = stateless.Scope(np.uint32(1), np.uint32(2), np.arange(300, dtype=np.uint32), {})
    keys = stateless.row_keys(scope, 1, np)
    signs = random_signs(keys, 70, np)
    np.testing.assert_array_equal(random_signs(tf.constant(keys), 70), signs)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    error = signs.size**-0.5
    assert abs(signs.mean()) < 4 * error
    assert abs((signs[1:] * signs[:-1]).mean()) < 4 * error
    assert abs((signs[:, 1:] * signs[:, :-1]).mean()) < 4 * error


def test_trained_losses_agree_with_the_closed_form_within_their_sampling_error() -> None:
    """200 independent runs of plain SGD: the mean loss after t steps is the expected one within 5 standard
    errors, and the gradient's noise has variance h / B."""
    dimension, batch, rate, steps, runs = 40, 4, 0.4, 30, 200
    dataset = load_dataset("noisy_quadratic", {"dimension": dimension, "examples": 64})
    model = build_model("noisy_quadratic", dataset)
    (w,) = (v.value for v in model.trainable_variables)
    features, labels = dataset.train.features[:batch], dataset.train.labels[:batch]

    @tf.function
    def run(seed: Any) -> Any:
        w.assign(tf.ones_like(w))
        losses = tf.TensorArray(tf.float32, steps + 1)
        first = tf.zeros_like(w)
        for t in tf.range(steps):
            with tf.GradientTape() as tape:
                with stateless.scope(seed, t, tf.range(batch)):
                    sums, weights = dataset.task.losses(model(features, training=True), labels)
                loss = tf.reduce_sum(sums) / tf.reduce_sum(weights)
            (gradient,) = tape.gradient(loss, [w])
            first = tf.where(t == 0, gradient, first)
            losses = losses.write(t, dataset.task.metrics(model(features), labels)["loss"][0][0])
            w.assign_sub(rate * gradient)
        return losses.write(steps, dataset.task.metrics(model(features), labels)["loss"][0][0]).stack(), first

    results = [run(tf.constant(seed)) for seed in range(runs)]
    losses = np.array([r[0].numpy() for r in results])
    expected = expected_loss(np.arange(steps + 1), rate, batch, dimension)
    error = losses.std(0, ddof=1) / runs**0.5
    assert (np.abs(losses.mean(0) - expected) <= 5 * error + 1e-5 * expected).all()
    noise = np.array([r[1].numpy() for r in results]) - curvatures(dimension)
    ratio = noise.var(0) / (curvatures(dimension) / batch)
    assert abs(ratio.mean() - 1) < 5 * (2 / (runs * dimension)) ** 0.5
