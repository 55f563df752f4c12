"""How fast sweeps train, as ratios in one run on this machine.

    python benchmarks/training.py [--json FILE] [--np 1,2] [--every 20,5] [--turns 3] [--trials 60] [--steps 300]

1. A sweep of 60 trials of 300 steps (digits, fc_128, batch 64) through `hvdsweep launch`, first claim to last commit, against
   the same trials in a hand-written compiled loop (benchmarks/bare_loop.py) on the same number of ranks and with evaluations at
   the same spacing, and against one `horovodrun` per trial.
2. The pause between two trials of different studies (batch sizes 32 and 64 in turns), both warm: last step of one to first step
   of the next, store and evaluation of the initial weights included.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.telling import parser_of

HERE = Path(__file__).parent
SWEEP = """
dataset = "digits"
model = "fc_128"
algorithms = ["nesterov_momentum"]
[goal]
metric = "val/classification_error"
value = 0.05
[budget]
steps = {steps}
[evaluation]
every = {every}
[studies]
batch_sizes = {batch_sizes}
trials = {trials}
seed = 1
[search]
learning_rate = {{ scale = "log", min = 0.01, max = 0.1 }}
momentum = 0.9
"""


def under_horovodrun(np: int, program: list[str], seconds: float | None = None) -> str:
    """Run a program on np ranks exactly as hvdsweep starts its gangs; its output. TimeoutExpired after so many seconds."""
    from hvdsweep.launch.horovodrun import gang_environment, horovodrun_program

    threads = max(1, (os.cpu_count() or 1) // np)
    variables = gang_environment(os.environ, size=np, threads=threads, mark="benchmark").variables
    command = [*horovodrun_program(), "--gloo", "--disable-cache", "-np", str(np), "-H", f"localhost:{np}"]
    ran = subprocess.run(
        [*command, sys.executable, *program],
        env={**variables, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    if ran.returncode:
        sys.exit(ran.stdout[-3000:] + ran.stderr[-3000:])
    return ran.stdout


def bare(np: int, trials: int, steps: int, every: int = 20) -> tuple[float, float]:
    """Seconds of the hand-written loop over all trials, and of the whole process with its horovodrun."""
    threads = max(1, (os.cpu_count() or 1) // np)
    began = time.perf_counter()
    out = under_horovodrun(np, [str(HERE / "bare_loop.py"), *map(str, (trials, steps, threads, every))])
    whole = time.perf_counter() - began
    return json.loads(out[out.index("RESULT ") + 7 :].splitlines()[0])["seconds"], whole


def ours(np: int, folder: Path, trials: int, steps: int, every: int) -> tuple[float, float]:
    """Seconds from the first claim to the last commit of the same trials as a sweep, and of the whole launch."""
    toml, database = folder / f"sweep{np}.toml", folder / f"sweep{np}.db"
    toml.write_text(SWEEP.format(trials=trials, steps=steps, every=every, batch_sizes=[64]))
    program = str(Path(sys.executable).with_name("hvdsweep"))
    began = time.perf_counter()
    command = [program, "launch", "--np", str(np), "--db", str(database), str(toml)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = time.perf_counter() - began
    connection = sqlite3.connect(database)
    done, first, last = connection.execute(
        "SELECT count(*), min(started), max(ended) FROM trials WHERE status = 'COMPLETE'"
    ).fetchone()
    assert done == trials, f"{done} of {trials} trials are COMPLETE"
    return last - first, whole


def gaps(np: int, folder: Path, trials: int, steps: int) -> list[float]:
    """Seconds between the last step of one trial and the first of the next, of another study."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store.connection import connect
    from hvdsweep.store.lifecycle import new_gang
    from hvdsweep.store.plans import save_plan
    from hvdsweep.sweep.load import load_sweep

    toml, database, out = folder / f"gaps{np}.toml", folder / f"gaps{np}.db", folder / f"gaps{np}.json"
    toml.write_text(SWEEP.format(trials=trials, steps=steps, every=20, batch_sizes=[32, 64]))
    connection = connect(database, create=True)
    sweep = save_plan(connection, make_plan(load_sweep(toml))).sweep_id
    gang = new_gang(connection, sweep, np=np)
    arguments = [
        "--db",
        str(database),
        "--sweep",
        str(sweep),
        "--gang",
        str(gang),
        "--logs",
        str(folder / "logs"),
    ]
    under_horovodrun(np, [str(HERE / "gaps.py"), str(out), *arguments])
    # The first trial of the second study traces it.
    return [float(gap) for gap in json.loads(out.read_text())[2:]]


def measure(
    ranks: list[int], spacings: list[int], turns: int, trials: int, steps: int
) -> Iterator[tuple[str, float]]:
    """All figures as they come; bare loop and sweep alternate so that both see the same machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for np in ranks:
            for every in spacings:
                loops, sweeps = [], []
                for turn in range(turns):
                    place = folder / f"{every}.{turn}"
                    place.mkdir(exist_ok=True)
                    loops.append(bare(np, trials, steps, every)[0])
                    sweeps.append(ours(np, place, trials, steps, every)[0])
                each = statistics.median(sweeps) / trials
                case = f"np {np}, evaluated every {every}"
                yield f"bare loop, {case}: seconds", statistics.median(loops)
                yield f"sweep, {case}: seconds, first claim to last commit", statistics.median(sweeps)
                ratios = [sweep / loop for sweep, loop in zip(sweeps, loops, strict=True)]
                yield f"sweep / bare loop, {case}", statistics.median(ratios)
                yield f"sweep, {case}: seconds per trial", each
            pauses = gaps(np, folder, 12, steps)
            yield f"pause between trials, np {np}: median ms", statistics.median(pauses) * 1e3
            yield f"pause between trials, np {np}: largest ms", max(pauses) * 1e3
            alone = statistics.median(bare(np, 1, steps)[1] for _ in range(turns))
            yield f"one horovodrun per trial, np {np}: seconds per trial", alone
            yield f"one horovodrun per trial / sweep, np {np}", alone / each


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--np", default="1,2", help="numbers of ranks, separated by commas")
    parser.add_argument("--every", default="20,5", help="steps between evaluations, separated by commas")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    ranks = [int(np) for np in options.np.split(",")]
    figures = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    spacings = [int(every) for every in options.every.split(",")]
    for name, value in measure(ranks, spacings, options.turns, options.trials, options.steps):
        figures[name] = value
        print(f"{name:<72}{value:>10.3f}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
