"""A user's model is trained exactly as its code says: the weights it sets, the losses it adds, the constraints it puts."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvdsweep.errors import UserError
from hvdsweep.training.batches import Shuffle
from hvdsweep.training.network import Network
from hvdsweep.training.penalties import kind_of
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.step import Share
from hvdsweep.training.study import Study
from tests.training import user_models
from tests.training.conftest import definition
from tests.training.test_ranks import run
from workloads import stateless

SOURCE = str(Path(__file__).parent)
META = {"learning_rate": 0.2, "momentum": 0.5}


@pytest.fixture(scope="module")
def network_of(digits):
    """Networks by the name of a function of `user_models`, each built once."""
    built: dict[str, Network] = {}

    def get(name: str) -> Network:
        if name not in built:
            built[name] = Network(digits, f"user_models:{name}", {}, SOURCE)
        return built[name]

    return get


def values(network: Network) -> list[np.ndarray]:
    return [variable.numpy() for variable in network.model.weights]


# What build sets, and which of the weights are drawn: places among model.weights that are kept.
KEPT = {
    "plain": [],
    "lazy": [],
    "set_weights": [0, 1],
    "assigned": [0],
    "loaded_model": [0, 1, 2],
    "loaded_weights": [0, 1, 2],
    "frozen_base": None,
    "embedding": None,
    "by_hand": None,
}


@pytest.mark.parametrize("name", KEPT)
def test_weights_that_build_sets_start_every_trial(network_of, name):
    """They hold build's values for every seed, after training too; all others are drawn, and differ from seed to seed."""
    network = network_of(name)
    kept = {id(variable) for variable in network.initial.kept}
    places = [place for place, variable in enumerate(network.model.weights) if id(variable) in kept]
    if KEPT[name] is not None:
        assert places == KEPT[name]
    drawn = {}
    for seed in (1, 2):
        network.reset(seed)
        drawn[seed] = values(network)
        for weight in network.weights:
            weight.assign_add(tf.ones_like(weight))
    expected = {
        (64, 5): user_models.matrix(1, 64, 5),
        (5,): user_models.matrix(2, 5),
        (17, 3): user_models.matrix(1, 17, 3),
    }
    assert (len(places) > 0) == (name not in ("plain", "lazy"))
    for place, variable in enumerate(network.model.weights):
        one, other = drawn[1][place], drawn[2][place]
        if place in places and one.shape in expected:
            np.testing.assert_array_equal(one, expected[one.shape])
        if place in places:
            np.testing.assert_array_equal(one, other)
        elif variable.path.endswith("kernel"):
            assert (one != other).any()


def test_the_hash_of_kept_weights_is_that_of_their_content(network_of, digits):
    """Equal values give equal hashes, in models built twice; one changed number gives another; no kept weight gives none."""
    again = Network(digits, "user_models:set_weights", {}, SOURCE)
    assert again.initial.content == network_of("set_weights").initial.content
    assert network_of("plain").initial.content is None
    named = ("set_weights", "assigned", "loaded_model")
    assert len({network_of(name).initial.content for name in named}) == 3


class Scaled(keras.initializers.Initializer):
    """An initialiser made of another one."""

    def __init__(self):
        self.base = keras.initializers.RandomNormal(seed=3)

    def __call__(self, shape, dtype=None):
        return 2 * self.base(shape, dtype=dtype)


@pytest.mark.parametrize(
    "initializer",
    [keras.initializers.GlorotUniform(seed=3), Scaled()],
    ids=lambda value: type(value).__name__,
)
def test_seeds_given_by_the_user_give_way_to_the_trials(digits, initializer, monkeypatch):
    """A fixed seed in an initialiser, or in one inside it, does not make every trial start from the same weights."""
    monkeypatch.setattr(
        user_models,
        "plain",
        lambda: user_models.stack(out=keras.layers.Dense(10, kernel_initializer=initializer)),
    )
    network = Network(digits, "tests.training.user_models:plain", {}, None)
    drawn = []
    for seed in (1, 2, 1):
        network.reset(seed)
        drawn.append(values(network)[0])
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(drawn[0], drawn[2])


def reference(
    network: Network, *, seed: int, batch_size: int, steps: int
) -> tuple[list[float], list[np.ndarray]]:
    """Momentum descent by plain Keras on whole batches: the mean cross entropy plus `model.losses`; then constraints."""
    network.reset(seed)
    model, data = network.model, network.dataset.train
    order = Shuffle(len(data), seed).at(np.arange(steps * batch_size))
    velocities = [tf.zeros_like(variable.value) for variable in model.trainable_variables]
    losses = []
    for step in range(steps):
        rows = order[step * batch_size : (step + 1) * batch_size]
        with stateless.scope(seed, step, np.arange(batch_size)), tf.GradientTape() as tape:
            logits = model(data.features[rows], training=True)
            mean = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=data.labels[rows], logits=logits)
            )
            loss = mean + sum(tf.reduce_sum(added) for added in model.losses)
        gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        for place, (variable, gradient) in enumerate(zip(model.trainable_variables, gradients, strict=True)):
            velocities[place] = META["momentum"] * velocities[place] + gradient
            variable.assign(variable.value - META["learning_rate"] * velocities[place])
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))
        losses.append(float(loss))
    return losses, values(network)


PENALISED = [
    "regularised",
    "activity",
    "add_mean_after_dropout",
    "add_sum",
    "add_weights",
    "add_two",
    "constrained",
]
SPLITS = [(12, 256), (12, 5)]
"""(batch size, micro-batch): one pass; three passes, where padded ones would be of five rows."""


@pytest.mark.parametrize("name", PENALISED)
def test_losses_and_constraints_of_the_model_are_keras_own(network_of, name):
    """Losses and weights over six steps equal plain Keras' on whole batches, for any passes."""
    network = network_of(name)
    for batch_size, micro_batch in SPLITS:
        expected, weights = reference(network, seed=5, batch_size=batch_size, steps=6)
        study = Study(
            network,
            Ranks(),
            definition(
                model=f"user_models:{name}",
                algorithm="momentum",
                batch_size=batch_size,
                micro_batch=micro_batch,
                steps=6,
                evaluation={"every": 6, "splits": ["val"], "at_start": False},
            ),
            tuple(META),
        )
        losses: list[float] = []
        study.train(
            {"seed": 5, "metaparameters": META},
            lambda first, more, measured, noise, losses=losses: losses.extend(more.tolist()) or False,
            lambda: None,
        )
        np.testing.assert_allclose(losses, expected, rtol=2e-4)
        for ours, theirs in zip(values(network), weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("name", ["add_squared_mean", "add_variance"])
def test_an_added_loss_that_ranks_cannot_add_up_is_refused(network_of, name):
    """Neither a mean nor a sum over the examples: the message says so and gives the remedy."""
    with pytest.raises(UserError, match=rf"user_models:{name}: a loss that the model adds .* Make it a mean"):
        network_of(name)


def test_kinds_of_added_losses():
    """Means, sums and constants are distinguished by several values of the weights; 0 everywhere is a constant."""
    assert kind_of([(2.0, [1.0, 3.0])]) == "mean"
    assert kind_of([(4.0, [1.0, 3.0])]) == "sum"
    assert kind_of([(2.0, [2.0, 2.0])]) == "constant"
    assert kind_of([(0.0, [0.0, 0.0])]) == "constant"
    assert kind_of([(0.0, [0.0, 0.0]), (4.0, [1.0, 3.0])]) == "sum"
    assert kind_of([(2.0, [1.0, 3.0]), (5.0, [1.0, 3.0])]) is None
    assert kind_of([(float("inf"), [1.0, 3.0]), (2.0, [1.0, 3.0])]) == "mean"


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(
    ("batch_size", "micro_batch", "granule"), [(7, 3, 1), (12, 5, 1), (64, 20, 16), (40, 32, 16)]
)
def test_passes_without_padding_hold_every_row_once(size, batch_size, micro_batch, granule):
    """The ranks' passes without padding are whole, and together the batch."""
    rows = []
    for rank in range(size):
        share = Share.of(batch_size, Ranks(rank, size), micro_batch, granule, padded=False)
        if share.real.any():
            assert share.real.all()
            rows += share.rows.tolist()
    assert rows == list(range(batch_size))


@pytest.mark.horovod
def test_two_ranks_train_what_one_does(network_of, tmp_path):
    """Kept weights, regularisers, added losses and a constraint in one model, over two real ranks with uneven shares: Keras' own
    losses on whole batches. Each of them alone, for any passes, is above."""
    study = definition(
        model="user_models:everything",
        source=SOURCE,
        algorithm="momentum",
        batch_size=7,
        micro_batch=3,
        steps=6,
        evaluation={"every": 6, "splits": ["val"], "at_start": False},
    )
    (recorded,) = run(2, tmp_path, [{"definition": study, "trial": {"seed": 5, "metaparameters": META}}])
    expected, _ = reference(network_of("everything"), seed=5, batch_size=7, steps=6)
    np.testing.assert_allclose(recorded["losses"], expected, rtol=2e-4)
