"""How long `hvdsweep batch` takes with 1,000 shards, Slurm's programs replaced by ones that answer at once.

`python -m benchmarks.batch [--shards N] [--json FILE]` prints seconds of `batch submit` and of `batch status` with as many jobs
and databases, each a fresh process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.telling import parser_of, tell
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.sweep.load import Overrides, load_sweep
from tests.batch.cluster import StandIn

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--shards", type=int, default=1000)
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

        found = {"shards": options.shards}
        found["batch submit, s"] = timed("submit", "sweep.toml", "--jobs", str(options.shards))
        cluster.queue(*(f"101_{task}|RUNNING|1:00:00|n{task}|None" for task in range(1, options.shards + 1)))
        first = folder / "shard.db"
        with closing(connect(first, create=True)) as conn:
            save_plan(
                conn, make_plan(load_sweep(str(ROOT / "examples" / "digits.toml"), Overrides(trials=2)))
            )
            conn.execute("PRAGMA journal_mode = delete").fetchall()
        for shard in range(1, options.shards + 1):
            (folder / "large.batch" / "shards" / f"{shard:04d}.db").write_bytes(first.read_bytes())
        found["batch status, s"] = min(timed("status", "large.batch") for _ in range(3))
    tell(found, options.json)


if __name__ == "__main__":
    main()
