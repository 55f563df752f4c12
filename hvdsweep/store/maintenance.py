"""Checks of what must hold in a store at every moment, and rebuilding of its derived tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import numpy as np

from hvdsweep.search import Space
from hvdsweep.store.connection import transaction
from hvdsweep.store.records import imports_keep, strict_records
from hvdsweep.store.schema import metric_columns, metric_id, naturally_maximised, quoted

CHUNK = 1000
"""Trials per transaction of a rebuild."""

PROBLEMS = {
    "a trial that waits holds data beyond its checkpoint": """
        SELECT id FROM trials t WHERE status = 'PENDING' AND (steps != ifnull(checkpoint, 0) OR gang_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM losses WHERE trial_id = t.id AND step > ifnull(t.checkpoint, -1))
        OR EXISTS (SELECT 1 FROM measurements WHERE trial_id = t.id AND step > ifnull(t.checkpoint, -1))
        OR EXISTS (SELECT 1 FROM metrics m JOIN best_records r ON r.metric_id = m.id AND r.trial_id = t.id
        AND r.step > ifnull(t.checkpoint, -1)))""",
    "a trial's checkpoint lies beyond its steps, or it has ended": """
        SELECT id FROM trials WHERE checkpoint > steps
        OR (checkpoint IS NOT NULL AND status NOT IN ('PENDING', 'RUNNING'))""",
    "a trial in training belongs to no gang": """
        SELECT id FROM trials WHERE status = 'RUNNING' AND (gang_id IS NULL OR started IS NULL OR ended IS NOT NULL)""",
    "a finished trial lacks its end": """
        SELECT id FROM trials WHERE status IN ('COMPLETE', 'INFEASIBLE') AND key IS NOT NULL
        AND (ended IS NULL OR stop_reason IS NULL)""",
    "a trial's status is unknown": """
        SELECT id FROM trials WHERE status NOT IN ('PENDING', 'RUNNING', 'COMPLETE', 'INFEASIBLE', 'INCOMPLETE')""",
    "losses are not one per step": """
        SELECT t.id FROM trials t JOIN (SELECT trial_id, count(*) AS n, min(step) AS first, max(step) AS last
        FROM losses GROUP BY trial_id) l ON l.trial_id = t.id
        WHERE l.first != 1 OR l.last != l.n OR l.n < t.steps OR l.n > t.steps + (t.status = 'INFEASIBLE')""",
    "losses are missing": """
        SELECT t.id FROM trials t JOIN studies s ON s.id = t.study_id JOIN workloads w ON w.id = s.workload_id
        JOIN sweeps p ON p.id = w.sweep_id WHERE p.source = 'launch' AND t.steps > 0
        AND NOT EXISTS (SELECT 1 FROM losses WHERE trial_id = t.id)""",
    "a measurement lies beyond its trial's steps": """
        SELECT t.id FROM trials t JOIN (SELECT trial_id, max(step) AS last FROM measurements GROUP BY trial_id) m
        ON m.trial_id = t.id WHERE m.last > t.steps""",
    "data of a trial that does not exist": """
        SELECT trial_id FROM losses GROUP BY trial_id HAVING trial_id NOT IN (SELECT id FROM trials)
        UNION SELECT trial_id FROM measurements GROUP BY trial_id HAVING trial_id NOT IN (SELECT id FROM trials)
        UNION SELECT DISTINCT trial_id FROM best_records WHERE trial_id NOT IN (SELECT id FROM trials)""",
    "noise estimates lie beyond their trial's steps": """
        SELECT n.trial_id FROM gradient_noise n LEFT JOIN trials t ON t.id = n.trial_id
        GROUP BY n.trial_id HAVING max(n.step) > ifnull(max(t.steps), -1)""",
    "a gang trains a trial that another holds": """
        SELECT g.trial_id FROM gangs g JOIN trials t ON t.id = g.trial_id
        WHERE g.state = 'TRAINING' AND t.status = 'RUNNING' AND t.gang_id != g.id""",
}
"""Problem -> a query for the trials that have it. All are empty at any moment in a store that only hvdsweep wrote."""


def check(conn: sqlite3.Connection, *, deep: bool = True) -> list[str]:
    """What is wrong with the store, one sentence each; empty if nothing is. `deep` also compares every record."""
    found = [f"SQLite: {row[0]}" for row in conn.execute("PRAGMA quick_check") if row[0] != "ok"]
    older = conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'gradient_noise'").fetchone() is None
    for problem, query in PROBLEMS.items():
        if older and "gradient_noise" in query:
            continue
        trials = [row[0] for row in conn.execute(query)]
        if trials:
            found.append(f"{problem}: trials {_few(trials)}")
    found += _wrong_definitions(conn)
    if deep:
        wrong = [trial for chunk in _chunks(conn) for trial in _wrong_records(conn, chunk)]
        if wrong:
            found.append(f"the running best is not that of the measurements: trials {_few(wrong)}")
    return found


PARTS = ("budget", "evaluation", "goal", "infeasible", "search", "studies", "training")
"""What is a table of its own in the definition of a sweep or a study."""


def _wrong_definitions(conn: sqlite3.Connection) -> Iterator[str]:
    """JSON that is an object as it should be, but describes no sweep or no search."""
    for table in ("sweeps", "studies"):
        for row, text in conn.execute(f"SELECT id, definition FROM {table}"):
            definition = json.loads(text)
            for part in PARTS:
                if not isinstance(definition.get(part, {}), dict | None):
                    yield f"table {table}, row {row}, column definition: {part} is no object"
    for row, text in conn.execute("SELECT id, search FROM studies"):
        try:
            Space.from_json(json.loads(text))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            yield f"table studies, row {row}, column search: {error}"


def rebuild_running_best(conn: sqlite3.Connection) -> int:
    """Rebuild `best_records` from `measurements`, in the direction of the goal or else the natural one.

    Imported trials only get the records that `imports_keep` selects. Each chunk is a transaction, so running trials
    continue meanwhile. Returns the number of records.
    """
    total = 0
    for chunk in _chunks(conn):
        with transaction(conn):
            conn.execute(
                "DELETE FROM best_records WHERE metric_id IN (SELECT id FROM metrics)"
                " AND trial_id IN (SELECT value FROM json_each(?))",
                (json.dumps(chunk),),
            )
            for metric in metric_columns(conn):
                for maximize, trials in _by_direction(conn, chunk, metric).items():
                    identity = metric_id(conn, metric, maximize)
                    rows = _records(conn, trials, metric, maximize)
                    conn.executemany(
                        "INSERT INTO best_records (trial_id, step, value, metric_id) VALUES (?, ?, ?, ?)",
                        ((*row, identity) for row in rows),
                    )
                    total += len(rows)
    return total


def _chunks(conn: sqlite3.Connection) -> Iterator[list[int]]:
    last = -1
    while True:
        rows = conn.execute(
            "SELECT id FROM trials WHERE id > ? ORDER BY id LIMIT ?", (last, CHUNK)
        ).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield [row[0] for row in rows]


def _by_direction(conn: sqlite3.Connection, trials: list[int], metric: str) -> dict[bool, list[int]]:
    """Trials by whether `metric` is maximised for them: by their workload's goal, else naturally."""
    rows = conn.execute(
        "SELECT t.id, CASE WHEN w.metric = ?1 THEN w.maximize ELSE ?2 END FROM json_each(?3) AS wanted"
        " JOIN trials t ON t.id = wanted.value JOIN studies s ON s.id = t.study_id"
        " JOIN workloads w ON w.id = s.workload_id WHERE t.key IS NOT NULL OR ?4",
        (metric, int(naturally_maximised(metric)), json.dumps(trials), imports_keep(metric)),
    )
    found: dict[bool, list[int]] = {}
    for trial, maximize in rows:
        found.setdefault(bool(maximize), []).append(trial)
    return found


def _records(
    conn: sqlite3.Connection, trials: list[int], metric: str, maximize: bool
) -> list[tuple[int, int, float]]:
    """(trial, step, value) of the records of these trials, from the measurements."""
    name = quoted(metric)
    rows = conn.execute(
        f"SELECT m.trial_id, m.step, m.{name} FROM json_each(?) AS wanted CROSS JOIN measurements m"
        f" ON m.trial_id = wanted.value WHERE abs(m.{name}) < 9e999 ORDER BY m.trial_id, m.step",
        (json.dumps(trials),),
    ).fetchall()
    if not rows:
        return []
    group = np.array([row[0] for row in rows], np.int64)
    values = np.array([row[2] for row in rows], np.float64)
    return [rows[i] for i in np.flatnonzero(strict_records(group, -values if maximize else values))]


def _wrong_records(conn: sqlite3.Connection, trials: list[int]) -> list[int]:
    """The `trials` whose stored records, in the stored directions, differ from their measurements."""
    wrong: set[int] = set()
    metrics = conn.execute("SELECT id, name, maximize FROM metrics").fetchall()
    columns = set(metric_columns(conn))
    marks = json.dumps(trials)
    for identity, name, maximize in metrics:
        stored = conn.execute(
            "SELECT r.trial_id, r.step, r.value FROM json_each(?) AS wanted CROSS JOIN best_records r"
            " ON r.metric_id = ? AND r.trial_id = wanted.value",
            (marks, identity),
        ).fetchall()
        kept = {row[0] for row in stored}
        # A trial whose goal reversed the metric has records in that direction only.
        due = _records(conn, sorted(kept), name, bool(maximize)) if name in columns and kept else []
        wrong |= {row[0] for row in set(stored) ^ set(due)}
    trained = {
        row[0]
        for row in conn.execute(
            "SELECT t.id FROM json_each(?) AS wanted JOIN trials t ON t.id = wanted.value AND t.key IS NOT NULL",
            (marks,),
        )
    }
    for name in columns:
        due_here = set(trials) if imports_keep(name) else trained
        have = {
            row[0]
            for row in conn.execute(
                "SELECT DISTINCT r.trial_id FROM metrics m JOIN json_each(?) AS wanted CROSS JOIN best_records r"
                " ON r.metric_id = m.id AND r.trial_id = wanted.value WHERE m.name = ?",
                (marks, name),
            )
        }
        measured = {row[0] for row in _records(conn, sorted(due_here - have), name, False)}
        wrong |= measured
    return sorted(wrong)


def _few(trials: list[int]) -> str:
    shown = ", ".join(map(str, trials[:5]))
    return shown if len(trials) <= 5 else f"{shown} and {len(trials) - 5} more"
