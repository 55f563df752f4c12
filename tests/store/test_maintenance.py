"""The check finds what it is for; a rebuild restores the records; deleting a sweep takes all of it and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.store.lifecycle import begin_run, delete_sweep
from hvdsweep.store.maintenance import check, rebuild_running_best
from hvdsweep.store.plans import save_plan

from .plans import plan, train_all

FAULTS = {
    "DELETE FROM losses WHERE trial_id = 1 AND step = 17": "losses are not one per step: trials 1",
    "DELETE FROM losses WHERE trial_id = 1 AND step = 40": "losses are not one per step: trials 1",
    "DELETE FROM losses WHERE trial_id = 1 AND step = 1": "losses are not one per step: trials 1",
    "DELETE FROM losses WHERE trial_id = 4": "losses are missing: trials 4",
    "INSERT INTO losses VALUES (99, 1, 0.5)": "data of a trial that does not exist: trials 99",
    "UPDATE trials SET status = 'PENDING' WHERE id = 3": "a trial that waits holds data beyond its checkpoint: trials 3",
    "UPDATE trials SET checkpoint = 5 WHERE id = 3": "a trial's checkpoint lies beyond its steps, or it has ended: trials 3",
    "UPDATE trials SET status = 'PENDING', gang_id = NULL, checkpoint = steps - 1 WHERE id = 3": (
        "a trial that waits holds data beyond its checkpoint: trials 3"
    ),
    "UPDATE trials SET status = 'RUNNING', gang_id = NULL WHERE id = 3": "a trial in training belongs to no gang: trials 3",
    "UPDATE trials SET stop_reason = NULL WHERE id = 3": "a finished trial lacks its end: trials 3",
    "UPDATE trials SET status = 'LOST' WHERE id = 3": "a trial's status is unknown: trials 3",
    "INSERT INTO measurements (trial_id, step) VALUES (3, 41)": "a measurement lies beyond its trial's steps: trials 3",
    "INSERT INTO gradient_noise VALUES (3, 41, '', 1, 1)": "noise estimates lie beyond their trial's steps: trials 3",
    "INSERT INTO gradient_noise VALUES (99, 1, '', 1, 1)": "noise estimates lie beyond their trial's steps: trials 99",
    "DELETE FROM best_records WHERE trial_id = 1 AND step = 0": "the running best is not that of the measurements: trials 1",
    "DELETE FROM best_records WHERE trial_id IN (1, 2)": "the running best is not that of the measurements: trials 1, 2",
    "UPDATE best_records SET value = value / 2 WHERE trial_id = 3": (
        "the running best is not that of the measurements: trials 3"
    ),
    "INSERT INTO best_records VALUES (1, 3, 1000, -1.0)": "the running best is not that of the measurements: trials 3",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found(trained: Path, look: sqlite3.Connection, fault: str):
    """One fault planted in a sound store: the check names it and the trial."""
    assert check(look) == []
    look.execute(fault)
    assert FAULTS[fault] in check(look)


def test_a_rebuild_restores_the_records(trained: Path, look: sqlite3.Connection):
    """From damaged or lost records to the very same rows as the writer kept; nothing else changes."""
    before = look.execute("SELECT * FROM best_records").fetchall()
    look.execute("UPDATE best_records SET value = 0 WHERE step > 10")
    look.execute("DELETE FROM best_records WHERE trial_id = 2")
    assert rebuild_running_best(look) == len(before)
    assert look.execute("SELECT * FROM best_records").fetchall() == before
    assert check(look) == []


def test_deleting_a_sweep_spares_the_others(trained: Path, look: sqlite3.Connection):
    """All rows of the sweep go, copies of its results in another sweep stay."""
    other = save_plan(look, plan(key="other")).sweep_id
    assert delete_sweep(look, 1) == 6
    assert check(look) == []
    for table, column in {"sweeps": "id", "workloads": "sweep_id", "gangs": "sweep_id"}.items():
        assert look.execute(f"SELECT count(*) FROM {table} WHERE {column} = 1").fetchone() == (0,), table
    assert look.execute("SELECT count(*), count(DISTINCT trial_id) FROM losses").fetchone() == (240, 6)
    assert look.execute("SELECT DISTINCT sweep_id FROM workloads").fetchall() == [(other,)]
    with pytest.raises(UserError, match="sweep 1: is not in the database"):
        delete_sweep(look, 1)


def test_a_sweep_in_training_is_not_deleted(planned: Path, look: sqlite3.Connection):
    """Its gangs would lose their results."""
    begin_run(look, 1, np=1, gangs=1)
    with pytest.raises(RunFailed, match="stop it first"):
        delete_sweep(look, 1)
    train_all(planned)
