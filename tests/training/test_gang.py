"""A gang of one on a real store: what it writes, and how it notices a request to stop."""

import re

import numpy as np
import pytest

from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.repeats import repeat_number
from hvdsweep.store.checkpoints import files
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Claim
from hvdsweep.store.lifecycle import new_gang, request_stop
from hvdsweep.store.maintenance import check
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import load_sweep
from hvdsweep.training.gang import Gang
from hvdsweep.training.ranks import Ranks

TOML = """
dataset = "{dataset}"
model = "fc_16"
algorithm = "momentum"
[goal]
metric = "val/classification_error"
value = 0.3
[budget]
steps = {steps}
[evaluation]
every = 20
[studies]
batch_sizes = {batch_sizes}
trials = 2
[search]
learning_rate = {learning_rate}
momentum = 0.9
"""


@pytest.fixture
def prepared(tmp_path):
    """Make a store with a small sweep and a gang; returns (path, sweep id, writer)."""
    writers = []

    def prepare(
        *,
        dataset="digits",
        steps=60,
        learning_rate='{ scale = "log", min = 0.01, max = 0.1 }',
        batch_sizes="[16, 64]",
        name="small",
        training="",
        content=None,
    ):
        toml, path = tmp_path / "small.toml", tmp_path / f"{name}.db"
        toml.write_text(
            TOML.format(dataset=dataset, steps=steps, learning_rate=learning_rate, batch_sizes=batch_sizes)
            + training
        )
        conn = connect(path, create=True)
        sweep = save_plan(conn, make_plan(load_sweep(toml), content)).sweep_id
        writer = TrialWriter(path, new_gang(conn, sweep, np=1))
        writers.append(writer)
        writers.append(conn)
        return path, sweep, writer

    yield prepare
    for writer in writers:
        writer.close()


def work(path, sweep, writer, *, stop_at_commit=None, checkpoint_every=0.0):
    """Let the gang work until nothing is left (or until a given commit), then ask it to stop."""
    commit, seen = writer.commit, [0]

    def committing(update, *, claim, **more):
        seen[0] += 1
        if seen[0] == stop_at_commit:
            request_stop(connect(path), sweep)
        reply = commit(update, claim=claim, **more)
        if claim and reply.claim is None and not reply.stop:
            request_stop(connect(path), sweep)
        return reply

    writer.commit = committing
    Gang(Ranks(), writer, db=path, checkpoint_every=checkpoint_every).work()


def test_every_step_of_every_trial_is_in_the_store(prepared):
    """Four trials of 60 steps: 60 losses each, measurements at 0, 20, 40, 60, COMPLETE by their budget."""
    path, sweep, writer = prepared()
    work(path, sweep, writer)
    with open_store(path) as store:
        trials = store.trials().rows
        assert [trial.status.name for trial in trials] == ["COMPLETE"] * 4
        for trial in trials:
            steps, losses = store.losses(trial.id)
            assert steps.tolist() == list(range(1, 61))
            assert np.isfinite(losses).all()
            assert store.measurements(trial.id).steps.tolist() == [0, 20, 40, 60]


def test_noise_estimates_reach_the_store_and_change_nothing_else(prepared):
    """With the noise scale by layer: the same trial keys and losses as without, and at step 80 a row for each layer and one for
    all weights, which is the sum of the layers."""
    found = {}
    for name, training in (("plain", ""), ("noisy", "[training]\nnoise_scale = true\nnoise_layers = true\n")):
        path, sweep, writer = prepared(steps=80, batch_sizes="[16]", name=name, training=training)
        work(path, sweep, writer)
        with open_store(path) as store:
            found[name] = (
                store.rows("SELECT key, status, steps FROM trials ORDER BY id"),
                store.rows("SELECT * FROM losses ORDER BY 1, 2"),
            )
            rows = store.rows("SELECT * FROM gradient_noise ORDER BY 1, 2, 3")
        if name == "plain":
            assert rows == []
    assert found["plain"] == found["noisy"]
    layers = ("", "1 dense", "2 dense")
    assert [row[:3] for row in rows] == [(trial, 80, layer) for trial in (1, 2) for layer in layers]
    for whole, *parts in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        np.testing.assert_allclose(whole[3:], np.sum([part[3:] for part in parts], 0), rtol=1e-12)
        assert whole[4] > 0


def test_a_diverged_trial_keeps_its_losses_up_to_the_step(prepared):
    """INFEASIBLE with its step and reason; the losses up to it are there, no later ones."""
    path, sweep, writer = prepared(learning_rate="1e20")
    work(path, sweep, writer)
    with open_store(path) as store:
        for trial in store.trials().rows:
            assert (trial.status.name, trial.stop_reason.name) == ("INFEASIBLE", "DIVERGED")
            assert len(store.losses(trial.id)[0]) == trial.steps < 60


def test_a_study_that_cannot_be_built_is_given_up_with_the_reason(prepared, tmp_path):
    """A data set whose code raises: every trial is INCOMPLETE with the error's message, and the gang stays alive."""
    (tmp_path / "broken_data.py").write_text(
        "def load():\n    raise RuntimeError('the disk is on the moon')\n"
    )
    path, sweep, writer = prepared(dataset="broken_data:load")
    work(path, sweep, writer)
    with open_store(path) as store:
        trials = store.trials().rows
        assert {trial.status.name for trial in trials} == {"INCOMPLETE"}
        assert all("the disk is on the moon" in trial.message for trial in trials)


def test_data_that_differ_from_the_plan_are_not_trained_on(prepared, tmp_path):
    """Data whose hash is not the planned one: every trial is INCOMPLETE with both hashes and no loss; with the right hash in the
    plan the same data train."""
    (tmp_path / "changed_data.py").write_text(
        "import numpy as np\ndef load():\n    x, y = np.eye(64)[:, :8], np.arange(64) % 2\n"
        "    return {'train': (x, y), 'val': (x, y)}\n"
    )
    options = {"dataset": "changed_data:load", "steps": 20, "batch_sizes": "[16]"}
    path, sweep, writer = prepared(**options, content={"data": "0" * 16})
    work(path, sweep, writer)
    with open_store(path) as store:
        trials = store.trials().rows
        assert [trial.status.name for trial in trials] == ["INCOMPLETE"] * 2
        assert all(len(store.losses(trial.id)[0]) == 0 for trial in trials)
    (said,) = {trial.message for trial in trials}
    found = re.search(
        r"changed_data:load: the data are not those .* planned with \((\w{16}), planned 0{16}\)", said
    )
    path, sweep, writer = prepared(**options, content={"data": found[1]}, name="right")
    work(path, sweep, writer)
    with open_store(path) as store:
        assert [trial.status.name for trial in store.trials().rows] == ["COMPLETE"] * 2


def test_a_request_to_stop_gives_the_running_trial_back(prepared, monkeypatch):
    """Asked in the middle of a long trial: the trial is PENDING again, and its data are removed."""
    monkeypatch.setattr("hvdsweep.training.gang.FLUSH_SECONDS", 0.0)
    path, sweep, writer = prepared(steps=100_000)
    work(path, sweep, writer, stop_at_commit=5)
    with open_store(path) as store:
        trials = store.trials().rows
        assert [trial.status.name for trial in trials] == ["PENDING"] * 4
        assert all(len(store.losses(trial.id)[0]) == 0 for trial in trials)


def test_a_stopped_trial_resumes_where_it_was(prepared, monkeypatch):
    """Stopped twice, the second checkpoint cut short: the first gang's steps are kept, then the trial begins at its first step,
    with an event; in the end every loss, measurement and record is that of an undisturbed sweep, and no file is left."""
    monkeypatch.setattr("hvdsweep.training.gang.FLUSH_SECONDS", 0.0)
    monkeypatch.setattr("hvdsweep.training.study.CALL_SECONDS", 1e9)
    monkeypatch.setattr("hvdsweep.training.study.MOST_STEPS_A_CALL", 10)
    undisturbed, sweep, writer = prepared(batch_sizes="[16]", name="undisturbed")
    work(undisturbed, sweep, writer)
    path, sweep, writer = prepared(batch_sizes="[16]")
    conn = connect(path)
    made = []
    for _ in range(2):
        work(path, sweep, writer, stop_at_commit=5, checkpoint_every=1e6)
        waits = conn.execute(
            "SELECT status, steps, checkpoint, (SELECT max(step) FROM losses) FROM trials WHERE number = 0"
        ).fetchone()
        assert waits == ("PENDING", waits[2], waits[2], waits[2])
        made.append(waits[2])
        assert check(conn) == []
        assert [(file.trial_id, file.step) for file in files(path)] == [(1, waits[2])]
        conn.execute("UPDATE sweeps SET request = NULL")
        writer = TrialWriter(path, new_gang(conn, sweep, np=1))
    assert 0 < made[0] < made[1] < 60
    (file,) = files(path)
    file.path.write_bytes(file.path.read_bytes()[:-100])
    work(path, sweep, writer, checkpoint_every=1e6)
    writer.close()
    assert conn.execute("SELECT message FROM events WHERE kind = 'checkpoint'").fetchall() == [
        (f"trial 0 resumes at step {made[0]}",),
        (
            f"trial 0: its checkpoint at step {made[1]} is damaged (its content does not match its hash): it begins at its "
            "first step",
        ),
    ]
    assert check(conn) == []
    assert files(path) == []
    other = connect(undisturbed)
    for query in ("SELECT * FROM losses", "SELECT * FROM measurements", "SELECT * FROM running_best"):
        assert conn.execute(query).fetchall() == other.execute(query).fetchall()
    assert conn.execute("SELECT attempts, status FROM trials").fetchall() == [(0, "COMPLETE")] * 2
    conn.close()
    other.close()


def test_a_repeat_is_never_beaten():
    """The fewest steps of the search end a trial of the search early, but no repeat of its best trial."""

    class Writer:
        def best_steps_to_goal(self, *asked):
            return 10

    gang = Gang(Ranks(), Writer())
    goal = {"goal": {"metric": "val/loss", "value": 0.1, "maximize": False}}
    asked = [gang._beaten(Claim(1, 1, number, 0, {}, goal, "{}"))() for number in (7, repeat_number(7, 0))]
    assert asked == [10, None]
