"""The repeats of a sweep: the best trial of every study whose search is finished, trained again with other seeds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from hvdsweep.plan import Plan, StudyPlan
from hvdsweep.repeats import FIRST_REPEAT
from hvdsweep.store.erase import erase_data
from hvdsweep.store.schema import REACHED, SEARCH_TRIAL

_STUDIES = f"""
SELECT w.name, s.batch_size, s.id, count(t.id) FILTER (WHERE t.status IN ('PENDING', 'RUNNING')), count(t.id),
    count(t.id) FILTER (WHERE t.status != 'INFEASIBLE')
FROM workloads w JOIN studies s ON s.workload_id = w.id LEFT JOIN trials t ON t.study_id = s.id AND {SEARCH_TRIAL}
WHERE w.sweep_id = ? GROUP BY s.id"""

_BEST = f"""
SELECT t.number, t.parameters, r.step FROM studies s JOIN workloads w ON w.id = s.workload_id
JOIN metrics m ON m.name = w.metric AND m.maximize = w.maximize
CROSS JOIN trials t ON t.study_id = s.id AND t.status = 'COMPLETE' AND {SEARCH_TRIAL}
CROSS JOIN best_records r ON r.metric_id = m.id AND r.trial_id = t.id
    AND {REACHED}
WHERE s.id = ? ORDER BY r.step, t.number LIMIT 1"""
"""The trial that determines the study's steps to the sweep's goal."""


def plan_repeats(conn: sqlite3.Connection, sweep_id: int, plan: Plan, *, may_grow: bool = False) -> int:
    """Make the repeats that have not begun equal to those the plan asks for; returns how many were added.

    A study whose search is finished gets repeats of its best trial, unless it did not reach the goal in training.
    Repeats that have begun stay, also those of a former best trial. `may_grow`: rounds may still add trials to the
    searches, so none counts as finished. Inside the caller's write transaction.
    """
    added = 0
    for study, study_id, wanted in _wanted(conn, sweep_id, plan, may_grow):
        keys = json.dumps([*wanted])
        gone = conn.execute(
            f"DELETE FROM trials WHERE study_id = ? AND number >= {FIRST_REPEAT} AND status = 'PENDING'"
            " AND number NOT IN (SELECT value FROM json_each(?)) RETURNING id, checkpoint",
            (study_id, keys),
        ).fetchall()
        erase_data(conn, [trial for trial, checkpoint in gone if checkpoint is not None])
        conn.execute("UPDATE studies SET repeats = ? WHERE id = ?", (study.repeats or None, study_id))
        before = conn.total_changes
        conn.executemany(
            "INSERT INTO trials (study_id, number, key, status, parameters, seed, repeats)"
            " VALUES (?, ?, ?, 'PENDING', ?, ?, ?) ON CONFLICT (study_id, number) DO NOTHING",
            [(study_id, *row) for row in wanted.values()],
        )
        added += conn.total_changes - before
    return added


def repeats_to_come(conn: sqlite3.Connection) -> int:
    """Repeats that the store's studies shall have and that are not planned yet although their search is finished.

    This happens in merged shards: only all shards together determine the best trial.
    """
    missing = 0
    for study, repeats, there, trials, kept, target, most in conn.execute(
        f"SELECT s.id, s.repeats, count(t.id) FILTER (WHERE NOT {SEARCH_TRIAL}), count(t.id) FILTER (WHERE {SEARCH_TRIAL}),"
        f" count(t.id) FILTER (WHERE {SEARCH_TRIAL} AND t.status != 'INFEASIBLE'), s.target_trials, s.max_trials"
        " FROM studies s JOIN trials t ON t.study_id = s.id WHERE s.repeats IS NOT NULL GROUP BY s.id"
        f" HAVING count(t.id) FILTER (WHERE {SEARCH_TRIAL} AND t.status IN ('PENDING', 'RUNNING')) = 0"
    ).fetchall():
        if kept < target and trials < most:
            continue
        best = conn.execute(_BEST, (study,)).fetchone()
        if best is not None and best[2] > 0:
            missing += max(0, repeats - there)
    return missing


def lacks_repeats(conn: sqlite3.Connection, sweep_id: int, plan: Plan) -> bool:
    """Whether `plan_repeats` would add any."""
    for _, study_id, wanted in _wanted(conn, sweep_id, plan, may_grow=False):
        there = {
            number
            for (number,) in conn.execute(
                f"SELECT number FROM trials WHERE study_id = ? AND number >= {FIRST_REPEAT}", (study_id,)
            )
        }
        if wanted.keys() - there:
            return True
    return False


Row = tuple[int, str, str, int, int]
"""Number, key, parameters, seed, and the trial repeated."""


def _wanted(
    conn: sqlite3.Connection, sweep_id: int, plan: Plan, may_grow: bool
) -> list[tuple[StudyPlan, int, Mapping[int, Row]]]:
    """Each study of the plan with the repeats that it shall have, by number."""
    stored = {(name, size): row for name, size, *row in conn.execute(_STUDIES, (sweep_id,))}
    found: list[tuple[StudyPlan, int, Mapping[int, Row]]] = []
    for workload in plan.workloads:
        for study in workload.studies:
            study_id, unfinished, trials, kept = stored[workload.name, study.batch_size]
            wanted: dict[int, Row] = {}
            short = kept < study.target_trials and trials < study.max_trials
            if study.repeats and not may_grow and not unfinished and not short:
                best = conn.execute(_BEST, (study_id,)).fetchone()
                if best is not None and best[2] > 0:
                    for index in range(study.repeats):
                        trial = study.repeat(best[0], index, json.loads(best[1]))
                        wanted[trial.number] = (trial.number, trial.key, best[1], trial.seed, best[0])
            found.append((study, study_id, wanted))
    return found
