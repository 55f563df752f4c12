"""Supervisors and gangs start, send heartbeats and end; trials that they leave when killed are requeued."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run, end_run, gang_state, new_gang, recover, request_stop, requeue
from hvdsweep.store.lifecycle import heartbeat as beat_run
from hvdsweep.store.liveness import is_at_work
from hvdsweep.store.maintenance import check
from hvdsweep.store.throughput import record_throughput

from .plans import gang, outcome, small_store, train_all


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_begins_beats_and_ends(planned: Path, look: sqlite3.Connection):
    """The sweep's row follows its supervisor; a request to stop is obeyed once and cleared by the next run."""
    assert not is_at_work(look, 1)
    begin_run(look, 1, np=2, gangs=3, versions={"horovod": "0.28.1"})
    assert is_at_work(look, 1)
    assert beat_run(look, 1) is False
    request_stop(look, 1)
    assert beat_run(look, 1) is True
    with open_store(planned) as reader:
        row = reader.sweeps()[0]
    assert (row.state, row.np, row.gangs, row.versions, row.live) == (
        "STOPPING",
        2,
        3,
        {"horovod": "0.28.1"},
        True,
    )
    end_run(look, 1, "IDLE", "stopped by request")
    assert not is_at_work(look, 1)
    begin_run(look, 1, np=1, gangs=1)
    assert beat_run(look, 1) is False
    with pytest.raises(ValueError, match="cannot end RUNNING"):
        end_run(look, 1, "RUNNING")


def test_requeue_erases_and_counts(planned: Path, look: sqlite3.Connection):
    """Each counted attempt requeues the trial without data; after the third it is given up with its data and the error."""
    with gang(planned) as writer:
        for attempt in range(1, 4):
            claim = writer.commit(None, claim=True).claim
            update = outcome(claim)
            update.final = None
            writer.commit(update, claim=False)
            done = requeue(
                look, [claim.trial_id], count_attempt=True, message=f"died {attempt}", max_attempts=3
            )
            assert done == (([claim.trial_id], []) if attempt < 3 else ([], [claim.trial_id]))
            assert check(look) == []
        assert requeue(look, [claim.trial_id], count_attempt=True, message="", max_attempts=3) == ([], [])
    assert look.execute("SELECT status, attempts, message, steps FROM trials WHERE id = 1").fetchone() == (
        "INCOMPLETE",
        3,
        "died 3",
        40,
    )
    assert look.execute("SELECT count(*) FROM losses").fetchone() == (40,)


def test_requeue_without_counting_is_for_trials_that_are_not_to_blame(
    planned: Path, look: sqlite3.Connection
):
    """The trials of a stopped sweep are requeued as if they had never begun."""
    with gang(planned) as writer:
        for _ in range(5):
            claim = writer.commit(None, claim=True).claim
            requeue(look, [claim.trial_id], count_attempt=False, message=None, max_attempts=1)
    assert look.execute("SELECT status, attempts FROM trials WHERE id = 1").fetchone() == ("PENDING", 0)


def test_recover_spares_the_living(planned: Path, look: sqlite3.Connection, dead_pid: int):
    """Trials of dead gangs start again, those of a living gang continue; dead gangs are marked DEAD."""
    living, dead, remote = gang(planned), gang(planned), gang(planned)
    claims = [writer.commit(None, claim=True).claim.trial_id for writer in (living, dead, remote)]
    gang_state(look, living.gang_id, pid=os.getpid())
    gang_state(look, dead.gang_id, pid=dead_pid)
    look.execute(
        "UPDATE gangs SET host = 'elsewhere', heartbeat = 0, started = 0 WHERE id = ?", (remote.gang_id,)
    )
    found = recover(look, 1)
    assert (found.requeued, found.retried) == (2, 0)
    states = dict(look.execute("SELECT id, status FROM trials"))
    assert [states[trial] for trial in claims] == ["RUNNING", "PENDING", "PENDING"]
    gangs = [row[0] for row in look.execute("SELECT state FROM gangs ORDER BY id")]
    assert gangs == ["TRAINING", "DEAD", "DEAD"]
    assert look.execute("SELECT max(attempts) FROM trials").fetchone() == (0,)
    assert check(look) == []


def test_recover_leaves_other_sweeps_alone(planned: Path, look: sqlite3.Connection):
    """Two sweeps in one file, each with a trial in training: recovering one does not touch the other."""
    from hvdsweep.store.plans import save_plan

    from .plans import plan

    other = save_plan(look, plan(batch_sizes=(2,), key="other")).sweep_id
    with gang(planned, 1) as one, gang(planned, other) as two:
        one.commit(None, claim=True)
        trial = two.commit(None, claim=True).claim.trial_id
        look.execute("UPDATE gangs SET started = 0, heartbeat = 0")
        assert recover(look, 1).requeued == 1
        assert look.execute("SELECT id FROM trials WHERE status = 'RUNNING'").fetchall() == [(trial,)]


def test_failed_trials_are_tried_again_when_asked(planned: Path, look: sqlite3.Connection):
    """INCOMPLETE trials stay so until they are retried; then they start without counted attempts."""
    train_all(planned)
    look.execute(
        "UPDATE trials SET status = 'INCOMPLETE', attempts = 3, stop_reason = 'failed' WHERE number = 1"
    )
    assert recover(look, 1).retried == 0
    assert recover(look, 1, retry_incomplete=True).retried == 2
    assert look.execute("SELECT DISTINCT status, attempts FROM trials WHERE number = 1").fetchall() == [
        ("PENDING", 0)
    ]
    assert check(look) == []
    assert len(train_all(planned)) == 2


def test_measured_speeds_are_kept(path: Path):
    """`steps_per_second` and `examples_per_second` follow from steps, seconds and batch size."""
    small_store(path)
    conn = connect(path)
    record_throughput(conn, workload="w", batch_size=32, np=4, gangs=2, steps=100, seconds=0.5, host="h")
    with open_store(path) as reader:
        (row,) = reader.throughput()
    assert (row.steps_per_second, row.examples_per_second, row.source, row.host) == (
        200.0,
        6400.0,
        "scale",
        "h",
    )
    with pytest.raises(ValueError, match="no speed"):
        record_throughput(conn, workload="w", batch_size=32, np=4, gangs=2, steps=0, seconds=0.5)


def test_a_gang_that_has_ended_says_why(path: Path):
    """State, message and time of the end; an unknown state is refused."""
    small_store(path)
    conn = connect(path)
    gang_id = new_gang(conn, 1, np=2)
    gang_state(conn, gang_id, pid=12)
    gang_state(conn, gang_id, "DEAD", message="rank 1: Killed")
    with open_store(path) as reader:
        (row,) = reader.gangs()
    assert (row.state, row.pid, row.message, row.trial_id) == ("DEAD", 12, "rank 1: Killed", None)
    assert row.ended >= row.started
    with pytest.raises(ValueError, match="not a valid GangState"):
        gang_state(conn, gang_id, "SLEEPING")
