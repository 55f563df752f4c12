"""What a shard's database holds, in numbers: read by plain SQL, whatever version wrote it, and nothing is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.store.lifecycle import LOST
from hvdsweep.store.schema import REACHED


@dataclass(frozen=True)
class Lost:
    """Training lost by a kill: that of one gang, since its trial's last checkpoint."""

    gang_started: float
    """Unix seconds."""
    share: float
    """The gang's share of the job's ranks."""
    seconds: float


@dataclass(frozen=True)
class Content:
    """The content of a shard's database."""

    trials: dict[str, int]
    """Status -> number; empty if there is no database yet."""
    finished: bool = False
    """Whether its sweep has ended, with nothing left to train."""
    trains: str = ""
    """What its gangs are training."""
    heartbeat: float = 0.0
    """The last sign of life, unix seconds."""
    signs: tuple[tuple[float, float], ...] = ()
    """Start and last sign of life of each gang, unix seconds."""
    lost: tuple[Lost, ...] = ()
    """Lost to kills; if its job was killed, includes the trials in training."""
    goals: frozenset[tuple[str, int]] = frozenset()
    """(workload, batch size) in which a trial has reached the goal."""
    problem: str = ""
    """Why the database cannot be read; empty if it can."""


def content_of(path: Path) -> Content:
    """The content of the database at `path`; empty if there is none yet."""
    if not path.exists():
        return Content({})
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as conn:
            trials = dict(conn.execute("SELECT status, count(*) FROM trials GROUP BY status"))
            states = conn.execute("SELECT state, heartbeat FROM sweeps").fetchall()
            training, goals, lost = [], [], _lost(conn)
            signs = conn.execute(
                "SELECT started, heartbeat FROM gangs WHERE heartbeat IS NOT NULL"
            ).fetchall()
            if "RUNNING" in trials:
                training = conn.execute(
                    "SELECT w.name, s.batch_size, t.number FROM trials t JOIN studies s ON s.id = t.study_id"
                    " JOIN workloads w ON w.id = s.workload_id WHERE t.status = 'RUNNING' ORDER BY t.id"
                ).fetchall()
            if "COMPLETE" in trials or "RUNNING" in trials:
                goals = conn.execute(
                    "SELECT DISTINCT w.name, s.batch_size FROM best_records r JOIN metrics m ON m.id = r.metric_id"
                    " JOIN trials t ON t.id = r.trial_id JOIN studies s ON s.id = t.study_id"
                    " JOIN workloads w ON w.id = s.workload_id AND w.metric = m.name AND w.maximize = m.maximize"
                    f" WHERE {REACHED}"
                ).fetchall()
    except sqlite3.Error as error:
        return Content({}, problem=f"{path}: {error}")
    pending = trials.get("PENDING", 0) + trials.get("RUNNING", 0)
    return Content(
        trials,
        finished=bool(states) and not pending and all(state in ("DONE", "FAILED") for state, _ in states),
        trains="; ".join(f"{name} batch size {size:,}, trial {number}" for name, size, number in training),
        heartbeat=max((beat or 0.0 for _, beat in states), default=0.0),
        signs=tuple(signs),
        lost=lost,
        goals=frozenset((name, size) for name, size in goals),
    )


def _lost(conn: sqlite3.Connection) -> tuple[Lost, ...]:
    """Lost training, as far as the store's version records it."""
    ranks = "max(1, coalesce(w.slots, w.np * w.gangs, g.np))"
    if "lost_seconds" not in {row[1] for row in conn.execute("PRAGMA table_info(gangs)")}:
        return ()
    questions = (
        f"SELECT g.started, g.np * 1.0 / {ranks}, g.lost_seconds FROM gangs g JOIN sweeps w ON w.id = g.sweep_id"
        " WHERE g.lost_seconds IS NOT NULL",
        f"SELECT g.started, g.np * 1.0 / {ranks}, {LOST} FROM trials t JOIN gangs g ON g.id = t.gang_id"
        " JOIN sweeps w ON w.id = g.sweep_id WHERE t.status = 'RUNNING' AND g.heartbeat IS NOT NULL",
    )
    return tuple(
        Lost(started, min(1.0, share), seconds)
        for question in questions
        for started, share, seconds in conn.execute(question)
    )
