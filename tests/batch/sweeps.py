"""A small sweep of several shards whose gangs draw their numbers from the trials' seeds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hvdsweep.batch.shards import Shard, ShardPlan, part_of
from hvdsweep.plan import Plan, make_plan
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.lifecycle import new_gang
from hvdsweep.store.plans import save_plan, top_up
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import load_sweep

SWEEP = """\
dataset = "digits"
model = "fc_128"
algorithms = ["sgd"]
[goal]
metric = "val/classification_error"
value = 0.3
[budget]
steps = {steps}
[evaluation]
every = 5
[studies]
batch_sizes = {sizes}
trials = {trials}
seed = 3
[search]
learning_rate = {{ min = 1e-3, max = 1.0, scale = "log" }}
"""

Diverges = Callable[[str, int, int], bool]
"""(workload, batch size, number) -> whether that trial diverges."""


def never(workload: str, batch_size: int, number: int) -> bool:
    return False


def plan_of(
    folder: Path, *, trials: int = 4, sizes: str = "[8, 16, 32]", steps: int = 20, more: str = ""
) -> Plan:
    """The plan of a sweep file that is written into `folder`."""
    file = folder / "sweep.toml"
    file.write_text(SWEEP.format(trials=trials, sizes=sizes, steps=steps) + more)
    return make_plan(load_sweep(str(file)))


def outcome(claim: Claim, diverges: bool = False, steps: int | None = None) -> TrialUpdate:
    """A whole trial, drawn from its seed."""
    random = np.random.default_rng(claim.seed)
    steps = steps or claim.definition["steps"] // (2 if diverges else 1)
    losses = random.random(steps, np.float32)
    if diverges:
        losses[-1] = np.nan
    measurements = [
        (step, {"val/classification_error": float(value), "val/loss": float(value) / 3})
        for step, value in zip(range(0, steps + 1, 5), random.random(steps), strict=False)
    ]
    status, reason = (
        (Status.INFEASIBLE, StopReason.DIVERGED) if diverges else (Status.COMPLETE, StopReason.BUDGET)
    )
    final = Final(status, reason, train_seconds=2.0)
    return TrialUpdate(claim.trial_id, losses, steps, measurements=measurements, final=final)


class Worker:
    """One gang on one store, trial by trial."""

    def __init__(self, path: Path, plan: Plan, diverges: Diverges = never) -> None:
        self.path, self.plan, self.diverges = path, plan, diverges
        path.parent.mkdir(parents=True, exist_ok=True)
        shard = plan.shard_json if isinstance(plan, ShardPlan) else None
        self.conn = connect(path, create=True)
        self.sweep = save_plan(self.conn, plan, shard).sweep_id
        gang = new_gang(self.conn, self.sweep, np=2)
        self.writer = TrialWriter(path, gang)

    def claim(self) -> Claim | None:
        top_up(self.conn, self.sweep, self.plan)
        return self.writer.commit(None, claim=True).claim

    def train(self, most: int = 10**6) -> int:
        """Train up to `most` trials; how many there were."""
        for done in range(most):
            claim = self.claim()
            if claim is None:
                return done
            study = claim.definition
            bad = self.diverges(study["workload"], study["batch_size"], claim.number)
            self.writer.commit(outcome(claim, bad), claim=False)
        return most

    def close(self) -> None:
        self.writer.close()
        self.conn.close()


def train(path: Path, plan: Plan, diverges: Diverges = never, most: int = 10**6) -> None:
    """Train a whole store, or the first `most` trials of it."""
    worker = Worker(path, plan, diverges)
    worker.train(most)
    worker.close()


def shards_of(folder: Path, plan: Plan, count: int, diverges: Diverges = never) -> list[Path]:
    """All shards of a plan, trained in turns, a trial each; their databases."""
    paths = [folder / "shards" / f"{index:04d}.db" for index in range(1, count + 1)]
    workers = [
        Worker(path, part_of(plan, Shard(index, count), path.parent / "exchange"), diverges)
        for index, path in enumerate(paths, start=1)
    ]
    busy = set(workers)
    while busy:
        busy = {worker for worker in workers if worker.train(1)}
    for worker in workers:
        worker.close()
    return paths


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything about every trial, to the last bit, without ids, times and gangs."""
    with closing(connect(path)) as conn:
        metrics = sorted(row[1] for row in conn.execute("PRAGMA table_info(measurements)"))
        metrics = [name for name in metrics if "/" in name]
        trial = "w.name, s.batch_size, t.number"
        tables = "workloads w JOIN studies s ON s.workload_id = w.id JOIN trials t ON t.study_id = s.id"
        columns = ", ".join(f'm."{name}"' for name in metrics)
        queries = {
            "studies": "SELECT w.name, s.batch_size, s.target_trials, s.max_trials, s.definition, s.search"
            " FROM workloads w JOIN studies s ON s.workload_id = w.id",
            "trials": f"SELECT {trial}, t.key, t.status, ifnull(t.stop_reason, ''), t.steps, t.seed, t.parameters FROM {tables}",
            "losses": f"SELECT {trial}, l.step, ifnull(l.loss, 'nan') FROM {tables} JOIN losses l ON l.trial_id = t.id",
            "measurements": f"SELECT {trial}, m.step, {columns} FROM {tables} JOIN measurements m ON m.trial_id = t.id",
            "records": f"SELECT {trial}, b.step, b.metric, b.value FROM {tables} JOIN running_best b ON b.trial_id = t.id",
        }
        return {name: sorted(conn.execute(query).fetchall()) for name, query in queries.items()}
