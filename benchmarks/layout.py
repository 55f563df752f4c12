"""A sweep of small and large batches under `--np auto --slots 2`, against both plain layouts of two ranks.

Each round trains the same sweep, from an empty database, once as `--gangs 2 --np 1`, once as `--gangs 1 --np 2`, and once as
`--np auto` whose database knows the speeds that the two plain runs of the first round have left. The order changes from round
to round.

    python benchmarks/layout.py --json benchmarks/results/layout.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.rows import ThroughputRow
from hvdsweep.store.throughput import record_throughput

PLAIN = {"gangs 2, np 1": ["--gangs", "2", "--np", "1"], "gangs 1, np 2": ["--gangs", "1", "--np", "2"]}
AUTO = "np auto, slots 2"
COMMAND = [str(Path(sys.executable).with_name("hvdsweep"))]


def launched(workload: str, options: Sequence[str], db: Path) -> float:
    """Seconds of a whole `hvdsweep launch`."""
    began = time.perf_counter()
    subprocess.run(
        [*COMMAND, "launch", "--db", str(db), *options, "--no-curve", workload],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def speeds_of(db: Path) -> list[ThroughputRow]:
    with open_store(db) as reader:
        return reader.throughput()


def plant(speeds: Sequence[ThroughputRow], db: Path) -> None:
    """A database that knows speeds and nothing else."""
    with closing(connect(db, create=True)) as conn:
        for row in speeds:
            record_throughput(
                conn,
                workload=row.workload,
                batch_size=row.batch_size,
                np=row.np,
                gangs=row.gangs,
                steps=row.steps,
                seconds=row.seconds,
                host=row.host,
            )


def ranks_of(db: Path) -> dict[int, list[int]]:
    """Batch size -> ranks of the gangs that have trained it."""
    with open_store(db) as reader:
        rows = reader.rows(
            "SELECT DISTINCT s.batch_size, g.np FROM trials t JOIN studies s ON s.id = t.study_id"
            " JOIN gangs g ON g.id = t.gang_id WHERE t.status = 'COMPLETE' ORDER BY 1, 2"
        )
    found: dict[int, list[int]] = {}
    for size, np in rows:
        found.setdefault(size, []).append(np)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workload", default="small/simple_cnn")
    parser.add_argument("--batch-sizes", default="4,8,16,256,512,1024")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    sweep = ["--batch-sizes", options.batch_sizes, "--trials", str(options.trials)]
    seconds: dict[str, list[float]] = {name: [] for name in (*PLAIN, AUTO)}
    speeds: list[ThroughputRow] = []
    trained: dict[int, list[int]] = {}
    with tempfile.TemporaryDirectory(prefix="hvdsweep-layout-") as folder:
        for number in range(options.rounds):
            names = list(PLAIN) if number % 2 == 0 else [AUTO, *reversed(PLAIN)]
            for name in names + ([AUTO] if AUTO not in names else []):
                db = Path(folder) / f"{number}-{name.replace(', ', '-').replace(' ', '')}.db"
                if name == AUTO:
                    plant(speeds, db)
                    seconds[name].append(
                        launched(options.workload, ["--np", "auto", "--slots", "2", *sweep], db)
                    )
                    trained = ranks_of(db)
                else:
                    seconds[name].append(launched(options.workload, [*PLAIN[name], *sweep], db))
                    if number == 0:
                        speeds += speeds_of(db)
                print(f"round {number + 1}, {name}: {seconds[name][-1]:.1f} s", flush=True)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    better = min(medians[name] for name in PLAIN)
    ratio = medians[AUTO] / better
    for size, ranks in trained.items():
        print(f"batch size {size:,}: {' and '.join(map(str, ranks))} rank(s)")
    print(f"auto against the better plain layout: {ratio:.3f}")
    if options.json:
        result = {
            "machine": {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()},
            "workload": options.workload,
            "batch_sizes": options.batch_sizes,
            "trials": options.trials,
            "seconds": seconds,
            "median_seconds": medians,
            "ranks": {str(size): ranks for size, ranks in trained.items()},
            "ratio": ratio,
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
