"""Steps trained under `stop = "beaten"` and the order of merit, against the full budget, for the same steps to the goal.

    python benchmarks/ordering.py --curves BUDGET.db          # replay stored learning curves: no training
    python benchmarks/ordering.py --train BUDGET.db           # train them first; and digits.toml both ways, timed

Trials trained to their budgets hold all that any order and any rule of stopping would have seen, so what these would have trained
follows exactly. The replay goes through the real store: the planner, the gang's claims and the records are the program's own.
The bound is the best trial of every study first: no order can train less and still know that it is the best.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hvdsweep.curves import NEVER, steps_to_result
from hvdsweep.identity import sweep_identity
from hvdsweep.opening import open_store
from hvdsweep.plan import Plan, make_plan
from hvdsweep.states import Status, StopReason
from hvdsweep.stopping import beaten_at
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, new_gang
from hvdsweep.store.plans import save_plan, top_up
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import Overrides, load_sweep

ROOT = Path(__file__).parents[1]
DEMO = str(ROOT / "examples" / "digits.toml")
SMALL = [
    f"small/{name}"
    for name in (
        "fc",
        "lstm",
        "noisy_quadratic",
        "resnet_50",
        "resnet_8",
        "simple_cnn",
        "transformer",
        "vgg_11",
    )
]
Place = tuple[str, int, int]
"""(workload, batch size, number of the trial)."""


@dataclass(frozen=True)
class Stored:
    """A trial trained to its budget."""

    status: str
    steps: int
    measurements: tuple[tuple[int, float], ...]
    """(step, the goal's metric)."""


def planned(name: str, stop: str) -> Plan:
    return make_plan(load_sweep(name, Overrides(stop=stop)))


def sweep_of(conn: sqlite3.Connection, plan: Plan) -> int | None:
    """The latest sweep that is the plan's, trained to its end, also by a program whose trials had other keys."""
    wanted = sweep_identity(plan.definition)
    rows = conn.execute("SELECT id, definition FROM sweeps WHERE state = 'DONE' ORDER BY id DESC").fetchall()
    return next((sweep for sweep, text in rows if sweep_identity(json.loads(text)) == wanted), None)


def stored_trials(path: Path, plan: Plan) -> dict[Place, Stored] | None:
    """What the store holds of the sweep under `stop = "budget"`; None where it has not been trained to its end."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    sweep = sweep_of(conn, plan)
    if sweep is None:
        return None
    found: dict[Place, Stored] = {}
    for workload in plan.workloads:
        rows = conn.execute(
            "SELECT s.batch_size, t.number, t.status, t.steps, t.id FROM workloads w JOIN studies s ON s.workload_id = w.id"
            " JOIN trials t ON t.study_id = s.id WHERE w.sweep_id = ? AND w.name = ?",
            (sweep, workload.name),
        ).fetchall()
        for batch_size, number, status, steps, trial in rows:
            measured = conn.execute(
                f'SELECT step, "{workload.metric}" FROM measurements WHERE trial_id = ? ORDER BY step',
                (trial,),
            )
            values = tuple((step, math.nan if value is None else value) for step, value in measured)
            found[workload.name, batch_size, number] = Stored(status, steps, values)
    conn.close()
    return found


def replay(
    plan: Plan, trials: dict[Place, Stored], order: str, margin: float = 0.0
) -> tuple[int, dict[Place, int]]:
    """Steps trained by one gang under `stop = "beaten"`, and (workload, batch size, best trial) -> steps to the goal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replay.db"
        conn = connect(path, create=True)
        sweep = save_plan(conn, plan).sweep_id
        begin_run(conn, sweep, np=1, gangs=1, order=order)
        trained = 0
        with TrialWriter(path, new_gang(conn, sweep, np=1)) as writer:
            claim = writer.commit(None, claim=True).claim
            while claim is not None or top_up(conn, sweep, plan):
                if claim is None:
                    claim = writer.commit(None, claim=True).claim
                    continue
                definition = claim.definition
                stored = trials[definition["workload"], definition["batch_size"], claim.number]
                update = _ended(writer, claim.trial_id, claim.study_id, definition, stored, margin)
                trained += update.steps
                claim = writer.commit(update, claim=True).claim
        conn.close()
        return trained, answers(path, plan, sweep)


def _ended(
    writer: TrialWriter, trial: int, study: int, definition: dict, stored: Stored, margin: float
) -> TrialUpdate:
    """The trial as a rank would have ended it."""
    goal = definition["goal"]
    best = writer.best_steps_to_goal(study, goal["metric"], goal["value"], goal["maximize"])
    limit = math.inf if best is None else beaten_at(best, margin)
    measured = []
    steps, final = stored.steps, Final(Status[stored.status], StopReason.BUDGET)
    if stored.status == "INFEASIBLE":
        final = Final(Status.INFEASIBLE, StopReason.DIVERGED)
    for step, value in stored.measurements:
        measured.append((step, {goal["metric"]: value}))
        if value > goal["value"] if goal["maximize"] else value < goal["value"]:
            steps, final = step, Final(Status.COMPLETE, StopReason.GOAL)
            break
        if limit <= step < definition["steps"] and step > 0:
            steps, final = step, Final(Status.COMPLETE, StopReason.BEATEN)
            break
    return TrialUpdate(trial, np.empty(0), steps, measurements=measured, final=final)


def answers(path: Path, plan: Plan, sweep: int | None = None) -> dict[Place, int]:
    """(workload, batch size, number of the best trial) -> steps to the goal, of the plan's sweep."""
    found: dict[Place, int] = {}
    if sweep is None:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
            sweep = sweep_of(conn, plan)
    with open_store(path) as reader:
        for workload in plan.workloads:
            table = reader.workload_table(workload.name, sweep=sweep)
            result = steps_to_result(table)
            for index, size in enumerate(table.batch_sizes.tolist()):
                trial = int(result.trial[index])
                number = NEVER if trial == NEVER else int(table.number[trial])
                found[workload.name, size, number] = int(result.steps[index])
    return found


def bound(plan: Plan, trials: dict[Place, Stored], best: dict[Place, int]) -> int:
    """Steps of the best trial of every study and, in as many steps, of the others."""
    least = {(workload, size): steps for (workload, size, _), steps in best.items() if steps != NEVER}
    counted: dict[tuple[str, int], int] = {}
    targets = {(study.workload, study.batch_size): study.target_trials for study in plan.studies}
    total = 0
    for (workload, size, _), trial in sorted(trials.items()):
        limit = least.get((workload, size), math.inf)
        if counted.get((workload, size), 0) < targets[workload, size]:
            total += int(min(trial.steps, limit))
            counted[workload, size] = counted.get((workload, size), 0) + (
                trial.status != "INFEASIBLE" or trial.steps > limit
            )
    return total


def launch(name: str, db: Path, *options: str) -> float:
    """Seconds that `hvdsweep launch` takes, from the command to its end."""
    began = time.perf_counter()
    subprocess.run(
        [
            str(Path(sys.executable).with_name("hvdsweep")),
            *("launch", "--np", "1", "--db", str(db), *options, name),
        ],
        check=True,
    )
    return time.perf_counter() - began


def first_curve(db: Path) -> float:
    """Seconds from the sweep's start until every batch size that reaches the goal at all has a trial that did."""
    with contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as conn:
        return conn.execute(
            "SELECT max(first) FROM (SELECT min(t.ended) - p.started AS first FROM sweeps p"
            " JOIN workloads w ON w.sweep_id = p.id JOIN studies s ON s.workload_id = w.id"
            " JOIN trials t ON t.study_id = s.id JOIN metrics m ON m.name = w.metric AND m.maximize = w.maximize"
            " WHERE EXISTS (SELECT 1 FROM best_records r WHERE r.metric_id = m.id AND r.trial_id = t.id"
            " AND CASE WHEN w.maximize THEN r.value > w.goal ELSE r.value < w.goal END) GROUP BY s.id)"
        ).fetchone()[0]


def measured(name: str, db: Path) -> dict | None:
    budget, beaten = planned(name, "budget"), planned(name, "beaten")
    trials = stored_trials(db, budget)
    if trials is None:
        return None
    full = sum(trial.steps for trial in trials.values())
    expected = answers(db, budget)
    row: dict = {"sweep": name if name in SMALL else "examples/digits.toml", "budget_steps": full}
    row["bound"] = bound(budget, trials, expected) / full
    for order in ("plain", "breadth", "merit"):
        trained, found = replay(beaten, trials, order)
        row[order] = trained / full
        row[f"{order}_same_answers"] = sum(
            place in found and found[place] == expected[place] for place in expected
        )
    row["answers"] = len(expected)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--curves", type=Path, metavar="DB", help="store with sweeps trained under --stop budget"
    )
    which.add_argument("--train", type=Path, metavar="DB", help="the same, trained now where it is missing")
    parser.add_argument("--sweeps", nargs="+", default=[DEMO, *SMALL], metavar="WORKLOAD")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    db = options.train or options.curves
    timed: dict[str, float] = {}
    if options.train:
        for name in options.sweeps:
            launch(name, db, "--stop", "budget", "--order", "plain")
        if DEMO in options.sweeps:
            with tempfile.TemporaryDirectory() as folder:
                timed["budget_seconds"] = launch(
                    DEMO, Path(folder) / "budget.db", "--stop", "budget", "--order", "plain"
                )
                timed["beaten_seconds"] = launch(DEMO, Path(folder) / "beaten.db", "--stop", "beaten")
                for stop in ("budget", "beaten"):
                    timed[f"{stop}_first_curve_seconds"] = first_curve(Path(folder) / f"{stop}.db")
                timed["first_curve_ratio"] = (
                    timed["beaten_first_curve_seconds"] / timed["budget_first_curve_seconds"]
                )
                timed["ratio"] = timed["beaten_seconds"] / timed["budget_seconds"]
                real = answers(Path(folder) / "beaten.db", planned(DEMO, "beaten"))
                timed["same_answers"] = sum(
                    real.get(place) == steps
                    for place, steps in answers(Path(folder) / "budget.db", planned(DEMO, "budget")).items()
                )
    rows = []
    print(
        f"{'sweep':<24}{'steps':>9}{'bound':>8}{'plain':>8}{'breadth':>9}{'merit':>8}   same answers (plain, breadth, merit)"
    )
    for name in options.sweeps:
        row = measured(name, db)
        if row is None:
            print(f"{name:<24}  not trained to its end in {db}")
            continue
        rows.append(row)
        same = ", ".join(
            f"{row[f'{order}_same_answers']}/{row['answers']}" for order in ("plain", "breadth", "merit")
        )
        print(
            f"{row['sweep']:<24}{row['budget_steps']:>9,}{row['bound']:>8.3f}{row['plain']:>8.3f}{row['breadth']:>9.3f}"
            f"{row['merit']:>8.3f}   {same}",
            flush=True,
        )
    small = [row for row in rows if row["sweep"] in SMALL]
    if small:
        means = {
            key: statistics.mean(row[key] for row in small) for key in ("bound", "plain", "breadth", "merit")
        }
        print(f"{f'mean of {len(small)} small':<33}" + "".join(f"{means[key]:>8.3f}" for key in means))
    if timed:
        print(
            f"digits.toml, one gang of one rank, against the full budget in plain order: {timed['ratio']:.2f} of the time, "
            f"{timed['first_curve_ratio']:.2f} of the time to the first curve"
        )
    if options.json:
        options.json.write_text(json.dumps({"sweeps": rows, "time": timed or None}, indent=2) + "\n")


if __name__ == "__main__":
    main()
