"""The noisy quadratic through the real engine: its losses, and a real sweep's steps to the goal, against what is known exactly.

With w_i = 1 at the start and noise of random signs, w_i after t steps of plain SGD at rate eta has mean (1 - eta h_i)^t and
cumulants that are geometric sums, so the variance of the loss is known as exactly as its mean, and with it every sampling error.
"""

import numpy as np
import pytest

from hvdsweep.curves import curve
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import load_sweep
from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from tests.training.conftest import definition
from tests.training.test_gang import work
from workloads.datasets import load_dataset
from workloads.models.noisy_quadratic import curvatures, expected_loss, steps_to_loss


def moments(steps, rate, batch, dimension):
    """Mean and variance of the exact loss after 0..steps updates, and the variance of the training loss of update t + 1.

    The training loss adds the mean over the batch of sum_i sqrt(h_i) xi_i w_i: variance sum_i h_i E[w_i^2] / B, uncorrelated.
    """
    h = curvatures(dimension)
    mean, second, fourth = np.ones(dimension), np.zeros(dimension), np.zeros(dimension)
    means, variances, training = [], [], []
    for _ in range(steps + 1):
        squares = mean**2 + second
        means.append(0.5 * np.sum(h * squares))
        # Var(w^2) of a variable with mean m, variance v, third cumulant 0, fourth k: 2 v^2 + 4 m^2 v + k.
        variances.append(0.25 * np.sum(h**2 * (2 * second**2 + 4 * mean**2 * second + fourth)))
        training.append(variances[-1] + np.sum(h * squares) / batch)
        mean = (1 - rate * h) * mean
        second = (1 - rate * h) ** 2 * second + rate**2 * h / batch
        # The mean of `batch` random signs has the fourth cumulant -2 / batch^3.
        fourth = (1 - rate * h) ** 4 * fourth - 2 * rate**4 * h**2 / batch**3
    return np.array(means), np.array(variances), np.array(training)


@pytest.mark.parametrize(("batch", "rate"), [(1, 0.3), (16, 1.2)])
def test_measured_losses_are_the_closed_form_within_their_standard_error(batch, rate):
    """Mean over 150 trials of every measured and every training loss: within 4.5 exact standard errors of the expected one;
    and they scatter as much as they should."""
    dimension, steps, trials = 60, 30, 150
    options = {"dimension": dimension}
    network = Network(load_dataset("noisy_quadratic", options), "noisy_quadratic", {}, None)
    study = Study(
        network,
        Ranks(),
        definition(
            workload="noisy_quadratic/noisy_quadratic/sgd",
            dataset="noisy_quadratic",
            dataset_options=options,
            model="noisy_quadratic",
            batch_size=batch,
            steps=steps,
            evaluation={"every": 1, "splits": ["val"], "at_start": True},
            goal={"metric": "val/loss", "value": 0.1, "maximize": False},
        ),
        ("learning_rate",),
    )
    measured, trained = np.zeros((trials, steps + 1)), np.zeros((trials, steps))
    for trial in range(trials):
        losses = []

        def record(_, more, measurements, noise, trial=trial, losses=losses):
            losses.extend(more.tolist())
            for step, metrics in measurements:
                measured[trial, step] = metrics["val/loss"]
            return False

        study.train({"seed": 1000 + trial, "metaparameters": {"learning_rate": rate}}, record, lambda: None)
        trained[trial] = losses
    mean, variance, training_variance = moments(steps, rate, batch, dimension)
    np.testing.assert_allclose(mean, expected_loss(np.arange(steps + 1), rate, batch, dimension), rtol=1e-10)
    np.testing.assert_allclose(measured[:, 0], mean[0], rtol=1e-6)
    for ours, expected, spread in (
        (measured[:, 1:], mean[1:], variance[1:]),
        (trained, mean[:-1], training_variance[:-1]),
    ):
        standard_error = np.sqrt(spread / trials)
        assert (np.abs(ours.mean(0) - expected) < 4.5 * standard_error + 1e-6).all()
        # A sample's variance scatters by sqrt((kurtosis - 1) / n); the heaviest kurtosis here, of one chi-squared, is 15.
        assert (np.abs(ours.var(0, ddof=1) / spread - 1) < 4.5 * np.sqrt(14 / trials)).all()
        assert ours.var(0, ddof=1).sum() / spread.sum() == pytest.approx(1, abs=0.25)


TOML = """
dataset = "noisy_quadratic"
dataset_options = { dimension = 50 }
model = "noisy_quadratic"
algorithm = "sgd"
[goal]
metric = "val/loss"
value = 0.15
[budget]
steps = 40
[evaluation]
every = 1
[studies]
batch_sizes = [2, 8, 32, 128, 512]
trials = 24
[search]
learning_rate = 1.3
"""
RATES = {2: 0.15, 8: 0.45, 32: 1.0, 128: 1.3, 512: 1.5}
"""Close to the best ones: 222, 66, 26, 17 and 14 exact steps."""
BUDGETS = {2: 360, 8: 130}


def sweep_file(path):
    """A sweep that repeats each batch size's best trial with 24 seeds."""
    overrides = [f"[[budget.override]]\nbatch_sizes = [{b}]\nsteps = {n}\n" for b, n in BUDGETS.items()]
    overrides += [
        f"[[search.override]]\nbatch_sizes = [{b}]\nlearning_rate = {r}\n" for b, r in RATES.items()
    ]
    path.write_text(TOML + "".join(overrides))
    return path


def first(below):
    """The index of the first True, infinity where there is none."""
    return int(np.argmax(below)) if below.any() else np.inf


def test_a_sweeps_steps_to_the_goal_are_the_exact_curve(tmp_path):
    """At every batch size the mean measured loss of 24 trials passes the goal at the exact step, within 4.5 standard errors;
    the sweep's own curve, of the luckiest trial, lies where 4.5 deviations of one trial let it; scaling ends in a plateau."""
    path = tmp_path / "quadratic.db"
    conn = connect(path, create=True)
    sweep = save_plan(conn, make_plan(load_sweep(sweep_file(tmp_path / "quadratic.toml")))).sweep_id
    writer = TrialWriter(path, new_gang(conn, sweep, np=1))
    work(path, sweep, writer)
    writer.close()
    conn.close()
    with open_store(path) as store:
        table = store.workload_table("noisy_quadratic/noisy_quadratic/sgd")
        measured = {
            batch: [
                store.measurements(trial).values["val/loss"]
                for trial in table.trial_id[table.study == study].tolist()
            ]
            for study, batch in enumerate(table.batch_sizes.tolist())
        }
    best = {point.batch_size: point.steps for point in curve(table).points}
    steps = {}
    for batch, rate in RATES.items():
        losses = np.array(measured[batch])
        assert losses.shape == (24, BUDGETS.get(batch, 40) + 1)
        steps[batch] = first(losses.mean(0) < 0.15)
        mean, variance, _ = moments(losses.shape[1] - 1, rate, batch, 50)
        error = 4.5 * np.sqrt(variance / 24)
        earliest, latest = first(mean - error < 0.15), first(mean + error < 0.15)
        assert latest < 1.8 * earliest
        assert earliest <= steps_to_loss(0.15, rate, batch, 50) <= latest
        assert earliest <= steps[batch] <= latest
        assert first(mean - 4.5 * np.sqrt(variance) < 0.15) <= best[batch] <= steps[batch]
    assert steps[2] / steps[8] > 3
    assert steps[128] / steps[512] < 1.3
