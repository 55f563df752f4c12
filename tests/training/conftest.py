"""A small real workload (scikit-learn's digits, a fully connected net) that the tests of this folder train."""

from collections.abc import Callable
from typing import Any

import pytest

from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from workloads.datasets import load_dataset


@pytest.fixture(scope="session")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="session")
def network(digits):
    return Network(digits, "fc_16", {}, None)


def definition(**changes: Any) -> dict[str, Any]:
    """A study's definition as the planner writes it."""
    return {
        "workload": "digits/fc_16/sgd",
        "dataset": "digits",
        "dataset_options": {},
        "model": "fc_16",
        "model_options": {},
        "algorithm": "sgd",
        "source": None,
        "batch_size": 32,
        "steps": 40,
        "schedule": "constant",
        "evaluation": {"every": 20, "splits": ["val"], "at_start": True},
        "goal": {"metric": "val/classification_error", "value": 0.05, "maximize": False},
        "stop": "budget",
        "infeasible": {"loss_above": None},
        "micro_batch": 256,
        **changes,
    }


@pytest.fixture
def train(network) -> Callable[..., Any]:
    """Train one trial alone; returns (end, losses, measurements), if `full` also the estimates of the noise scale."""

    def run(metaparameters, *, seed=3, ask_at=None, beaten=lambda: None, trials=1, full=False, **changes):
        names = tuple(sorted(metaparameters))
        study = Study(network, Ranks(), definition(**changes), names, trials=trials)
        losses, measurements, estimates = [], [], []

        def record(first, more, measured, noise):
            assert first == len(losses) + 1
            losses.extend(more.tolist())
            measurements.extend(measured)
            estimates.extend(noise)
            return ask_at is not None and len(losses) >= ask_at

        end = study.train({"seed": seed, "metaparameters": metaparameters}, record, beaten)
        return (end, losses, measurements, estimates) if full else (end, losses, measurements)

    return run
