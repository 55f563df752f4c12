"""What checkpoints cost, and how long a stop takes, on this machine.

    python -m benchmarks.checkpoints [--json FILE] [--rounds 4] [--seconds 31] [--every 10] [--stops 3]

`small/resnet_50` at batch size 64 trains on one rank, with every loss in a database, in turns with a checkpoint every so many
seconds and with none; the ratio of the seconds a step is given for each round. Then it is launched on two ranks and stopped
by SIGTERM: seconds until its checkpoint is on disk and the last process is gone.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.telling import parser_of

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hvdsweep.launch.processes import marked
from hvdsweep.plan import make_plan
from hvdsweep.store import checkpoints
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.stages import Stages
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import Overrides, load_sweep

PRESET = "small/resnet_50"
BATCH = "64"
STEPS = 1_000_000
WARM_SECONDS = 8.0


class Trainer:
    """One trial of the preset that is trained for a while, again and again, as a gang does it."""

    def __init__(self, folder: Path) -> None:
        from hvdsweep.training.ranks import Ranks
        from hvdsweep.training.studies import TracedStudies

        self.db = folder / "cost.db"
        conn = connect(self.db, create=True)
        plan = make_plan(load_sweep(PRESET, Overrides(1, BATCH, STEPS, "budget", None, None)))
        sweep = save_plan(conn, plan).sweep_id
        self.writer = TrialWriter(self.db, new_gang(conn, sweep, np=1))
        conn.close()
        claim = self.writer.commit(None, claim=True).claim
        assert claim is not None
        self.claim = claim
        names = tuple(sorted(claim.metaparameters))
        study, failure = TracedStudies(Ranks()).get(claim.definition, names, trials=1)
        assert study is not None, failure
        self.study = study

    def step_seconds(self, every: float, seconds: float) -> tuple[float, int]:
        """(seconds a step, checkpoints made) in `seconds` of training with a checkpoint `every` so many."""
        from hvdsweep.training.checkpoints import Keeper
        from hvdsweep.training.gang import Recorder

        self.writer.begin_again(self.claim.trial_id, "another round of the benchmark")
        keeper = Keeper(self.db, self.claim, every) if every else None
        recorder = Recorder(self.writer, self.claim, Stages("", 0, active=False), keeper)
        begun: list[float] = []
        ended: list[tuple[int, float]] = []
        made: set[int] = set()

        def record(first: int, losses: Any, measurements: Any, noise: Any) -> bool:
            recorder.record(first, losses, measurements, noise)
            made.update(file.step for file in checkpoints.files(self.db) if file.path.suffix == ".checkpoint")
            now, done = time.perf_counter(), first - 1 + len(losses)
            if not begun:
                begun.append(now)
                ended.append((done, now))
                return False
            if now - begun[0] >= seconds:
                ended.append((done, now))
                return True
            return False

        trial = {"seed": self.claim.seed, "metaparameters": self.claim.metaparameters}
        self.study.train(trial, record, lambda: None, keeper=keeper)
        recorder.clear()
        (first, start), (last, end) = ended[0], ended[1]
        return (end - start) / (last - first), len(made)


def cost(folder: Path, rounds: int, seconds: float, every: float) -> dict[str, Any]:
    """The rounds with and without checkpoints."""
    trainer = Trainer(folder)
    trainer.step_seconds(0.0, WARM_SECONDS)
    steps = []
    ratios, made = [], 0
    for number in range(rounds):
        order = (every, 0.0) if number % 2 else (0.0, every)
        taken = {one: trainer.step_seconds(one, seconds) for one in order}
        steps.append(taken[0.0][0])
        made += taken[every][1]
        ratios.append(taken[every][0] / taken[0.0][0])
    began = time.perf_counter()
    state = trainer.study.state.copy()
    copied = time.perf_counter()
    checkpoints.save(trainer.db, 99, "key", 1, state)
    written = time.perf_counter()
    return {
        "every_seconds": every,
        "seconds_a_round": seconds,
        "milliseconds_a_step": 1e3 * statistics.median(steps),
        "checkpoints": made,
        "ratios": ratios,
        "ratio": statistics.median(ratios),
        "bytes": checkpoints.sizes(trainer.db)[99],
        "copy_milliseconds": 1e3 * (copied - began),
        "write_milliseconds": 1e3 * (written - copied),
    }


def stops(folder: Path, count: int) -> dict[str, Any]:
    """Two ranks launched and stopped, again and again; the trial resumes each time."""
    db = folder / "stop.db"
    command = [sys.executable, "-c", "from hvdsweep.cli import main; main()", "launch", PRESET, "--np", "2"]
    command += [
        "--db",
        str(db),
        "--trials",
        "1",
        "--batch-sizes",
        BATCH,
        "--steps",
        str(STEPS),
        "--stop",
        "budget",
    ]
    taken = []
    for _ in range(count):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_steps(db, process)
        time.sleep(2.0)
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait()
        while marked(lambda mark: mark.store == os.path.realpath(db)):
            time.sleep(0.01)
        taken.append(time.perf_counter() - began)
        conn = connect(db)
        status, steps, step = conn.execute("SELECT status, steps, checkpoint FROM trials").fetchone()
        conn.close()
        assert status == "PENDING"
        assert steps == step == checkpoints.files(db)[0].step
    return {"stop_seconds": taken, "longest": max(taken)}


def _wait_for_steps(db: Path, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        time.sleep(0.2)
        if not db.exists():
            continue
        conn = connect(db, create=True)
        row = conn.execute(
            "SELECT max(steps - ifnull(checkpoint, 0)) FROM trials WHERE status = 'RUNNING'"
        ).fetchone()
        conn.close()
        if row[0]:
            return
    raise SystemExit("the launch ended before it trained")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=31.0)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--stops", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {"preset": PRESET, "batch_size": int(BATCH), "cores": os.cpu_count()}
        if options.stops:
            found["stop"] = stops(Path(folder), options.stops)
            print(
                "stop, two ranks:",
                ", ".join(f"{taken:.2f} s" for taken in found["stop"]["stop_seconds"]),
                flush=True,
            )
        if options.rounds:
            found["cost"] = cost(Path(folder), options.rounds, options.seconds, options.every)
            print(
                f"{found['cost']['checkpoints']} checkpoints of {found['cost']['bytes']:,} bytes, one every {options.every:g} s: "
                f"{found['cost']['ratio']:.4f} times the step without "
                f"({', '.join(f'{ratio:.4f}' for ratio in found['cost']['ratios'])}); copied in "
                f"{found['cost']['copy_milliseconds']:.1f} ms, written in {found['cost']['write_milliseconds']:.1f} ms"
            )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
