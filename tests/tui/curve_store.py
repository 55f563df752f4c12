"""A store with curves worth looking at: steps to the goal fall with batch size as planted, for two workloads and a third
of another metric; speeds measured on purpose and by the way. Made by the real planner and writer, every time frozen."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np

from hvdsweep.plan import make_plan
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, end_run, new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.throughput import record_throughput
from hvdsweep.sweep.load import check_text
from tests.store.trained import train_claims
from tests.tui.stores import NOW

SWEEP = """
name = "planted"
dataset = "digits"
model = "fc_32"
algorithms = ["sgd", "nesterov_momentum"]
[goal]
metric = "val/classification_error"
value = 0.1
[budget]
steps = 1000
[evaluation]
every = 10
[studies]
batch_sizes = "2^3..2^8"
trials = 6
seed = 1
[search]
learning_rate = { scale = "log", min = 1e-3, max = 10.0 }
momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }
"""

CRITICAL = {"sgd": 32, "nesterov_momentum": 128}
"""Algorithm -> the planted B_crit; 30 steps at an infinite batch size."""


def curve_store(path: Path) -> Path:
    """Make it, with its sweep file next to it."""
    file = path.parent / "planted.toml"
    file.write_text(SWEEP)
    with closing(connect(path, create=True)) as conn:
        plan = make_plan(check_text(SWEEP, file.name).loaded)
        sweep = save_plan(conn, dataclasses.replace(plan, file=str(file))).sweep_id
        begin_run(conn, sweep, np=2, gangs=1)
        gang = new_gang(conn, sweep, np=2)
        train_all(path, gang)
        end_run(conn, sweep, "DONE", "every study has its trials")
        for size in (16, 64):
            for ranks, speed in ((1, 400.0), (2, 700.0), (4, 900.0)):
                record_throughput(
                    conn,
                    workload="digits/fc_32/sgd",
                    batch_size=size,
                    np=ranks,
                    gangs=1,
                    steps=int(speed * 5),
                    seconds=5.0 * (1 + size / 64),
                    host="here",
                )
        with transaction(conn) as held:
            held.execute(
                f"UPDATE sweeps SET created = {NOW} - 3600, started = {NOW} - 600, ended = {NOW} - 60"
            )
            held.execute(f"UPDATE throughput SET time = {NOW} + id, host = 'here'")
            held.execute("UPDATE gangs SET host = 'here'")
    return path


def train_all(path: Path, gang: int, *, most: int | None = None) -> None:
    """Train the pending trials (the first `most`) by formula: the error falls exponentially, faster the nearer the
    learning rate is to 0.3; rates above 5 diverge."""

    def outcome(claim: Claim, place: int) -> TrialUpdate:
        study, rate = claim.definition, claim.metaparameters["learning_rate"]
        diverges = rate > 5
        steps = 50 if diverges else study["steps"]
        measured = [
            (s, {"val/classification_error": _error(study, rate, s)}) for s in range(0, steps + 1, 10)
        ]
        final = Final(Status.COMPLETE, StopReason.BUDGET)
        if diverges:
            final = Final(Status.INFEASIBLE, StopReason.DIVERGED, f"the loss of step {steps} is nan")
        losses = np.linspace(2, 0.1, steps).astype(np.float32)
        return TrialUpdate(claim.trial_id, losses=losses, measurements=measured, steps=steps, final=final)

    train_claims(path, gang, outcome, most)


def _error(study: dict[str, object], rate: float, step: int) -> float:
    critical = CRITICAL[str(study["algorithm"])]
    needed = 30 * (1 + critical / float(study["batch_size"])) * (1 + 0.4 * np.log10(rate / 0.3) ** 2)  # type: ignore[arg-type]
    return round(0.01 + 0.89 * float(np.exp(-step / needed * np.log(0.89 / 0.09))), 4)
