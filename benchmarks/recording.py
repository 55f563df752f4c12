"""What recording costs: microseconds per training loss through the store, against the bare database and TensorBoard, in one run.

    python benchmarks/recording.py [--json FILE] [--trials 100000]

1. Every step's loss of trials of 300 and of 10,000 steps, as a gang records them: an evaluation every 20 steps, a commit with
   the trial's end and the next claim, for long trials also one every 2,500 steps (a second's worth). Against the same losses
   alone through bare sqlite3 (`executemany`, one transaction per trial; and a transaction per step) and TensorBoard's event file.
2. The same while another process asks `status` of the store four times a second.
3. `hvdsweep status` as a whole process on a store of 100,000 trials.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from generate import Size, generate

from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter

EVALUATE_EVERY = 20
COMMIT_EVERY = 2500
REPEATS = 5


@dataclass(frozen=True)
class Trial:
    number: int
    key: str
    seed: int
    metaparameters: dict[str, float]


@dataclass(frozen=True)
class Study:
    steps: int
    target_trials: int
    batch_size: int = 64
    seed: int = 1
    repeats: int = 0

    @property
    def max_trials(self) -> int:
        return self.target_trials

    @property
    def definition(self) -> dict[str, Any]:
        goal = {"metric": "val/classification_error", "value": 0.05, "maximize": False}
        return {"workload": "w", "batch_size": 64, "steps": self.steps, "goal": goal}

    @property
    def search(self) -> dict[str, Any]:
        return {}

    @property
    def trials(self) -> list[Trial]:
        return self.trial_range(0, self.target_trials)

    def trial_range(self, start: int, count: int) -> list[Trial]:
        return [
            Trial(n, f"{n:064x}", n, {"learning_rate": 0.1, "momentum": 0.9})
            for n in range(start, start + count)
        ]


@dataclass(frozen=True)
class Workload:
    studies: list[Study]
    name: str = "w"
    dataset: str = "d"
    model: str = "m"
    algorithm: str = "sgd"
    metric: str = "val/classification_error"
    goal: float = 0.05
    maximize: bool = False
    train_examples: int = 1000
    parameters: int = 1000


@dataclass(frozen=True)
class Plan:
    workloads: list[Workload]
    name: str = "recording"
    key: str = "recording"
    file: str | None = None

    @property
    def definition(self) -> dict[str, Any]:
        return {}


def planned(path: Path, steps: int, trials: int) -> int:
    """A store with one study; the id of a gang that may record it."""
    conn = connect(path, create=True)
    sweep = save_plan(conn, Plan([Workload([Study(steps, trials)])])).sweep_id
    begin_run(conn, sweep, np=1, gangs=1)
    gang = new_gang(conn, sweep, np=1)
    conn.close()
    return gang


def through_the_store(folder: Path, steps: int, trials: int, losses: np.ndarray) -> tuple[float, list[float]]:
    """Seconds for all trials, and of every commit that ends one and claims the next."""
    path = folder / "store.db"
    gang = planned(path, steps, trials)
    random = np.random.default_rng(1)
    errors = np.exp(-np.arange(steps // EVALUATE_EVERY + 1) / 20) * random.normal(
        1, 0.05, steps // EVALUATE_EVERY + 1
    )
    evaluations = [
        (place * EVALUATE_EVERY, {"val/classification_error": error, "val/cross_entropy_error": 2 * error})
        for place, error in enumerate(errors.tolist())
    ]
    final = Final(Status.COMPLETE, StopReason.BUDGET, train_seconds=1.0)
    ends = []
    with TrialWriter(path, gang) as writer:
        claim = writer.commit(None, claim=True).claim
        started = time.perf_counter()
        while claim is not None:
            for first in range(0, steps, COMMIT_EVERY):
                last = min(first + COMMIT_EVERY, steps)
                due = [row for row in evaluations if first < row[0] <= last or row[0] == first == 0]
                end = final if last == steps else None
                update = TrialUpdate(claim.trial_id, losses[first:last], last, first + 1, due, end)
                begun = time.perf_counter()
                reply = writer.commit(update, claim=end is not None)
            ends.append(time.perf_counter() - begun)
            claim = reply.claim
        return time.perf_counter() - started, ends


def bare(folder: Path) -> sqlite3.Connection:
    """The same table in a database of its own, with the same journal."""
    conn = sqlite3.connect(folder / "bare.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode = wal")
    conn.execute("PRAGMA synchronous = NORMAL")
    conn.execute(
        "CREATE TABLE losses (trial_id INTEGER, step INTEGER, loss REAL, PRIMARY KEY (trial_id, step)) WITHOUT ROWID"
    )
    return conn


def bare_by_trial(folder: Path, steps: int, trials: int, losses: np.ndarray) -> float:
    conn = bare(folder)
    started = time.perf_counter()
    for trial in range(trials):
        conn.execute("BEGIN IMMEDIATE")
        rows = ((trial, step, loss) for step, loss in enumerate(losses.tolist(), 1))
        conn.executemany("INSERT INTO losses VALUES (?, ?, ?)", rows)
        conn.execute("COMMIT")
    return time.perf_counter() - started


def bare_by_step(folder: Path, steps: int, trials: int, losses: np.ndarray) -> float:
    conn = bare(folder)
    started = time.perf_counter()
    for trial in range(trials):
        for step, loss in enumerate(losses.tolist(), 1):
            conn.execute("INSERT INTO losses VALUES (?, ?, ?)", (trial, step, loss))
    return time.perf_counter() - started


def tensorboard(folder: Path, steps: int, trials: int, losses: np.ndarray) -> float:
    """TensorBoard's own event file, one per trial, without TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    started = time.perf_counter()
    for trial in range(trials):
        writer = EventFileWriter(str(folder / str(trial)))
        for step, loss in enumerate(losses.tolist(), 1):
            value = Summary.Value(tag="loss", simple_value=loss)
            writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))
        writer.close()
    return time.perf_counter() - started


def alternatives() -> dict[str, Callable[..., float]]:
    """What can be measured here, by name."""
    found: dict[str, Callable[..., float]] = {
        "sqlite3, executemany per trial": bare_by_trial,
        "sqlite3, commit per step": bare_by_step,
    }
    try:
        import tensorboard as _  # noqa: F401

        found["TensorBoard event file"] = tensorboard
    except ImportError:
        print("tensorboard is not installed: left out", file=sys.stderr)
    return found


def recording(steps: int, trials: int) -> dict[str, Any]:
    """Microseconds per loss of everything, medians of interleaved repeats; milliseconds of a trial's last commit."""
    losses = np.random.default_rng(0).random(steps, np.float32)
    seconds: dict[str, list[float]] = {}
    ends: list[float] = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            total, last = through_the_store(Path(folder), steps, trials, losses)
        seconds.setdefault("hvdsweep TrialWriter (all of a trial)", []).append(total)
        ends += last
        for name, record in alternatives().items():
            fewer = max(1, trials // (1 if record is bare_by_trial else 10))
            with tempfile.TemporaryDirectory() as folder:
                seconds.setdefault(name, []).append(
                    record(Path(folder), steps, fewer, losses) * trials / fewer
                )
    per_loss = {name: statistics.median(values) / (steps * trials) * 1e6 for name, values in seconds.items()}
    ours = per_loss["hvdsweep TrialWriter (all of a trial)"]
    return {
        "steps": steps,
        "trials": trials,
        "microseconds_per_loss": per_loss,
        "times_ours": {name: value / ours for name, value in per_loss.items()},
        "last_commit_ms": {
            "median": statistics.median(ends) * 1e3,
            "p99": float(np.quantile(ends, 0.99)) * 1e3,
        },
    }


POLL = """
import sys, time
from hvdsweep.opening import open_store
reader = open_store(sys.argv[1])
print(flush=True)
while True:
    reader.data_version(); reader.status()
    time.sleep(0.25)
"""


def polled(steps: int, trials: int) -> dict[str, float]:
    """Writing as fast as it goes, alone and beside a reader that polls four times a second."""
    losses = np.random.default_rng(0).random(steps, np.float32)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(REPEATS):
        for watched in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "store.db"
                connect(path, create=True).close()
                reader = None
                if watched:
                    reader = subprocess.Popen([sys.executable, "-c", POLL, str(path)], stdout=subprocess.PIPE)
                    assert reader.stdout is not None
                    reader.stdout.readline()
                seconds[watched].append(through_the_store(Path(folder), steps, trials, losses)[0])
                if reader is not None:
                    reader.kill()
                    reader.wait()
    alone, beside = (statistics.median(seconds[watched]) for watched in (False, True))
    return {"alone_s": alone, "polled_s": beside, "ratio": beside / alone}


def status_process(trials: int) -> dict[str, float]:
    """Seconds of `hvdsweep status` as a process, medians of ten; and of a Python that only starts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.db"
        generate(path, Size(trials=trials, rows=10 * trials, unfinished=0.3))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "hvdsweep status --json": ["status", "--json", "--db", str(path)],
            "hvdsweep status": ["status", "--db", str(path)],
        }
        found = {}
        for name, arguments in commands.items():
            if name.startswith("hvdsweep"):
                arguments = [sys.executable, "-c", "from hvdsweep.cli import main; main()", *arguments]
            times = []
            for _ in range(10):
                started = time.perf_counter()
                subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
                times.append(time.perf_counter() - started)
            found[name] = statistics.median(times)
        return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also keep the numbers as JSON")
    parser.add_argument("--trials", type=int, default=100_000, help="of the store that status reads")
    args = parser.parse_args()
    result: dict[str, Any] = {"recording": [recording(300, 300), recording(10_000, 10)]}
    for part in result["recording"]:
        end = part["last_commit_ms"]
        print(f"\nTrials of {part['steps']:,} steps; the commit with end and next claim: ", end="")
        print(f"{end['median']:.2f} ms, p99 {end['p99']:.2f} ms")
        for name, value in part["microseconds_per_loss"].items():
            print(f"  {name:<40} {value:8.2f} us per loss   {part['times_ours'][name]:6.2f} x")
    result["polled"] = polled(300, 4000)
    print(f"\nBeside a reader polling four times a second: {result['polled']['ratio']:.3f} times as long")
    result["status"] = status_process(args.trials)
    print(f"\nA store of {args.trials:,} trials, whole process:")
    for name, value in result["status"].items():
        print(f"  {name:<40} {value:8.3f} s")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
