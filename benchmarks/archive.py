"""How fast the published database is imported, and how fast the full-size store answers.

    python benchmarks/archive.py [--scale 0.01] [--json FILE] [--folder DIR] [--keep]

An archive like the published one (35 workloads, 454 studies; at scale 1: 168,160 trials, 71.6 million measurements of six
metrics) is written to a temporary folder, read by a pandas loader in the manner of the authors' own, imported, questioned,
and removed. At scale 1 this takes 25 GB of disk and half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.published import ROWS, write_archive
from hvdsweep.curves import steps_to_result
from hvdsweep.figures import paper
from hvdsweep.opening import open_store

WORKLOAD = "cifar_10/resnet_8/nesterov_momentum"
METRIC = "val/classification_error"


def load_by_pandas(folder: Path) -> pd.DataFrame:
    """A workload's table as the authors' code makes it: one read_csv per COMPLETE trial, concatenated."""
    studies = {}
    for study in sorted(folder.iterdir(), key=lambda entry: int(entry.name)):
        tables = {}
        for trial in sorted(
            (entry for entry in study.iterdir() if entry.is_dir()), key=lambda entry: int(entry.name)
        ):
            with open(trial / "metadata.json") as file:
                metadata = json.load(file)
            if metadata["status"] == "COMPLETE":
                tables[metadata["trial_id"]] = pd.read_csv(trial / "measurements.csv", index_col="step")
        if tables:
            studies[int(study.name)] = pd.concat(tables, names=["trial_id"])
    return pd.concat(studies, names=["batch_size"])


def ask_pandas(table: pd.DataFrame, goal: float) -> pd.DataFrame:
    """Steps to result of every batch size, as the authors' code finds it."""
    found = []
    for _, group in table.groupby("batch_size"):
        ordered = group.sort_index(level=["step", "trial_id"])
        found.append(ordered[ordered[METRIC] < goal].iloc[:1])
    return pd.concat(found)


def seconds(call: Callable[[], Any], repeat: int) -> float:
    """Median over `repeat` calls."""
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def process(*arguments: str, repeat: int = 5) -> float:
    """Median seconds of a whole `hvdsweep` process."""
    command = [sys.executable, "-c", "from hvdsweep.cli import main; main()", *arguments]
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), repeat)


IMPORT = """
import json, resource, sys
from hvdsweep.archive import import_archive
report = import_archive(sys.argv[1], sys.argv[2])
kilobytes = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({**report.to_json(), "megabytes": sum(kilobytes) / 1024}))
"""


def written(folder: Path, scale: float) -> dict[str, Any]:
    """The archive of this scale in `folder`, written unless an earlier run has kept it there."""
    note = folder / "written.json"
    if note.exists() and (found := json.loads(note.read_text()))["scale"] == scale:
        return dict(found)
    begun = time.perf_counter()
    trials, rows = write_archive(folder, scale, progress=sys.stderr.isatty())
    found = {"scale": scale, "trials": trials, "rows": rows, "write_seconds": time.perf_counter() - begun}
    note.write_text(json.dumps(found))
    return found


def measure(folder: Path, scale: float) -> dict[str, Any]:
    """Everything, in the order of the docstring."""
    found = written(folder, scale)
    rows = found["rows"]
    archive = folder / "batch_science"

    begun = time.perf_counter()
    frame = load_by_pandas(archive / WORKLOAD)
    found["pandas_seconds"] = time.perf_counter() - begun
    found["pandas_rows"] = len(frame)
    found["pandas_rows_per_second"] = len(frame) / found["pandas_seconds"]

    database = folder / "published.db"
    before = os.times()
    output = subprocess.run(
        [sys.executable, "-c", IMPORT, str(archive), str(database)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    after = os.times()
    report = json.loads(output)
    assert report["rows"] == rows
    assert not report["problems"]
    found["import_seconds"] = report["seconds"]
    found["import_rows_per_second"] = rows / report["seconds"]
    cpu = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    found["import_cpu_seconds"] = cpu
    found["import_rows_per_two_cpu_seconds"] = 2 * rows / cpu
    found["import_megabytes"] = report["megabytes"]
    found["records"] = report["records"]
    found["database_bytes"] = database.stat().st_size
    found["database_bytes_at_scale_1"] = database.stat().st_size * ROWS / rows

    goal = paper.goals()[WORKLOAD].value
    with open_store(database) as reader:
        begun = time.perf_counter()
        tables = [reader.workload_table(row.name, sweep=row.sweep_id) for row in reader.workloads()]
        found["load_all_tables_seconds"] = time.perf_counter() - begun
        own = next(table for table in tables if table.workload == WORKLOAD)
        shares = iter(range(10**6))
        # A goal never asked before: nothing may answer from a memory of the last one.
        one = seconds(lambda: steps_to_result(own, goal * (1 + next(shares) * 1e-4)), 50)
        everyone = seconds(
            lambda: [
                steps_to_result(table, (table.goal or 0) * (1 + next(shares) * 1e-4)) for table in tables
            ],
            10,
        )
        asked = ask_pandas(frame, goal)
        ours = steps_to_result(own, goal)
        assert asked.index.get_level_values("step").tolist() == ours.steps[ours.reached].tolist()
    found["one_workload_ms"] = 1e3 * one
    found["all_workloads_ms"] = 1e3 * everyone
    found["pandas_one_workload_ms"] = 1e3 * seconds(lambda: ask_pandas(frame, goal), 5)
    found["times_faster_than_pandas"] = found["pandas_one_workload_ms"] / found["one_workload_ms"]
    found["figure_1_seconds"] = process("figure", "1", "--text", "--db", str(database))
    found["status_seconds"] = process("status", "--db", str(database))
    return found


def table(found: dict[str, Any]) -> list[tuple[str, str, str, bool | None]]:
    """(what, measured, wanted, whether it is)."""
    whole = found["scale"] >= 1
    size = found["database_bytes"] / 1e9

    def at_full_size(good: bool) -> bool | None:
        return good if whole else None

    return [
        (
            "archive",
            f"{found['trials']:,} trials, {found['rows']:,} rows",
            "168,160 and 71.6 M at scale 1",
            None,
        ),
        ("pandas loader", f"{found['pandas_rows_per_second']:,.0f} rows/s into memory", "", None),
        (
            "import",
            f"{found['import_rows_per_second']:,.0f} rows/s into the database",
            ">= 300,000 on 2 cores",
            found["import_rows_per_second"] >= 300_000,
        ),
        (
            "import, by CPU time",
            f"{found['import_rows_per_two_cpu_seconds']:,.0f} rows per 2 CPU s",
            "",
            None,
        ),
        (
            "import, memory",
            f"{found['import_megabytes']:,.0f} MB, both processes",
            "< 1,024",
            found["import_megabytes"] < 1024,
        ),
        ("running best", f"{found['records'] / found['rows']:.2f} records per row", "", None),
        (
            "database",
            f"{size:.2f} GB ({found['database_bytes'] / found['rows']:.1f} bytes a row, "
            f"{found['database_bytes_at_scale_1'] / 1e9:.2f} GB at scale 1)",
            "<= 6 GB at scale 1",
            found["database_bytes_at_scale_1"] <= 6e9,
        ),
        (
            "one workload, new goal",
            f"{found['one_workload_ms']:.2f} ms",
            "<= 5 ms",
            at_full_size(found["one_workload_ms"] <= 5),
        ),
        (
            "all 35 workloads",
            f"{found['all_workloads_ms']:.1f} ms",
            "<= 100 ms",
            at_full_size(found["all_workloads_ms"] <= 100),
        ),
        ("  loading their tables once", f"{found['load_all_tables_seconds']:.1f} s", "", None),
        (
            "the same by pandas",
            f"{found['pandas_one_workload_ms']:.1f} ms, {found['pandas_rows']:,} rows",
            "",
            None,
        ),
        (
            "  times faster",
            f"{found['times_faster_than_pandas']:,.0f}",
            ">= 50",
            at_full_size(found["times_faster_than_pandas"] >= 50),
        ),
        (
            "figure 1 as text, whole process",
            f"{found['figure_1_seconds']:.2f} s",
            "<= 1 s",
            at_full_size(found["figure_1_seconds"] <= 1),
        ),
        (
            "status, whole process",
            f"{found['status_seconds']:.2f} s",
            "<= 0.5 s",
            at_full_size(found["status_seconds"] <= 0.5),
        ),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the published trials")
    parser.add_argument("--json", type=Path, help="keep the numbers in this file")
    parser.add_argument("--folder", type=Path, help="work here  [default: a new temporary folder]")
    parser.add_argument("--keep", action="store_true", help="do not remove what was written")
    parser.add_argument("--write", action="store_true", help="only write the archive, and keep it")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="hvdsweep-archive-"))
    folder.mkdir(parents=True, exist_ok=True)
    if args.write:
        print(f"{folder}: {json.dumps(written(folder, args.scale))}")
        return
    try:
        found = measure(folder, args.scale)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    for what, measured, wanted, good in table(found):
        print(f"{what:34} {measured:52} {wanted:30} {'' if good is None else 'yes' if good else 'NO'}")
    if args.json:
        machine = {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
        args.json.write_text(json.dumps({"machine": machine, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
