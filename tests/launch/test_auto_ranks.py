"""`--np auto` with real ranks: two batch sizes on different numbers of ranks have the losses of one rank."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.throughput import record_throughput
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import load_sweep
from tests.launch.conftest import Store
from tests.limits import HANG_SECONDS
from tests.training.test_gang import work

pytestmark = pytest.mark.horovod

SWEEP = """
dataset = "digits"
model = "fc_16"
algorithm = "sgd"
goal = { metric = "val/classification_error", value = 0.05 }
budget = { steps = 40 }
evaluation = { every = 20 }
studies = { batch_sizes = [16, 64], trials = 1, seed = 1 }
[search]
learning_rate = { scale = "log", min = 0.03, max = 1.0 }
"""
LOSSES = (
    "SELECT s.batch_size, t.number, l.step, l.loss FROM studies s JOIN trials t ON t.study_id = s.id"
    " JOIN losses l ON l.trial_id = t.id ORDER BY 1, 2, 3"
)


def launch(file: Path, store: Store, *options: str) -> None:
    command = [str(Path(sys.executable).with_name("hvdsweep")), "launch", "--db", str(store.path), *options]
    run = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, timeout=HANG_SECONDS, env={**os.environ}
    )
    assert run.returncode == 0, run.stderr


def test_losses_are_those_of_one_rank(tmp_path: Path) -> None:
    """Planted speeds give batch 16 to a gang of one rank, batch 64 to one of two; every loss is within 1e-4 of those that one
    process trains without Horovod."""
    file = tmp_path / "auto.toml"
    file.write_text(SWEEP)
    one, auto = Store(tmp_path / "one.db"), Store(tmp_path / "auto.db")
    with closing(connect(auto.path, create=True)) as conn:
        for size, ranks, gangs, speed in (
            (16, 1, 2, 0.1),
            (16, 2, 1, 0.01),
            (64, 1, 2, 0.01),
            (64, 2, 1, 0.1),
        ):
            record_throughput(
                conn,
                workload="digits/fc_16/sgd",
                batch_size=size,
                np=ranks,
                gangs=gangs,
                steps=1,
                seconds=1 / speed,
            )
    with closing(connect(one.path, create=True)) as conn:
        sweep = save_plan(conn, make_plan(load_sweep(file))).sweep_id
        with TrialWriter(one.path, new_gang(conn, sweep, np=1)) as writer:
            work(one.path, sweep, writer)
    launch(file, auto, "--np", "auto", "--slots", "2")
    trained = auto.rows(
        "SELECT DISTINCT s.batch_size, g.np FROM trials t JOIN studies s ON s.id = t.study_id"
        " JOIN gangs g ON g.id = t.gang_id ORDER BY 1"
    )
    assert trained == [(16, 1), (64, 2)]
    expected, found = np.array(one.rows(LOSSES)), np.array(auto.rows(LOSSES))
    assert found.shape == (2 * 40, 4)
    np.testing.assert_array_equal(found[:, :3], expected[:, :3])
    np.testing.assert_allclose(found[:, 3], expected[:, 3], rtol=1e-4)
    assert auto.processes() == []
