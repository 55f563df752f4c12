"""The sentence before a run: new, going on, extended, or another sweep and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvdsweep.errors import RunFailed
from hvdsweep.launch.sweeps import introduce, save
from hvdsweep.plan import Plan, make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run
from hvdsweep.sweep.load import Overrides, load_sweep

TEXT = """
dataset = "digits"
model = "fc_16"
algorithm = "sgd"
goal = { metric = "val/classification_error", value = 0.3 }
budget = { steps = 10 }
evaluation = { every = 10 }
studies = { batch_sizes = [16, 64], trials = 3, seed = 1 }
[search]
learning_rate = { scale = "log", min = 0.03, max = 1.0 }
"""


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return path


def plan(path: Path, **overrides: object) -> Plan:
    return make_plan(load_sweep(path, Overrides(**overrides)))  # type: ignore[arg-type]


def test_what_is_said_of_a_sweep(tmp_path: Path, sweep_file: Path) -> None:
    """A new sweep; the same again; some done; extended; done; fewer trials
    than one study has, and another study; a changed definition with the key that changed."""
    conn = connect(tmp_path / "s.db", create=True)

    def say(**overrides: object) -> str:
        wanted = plan(sweep_file, **overrides)
        return introduce(conn, wanted, save(conn, wanted), tmp_path / "s.db").message

    assert say() == "sweep 1 (mine): new, 6 trials"
    assert say() == "sweep 1 (mine): 6 trials, none done yet"
    conn.execute("UPDATE trials SET status = 'COMPLETE' WHERE id <= 2")
    assert say() == "sweep 1 (mine): 2 of 6 trials done, resuming"
    assert say(trials=4) == "sweep 1 (mine): extended by 2 trials; 2 of 8 trials done, resuming"
    assert say(trials=3) == "sweep 1 (mine): 2 of 6 trials done, resuming; 2 trials not begun withdrawn"
    conn.execute("UPDATE trials SET status = 'COMPLETE'")
    assert say() == "sweep 1 (mine): all 6 trials done already"
    fewer = say(trials=1, batch_sizes="16,32")
    assert fewer == "sweep 1 (mine): extended by 1 trial; 1 of 2 trials done, resuming"
    changed = say(seed=2)
    assert changed.startswith("sweep 2 (mine): new, 6 trials. Not the sweep launched from here before")
    assert "\n  studies.seed: 1 -> 2" in changed
    conn.close()


def test_results_of_another_sweep_are_taken_over(tmp_path: Path, sweep_file: Path) -> None:
    """A sweep in another file whose trials are the same ones does not train them again, and says so."""
    conn = connect(tmp_path / "s.db", create=True)
    save(conn, plan(sweep_file))
    conn.execute("UPDATE trials SET status = 'COMPLETE', stop_reason = 'budget'")
    other = tmp_path / "other.toml"
    # Infinity diverges only later, so the trials of batch size 16 are the same; another algorithm makes it another sweep.
    other.write_text(
        TEXT.replace('algorithm = "sgd"', 'algorithms = ["sgd", "momentum"]') + "momentum = 0.9\n"
    )
    wanted = plan(other)
    event = introduce(conn, wanted, save(conn, wanted), tmp_path / "s.db")
    assert event.adopted == 6
    assert "results of 6 trials taken over from another sweep of this database" in event.message
    assert (event.done, event.trials) == (6, 12)
    conn.close()


def test_a_sweep_in_training_is_not_changed(tmp_path: Path, sweep_file: Path) -> None:
    """While a supervisor is at work, a launch with other numbers is refused before it touches a trial."""
    conn = connect(tmp_path / "s.db", create=True)
    saved = save(conn, plan(sweep_file))
    begin_run(conn, saved.sweep_id, np=1, gangs=1)
    with pytest.raises(RunFailed, match="being trained already"):
        save(conn, plan(sweep_file, trials=5))
    assert conn.execute("SELECT count(*) FROM trials").fetchone() == (6,)
    conn.close()
