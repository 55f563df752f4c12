"""A store of any size with planted curves, made in seconds: for benchmarks of everything that reads one.

    python benchmarks/generate.py big.db --trials 168160 --rows 71638836

Every study follows steps-to-result = least * (1 + critical / batch size), with trials spread around it by their learning
rate; a quarter of them diverge. Curves fall exponentially to a floor, under multiplicative noise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.states import Status
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.records import strict_records
from hvdsweep.store.schema import ensure_metric_column, metric_id, naturally_maximised, quoted

METRICS = tuple(
    f"{split}/{name}"
    for split in ("train", "val", "test")
    for name in ("cross_entropy_error", "classification_error")
)
GOAL = 0.1
FLOOR = 0.02
"""Error that no amount of training goes below."""

NOISE = 0.08
"""Relative, of one evaluation."""


@dataclass(frozen=True)
class Size:
    """How much to make."""

    trials: int
    """In all; at least one per study."""
    rows: int
    """Measurements in all, each of six metrics; spread evenly over the trials."""
    studies: int = 454
    workloads: int = 35
    losses_per_trial: int = 0
    """Per-step losses of every trial."""
    unfinished: float = 0.0
    """Share of trials still PENDING, at the end of every study; one more per study is RUNNING."""


def generate(path: Path, size: Size, *, seed: int = 1, progress: bool = False) -> None:
    """Make the store at `path`, which must not exist yet."""
    if path.exists():
        raise SystemExit(f"{path}: exists already.")
    random = np.random.default_rng(seed)
    conn = connect(path, create=True)
    # Nothing to lose here: a crash leaves a file to be deleted.
    conn.execute("PRAGMA synchronous = OFF")
    with transaction(conn):
        for metric in METRICS:
            ensure_metric_column(conn, metric)
        ids = [metric_id(conn, metric, naturally_maximised(metric)) for metric in METRICS]
        conn.execute(
            "INSERT INTO sweeps (id, name, key, source, definition, state, created, started, np, gangs)"
            " VALUES (1, 'generated', 'generated', 'launch', '{}', 'IDLE', 0, 0, 1, 1)"
        )
        conn.execute(
            "INSERT INTO gangs (id, sweep_id, np, host, state, started) VALUES (1, 1, 1, 'generated', 'TRAINING', 0)"
        )
    shares = np.diff(np.linspace(0, size.trials, size.studies + 1).astype(int))
    rows = np.diff(np.linspace(0, size.rows, size.trials + 1).astype(int))
    per_workload = -(-size.studies // size.workloads)
    started, done = time.perf_counter(), 0
    for study, trials in enumerate(shares):
        with transaction(conn):
            _study(
                conn,
                random,
                size,
                study,
                per_workload,
                int(trials),
                rows[done : done + trials],
                done + 1,
                ids,
            )
        done += int(trials)
        if progress and study % 20 == 0:
            seconds = time.perf_counter() - started
            print(f"\r{done:,} trials, {rows[:done].sum():,} rows, {seconds:.0f} s", end="", file=sys.stderr)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    if progress:
        print(file=sys.stderr)


def _study(
    conn: Any,
    random: np.random.Generator,
    size: Size,
    study: int,
    per_workload: int,
    trials: int,
    rows: npt.NDArray[np.int64],
    first_id: int,
    metric_ids: list[int],
) -> None:
    workload, place = divmod(study, per_workload)
    batch_size = 2 ** (place + 1)
    if place == 0:
        conn.execute(
            "INSERT INTO workloads VALUES (?, 1, ?, ?, 'generated', 'sgd', 'val/classification_error', ?, 0, 50000, 1000)",
            (workload + 1, f"generated_{workload}/model/sgd", f"generated_{workload}", GOAL),
        )
    steps_to_goal = 200 * (1 + 2.0 ** (4 + workload % 8) / batch_size)
    budget = int(4 * steps_to_goal)
    conn.execute(
        "INSERT INTO studies (id, workload_id, batch_size, train_steps, target_trials, max_trials, seed, definition, search)"
        " VALUES (?, ?, ?, ?, ?, ?, 1, '{}', '{}')",
        (study + 1, workload + 1, batch_size, budget, trials, 2 * trials),
    )
    log_rate = random.uniform(-3, 1, trials)
    momentum = 1 - 10 ** random.uniform(-3, 0, trials)
    status = np.where(log_rate > 0, Status.INFEASIBLE, Status.COMPLETE)
    if size.unfinished:
        begun = round(trials * (1 - size.unfinished))
        status[begun:] = Status.PENDING
        status[begun : begun + 1] = Status.RUNNING
    counts = np.where(status == Status.PENDING, 0, rows)
    ids = np.arange(first_id, first_id + trials)
    measured = _measurements(random, log_rate, steps_to_goal, budget, counts, ids)
    reasons = {Status.COMPLETE: "budget", Status.INFEASIBLE: "diverged"}
    ended = {Status.COMPLETE, Status.INFEASIBLE}
    conn.executemany(
        "INSERT INTO trials (id, study_id, number, key, status, parameters, seed, steps, gang_id, started, ended, stop_reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                int(ids[i]),
                study + 1,
                i,
                f"{ids[i]:064x}",
                state.name,
                json.dumps({"learning_rate": float(10 ** log_rate[i]), "momentum": float(momentum[i])}),
                i,
                0 if state is Status.PENDING else budget,
                None if state is Status.PENDING else 1,
                None if state is Status.PENDING else float(ids[i]),
                float(ids[i]) + 1.5 if state in ended else None,
                reasons.get(state),
            )
            for i, state in enumerate(map(Status, status))
        ],
    )
    _insert(conn, measured, metric_ids)
    if size.losses_per_trial:
        for trial, state in zip(ids.tolist(), status, strict=True):
            if state != Status.PENDING:
                losses = random.random(size.losses_per_trial).tolist()
                conn.executemany(
                    "INSERT INTO losses VALUES (?, ?, ?)",
                    zip(itertools.repeat(trial), itertools.count(1), losses),
                )


def _measurements(
    random: np.random.Generator,
    log_rate: npt.NDArray[np.float64],
    steps_to_goal: float,
    budget: int,
    counts: npt.NDArray[np.int64],
    ids: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(trial [N], step [N], values [N, 6]) of a study's trials, sorted by (trial, step)."""
    total = int(counts.sum())
    trial = np.repeat(ids, counts)
    place = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    step = (place * np.repeat(budget / np.maximum(counts - 1, 1), counts)).astype(np.int64)
    # The best learning rate is 10^-1; others are slower by the square of the distance.
    slowness = np.repeat(1 + 0.5 * (log_rate + 1) ** 2, counts)
    scale = steps_to_goal / ((0.9 - FLOOR) / (GOAL - FLOOR) - 1)
    error = FLOOR + (0.9 - FLOOR) / (1 + step / scale / slowness)
    values = np.empty((total, len(METRICS)))
    for i in range(len(METRICS)):
        noisy = error * random.normal(1, NOISE, total)
        # Classification errors are shares of 5,000 examples.
        values[:, i] = np.round(noisy * 5000) / 5000 if i % 2 else 2.5 * noisy
    return trial, step, values


def _insert(
    conn: Any,
    measured: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]],
    metric_ids: list[int],
) -> None:
    trial, step, values = measured
    columns = ", ".join(map(quoted, METRICS))
    marks = ", ".join("?" * len(METRICS))
    trials, steps = trial.tolist(), step.tolist()
    conn.executemany(
        f"INSERT INTO measurements (trial_id, step, {columns}) VALUES (?, ?, {marks})",
        zip(trials, steps, *values.T.tolist(), strict=True),
    )
    for i, metric in enumerate(metric_ids):
        best = strict_records(trial, values[:, i])
        conn.executemany(
            "INSERT INTO best_records VALUES (?, ?, ?, ?)",
            zip(
                itertools.repeat(metric), trial[best].tolist(), step[best].tolist(), values[best, i].tolist()
            ),
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="measurements in all, of six metrics each"
    )
    parser.add_argument("--studies", type=int, default=454)
    parser.add_argument("--workloads", type=int, default=35)
    parser.add_argument("--losses", type=int, default=0, help="per-step losses of every trial")
    parser.add_argument("--unfinished", type=float, default=0.0, help="share of trials still pending")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    size = Size(args.trials, args.rows, args.studies, args.workloads, args.losses, args.unfinished)
    started = time.perf_counter()
    generate(args.path, size, seed=args.seed, progress=sys.stderr.isatty())
    seconds = time.perf_counter() - started
    print(f"{args.path}: {args.path.stat().st_size / 1e6:,.0f} MB in {seconds:.1f} s")


if __name__ == "__main__":
    main()
