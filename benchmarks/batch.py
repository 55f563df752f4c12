"""How long `hvdsweep batch` takes with 1,000 shards, Slurm's programs replaced by ones that answer at once.

`python benchmarks/batch.py [--shards N] [--json]` prints seconds of `batch submit` and of `batch status` with as many jobs and
databases, each a fresh process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hvdsweep.plan import make_plan
from hvdsweep.store import connect, save_plan
from hvdsweep.sweep import Overrides, load_sweep
from tests.batch.cluster import StandIn

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        cluster = StandIn(folder / "slurm")
        cluster.answer("scontrol", "echo 'MaxArraySize = 1001'")
        environment = {**os.environ, "PATH": cluster.path}
        text = (ROOT / "examples" / "digits.toml").read_text()
        (folder / "sweep.toml").write_text(
            f'name = "large"\n{text}'.replace("trials = 8 ", f"trials = {options.shards} ")
        )

        def timed(*words: str) -> float:
            begun = time.perf_counter()
            command = [str(Path(sys.executable).with_name("hvdsweep")), "batch", *words]
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
            return time.perf_counter() - begun

        found = {"submit": timed("submit", "sweep.toml", "--jobs", str(options.shards))}
        cluster.queue(*(f"101_{task}|RUNNING|1:00:00|n{task}|None" for task in range(1, options.shards + 1)))
        first = folder / "shard.db"
        with closing(connect(first, create=True)) as conn:
            save_plan(
                conn, make_plan(load_sweep(str(ROOT / "examples" / "digits.toml"), Overrides(trials=2)))
            )
            conn.execute("PRAGMA journal_mode = delete").fetchall()
        for shard in range(1, options.shards + 1):
            (folder / "large.batch" / "shards" / f"{shard:04d}.db").write_bytes(first.read_bytes())
        found["status"] = min(timed("status", "large.batch") for _ in range(3))
    if options.json:
        print(json.dumps(found))
    else:
        for name, seconds in found.items():
            print(f"batch {name:7} {options.shards:,} shards  {seconds:.2f} s")


if __name__ == "__main__":
    main()
