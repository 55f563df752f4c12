"""The update rules and schedules against formulas written out in numpy."""

import numpy as np
import pytest
import tensorflow as tf

from hvdsweep.training.algorithms import descend, learning_rate

META = {"momentum": 0.9, "weight_decay": 0.01}


def trajectory(algorithm, gradients, etas, meta):
    weight, velocity = tf.constant([0.5, -2.0], tf.float64), tf.zeros(2, tf.float64)
    path = []
    for gradient, eta in zip(gradients, etas, strict=True):
        weight, velocity = descend(algorithm, weight, velocity, tf.constant(gradient), eta, meta)
        path.append(weight.numpy())
    return np.array(path)


def pytorch_sgd(gradients, etas, meta, *, momentum, nesterov):
    """torch.optim.SGD(momentum, dampening=0, nesterov) as its documentation writes it."""
    weight, buffer, path = np.array([0.5, -2.0]), None, []
    for gradient, eta in zip(gradients, etas, strict=True):
        g = gradient + meta["weight_decay"] * weight
        if momentum:
            buffer = g if buffer is None else momentum * buffer + g
            g = g + momentum * buffer if nesterov else buffer
        weight = weight - eta * g
        path.append(weight)
    return np.array(path)


@pytest.mark.parametrize(
    ("algorithm", "momentum", "nesterov"),
    [("sgd", 0.0, False), ("momentum", 0.9, False), ("nesterov_momentum", 0.9, True)],
)
def test_each_algorithm_is_pytorchs(algorithm, momentum, nesterov):
    """Twelve updates with random gradients and a decaying learning rate equal PyTorch's SGD, weight decay included."""
    draw = np.random.default_rng(0)
    gradients, etas = draw.normal(size=(12, 2)), np.linspace(0.3, 0.1, 12)
    ours = trajectory(algorithm, gradients, etas, META)
    np.testing.assert_allclose(
        ours, pytorch_sgd(gradients, etas, META, momentum=momentum, nesterov=nesterov), rtol=1e-12
    )


def test_nesterov_keeps_the_learning_rate_outside_the_velocity():
    """With a decaying rate, Keras' form (rate inside the velocity) gives other weights: ours must differ from it."""
    gradients, etas = np.ones((3, 2)), [0.4, 0.2, 0.1]
    inside, weight = np.zeros(2), np.array([0.5, -2.0])
    for gradient, eta in zip(gradients, etas, strict=True):
        inside = 0.9 * inside - eta * gradient
        weight = weight + 0.9 * inside - eta * gradient
    ours = trajectory("nesterov_momentum", gradients, etas, {"momentum": 0.9, "weight_decay": 0.0})[-1]
    assert np.abs(ours - weight).min() > 0.01


def test_linear_decay_follows_the_formula_and_then_stays():
    """eta_0 - (1 - alpha) eta_0 t / T up to T, alpha eta_0 afterwards (section 3)."""
    meta = {"learning_rate": 0.8, "end_learning_rate_factor": 0.1, "learning_rate_decay_steps": 50.0}
    for t in (0, 1, 25, 50, 51, 1000):
        expected = 0.8 - 0.9 * 0.8 * t / 50 if t <= 50 else 0.08
        assert float(learning_rate(meta, tf.constant(float(t), tf.float64))) == pytest.approx(
            expected, rel=1e-12
        )


def test_a_factor_of_one_is_exactly_constant():
    """The constant schedule is the linear one with alpha = 1, without rounding."""
    meta = {
        "learning_rate": tf.constant(0.1234567),
        "end_learning_rate_factor": tf.constant(1.0),
        "learning_rate_decay_steps": tf.constant(1.0),
    }
    rates = {float(learning_rate(meta, tf.constant(float(t)))) for t in range(100)}
    assert rates == {float(np.float32(0.1234567))}


def test_an_unknown_algorithm_is_refused():
    """An unknown name raises an error that lists the three."""
    with pytest.raises(ValueError, match="nesterov_momentum"):
        descend("adam", tf.zeros(1), tf.zeros(1), tf.zeros(1), 0.1, META)
