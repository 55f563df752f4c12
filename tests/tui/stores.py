"""Stores for the interface's tests, made by the real planner and writer, with every time set to the same frozen one."""

from __future__ import annotations

import dataclasses
import os
from contextlib import closing
from pathlib import Path

import numpy as np

from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.events import event
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, end_run, gang_state, new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.sweep.load import check_text
from tests.store.trained import train_claims
from tui.snapshot import Snapshot, read_snapshot

NOW = 1_700_000_000.0
"""Tuesday, 14 November 2023, 22:13:20 UTC."""

SWEEP = """
dataset = "digits"
model = "fc_32"
algorithms = ["sgd", "nesterov_momentum"]
[goal]
metric = "val/classification_error"
value = 0.1
[budget]
steps = 200
[evaluation]
every = 20
[studies]
batch_sizes = [16, 64, 256]
trials = 4
seed = 1
[search]
learning_rate = { scale = "log", min = 1e-3, max = 10.0 }
momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }
"""


def small_store(path: Path) -> Path:
    """Three sweeps: "digits" in training (12 of 24 trials ended, one diverged, one failed, one in training, one gang
    starting), "short" done, "lost" without its supervisor."""
    with closing(connect(path, create=True)) as conn:
        (path.parent / "digits.toml").write_text(SWEEP)
        plan = make_plan(check_text(SWEEP, "digits.toml", name="digits").loaded)
        plan = dataclasses.replace(plan, file=str(path.parent / "digits.toml"))
        digits = save_plan(conn, plan).sweep_id
        begin_run(conn, digits, np=2, gangs=2, order="plain")
        logs = Path(f"{path}.logs") / "gang-1"
        logs.mkdir(parents=True)
        (logs / "rank-0.log").write_text("".join(f"step {n} of rank 0\n" for n in range(40)))
        (logs / "rank-1.log").write_text("hello from rank 1\n")
        first = new_gang(conn, digits, np=2)
        gang_state(conn, first, pid=os.getpid())
        conn.execute("UPDATE gangs SET log_dir = ? WHERE id = ?", (str(logs), first))
        new_gang(conn, digits, np=2)
        _train(path, first, 12, diverging={3}, failing={7}, going=1)
        event(conn, "gang", "rank 1: killed by SIGKILL (out of memory?)", sweep_id=digits, gang_id=first)
        text = (
            SWEEP.replace("[16, 64, 256]", "[32]")
            .replace("trials = 4", "trials = 2")
            .replace("fc_32", "fc_16")
        )
        done = save_plan(conn, make_plan(check_text(text, "short.toml", name="short").loaded)).sweep_id
        begin_run(conn, done, np=1, gangs=1, order="plain")
        gang = new_gang(conn, done, np=1)
        _train(path, gang, 4)
        gang_state(conn, gang, "STOPPED")
        end_run(conn, done, "DONE", "every study has its trials")
        lost = save_plan(
            conn, make_plan(check_text(text.replace("seed = 1", "seed = 2"), "lost.toml", name="lost").loaded)
        )
        begin_run(conn, lost.sweep_id, np=1, gangs=1)
        _freeze(conn)
        with transaction(conn):
            conn.execute("UPDATE sweeps SET supervisor_pid = NULL WHERE name = 'lost'")
            conn.execute("UPDATE gangs SET host = 'here'")
    return path


def _train(
    path: Path,
    gang: int,
    trials: int,
    *,
    diverging: frozenset[int] | set[int] = frozenset(),
    failing: frozenset[int] | set[int] = frozenset(),
    going: int = 0,
) -> None:
    """Train so many trials by drawing numbers; one more is left in training if `going`."""
    random = np.random.default_rng(7)

    def outcome(claim: Claim, place: int) -> TrialUpdate:
        steps = 200 if place < trials else 120
        if place in diverging:
            steps = 30
        losses = 2.3 * np.exp(-np.arange(steps) / 60) * random.uniform(0.7, 1.3, steps)
        measured = [
            (
                step,
                {
                    "val/classification_error": round(
                        0.9 * float(np.exp(-step / 70)) + 0.01 * (place % 4), 3
                    ),
                    "val/cross_entropy_error": round(2.3 * float(np.exp(-step / 80)), 3),
                },
            )
            for step in range(0, steps + 1, 20)
        ]
        final = Final(Status.COMPLETE, StopReason.BUDGET)
        if place in diverging:
            losses[-1] = np.nan
            final = Final(Status.INFEASIBLE, StopReason.DIVERGED, f"the loss of step {steps} is nan")
        if place in failing:
            words = "rank 1: exit code 1\nTraceback (most recent call last):\nMemoryError"
            final = Final(Status.INCOMPLETE, StopReason.FAILED, words)
        ended = final if place < trials else None
        return TrialUpdate(claim.trial_id, losses=losses, measurements=measured, steps=steps, final=ended)

    train_claims(path, gang, outcome, trials + going)


def _freeze(conn: object) -> None:
    """Every time in the file becomes NOW, or so many seconds before as its row's number says."""
    with transaction(conn) as held:  # type: ignore[arg-type]
        held.execute(
            f"UPDATE sweeps SET created = {NOW} - 3600, started = {NOW} - 600, heartbeat = {NOW} - 1"
        )
        held.execute(f"UPDATE sweeps SET ended = {NOW} - 60 WHERE ended IS NOT NULL")
        held.execute(f"UPDATE gangs SET started = {NOW} - 590, heartbeat = {NOW} - 2")
        held.execute(f"UPDATE events SET time = {NOW} - 100 + id")
        held.execute(f"UPDATE trials SET started = {NOW} - 500 + 10 * id WHERE started IS NOT NULL")
        held.execute("UPDATE trials SET ended = started + 8.5 WHERE ended IS NOT NULL")


def snapshot_of(path: Path, *, live: str = "digits", number: int = 1) -> Snapshot:
    """The store as the watching thread would read it, at NOW, with the sweep named `live` in training."""
    with open_store(path) as reader:
        snapshot = read_snapshot(reader, number)
    sweeps = tuple(
        dataclasses.replace(sweep, live=sweep.name == live, eta_seconds=51.0 if sweep.name == live else None)
        for sweep in snapshot.sweeps
    )
    return dataclasses.replace(snapshot, database="/data/hvdsweep.db", time=NOW, sweeps=sweeps)
