"""One trial on one rank: its losses against plain numpy, its measurements, and every way it can end."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from hvdsweep.states import Status, StopReason
from hvdsweep.training.batches import Shuffle
from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from tests.training import oracle
from tests.training.conftest import definition
from workloads import stateless
from workloads.datasets.dataset import Split

FEW_AND_MANY = (1, 1000)
"""Trials of a study of which XLA compiles the loop not, and does."""
META = {
    "learning_rate": 0.3,
    "momentum": 0.8,
    "dropout": 0.4,
    "label_smoothing": 0.1,
    "weight_decay": 1e-3,
    "end_learning_rate_factor": 0.1,
    "learning_rate_decay_steps": 25.0,
}


@pytest.mark.parametrize("algorithm", ["sgd", "momentum", "nesterov_momentum"])
@pytest.mark.parametrize(("batch_size", "micro_batch"), [(7, 256), (32, 10), (1, 1)])
@pytest.mark.parametrize("trials", FEW_AND_MANY)
def test_a_trial_is_the_plain_numpy_loop(train, network, digits, algorithm, batch_size, micro_batch, trials):
    """Dropout, label smoothing, weight decay, linear decay, micro-batches, with XLA and without: every loss to 1e-4 over 40
    steps."""
    network.reset(3)
    initial = [weight.numpy() for weight in network.weights]
    order = Shuffle(len(digits.train), 3).at(np.arange(40 * batch_size))
    expected, weights = oracle.train(
        initial,
        digits.train.features,
        digits.train.labels,
        order,
        algorithm=algorithm,
        meta=META,
        seed=3,
        batch_size=batch_size,
        steps=40,
    )
    end, losses, _ = train(
        META, algorithm=algorithm, batch_size=batch_size, micro_batch=micro_batch, trials=trials
    )
    assert (end.status, end.reason, end.steps) == (Status.COMPLETE, StopReason.BUDGET, 40)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for ours, theirs in zip(network.weights, weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


@pytest.mark.parametrize("trials", FEW_AND_MANY)
def test_measurements_cover_the_validation_set_exactly(train, network, digits, trials):
    """After 0, 20 and 40 updates: error and cross entropy of all 250 examples, as numpy computes them."""
    _, _, measurements = train({"learning_rate": 0.3}, trials=trials)
    assert [step for step, _ in measurements] == [0, 20, 40]
    w1, b1, w2, b2 = (weight.numpy().astype(np.float64) for weight in network.weights)
    x, labels = digits.val.features.reshape(len(digits.val), -1), digits.val.labels
    p = oracle.softmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2)
    last = measurements[-1][1]
    assert last["val/classification_error"] == pytest.approx((p.argmax(-1) != labels).mean(), abs=1e-12)
    assert last["val/cross_entropy_error"] == pytest.approx(
        -np.log(p[np.arange(len(labels)), labels]).mean(), rel=1e-5
    )


def test_passes_of_an_evaluation_do_not_change_it(train):
    """One pass of 250 examples or 36 of 7, the last one padded: the same metrics."""
    one = train({"learning_rate": 0.3}, micro_batch=512)[2][-1][1]
    many = train({"learning_rate": 0.3}, micro_batch=7)[2][-1][1]
    assert one["val/classification_error"] == many["val/classification_error"]
    assert one["val/cross_entropy_error"] == pytest.approx(many["val/cross_entropy_error"], rel=1e-6)


def test_the_last_step_is_always_measured(train):
    """A budget that is no multiple of the evaluation interval ends with an evaluation."""
    _, losses, measurements = train(
        {"learning_rate": 0.1}, steps=50, evaluation={"every": 20, "splits": ["val", "test"]}
    )
    assert [step for step, _ in measurements] == [0, 20, 40, 50]
    assert len(losses) == 50
    assert {name.split("/")[0] for name in measurements[-1][1]} == {"val", "test"}


def test_the_same_trial_twice_has_the_same_bits(train):
    """A trial starts from its seed alone, whatever was trained before."""
    first = train({"learning_rate": 0.3, "dropout": 0.4})
    train({"learning_rate": 2.0, "dropout": 0.1}, seed=8)
    again = train({"learning_rate": 0.3, "dropout": 0.4})
    assert first[1:] == again[1:]
    other = train({"learning_rate": 0.3, "dropout": 0.4}, seed=4)
    assert other[1] != first[1]


def test_divergence_ends_a_trial_at_its_step(train):
    """A learning rate of 1e20 makes the weights overflow: INFEASIBLE at the first step with an infinite or NaN loss or weight."""
    end, losses, _ = train({"learning_rate": 1e20})
    assert (end.status, end.reason) == (Status.INFEASIBLE, StopReason.DIVERGED)
    assert len(losses) == end.steps <= 4
    assert str(end.steps) in end.message
    assert all(np.isfinite(losses[:-1]))


def test_weights_that_overflow_are_a_divergence_before_the_loss_shows_it(train):
    """An update of 1e38 times a gradient makes weights infinite while the step's own loss was finite."""
    end, losses, _ = train({"learning_rate": 3e38, "weight_decay": 10.0})
    assert end.status is Status.INFEASIBLE
    assert end.steps == 1
    assert np.isfinite(losses).all()
    assert "weights" in end.message


def test_a_sweep_may_call_a_large_loss_infeasible(train):
    """`infeasible.loss_above` ends the trial at the first loss above it, and says so."""
    _, losses, _ = train({"learning_rate": 3.0})
    limit = float(np.sort(losses)[-2])
    first = int(np.argmax(np.array(losses) > limit)) + 1
    end, cut, _ = train({"learning_rate": 3.0}, infeasible={"loss_above": limit})
    assert (end.status, end.steps, len(cut)) == (Status.INFEASIBLE, first, first)
    assert "loss_above" in end.message


def test_stop_at_goal(train):
    """With stop = goal the trial ends at the first measurement strictly below the goal."""
    _, _, all_measured = train({"learning_rate": 0.5}, steps=400)
    errors = [(step, values["val/classification_error"]) for step, values in all_measured]
    reached = next(step for step, error in errors if error < 0.1)
    goal = {"metric": "val/classification_error", "value": 0.1, "maximize": False}
    end, losses, _ = train({"learning_rate": 0.5}, steps=400, goal=goal, stop="goal")
    assert (end.status, end.reason, end.steps, len(losses)) == (
        Status.COMPLETE,
        StopReason.GOAL,
        reached,
        reached,
    )
    equal = dict(errors)[reached]
    end, _, _ = train({"learning_rate": 0.5}, steps=400, goal={**goal, "value": equal}, stop="goal")
    assert end.steps > reached, "a value equal to the goal has not reached it"


def test_stop_when_beaten(train):
    """With stop = beaten the trial ends at its first evaluation at or after the steps of the best trial so far."""
    end, losses, measured = train({"learning_rate": 1e-4}, steps=400, stop="beaten", beaten=lambda: 50)
    assert (end.status, end.reason, end.steps) == (Status.COMPLETE, StopReason.BEATEN, 60)
    assert len(losses) == 60
    assert measured[-1][0] == 60


def test_a_margin_lets_a_trial_train_longer(train):
    """With margin = 0.25 a trial is beaten at its first evaluation 25 % or more after the best trial's steps."""
    end, _, _ = train(
        {"learning_rate": 1e-4}, steps=400, stop="beaten", margin=0.25, beaten=lambda: 80, trials=1000
    )
    assert (end.reason, end.steps) == (StopReason.BEATEN, 100)
    end, _, _ = train({"learning_rate": 1e-4}, steps=400, stop="beaten", margin=0.26, beaten=lambda: 80)
    assert (end.reason, end.steps) == (StopReason.BEATEN, 120)


def test_a_call_prepares_what_the_limit_leaves(network, monkeypatch):
    """Once a limit went round, calls end at the evaluation after it; a trial without one, a repeat, trains on to its budget."""
    study = Study(network, Ranks(), definition(steps=400, stop="beaten"), ("learning_rate",))
    run, prepared = study.loop.run, []
    monkeypatch.setattr(
        study.loop,
        "run",
        lambda x, y, rows, *args, **more: prepared.append(len(rows)) or run(x, y, rows, *args, **more),
    )

    def trained(limit):
        prepared.clear()
        trial = {"seed": 3, "metaparameters": {"learning_rate": 1e-4}}
        return study.train(trial, lambda *recorded: False, lambda: limit)

    trained(None)
    trained(50)
    assert (trained(50).steps, prepared) == (60, [60])
    assert trained(None).steps == 400


def test_where_a_call_ends_changes_no_loss_and_no_measurement(train, monkeypatch):
    """Calls of one to seven updates, which end in the middle of evaluation intervals: the bits of one long call."""
    whole = train({"learning_rate": 0.3}, batch_size=5, steps=47)
    monkeypatch.setattr("hvdsweep.training.study.MOST_STEPS_A_CALL", 7)
    assert train({"learning_rate": 0.3}, batch_size=5, steps=47)[1:] == whole[1:]


def test_a_trial_is_interrupted_when_asked(train):
    """When `record` asks for it, the trial ends after the next call and stays RUNNING."""
    end, losses, _ = train({"learning_rate": 0.1}, steps=40_000, ask_at=100)
    assert end.status is Status.RUNNING
    assert len(losses) < 40_000


class Streamed:
    """The digits as a stream that augments by keys as a streamed data set does: brightness by the key's first word."""

    def __init__(self, split):
        self.split = split
        self.asked = []

    def __len__(self):
        return len(self.split)

    def blocks(self, rows, keys=None):
        for block, own in zip(rows, keys if keys is not None else itertools.repeat(None), strict=False):
            self.asked.append(block)
            features = self.split.features[block]
            yield (features if own is None else brighter(features, own, np)), self.split.labels[block]


def brighter(features, keys, xp=None):
    """Features [b, ...] times 0.5 to 1.5, drawn from each example's key."""
    factor = 0.5 + stateless.uniform(keys, 1, xp)
    return features * factor.reshape(-1, 1, 1, 1) if xp is np else features * factor[:, :, None, None]


@pytest.mark.parametrize("batch_size", [7, 32])
def test_a_streamed_set_trains_as_one_in_memory(digits, batch_size):
    """The same examples in the same batches under the same augmentation: the same losses, evaluated without augmentation."""

    def losses_of(dataset):
        study = Study(
            Network(dataset, "fc_16", {}, None),
            Ranks(),
            definition(batch_size=batch_size),
            ("learning_rate",),
        )
        losses, measured = [], []

        def record(first, more, measurements, noise):
            losses.extend(more.tolist())
            measured.extend(values["val/cross_entropy_error"] for _, values in measurements)
            return False

        study.train({"seed": 3, "metaparameters": {"learning_rate": 0.3}}, record, lambda: None)
        return losses, measured

    in_memory = replace(digits, augment=brighter)
    stream = Streamed(digits.train)
    val = Split(Streamed(digits.val), None)
    streamed = replace(digits, train=Split(stream, None), val=val, augment=None)
    expected, theirs = losses_of(in_memory)
    losses, measured = losses_of(streamed)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(measured, theirs, rtol=1e-5)
    plain, _ = losses_of(digits)
    assert not np.allclose(losses, plain, rtol=1e-3), "the augmentation has an effect"
    np.testing.assert_array_equal(
        np.concatenate(stream.asked), Shuffle(len(digits.train), 3).at(np.arange(40 * batch_size))
    )
