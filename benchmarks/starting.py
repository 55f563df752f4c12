"""How long a gang's start takes: from the exec of `hvdsweep launch` to the first step, on one rank and on two.

    python benchmarks/starting.py [--json FILE] [--repeat 5]

In turns with the bare `import tensorflow, horovod.tensorflow` of one process, which is the unit: wall and processor seconds of
each, medians, and their ratios. Processor seconds are those of the whole launch with all its processes, the training of one
small trial and the end of the run included. Byte code or none, whatever the environment has: `hvdsweep doctor` says which.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.telling import parser_of, tell

SWEEP = """
dataset = "digits"
model = "fc_128"
algorithm = "sgd"
goal = { metric = "val/classification_error", value = 0.05 }
budget = { steps = 100 }
evaluation = { every = 20 }
studies = { batch_sizes = [64], trials = 1 }
search = { learning_rate = 0.1 }
"""
BARE = [sys.executable, "-c", "import tensorflow, horovod.tensorflow"]
QUIET = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


def processor_seconds() -> float:
    """Of all children that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare() -> tuple[float, float]:
    """(wall, processor) seconds of the import alone."""
    began, before = time.perf_counter(), processor_seconds()
    subprocess.run(BARE, env=QUIET, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, processor_seconds() - before


def started(np: int) -> tuple[float, float]:
    """(wall seconds to the first step, processor seconds of the whole launch)."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "start.toml"
        file.write_text(SWEEP)
        command = [str(Path(sys.executable).with_name("hvdsweep")), "launch", str(file), "--json"]
        command += ["--np", str(np), "--db", str(Path(folder) / "start.db")]
        before, began = processor_seconds(), time.perf_counter()
        first = None
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=QUIET
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "stage" and event["stage"] is None:
                    first = time.perf_counter() - began
        if process.returncode or first is None:
            raise SystemExit(f"the launch on {np} ranks ended with exit code {process.returncode}")
        return first, processor_seconds() - before


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {"bare import": [], "np 1": [], "np 2": []}
    for _ in range(options.repeat):
        taken["bare import"].append(bare())
        taken["np 1"].append(started(1))
        taken["np 2"].append(started(2))
    figures: dict[str, float] = {"load": os.getloadavg()[0]}
    for name, pairs in taken.items():
        wall, processor = (statistics.median(column) for column in zip(*pairs, strict=True))
        to = "" if name == "bare import" else ", to the first step"
        figures[f"{name}: wall seconds{to}"] = wall
        figures[f"{name}: processor seconds"] = processor
    for name in ("np 1", "np 2"):
        for place, what in enumerate(("wall", "processor")):
            ratios = [
                pair[place] / unit[place]
                for pair, unit in zip(taken[name], taken["bare import"], strict=True)
            ]
            figures[f"{name} / bare import, {what} (median of the rounds)"] = statistics.median(ratios)
    tell(figures, options.json)


if __name__ == "__main__":
    main()
