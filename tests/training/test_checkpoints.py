"""A resumed trial has the same bits as an uninterrupted one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.states import Status
from hvdsweep.store.checkpoints import Refused, files
from hvdsweep.store.exchange import Claim
from hvdsweep.training.checkpoints import Keeper, Resume, loaded
from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from tests.training.conftest import definition
from tests.training.test_ranks import FAMILIES
from tests.training.test_study import Streamed
from workloads.datasets import load_dataset
from workloads.datasets.dataset import Split

SOURCE = str(Path(__file__).parent)
META = {"learning_rate": 0.2, "momentum": 0.5, "dropout": 0.3}
EVALUATED = {"every": 4, "splits": ["val"], "at_start": True}
STEPS = 13
CUT = 6
"""Where a trial is interrupted: between two evaluations."""


@pytest.fixture(autouse=True)
def short_calls(monkeypatch):
    """Calls of one, one, two, two, ... updates at any machine speed, so that a trial can be interrupted anywhere."""
    monkeypatch.setattr("hvdsweep.training.study.CALL_SECONDS", 1e9)
    monkeypatch.setattr("hvdsweep.training.study.MOST_STEPS_A_CALL", 2)


class Trained:
    """What a trial records in one go or in several."""

    def __init__(self, network, study, metaparameters, folder):
        names = tuple(sorted(metaparameters))
        self.study = Study(network, Ranks(), study, names)
        self.trial = {"seed": 11, "metaparameters": metaparameters}
        self.db = folder / "store.db"
        self.claim = Claim(1, 1, 0, 11, metaparameters, study, "", key="key")

    def whole(self):
        """(losses, measurements, final state) of the undisturbed trial."""
        return self._train([], [], None, None, STEPS + 1)[1:]

    def interrupted(self, cut=CUT):
        """The same, interrupted after `cut` updates, with another trial in between."""
        losses, measured = [], []
        keeper = Keeper(self.db, self.claim, every=1e6)
        end, *_ = self._train(losses, measured, None, keeper, cut)
        assert end.status is Status.RUNNING
        assert end.steps == cut
        keeper.wait()
        step, _ = keeper.take()
        assert step == end.steps == len(losses)
        self.study.network.reset(99)
        claim = replace(self.claim, checkpoint=step)
        resume = Resume(step, loaded(self.db, claim, self.study.state))
        return self._train(losses, measured, resume, None, STEPS + 1)[1:]

    def _train(self, losses, measured, resume, keeper, cut):
        def record(first, more, measurements, noise):
            assert first == len(losses) + 1
            losses.extend(more.tolist())
            measured.extend(measurements)
            return len(losses) >= cut - 2

        end = self.study.train(self.trial, record, lambda: None, resume=resume, keeper=keeper)
        return end, losses, measured, [values.tobytes() for values in self.study.state.copy()]


def same(one, other):
    """Losses, measurements and every variable are equal bit for bit, and the trial did learn."""
    assert one == other
    assert len(one[0]) == STEPS
    assert len(set(one[0])) > STEPS // 2


@pytest.mark.parametrize("algorithm", ["sgd", "momentum", "nesterov_momentum"])
@pytest.mark.parametrize("cut", [1, CUT, 8])
def test_every_algorithm_resumes(network, tmp_path, algorithm, cut):
    """Interrupted early, between two evaluations, at an evaluation: with dropout, in micro-batches."""
    study = definition(algorithm=algorithm, steps=STEPS, evaluation=EVALUATED, batch_size=20, micro_batch=8)
    trained = Trained(network, study, META, tmp_path)
    same(trained.interrupted(cut), trained.whole())


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case["definition"]["model"])
def test_every_family_resumes(tmp_path, case):
    """Ghost statistics, attention, recurrence, noise."""
    study = {**case["definition"], "steps": STEPS, "evaluation": {**EVALUATED, "every": 5}}
    dataset = load_dataset(study["dataset"], study["dataset_options"])
    network = Network(dataset, study["model"], study["model_options"], None)
    trained = Trained(network, study, case["trial"]["metaparameters"], tmp_path)
    same(trained.interrupted(), trained.whole())


@pytest.mark.parametrize("name", ["frozen_base", "by_hand", "constrained", "with_state"])
def test_a_users_model_resumes(digits, tmp_path, name):
    """Frozen weights, variables of its own, penalties and constraints, states that no weight list names."""
    study = definition(model=f"user_models:{name}", steps=STEPS, evaluation=EVALUATED, algorithm="momentum")
    network = Network(digits, study["model"], {}, SOURCE)
    trained = Trained(network, study, META, tmp_path)
    same(trained.interrupted(), trained.whole())


def test_a_streamed_set_resumes_in_the_middle_of_an_epoch(digits, tmp_path):
    """The stream is asked only for the batches after the checkpoint; losses are those of the whole trial."""
    stream = Streamed(digits.train)
    dataset = replace(digits, train=Split(stream, None), augment=None)
    study = definition(steps=STEPS, evaluation=EVALUATED, batch_size=300)
    assert CUT * 300 % len(digits.train)
    trained = Trained(Network(dataset, "fc_16", {}, None), study, {"learning_rate": 0.3}, tmp_path)
    whole = trained.whole()
    before = len(stream.asked)
    again = trained.interrupted(CUT)
    same(again, whole)
    asked = np.concatenate(stream.asked[:before])
    (step,) = [file.step for file in files(trained.db)]
    np.testing.assert_array_equal(np.concatenate(stream.asked[-(STEPS - step) :])[-300:], asked[-300:])
    assert sum(map(len, stream.asked[before:])) < 2 * len(asked)


def test_a_checkpoint_of_another_model_is_refused(network, digits, tmp_path):
    """The right key, but other shapes of weights, or an algorithm that needs velocities which are not there."""
    study = definition(steps=STEPS, evaluation=EVALUATED)
    trained = Trained(network, study, META, tmp_path)
    trained.interrupted()
    claim = replace(trained.claim, checkpoint=files(trained.db)[0].step)
    wider = Study(Network(digits, "fc_64", {}, None), Ranks(), study, ())
    moving = Study(network, Ranks(), {**study, "algorithm": "momentum"}, ())
    for other in (wider, moving):
        with pytest.raises(Refused, match="other weights"):
            loaded(trained.db, claim, other.state)


def test_checkpoints_are_made_as_often_as_asked(network, tmp_path, monkeypatch):
    """A second of training between two checkpoints; none if none is requested; a file that cannot be written is reported,
    and training continues."""
    now = [0.0]
    monkeypatch.setattr("hvdsweep.training.checkpoints.time.monotonic", lambda: now[0])
    study = definition(steps=STEPS, evaluation=EVALUATED)
    trained = Trained(network, study, META, tmp_path)
    for every in (1.0, 0.0):
        keeper, made = Keeper(trained.db, trained.claim, every), []

        def record(first, losses, measurements, noise, keeper=keeper, made=made):
            now[0] += 0.4
            keeper.wait()
            made.append(keeper.take())
            return False

        trained.study.train(trained.trial, record, lambda: None, keeper=keeper)
        steps = [one[0] for one in made if one is not None]
        assert steps == ([4, 12] if every else [])
    keeper = Keeper(tmp_path / "missing" / "store.db", trained.claim, 1.0)
    keeper.save(5, [np.zeros(3)])
    keeper.wait()
    assert keeper.take() is None
    problem = keeper.take_problem()
    assert problem is not None
    assert problem.startswith("trial 0: no checkpoint at step 5: [Errno 2]")
    assert keeper.take_problem() is None
