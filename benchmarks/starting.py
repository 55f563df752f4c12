"""How long a gang's start takes: from the exec of `hvdsweep launch` to the first step, on one rank and on two.

    python benchmarks/starting.py [--json FILE] [--repeat 5]

In turns with the bare `import tensorflow, horovod.tensorflow` of one process, which is the unit: seconds of each, medians, and
the median of each round's ratio. Where the disk has to be read again, or others use the machine, single rounds differ by a
factor of two. Byte code or none, whatever the environment has: `hvdsweep doctor` says which.
"""

from __future__ import annotations

import json
import os
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


def bare() -> float:
    """Seconds of the import alone."""
    began = time.perf_counter()
    subprocess.run(BARE, env=QUIET, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def started(np: int) -> float:
    """Seconds from the exec of `hvdsweep launch` to the first step of its gang of `np` ranks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "start.toml"
        file.write_text(SWEEP)
        command = [str(Path(sys.executable).with_name("hvdsweep")), "launch", str(file), "--json"]
        command += ["--np", str(np), "--db", str(Path(folder) / "start.db")]
        began = time.perf_counter()
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
        return first


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rounds = [(bare(), started(1), started(2)) for _ in range(options.repeat)]
    figures: dict[str, float] = {"load": os.getloadavg()[0], "rounds": len(rounds)}
    for name, column in zip(
        ("bare import", "to the first step, np 1", "to the first step, np 2"),
        zip(*rounds, strict=True),
        strict=True,
    ):
        figures[f"{name}: seconds"] = statistics.median(column)
    for place, name in ((1, "np 1"), (2, "np 2")):
        figures[f"{name} / bare import"] = statistics.median(one[place] / one[0] for one in rounds)
    tell(figures, options.json)


if __name__ == "__main__":
    main()
