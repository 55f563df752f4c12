"""A store file that holds a random workload: every measurement, and the records that a loop finds among them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hvdsweep.store import connect

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
        sweep_id = conn.execute(
            "INSERT INTO sweeps (name, key, source, file, definition, state, created) VALUES (?, ?, 'launch', ?, '{}',"
            " 'DONE', 0) RETURNING id",
            (sweep, f"key {count}", file),
        ).fetchone()[0]
        if not count:
            conn.execute(f'ALTER TABLE measurements ADD COLUMN "{METRIC}" REAL')
        conn.execute("INSERT OR IGNORE INTO metrics (name, maximize) VALUES (?, ?)", (METRIC, maximize))
        (metric_id,) = conn.execute(
            "SELECT id FROM metrics WHERE name = ? AND maximize = ?", (METRIC, maximize)
        ).fetchone()
        for name, studies in workloads.items():
            dataset, model, algorithm = name.split("/")
            (workload_id,) = conn.execute(
                "INSERT INTO workloads (sweep_id, name, dataset, model, algorithm, metric, goal, maximize,"
                " train_examples) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1000) RETURNING id",
                (sweep_id, name, dataset, model, algorithm, METRIC, goal, maximize),
            ).fetchone()
            for study in studies:
                _study(conn, workload_id, study, metric_id, maximize, json.dumps(search or {}))
    conn.close()
    return path


def _study(conn: Any, workload_id: int, study: Study, metric_id: int, maximize: bool, search: str) -> None:
    (study_id,) = conn.execute(
        "INSERT INTO studies (workload_id, batch_size, train_steps, target_trials, max_trials, seed, definition, search)"
        " VALUES (?, ?, ?, ?, 100, 0, '{}', ?) RETURNING id",
        (workload_id, study.batch_size, study.train_steps, study.target_trials, search),
    ).fetchone()
    for trial in study.trials:
        (trial_id,) = conn.execute(
            "INSERT INTO trials (study_id, number, status, parameters, seed, steps, stop_reason)"
            " VALUES (?, ?, ?, ?, 0, ?, ?) RETURNING id",
            (
                study_id,
                trial.number,
                trial.status.name,
                json.dumps(trial.parameters),
                trial.steps,
                trial.stop_reason.word,
            ),
        ).fetchone()
        best = -math.inf if maximize else math.inf
        for step, value in trial.measurements:
            # A NaN parameter is stored as NULL by sqlite3 itself.
            conn.execute("INSERT INTO measurements VALUES (?, ?, ?)", (trial_id, step, value))
            if math.isfinite(value) and (value > best if maximize else value < best):
                best = value
                conn.execute(
                    "INSERT INTO best_records VALUES (?, ?, ?, ?)", (metric_id, trial_id, step, value)
                )
