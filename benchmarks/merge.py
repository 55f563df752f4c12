"""How long shards take to come together, and how soon the interface shows a folder of them.

    python -m benchmarks.merge [--json FILE] [--shards 16] [--losses 10000000] [--folder 64] [--trials 6400] [--repeat 5]

Makes one store of planted curves, divides its trials among shards, and merges them through the command line: all of it, then
again with nothing new. Plain SQLite copying the same losses is measured in the same run. Then a folder of more shards, without
losses: seconds from `exec` of `hvdsweep tui` until the Sweeps screen with its data has been written, against the undivided store.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.generate import Size, generate
from benchmarks.telling import parser_of, tell
from benchmarks.tui_start import painted
from hvdsweep.batch.folder import BatchFolder
from hvdsweep.store.connection import connect

STEPS = 25_000
"""Losses of a trial of the store that is merged."""


def whole(path: Path, trials: int, losses: int, rows: int) -> Path:
    """A store of finished trials with so many losses each."""
    generate(path, Size(trials, rows, studies=20, workloads=2, losses_per_trial=losses))
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("UPDATE trials SET status = 'COMPLETE', stop_reason = 'budget', steps = ?", (losses,))
        conn.execute("UPDATE trials SET started = 1e9, ended = 1e9 + id, gang_id = 1")
        conn.execute("UPDATE gangs SET state = 'STOPPED', ended = 2e9")
        conn.commit()
    return path


def divided(path: Path, folder: BatchFolder, shards: int) -> None:
    """Every shard the store with its share of the trials."""
    folder.shards_folder.mkdir(parents=True)
    for index in range(1, shards + 1):
        shard = folder.shard(index)
        connect(shard, create=True).close()
        with closing(sqlite3.connect(shard)) as conn:
            conn.execute("PRAGMA synchronous = OFF")
            conn.execute("ATTACH ? AS whole", (str(path),))
            mine = f"IN (SELECT id FROM whole.trials WHERE id % {shards} = {index - 1})"
            names = [row[1] for row in conn.execute("PRAGMA whole.table_info(measurements)")][2:]
            for name in names:
                conn.execute(f'ALTER TABLE measurements ADD COLUMN "{name}" REAL')
            for table, where in {
                **dict.fromkeys(("sweeps", "workloads", "studies", "gangs", "metrics"), ""),
                "trials": f"WHERE id {mine}",
                **dict.fromkeys(("losses", "measurements", "best_records"), f"WHERE trial_id {mine}"),
            }.items():
                conn.execute(f"INSERT INTO {table} SELECT * FROM whole.{table} {where}")
            conn.commit()


def run(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [str(Path(sys.executable).with_name("hvdsweep")), *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def bare(source: Path, target: Path) -> float:
    """Seconds that SQLite takes to copy the losses from one store into an empty table."""
    began = time.perf_counter()
    with closing(sqlite3.connect(target)) as conn:
        conn.execute("PRAGMA journal_mode = wal").fetchall()
        conn.execute("PRAGMA synchronous = NORMAL")
        conn.execute(
            "CREATE TABLE losses (trial_id INTEGER, step INTEGER, loss REAL, PRIMARY KEY (trial_id, step)) WITHOUT ROWID"
        )
        conn.execute("ATTACH ? AS source", (str(source),))
        conn.execute("INSERT INTO losses SELECT * FROM source.losses ORDER BY trial_id, step")
        conn.commit()
    return time.perf_counter() - began


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--losses", type=int, default=10_000_000)
    parser.add_argument("--folder", type=int, default=64)
    parser.add_argument("--trials", type=int, default=6400)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        store = whole(Path(place, "whole.db"), options.losses // STEPS, STEPS, options.losses // 50)
        folder = BatchFolder(Path(place, "merging"))
        divided(store, folder, options.shards)
        what = f"{options.shards} shards, {options.losses:,} losses"
        seconds = run("merge", str(folder.path))
        figures[f"merge of {what}, s"] = seconds
        figures["losses a second"] = options.losses / seconds
        figures["again with nothing new, s"] = run("merge", str(folder.path))
        figures["bare SQLite copying the losses alone, s"] = bare(store, Path(place, "bare.db"))
    with tempfile.TemporaryDirectory() as place:
        store = whole(Path(place, "whole.db"), options.trials, 0, 50 * options.trials)
        folder = BatchFolder(Path(place, "watching"))
        divided(store, folder, options.folder)
        program = str(Path(sys.executable).with_name("hvdsweep"))
        taken: dict[str, list[float]] = {"one store": [], "folder": []}
        for _ in range(options.repeat):
            for name, path in (("one store", store), ("folder", folder.path)):
                taken[name].append(painted([program, "tui", "--db", str(path)], b"generated")[0])
        one, many = (statistics.median(taken[name]) for name in ("one store", "folder"))
        figures[f"first paint of one store of {options.trials:,} trials, s"] = one
        figures[f"first paint of a folder of {options.folder} shards, s"] = many
        figures["ratio"] = many / one
    tell(figures, options.json)


if __name__ == "__main__":
    main()
