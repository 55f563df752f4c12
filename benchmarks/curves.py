"""How fast curves answer a new goal: inside the process against pandas over all measurements, and as a whole process.

    python benchmarks/curves.py [--json FILE] [--repeat 30] [--no-process]

1. Steps to result of one workload (5,000 trials, 516,000 measurements) at a goal never asked before, and the whole curve
   with fit, intervals and warnings; the same of 35 workloads (168,160 trials).
2. The same question by pandas over the loaded table of that workload's measurements, loading apart; same answers.
3. `hvdsweep curve` on a store of 100,000 trials, from start to exit.
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
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from hvdsweep.curves import WorkloadTable, curve, steps_to_result
from hvdsweep.states import Status, StopReason

METRIC = "val/classification_error"
BATCH_SIZES = 2 ** np.arange(14)
EVALUATIONS = 103
"""Per trial: 5,000 trials of them make the 516,000 rows of the authors' example."""


def workload(seed: int, trials: int, keep_frame: bool = False) -> tuple[WorkloadTable, pd.DataFrame | None]:
    """Noisy error curves whose steps follow S = 300 (1 + 256 / B) times a log-normal factor per trial."""
    rng = np.random.default_rng(seed)
    study = np.sort(np.arange(trials) % len(BATCH_SIZES))
    starts = np.searchsorted(study, np.arange(len(BATCH_SIZES)))
    number = np.arange(trials) - starts[study]
    pace = 300 * (1 + 256 / BATCH_SIZES[study]) * rng.lognormal(0.5, 0.7, trials)
    every = np.maximum(1, (pace / 25).astype(np.int64))
    step = np.arange(EVALUATIONS) * every[:, None]
    value = 0.02 + 0.88 * np.exp(-step / pace[:, None]) * rng.lognormal(0, 0.12, step.shape)
    records = np.concatenate(
        [np.ones((trials, 1), bool), value[:, 1:] < np.minimum.accumulate(value, axis=1)[:, :-1]], 1
    )
    budget = int(step.max()) + 1
    complete = rng.random(trials) < 0.95
    table = WorkloadTable(
        workload=f"data_{seed}/model/sgd",
        metric=METRIC,
        maximize=False,
        goal=0.1,
        train_examples=55_000,
        batch_sizes=BATCH_SIZES,
        train_steps=np.full(len(BATCH_SIZES), budget),
        target_trials=np.zeros(len(BATCH_SIZES)),
        study=study,
        trial_id=np.arange(1, trials + 1),
        number=number,
        status=np.where(complete, Status.COMPLETE, Status.INFEASIBLE),
        stop_reason=np.where(complete, StopReason.BUDGET, StopReason.DIVERGED),
        steps=np.full(trials, budget),
        parameters={
            "learning_rate": 10 ** rng.uniform(-4, 1, trials),
            "momentum": rng.uniform(0, 0.99, trials),
        },
        offsets=np.concatenate([[0], np.cumsum(records.sum(axis=1))]),
        record_step=step[records],
        record_value=value[records],
    )
    if not keep_frame:
        return table, None
    frame = pd.DataFrame(
        {
            "batch_size": np.repeat(BATCH_SIZES[study], EVALUATIONS),
            "trial_id": np.repeat(number, EVALUATIONS),
            "status": np.repeat(np.where(complete, "COMPLETE", "INFEASIBLE"), EVALUATIONS),
            "step": step.ravel(),
            METRIC: value.ravel(),
        }
    )
    return table, frame


def by_pandas(frame: pd.DataFrame, goal: float) -> pd.DataFrame:
    """PAPER section 8.2 as one writes it with pandas: filter, order by step and trial, first of each batch size."""
    reached = frame[(frame["status"] == "COMPLETE") & (frame[METRIC] < goal)]
    return reached.sort_values(["step", "trial_id"]).groupby("batch_size").first()


Time = tuple[float, float]
"""Median and least seconds: on a shared machine the least is what it can do when left alone."""


def seconds(action: Callable[[float], object], repeat: int) -> Time:
    """Time of an action, each run with a goal of its own."""
    action(0.1)
    goals = np.random.default_rng(1).uniform(0.05, 0.3, repeat)
    times = []
    for goal in goals.tolist():
        began = time.perf_counter()
        action(goal)
        times.append(time.perf_counter() - began)
    return statistics.median(times), min(times)


def check(table: WorkloadTable, frame: pd.DataFrame) -> None:
    """Both must say the same, or the comparison means nothing."""
    for goal in (0.3, 0.1, 0.0215, 0.0):
        result, expected = steps_to_result(table, goal), by_pandas(frame, goal)
        sizes = table.batch_sizes[result.reached]
        assert sizes.tolist() == expected.index.tolist()
        assert result.steps[result.reached].tolist() == expected["step"].tolist()
        assert table.number[result.trial[result.reached]].tolist() == expected["trial_id"].tolist()


def store(path: Path, workloads: int, trials: int) -> None:
    """A store of so many workloads with so many trials each, with the records of their running best."""
    from hvdsweep.store.connection import connect

    conn = connect(path, create=True)
    search = json.dumps({"learning_rate": {"scale": "log", "min": 1e-4, "max": 10.0}})
    with conn:
        conn.execute("BEGIN")
        conn.execute(f'ALTER TABLE measurements ADD COLUMN "{METRIC}" REAL')
        conn.execute("INSERT INTO metrics VALUES (1, ?, 0)", (METRIC,))
        conn.execute(
            "INSERT INTO sweeps (name, key, source, definition, state, created) VALUES ('big', 'k', 'launch', '{}', 'DONE', 0)"
        )
        base = studies = 0
        for index in range(workloads):
            table, _ = workload(index, trials)
            dataset, model, algorithm = table.workload.split("/")
            conn.execute(
                "INSERT INTO workloads (sweep_id, name, dataset, model, algorithm, metric, goal, maximize, train_examples)"
                " VALUES (1, ?, ?, ?, ?, ?, 0.1, 0, 55000)",
                (table.workload, dataset, model, algorithm, METRIC),
            )
            conn.executemany(
                "INSERT INTO studies (workload_id, batch_size, train_steps, target_trials, max_trials, definition, search)"
                " VALUES (?, ?, ?, 0, 0, '{}', ?)",
                [(index + 1, size, int(table.train_steps[0]), search) for size in table.batch_sizes.tolist()],
            )
            conn.executemany(
                "INSERT INTO trials (id, study_id, number, status, parameters, steps, stop_reason) VALUES (?,?,?,?,?,?,?)",
                [
                    (
                        base + row + 1,
                        studies + int(table.study[row]) + 1,
                        int(table.number[row]),
                        Status(int(table.status[row])).name,
                        json.dumps({name: float(column[row]) for name, column in table.parameters.items()}),
                        int(table.steps[row]),
                        StopReason(int(table.stop_reason[row])).word,
                    )
                    for row in range(len(table.study))
                ],
            )
            conn.executemany(
                "INSERT INTO best_records VALUES (1, ?, ?, ?)",
                zip(
                    (base + 1 + table.record_trial).tolist(),
                    table.record_step.tolist(),
                    table.record_value.tolist(),
                    strict=True,
                ),
            )
            base += len(table.study)
            studies += len(table.batch_sizes)
    conn.close()


def process_seconds(path: Path, *arguments: str) -> Time:
    """Time of `hvdsweep curve` from start to exit, over five runs."""
    program = str(Path(sys.executable).with_name("hvdsweep"))
    times = []
    for _ in range(6):
        began = time.perf_counter()
        subprocess.run(
            [program, "curve", "--db", str(path), *arguments], check=True, stdout=subprocess.DEVNULL
        )
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:]), min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--no-process", action="store_true", help="leave out the 100,000-trial stores")
    options = parser.parse_args()

    table, frame = workload(0, 5_010, keep_frame=True)
    assert frame is not None
    check(table, frame)
    tables = [table, *(workload(seed, 4_805)[0] for seed in range(1, 35))]
    trials = sum(len(one.study) for one in tables)
    records = sum(len(one.record_step) for one in tables)

    ours = seconds(lambda goal: steps_to_result(table, goal).trials_reached, options.repeat)
    whole = seconds(lambda goal: curve(table, goal), options.repeat)
    ours_all = seconds(
        lambda goal: [steps_to_result(one, goal).trials_reached for one in tables], options.repeat
    )
    whole_all = seconds(lambda goal: [curve(one, goal) for one in tables], options.repeat)
    pandas = seconds(lambda goal: by_pandas(frame, goal), max(options.repeat // 3, 3))

    rows: list[tuple[str, Time, str]] = [
        ("one workload, steps to result, ms", scaled(ours, 1e3), "<= 5"),
        ("one workload, whole curve, ms", scaled(whole, 1e3), "<= 5"),
        ("35 workloads, steps to result, ms", scaled(ours_all, 1e3), "<= 100"),
        ("35 workloads, whole curves, ms", scaled(whole_all, 1e3), "<= 100"),
        (f"pandas over {len(frame):,} rows, steps to result, ms", scaled(pandas, 1e3), ""),
        ("pandas / ours, steps to result", ratio(pandas, ours), ">= 50"),
        ("pandas / ours, whole curve", ratio(pandas, whole), ""),
    ]
    if not options.no_process:
        with tempfile.TemporaryDirectory() as folder:
            one, many = Path(folder) / "one.db", Path(folder) / "many.db"
            store(one, 1, 100_000)
            store(many, 35, 2_858)
            rows += [
                ("process: curve, one workload of 100,000 trials, s", process_seconds(one), "<= 0.5"),
                (
                    "process: curve, one of 35, 100,030 trials, s",
                    process_seconds(many, "data_7/model/sgd"),
                    "<= 0.5",
                ),
                ("process: overview of all 35 of them, s", process_seconds(many), ""),
            ]
    print(f"{trials:,} trials, {records:,} records in 35 workloads; {options.repeat} goals\n")
    print(f"{'':58s} {'median':>10s} {'least':>10s}  wanted")
    for name, (median, least), wanted in rows:
        print(f"{name:58s} {median:10.3f} {least:10.3f}  {wanted}")
    if options.json:
        numbers = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "numpy": np.__version__,
            "trials": trials,
            "records": records,
            "results": [
                {"name": name, "median": median, "least": least, "wanted": wanted}
                for name, (median, least), wanted in rows
            ],
        }
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


def scaled(times: Time, unit: float) -> Time:
    return times[0] * unit, times[1] * unit


def ratio(slow: Time, fast: Time) -> Time:
    """Of the medians, and of the least times."""
    return slow[0] / fast[0], slow[1] / fast[1]


if __name__ == "__main__":
    main()
