"""Which trial a gang trains next."""

from __future__ import annotations

import json
import sqlite3

from hvdsweep.store.erase import erase_data
from hvdsweep.store.exchange import Claim


def claim_next(
    conn: sqlite3.Connection, sweep_id: int, gang_id: int, study_id: int | None, now: float
) -> Claim | None:
    """Make the sweep's next PENDING trial this gang's: RUNNING, without old data. Inside the caller's write transaction.

    First the lowest number of the gang's present study `study_id`, whose compiled functions are warm; then a study that
    no gang works on; then any. None where nothing is PENDING.
    """
    study = _study(conn, sweep_id, study_id)
    if study is None:
        return None
    trial_id, number, seed, parameters, definition = conn.execute(
        "SELECT t.id, t.number, t.seed, t.parameters, s.definition FROM trials t JOIN studies s ON s.id = t.study_id"
        " WHERE t.study_id = ? AND t.status = 'PENDING' ORDER BY t.number LIMIT 1",
        (study,),
    ).fetchone()
    erase_data(conn, [trial_id])
    conn.execute(
        "UPDATE trials SET status = 'RUNNING', gang_id = ?, started = ?, ended = NULL, steps = 0,"
        " stop_reason = NULL, message = NULL WHERE id = ?",
        (gang_id, now, trial_id),
    )
    return Claim(trial_id, study, number, seed, json.loads(parameters), json.loads(definition), definition)


def _study(conn: sqlite3.Connection, sweep_id: int, present: int | None) -> int | None:
    """The study to take a trial from, None where all is begun."""
    pending = "EXISTS (SELECT 1 FROM trials t WHERE t.study_id = s.id AND t.status = 'PENDING')"
    running = "EXISTS (SELECT 1 FROM trials t WHERE t.study_id = s.id AND t.status = 'RUNNING')"
    if (
        present is not None
        and conn.execute(f"SELECT 1 FROM studies s WHERE s.id = ? AND {pending}", (present,)).fetchone()
    ):
        return present
    for condition in (f"{pending} AND NOT {running}", pending):
        row = conn.execute(
            "SELECT s.id FROM studies s JOIN workloads w ON w.id = s.workload_id"
            f" WHERE w.sweep_id = ? AND {condition} ORDER BY s.id LIMIT 1",
            (sweep_id,),
        ).fetchone()
        if row is not None:
            return int(row[0])
    return None
