"""A store file that holds a random workload: every measurement, and the records that a loop finds among them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hvdsweep.store.connection import connect
from hvdsweep.store.inserts import insert

from .oracle import Study

METRIC = "val/classification_error"


def write(
    path: Path,
    workloads: dict[str, Sequence[Study]],
    *,
    goal: float | None = 0.5,
    maximize: bool = False,
    search: dict[str, Any] | None = None,
    sweep: str = "sweep",
    file: str | None = None,
) -> Path:
    """Add one sweep of these workloads to the store at `path`."""
    conn = connect(path, create=not path.exists())
    with conn:
        conn.execute("BEGIN")
        count = conn.execute("SELECT count(*) FROM sweeps").fetchone()[0]
        values = {"name": sweep, "key": f"key {count}", "source": "launch", "file": file, "definition": "{}"}
        sweep_id = insert(conn, "sweeps", {**values, "state": "DONE", "created": 0})
        if not count:
            conn.execute(f'ALTER TABLE measurements ADD COLUMN "{METRIC}" REAL')
        conn.execute("INSERT OR IGNORE INTO metrics (name, maximize) VALUES (?, ?)", (METRIC, maximize))
        (metric_id,) = conn.execute(
            "SELECT id FROM metrics WHERE name = ? AND maximize = ?", (METRIC, maximize)
        ).fetchone()
        for name, studies in workloads.items():
            dataset, model, algorithm = name.split("/")
            parts = {"name": name, "dataset": dataset, "model": model, "algorithm": algorithm}
            asked = {"metric": METRIC, "goal": goal, "maximize": maximize, "train_examples": 1000}
            workload_id = insert(conn, "workloads", {"sweep_id": sweep_id, **parts, **asked})
            for study in studies:
                _study(conn, workload_id, study, metric_id, maximize, json.dumps(search or {}))
    conn.close()
    return path


def _study(conn: Any, workload_id: int, study: Study, metric_id: int, maximize: bool, search: str) -> None:
    planned = {name: getattr(study, name) for name in ("batch_size", "train_steps", "target_trials")}
    rest = {"max_trials": 100, "seed": 0, "definition": "{}", "search": search}
    study_id = insert(conn, "studies", {"workload_id": workload_id, **planned, **rest})
    for trial in study.trials:
        values = {
            "study_id": study_id,
            "number": trial.number,
            "status": trial.status.name,
            "parameters": json.dumps(trial.parameters),
            "seed": 0,
            "steps": trial.steps,
            "stop_reason": trial.stop_reason.word,
        }
        trial_id = insert(conn, "trials", values)
        best = -math.inf if maximize else math.inf
        for step, value in trial.measurements:
            # A NaN parameter is stored as NULL by sqlite3 itself.
            conn.execute("INSERT INTO measurements VALUES (?, ?, ?)", (trial_id, step, value))
            if math.isfinite(value) and (value > best if maximize else value < best):
                best = value
                conn.execute(
                    "INSERT INTO best_records VALUES (?, ?, ?, ?)", (metric_id, trial_id, step, value)
                )
