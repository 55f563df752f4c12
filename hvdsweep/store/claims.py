"""Which trial a gang trains next."""

from __future__ import annotations

import json
import sqlite3

from hvdsweep.store.erase import erase_data
from hvdsweep.store.exchange import Claim

ORDERS = ("plain", "breadth")
"""plain: one study after the other. breadth: the first trial of every study, then the second, ..."""


def claim_next(
    conn: sqlite3.Connection, sweep_id: int, gang_id: int, study_id: int | None, now: float
) -> Claim | None:
    """Make the sweep's next PENDING trial this gang's: RUNNING, without old data. Inside the caller's write transaction.

    Which one the sweep's order says (`ORDERS`). `study_id`: the study of the gang's previous trial. None where nothing is
    PENDING.
    """
    order = _order(conn, sweep_id)
    study = _plain(conn, sweep_id, study_id) if order == "plain" else _breadth(conn, sweep_id)
    if study is None:
        return None
    trial_id, number, seed, parameters, definition, target = conn.execute(
        "SELECT t.id, t.number, t.seed, t.parameters, s.definition, s.target_trials"
        " FROM trials t JOIN studies s ON s.id = t.study_id WHERE t.study_id = ? AND t.status = 'PENDING'"
        " ORDER BY t.number LIMIT 1",
        (study,),
    ).fetchone()
    erase_data(conn, [trial_id])
    conn.execute(
        "UPDATE trials SET status = 'RUNNING', gang_id = ?, started = ?, ended = NULL, steps = 0,"
        " stop_reason = NULL, message = NULL, chosen = NULL WHERE id = ?",
        (gang_id, now, trial_id),
    )
    return Claim(
        trial_id, study, number, seed, json.loads(parameters), json.loads(definition), definition, target
    )


def _order(conn: sqlite3.Connection, sweep_id: int) -> str | None:
    """What the sweep's latest run asks for; None: the default."""
    row = conn.execute("SELECT trial_order FROM sweeps WHERE id = ?", (sweep_id,)).fetchone()
    return None if row is None else row[0]


def _breadth(conn: sqlite3.Connection, sweep_id: int) -> int | None:
    """The study of which the fewest trials have begun, and of those one that no gang works on; None where all is begun.

    Every trial that is no longer PENDING counts, also a diverged one: its replacement comes in its turn, after every study has
    had as many.
    """
    row = conn.execute(
        "SELECT s.id FROM workloads w JOIN studies s ON s.workload_id = w.id JOIN trials t ON t.study_id = s.id"
        " WHERE w.sweep_id = ? GROUP BY s.id HAVING count(*) FILTER (WHERE t.status = 'PENDING') > 0"
        " ORDER BY count(*) FILTER (WHERE t.status != 'PENDING'), count(*) FILTER (WHERE t.status = 'RUNNING'),"
        " w.id, s.batch_size LIMIT 1",
        (sweep_id,),
    ).fetchone()
    return None if row is None else int(row[0])


def _plain(conn: sqlite3.Connection, sweep_id: int, present: int | None) -> int | None:
    """The gang's present study; then a study that no gang works on; then any; None where all is begun."""
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
