"""The gradient noise scale against a closed form and against per-example gradients in plain numpy."""

import dataclasses

import numpy as np
import pytest

from hvdsweep.training.batches import Shuffle
from hvdsweep.training.network import Network
from hvdsweep.training.noise import EARLY, SPACING, Halves, estimated_at, layer_names
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from tests.training.conftest import definition
from tests.training.oracle import mask
from workloads.datasets import load_dataset
from workloads.models.noisy_quadratic import curvatures


def test_estimates_are_the_closed_form_of_the_noisy_quadratic():
    """At w = 1, |G|^2 = sum h^2 and tr Sigma = sum h; the mean of 300 estimates is within 4.5 of its standard errors."""
    options = {"dimension": 20}
    network = Network(load_dataset("noisy_quadratic", options), "noisy_quadratic", {}, None)
    study = Study(
        network,
        Ranks(),
        definition(
            dataset="noisy_quadratic",
            dataset_options=options,
            model="noisy_quadratic",
            batch_size=24,
            goal={"metric": "val/loss", "value": 0.1, "maximize": False},
            noise_scale="model",
        ),
        ("learning_rate",),
    )
    network.reset(1)
    values = study.loop.update.metaparameters({"learning_rate": 0.0})
    shuffle, halves = Shuffle(len(network.dataset.train), 1), study.halves
    found = np.array(
        [
            study.loop.noise.measure(
                *network.train_tensors, halves.rows(shuffle, [step]), halves, 5, step, values
            ).ravel()
            for step in range(300)
        ]
    )
    h = curvatures(20)
    error = found.std(0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - [np.sum(h**2), np.sum(h)]) < 4.5 * error).all()
    assert (error < 0.1 * np.array([np.sum(h**2), np.sum(h)])).all()


def per_example_gradients(weights, inputs, labels, kept):
    """Of the cross entropy of a ReLU net with one hidden layer and dropout: a list of [n, ...] per weight, float64.

    `kept` [n, hidden]: 0 where a unit is dropped, else 1 / (1 - rate).
    """
    first, first_bias, second, second_bias = (weight.astype(np.float64) for weight in weights)
    hidden = np.maximum(inputs @ first + first_bias, 0.0) * kept
    logits = hidden @ second + second_bias
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    chances[np.arange(len(labels)), labels] -= 1.0
    back = (chances @ second.T) * (hidden > 0) * kept
    return [inputs[:, :, None] * back[:, None], back, hidden[:, :, None] * chances[:, None], chances]


@pytest.mark.parametrize(
    ("batch_size", "micro_batch", "every", "half"),
    [(32, 256, 20, 32), (7, 2, 20, 7), (1, 256, 1, 1), (5, 4, 1100, 10)],
)
def test_estimates_are_those_of_per_example_gradients(
    train, network, digits, batch_size, micro_batch, every, half
):
    """In the loop, by layer: the estimate after the last update, from numpy gradients of the examples that
    come next. With micro-batches, an odd batch, a batch of one, and several batches at once."""
    steps = max(every, EARLY[0])
    changes = {"batch_size": batch_size, "micro_batch": micro_batch, "steps": steps, "noise_scale": "layers"}
    changes["evaluation"] = {"every": every, "splits": ["val"], "at_start": False}
    _, _, _, noise = train({"learning_rate": 0.05, "dropout": 0.4}, full=True, **changes)
    ((step, found),) = noise
    assert step == steps
    weights = [weight.numpy() for weight in network.weights]
    shuffle = Shuffle(len(digits.train), 3)
    rows = shuffle.at(step * batch_size + np.arange(2 * half))
    inputs = digits.train.features[rows].reshape(2 * half, -1).astype(np.float64)
    kept = mask(3, step, np.arange(2 * half), 16, 0.4) / 0.6
    gradients = per_example_gradients(weights, inputs, digits.train.labels[rows], kept)
    for layer in range(2):
        mine = np.concatenate([one.reshape(2 * half, -1) for one in gradients[2 * layer : 2 * layer + 2]], 1)
        one, other = mine[:half].mean(0), mine[half:].mean(0)
        np.testing.assert_allclose(found[0, layer], one @ other, rtol=2e-4, atol=1e-7)
        np.testing.assert_allclose(found[1, layer], half / 2 * np.sum((one - other) ** 2), rtol=2e-4)
    assert [name.split()[1] for name in layer_names(network)] == ["dense", "dense"]


@pytest.mark.parametrize("trials", [1, 1000])
@pytest.mark.parametrize(("rate", "steps"), [(0.3, [48, 64, 96]), (1e20, [])])
def test_losses_have_the_same_bits_with_and_without(train, monkeypatch, trials, rate, steps):
    """Whether XLA compiles the loop or not: losses, measurements and end agree in every bit, and estimates were taken, none
    after a divergence."""
    monkeypatch.setattr("hvdsweep.training.noise.SPACING", 48)
    changes = {"steps": 140, "batch_size": 6, "trials": trials}
    changes["evaluation"] = {"every": 4, "splits": ["val"], "at_start": True}
    plain = train({"learning_rate": rate}, full=True, **changes)
    noisy = train({"learning_rate": rate}, full=True, noise_scale="model", **changes)
    assert dataclasses.replace(plain[0], train_seconds=0) == dataclasses.replace(noisy[0], train_seconds=0)
    np.testing.assert_array_equal(plain[1], noisy[1])
    assert plain[2] == noisy[2]
    assert [step for step, _ in noisy[3]] == steps
    assert plain[3] == []


def test_estimates_are_far_apart():
    """For any spacing of evaluations, 10,000 updates have at most 0.25 % as many estimates, the first soon; and a trial
    of 2,560 updates or more has three in its second half, which an interval needs."""
    for every in (1, 7, 20, 128):
        evaluations = [*range(every, 10_001, every)]
        found = np.array(estimated_at(evaluations, 0))
        assert len(found) <= 25
        assert found[0] == -(-EARLY[0] // every) * every
        for end in (step for step in evaluations if step >= 2560 + every):
            assert np.sum((2 * found > end) & (found <= end)) >= 3


@pytest.mark.parametrize(("batch_size", "every"), [(1, 1), (7, 20), (64, 1000), (600, 1)])
def test_ranks_share_the_examples_of_an_estimate(network, batch_size, every):
    """On 1 to 5 ranks every example of both halves is computed by exactly one rank, in its own half."""
    for size in range(1, 6):
        places = []
        for rank in range(size):
            halves = Halves.of(network, Ranks(rank, size), batch_size, every, 50)
            half = len(halves.positions) // 2
            assert (halves.positions[:half][halves.real[:half]] < halves.size).all()
            places += halves.positions[halves.real].tolist()
        assert sorted(places) == list(range(2 * halves.size))
        assert halves.size <= batch_size * max(1, every // SPACING)
