"""Which trial a gang trains next."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Literal, TypeAlias

from hvdsweep.states import BEGUN, Status
from hvdsweep.store.connection import transaction
from hvdsweep.store.exchange import Claim
from hvdsweep.store.knowledge import Knowledge
from hvdsweep.store.lifecycle import start_trial
from hvdsweep.store.schema import SEARCH_TRIAL

Order: TypeAlias = Literal["plain", "breadth", "merit"]
"""plain: one study after another. breadth: the first trial of every study, then the second, ... merit: breadth first
too, but each study's most promising trials first, not the lowest numbers."""


def default_order(stop: str | None) -> Order:
    """The order of a run that names none: by merit if good trials cut others short."""
    return "merit" if stop == "beaten" else "breadth"


def claim_next(
    conn: sqlite3.Connection,
    sweep_id: int,
    gang_id: int,
    study_id: int | None,
    now: float,
    knowledge: Knowledge | None = None,
) -> Claim | None:
    """Give this gang the sweep's next PENDING trial, which becomes RUNNING, with the data up to its checkpoint. Inside
    the caller's write transaction.

    The run's order (`Order`) decides which, among the studies that gangs of this size may train; within a study,
    trials with a checkpoint come first. `study_id`: the study of the gang's previous trial. `knowledge`: the caller's,
    kept between claims. None if no trial is PENDING for this gang.
    """
    order = _order(conn, sweep_id)
    mine = OF_ITS_SIZE.format(gang=int(gang_id))
    # Repeats come last: they need the best trial, which is known when the searches are finished.
    for kind in (SEARCH_TRIAL, f"NOT {SEARCH_TRIAL}"):
        if order == "plain":
            study = _plain(conn, sweep_id, study_id, f"{mine} AND {kind}")
        else:
            study = _breadth(conn, sweep_id, order, mine, kind)
        if study is not None:
            break
    if study is None:
        return None
    number, chosen = _interrupted(conn, study)
    if number is None and order == "merit" and kind == SEARCH_TRIAL:
        number, chosen = _by_merit(conn, study, knowledge or Knowledge())
    trial_id, number, seed, parameters, definition, target, key, checkpoint = conn.execute(
        "SELECT t.id, t.number, t.seed, t.parameters, s.definition, s.target_trials, t.key, t.checkpoint"
        " FROM trials t JOIN studies s ON s.id = t.study_id WHERE t.study_id = ?1 AND t.status = 'PENDING'"
        " AND (?2 IS NULL OR t.number = ?2) ORDER BY t.number LIMIT 1",
        (study, number),
    ).fetchone()
    start_trial(conn, trial_id, gang_id, chosen, now)
    return Claim(
        trial_id,
        study,
        number,
        seed,
        json.loads(parameters),
        json.loads(definition),
        definition,
        target,
        key,
        checkpoint,
    )


OF_ITS_SIZE = "(s.np IS NULL OR s.np = (SELECT np FROM gangs WHERE id = {gang}))"
"""SQL: whether gangs of the size of `gang` may train study s; any gang may if no number of ranks is set."""


def _order(conn: sqlite3.Connection, sweep_id: int) -> str:
    """The order that the sweep's latest run asks for, or the default."""
    order, stop = conn.execute(
        "SELECT trial_order, json_extract(definition, '$.training.stop') FROM sweeps WHERE id = ?",
        (sweep_id,),
    ).fetchone() or (None, None)
    return default_order(stop) if order is None else str(order)


def _interrupted(conn: sqlite3.Connection, study: int) -> tuple[int | None, str | None]:
    """Number of the study's first PENDING trial with a checkpoint, and why it was chosen; None: there is none."""
    row = conn.execute(
        "SELECT number, chosen FROM trials INDEXED BY trials_with_checkpoint"
        " WHERE study_id = ? AND status = 'PENDING' AND checkpoint IS NOT NULL ORDER BY number LIMIT 1",
        (study,),
    ).fetchone()
    return row or (None, None)


def _by_merit(conn: sqlite3.Connection, study: int, knowledge: Knowledge) -> tuple[int | None, str | None]:
    """Number of the study's most promising PENDING trial, and the reason in words; None: take the lowest number."""
    workload, target, trials, begun, diverged = conn.execute(
        "SELECT s.workload_id, s.target_trials, count(*), count(*) FILTER (WHERE t.status != 'PENDING'),"
        " count(*) FILTER (WHERE t.status = 'INFEASIBLE')"
        f" FROM studies s JOIN trials t ON t.study_id = s.id AND {SEARCH_TRIAL} WHERE s.id = ?",
        (study,),
    ).fetchone()
    choice = knowledge.choose(conn, workload, study)
    if choice is None:
        return None, None
    return choice.number, f"{ordinal(begun + 1)} of {max(trials, target + diverged)}: {choice.reason}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, ..."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 % 10 != 1 else "th"
    return f"{number:,}{ending}"


def _breadth(conn: sqlite3.Connection, sweep_id: int, order: str, mine: str, kind: str) -> int | None:
    """The study with the fewest begun trials, preferring one that no gang works on; None if all trials have begun.

    Every trial that is no longer PENDING counts, also a diverged one: its replacement waits until every study has begun
    as many. A round takes batch sizes in ascending order. By merit every second round, starting with the first,
    descends: large batches need the fewest steps to find good learning rates.
    """
    back = "CASE WHEN begun % 2 = 0 THEN -batch_size ELSE batch_size END"

    def trials(of: str, *words: str) -> str:
        # Each state by its part of an index: a claim must stay fast in a sweep of many thousand trials.
        status = ", ".join(f"'{word}'" for word in words)
        return f"(SELECT {of} FROM trials t WHERE t.study_id = s.id AND t.status IN ({status}) AND {kind})"

    row = conn.execute(
        f"SELECT id FROM (SELECT s.id, s.workload_id, s.batch_size, {trials('count(*)', *BEGUN)} AS begun,"
        f" {trials('count(*)', Status.RUNNING.name)} AS running"
        " FROM workloads w JOIN studies s ON s.workload_id = w.id"
        f" WHERE w.sweep_id = ? AND {mine} AND EXISTS {trials('1', Status.PENDING.name)})"
        f" ORDER BY begun, running, workload_id, {back if order == 'merit' else 'batch_size'} LIMIT 1",
        (sweep_id,),
    ).fetchone()
    return None if row is None else int(row[0])


def _plain(conn: sqlite3.Connection, sweep_id: int, present: int | None, mine: str) -> int | None:
    """The gang's present study; else one that no gang works on; else any; None if all trials have begun."""
    pending = f"EXISTS (SELECT 1 FROM trials t WHERE t.study_id = s.id AND t.status = 'PENDING' AND {mine})"
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


def assign(conn: sqlite3.Connection, sweep_id: int, shapes: Mapping[int, tuple[int, int]]) -> None:
    """Assign each study to gangs of one size: study -> (ranks, gangs side by side). Any gang may train the others."""
    with transaction(conn):
        conn.execute(
            "UPDATE studies SET np = NULL, gangs = NULL WHERE np IS NOT NULL"
            " AND workload_id IN (SELECT id FROM workloads WHERE sweep_id = ?)",
            (sweep_id,),
        )
        conn.executemany(
            "UPDATE studies SET np = ?, gangs = ? WHERE id = ?",
            [(np, gangs, study) for study, (np, gangs) in shapes.items()],
        )
