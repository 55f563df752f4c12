"""SIGKILL at any moment of writing leaves only whole transactions, from which work can continue."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import recover
from hvdsweep.store.maintenance import check
from hvdsweep.store.plans import save_plan, top_up

from .plans import outcome, plan, small_store, train_all

WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from tests.store.plans import gang, outcome
from hvdsweep.store.exchange import TrialUpdate

with gang(sys.argv[2]) as writer:
    claim = writer.commit(None, claim=True).claim
    while claim is not None:
        whole = outcome(claim)
        for cut in range(0, 40, 4):
            losses, measured = whole.losses[cut : cut + 4], whole.measurements[cut // 4 : cut // 4 + 1]
            writer.commit(TrialUpdate(claim.trial_id, losses, cut + 4, cut + 1, measured), claim=False)
            print(flush=True)
        last = TrialUpdate(claim.trial_id, np.ones(0), 40, 41, whole.measurements[10:], whole.final)
        claim = writer.commit(last, claim=True).claim
        print(flush=True)
"""


@pytest.mark.parametrize("seed", range(2))
def test_killed_writers_leave_a_sound_store(path: Path, seed: int):
    """Two writers killed after a random number of commits, again and again: always sound; then finished as if undisturbed."""
    small_store(path, batch_sizes=(2, 4, 8, 16), trials=10)
    conn = connect(path)
    draw = random.Random(seed)
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, str(Path(__file__).parents[2]), str(path)]
        writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        for writer in writers:
            for _ in range(draw.randint(0, 40)):
                writer.stdout.readline()
            # The pipe holds more lines than were read: the kill falls anywhere between two of its commits, or inside one.
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            writer.wait()
            writer.stdout.close()
        assert check(conn) == []
        conn.execute("UPDATE gangs SET host = 'elsewhere', started = 0, heartbeat = 0")
        recover(conn, 1)
        assert check(conn) == []
        assert conn.execute("SELECT count(*) FROM trials WHERE status = 'RUNNING'").fetchone() == (0,)
    train_all(path)
    assert check(conn) == []
    undisturbed = path.with_name("undisturbed.db")
    small_store(undisturbed, batch_sizes=(2, 4, 8, 16), trials=10)
    train_all(undisturbed)
    for table in ("losses", "measurements", "best_records"):
        rows = [sorted(c.execute(f"SELECT * FROM {table}")) for c in (conn, connect(undisturbed))]
        assert rows[0] == rows[1], table


SAVER = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.store.plans import plan
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan

conn = connect(sys.argv[2])
print(flush=True)
for trials in range(1, 200):
    save_plan(conn, plan(batch_sizes=range(1, 20), trials=trials, max_trials=400))
    print(flush=True)
"""


def test_a_killed_planner_leaves_whole_plans(path: Path):
    """A plan is saved with all of its trials or not at all; saving it again makes it whole."""
    small_store(path, batch_sizes=(1,), trials=1)
    conn = connect(path)
    draw = random.Random(1)
    for _ in range(4):
        command = [sys.executable, "-c", SAVER, str(Path(__file__).parents[2]), str(path)]
        saver = subprocess.Popen(command, stdout=subprocess.PIPE)
        for _ in range(draw.randint(1, 12)):
            saver.stdout.readline()
        saver.kill()
        saver.wait()
        saver.stdout.close()
        assert check(conn) == []
        counts = {row[0] for row in conn.execute("SELECT count(*) FROM trials GROUP BY study_id")}
        assert len(counts) == 1, "every study has as many trials as the last whole plan gave it"
    final = plan(batch_sizes=range(1, 20), trials=5)
    save_plan(conn, final)
    assert top_up(conn, 1, final) == 0
    assert conn.execute("SELECT count(*) FROM trials").fetchone() == (95,)


def test_outcomes_depend_on_the_trial_alone():
    """The fake gang's numbers are reproducible, which makes the comparison with an undisturbed store meaningful."""
    from hvdsweep.store.exchange import Claim

    claim = Claim(1, 1, 0, 5, {}, {"batch_size": 4, "steps": 8}, "")
    assert outcome(claim).losses.tolist() == outcome(claim).losses.tolist()
