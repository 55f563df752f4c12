"""From a plan to rows: saves and extends a sweep, copies results it shares with others, replaces diverged trials."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hvdsweep.errors import UserError
from hvdsweep.plan import Plan, StudyPlan, TrialPlan, WorkloadPlan
from hvdsweep.store.checkpoints import tidy
from hvdsweep.store.connection import transaction
from hvdsweep.store.erase import erase_data
from hvdsweep.store.events import event
from hvdsweep.store.inserts import insert
from hvdsweep.store.repeats import lacks_repeats, plan_repeats
from hvdsweep.store.schema import SEARCH_TRIAL, quoted
from hvdsweep.words import counted

MINE = "(SELECT s.id FROM workloads w JOIN studies s ON s.workload_id = w.id WHERE w.sweep_id = ?)"
"""SQL: the studies of a sweep."""


@dataclass(frozen=True)
class SavedSweep:
    """What saving a plan changed."""

    sweep_id: int
    outcome: Literal["created", "extended", "unchanged"]
    new_trials: int
    """Trials added."""
    adopted: int
    """Trials whose result was copied from another sweep of the store instead of being trained again."""
    withdrawn: int
    """PENDING trials that the plan does not ask for, removed; saving the wider plan adds them again."""
    previous: dict[str, Any] | None
    """For a created sweep: the definition of the latest one from the same file (or of the same name)."""
    repeats: int = 0
    """Repeats of best trials added."""


def save_plan(
    conn: sqlite3.Connection, plan: Plan, shard: str | None = None, *, may_grow: bool = False
) -> SavedSweep:
    """Make the store hold `plan`: one transaction, idempotent. Trials that have begun are never changed.

    New trials are added; PENDING ones that the plan does not ask for are withdrawn; PENDING ones that another sweep has
    finished under the same key get a copy of its result. `shard`: the part of the sweep that this store is for (JSON,
    `hvdsweep.batch.shards`); None: all of it. UserError if the store is for another part. `may_grow`: see
    `plan_repeats`.
    """
    with transaction(conn):
        row = conn.execute("SELECT id, shard FROM sweeps WHERE key = ?", (plan.key,)).fetchone()
        if row is not None:
            check_same_part(conn, plan, row[1], shard)
        previous = _previous(conn, plan) if row is None else None
        sweep_id = _save_sweep(conn, plan, shard)
        new_trials = withdrawn = 0
        kept: list[int] = []
        for workload in plan.workloads:
            workload_id = _save_workload(conn, sweep_id, workload)
            for study in workload.studies:
                study_id = _save_study(conn, workload_id, study)
                kept.append(study_id)
                new_trials += _add_trials(conn, study_id, study.trials)
                withdrawn += _withdraw_surplus(conn, study_id, study.target_trials)
        withdrawn += _withdraw_studies(conn, sweep_id, kept)
        adopted = _adopt_finished(conn, sweep_id)
        repeats = plan_repeats(conn, sweep_id, plan, may_grow=may_grow)
        if repeats:
            adopted += _adopt_finished(conn, sweep_id)
        outcome: Literal["created", "extended", "unchanged"] = "unchanged"
        if row is None:
            outcome = "created"
        elif new_trials or repeats:
            outcome = "extended"
        done = {
            "added": new_trials,
            "added to repeat the best": repeats,
            "copied from another sweep": adopted,
            "withdrawn": withdrawn,
        }
        if any(done.values()):
            message = ", ".join(f"{counted(count, 'trial')} {what}" for what, count in done.items() if count)
            event(conn, "plan", f"plan {outcome}: {message}", sweep_id=sweep_id)
    tidy(conn)
    return SavedSweep(sweep_id, outcome, new_trials, adopted, withdrawn, previous, repeats)


def check_same_part(conn: sqlite3.Connection, plan: Plan, present: str | None, wanted: str | None) -> None:
    """UserError if the store trains another part than `wanted`: trials would be trained twice, or never."""
    one, other = (json.loads(text) if text else {} for text in (present, wanted))
    same = ("index", "of", "studies")
    if [one.get(name) for name in same] == [other.get(name) for name in same]:
        return
    path = conn.execute("PRAGMA database_list").fetchone()[2]
    if not one:
        raise UserError(
            f"{path}: trains all of the sweep {plan.name}, not a shard of it."
            " Leave --shard out, or name another file with --db."
        )
    part = f"shard {one['index']} of {one['of']}"
    if not other or (one["index"], one["of"]) != (other["index"], other["of"]):
        raise UserError(
            f"{path}: holds {part} of the sweep {plan.name}."
            f" Give --shard {one['index']}/{one['of']}, or name another file with --db."
        )
    raise UserError(
        f"{path}: holds {part} of the sweep {plan.name} with other numbers of trials, and the shards of another number differ. "
        "Finish it with the former --trials and --batch-sizes, merge the shards, and extend the merged sweep."
    )


def top_up(conn: sqlite3.Connection, sweep_id: int, plan: Plan) -> int:
    """Give every study as many trials that did not diverge as its target, up to `max_trials` in all.

    Returns the number added. Fast, and without a lock, if nothing is missing.
    """
    if not any(_missing(conn, sweep_id, plan)):
        return 0
    added = 0
    with transaction(conn):
        for study_id, study, count in _missing(conn, sweep_id, plan):
            added += _add_numbers(conn, study_id, study, count)
        if added:
            _adopt_finished(conn, sweep_id)
            event(
                conn, "plan", f"{counted(added, 'trial')} added in place of diverged ones", sweep_id=sweep_id
            )
    return added


def next_round(conn: sqlite3.Connection, sweep_id: int, plan: Plan, messages: Iterable[str]) -> None:
    """Give the studies the targets and spaces of `plan`, and the trials that they then lack: one transaction.

    `messages`: what the round changed, recorded as an event each.
    """
    with transaction(conn):
        for workload in plan.workloads:
            for study in workload.studies:
                conn.execute(
                    f"UPDATE studies SET target_trials = ?, search = ? WHERE id IN {MINE} AND batch_size = ?"
                    " AND workload_id IN (SELECT id FROM workloads WHERE name = ?)",
                    (study.target_trials, _json(study.search), sweep_id, study.batch_size, workload.name),
                )
        record_round(conn, sweep_id, messages)
        for study_id, study, count in _missing(conn, sweep_id, plan):
            _add_numbers(conn, study_id, study, count)
        _adopt_finished(conn, sweep_id)


def record_round(conn: sqlite3.Connection, sweep_id: int, messages: Iterable[str]) -> None:
    """Record an event for each change of a round, once: a run that resumes repeats the round. Inside the caller's write
    transaction."""
    for message in messages:
        known = "SELECT 1 FROM events WHERE sweep_id = ? AND kind = 'round' AND message = ?"
        if conn.execute(known, (sweep_id, message)).fetchone() is None:
            event(conn, "round", message, sweep_id=sweep_id)


def add_repeats(conn: sqlite3.Connection, sweep_id: int, plan: Plan) -> int:
    """Add the repeats of best trials of studies whose search is finished; returns their number. Fast if none is missing."""
    if not lacks_repeats(conn, sweep_id, plan):
        return 0
    with transaction(conn):
        added = plan_repeats(conn, sweep_id, plan)
        _adopt_finished(conn, sweep_id)
        if added:
            event(conn, "plan", f"{counted(added, 'repeat')} of best trials added", sweep_id=sweep_id)
    return added


def _missing(conn: sqlite3.Connection, sweep_id: int, plan: Plan) -> Iterator[tuple[int, StudyPlan, int]]:
    """(study id, study, number missing) of every study that needs more trials."""
    studies = {
        (name, batch_size): (study_id, trials, diverged)
        for name, batch_size, study_id, trials, diverged in conn.execute(
            "SELECT w.name, s.batch_size, s.id, count(t.id), count(*) FILTER (WHERE t.status = 'INFEASIBLE')"
            " FROM workloads w JOIN studies s ON s.workload_id = w.id"
            f" LEFT JOIN trials t ON t.study_id = s.id AND {SEARCH_TRIAL} WHERE w.sweep_id = ? GROUP BY s.id",
            (sweep_id,),
        )
    }
    for workload in plan.workloads:
        for study in workload.studies:
            study_id, trials, diverged = studies[workload.name, study.batch_size]
            wanted = min(study.target_trials - (trials - diverged), study.max_trials - trials)
            if wanted > 0:
                yield study_id, study, wanted


def _save_sweep(conn: sqlite3.Connection, plan: Plan, shard: str | None) -> int:
    values = {
        "name": plan.name,
        "key": plan.key,
        "source": "launch",
        "file": plan.file,
        "definition": _json(plan.definition),
        "state": "IDLE",
        "created": time.time(),
        "shard": shard,
    }
    return insert(conn, "sweeps", values, unique=("key",), update=("name", "file", "definition", "shard"))


def _save_workload(conn: sqlite3.Connection, sweep_id: int, workload: WorkloadPlan) -> int:
    update = ("metric", "goal", "maximize", "train_examples", "parameters")
    values = {name: getattr(workload, name) for name in ("name", "dataset", "model", "algorithm", *update)}
    return insert(
        conn, "workloads", {"sweep_id": sweep_id, **values}, unique=("sweep_id", "name"), update=update
    )


def _save_study(conn: sqlite3.Connection, workload_id: int, study: StudyPlan) -> int:
    values = {
        "workload_id": workload_id,
        "batch_size": study.batch_size,
        "train_steps": study.steps,
        "target_trials": study.target_trials,
        "max_trials": study.max_trials,
        "seed": study.seed,
        "definition": _json(study.definition),
        "search": _json(study.search),
    }
    update = ("target_trials", "max_trials", "definition", "search")
    return insert(conn, "studies", values, unique=("workload_id", "batch_size"), update=update)


def _add_trials(conn: sqlite3.Connection, study_id: int, trials: Iterable[TrialPlan]) -> int:
    before = conn.total_changes
    conn.executemany(
        "INSERT INTO trials (study_id, number, key, status, parameters, seed) VALUES (?, ?, ?, 'PENDING', ?, ?)"
        " ON CONFLICT (study_id, number) DO NOTHING",
        [(study_id, trial.number, trial.key, _json(trial.metaparameters), trial.seed) for trial in trials],
    )
    return conn.total_changes - before


def _add_numbers(conn: sqlite3.Connection, study_id: int, study: StudyPlan, count: int) -> int:
    """Add `count` trials that the study lacks (`StudyPlan.next_numbers`); returns how many."""
    there = {
        number
        for (number,) in conn.execute(
            f"SELECT number FROM trials t WHERE study_id = ? AND {SEARCH_TRIAL}", (study_id,)
        )
    }
    added = 0
    for start, length in _runs(study.next_numbers(there, count)):
        added += _add_trials(conn, study_id, study.trial_range(start, length))
    return added


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as runs: (first, length)."""
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], index - start
            start = index


def _withdraw_surplus(conn: sqlite3.Connection, study_id: int, target: int) -> int:
    """Remove the last PENDING trials of a study that has enough without them; returns how many."""
    return _withdraw(
        conn,
        f"id IN (SELECT id FROM trials t WHERE study_id = ?1 AND status = 'PENDING' AND {SEARCH_TRIAL}"
        " ORDER BY number DESC LIMIT (SELECT max(count(*) - ?2, 0) FROM trials t"
        f" WHERE study_id = ?1 AND status != 'INFEASIBLE' AND {SEARCH_TRIAL}))",
        (study_id, target),
    )


def _withdraw(conn: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> int:
    """Remove PENDING trials, and what those with a checkpoint recorded; returns how many."""
    gone = conn.execute(f"DELETE FROM trials WHERE {which} RETURNING id, checkpoint", values).fetchall()
    erase_data(conn, [trial for trial, checkpoint in gone if checkpoint is not None])
    return len(gone)


def _withdraw_studies(conn: sqlite3.Connection, sweep_id: int, kept: Sequence[int]) -> int:
    """Remove PENDING trials of studies that the plan does not name, and what is then empty; returns how many."""
    others = f"IN {MINE} AND {{}} NOT IN (SELECT value FROM json_each(?))"
    values = (sweep_id, json.dumps(kept))
    withdrawn = _withdraw(conn, f"status = 'PENDING' AND study_id {others.format('study_id')}", values)
    conn.execute(
        f"DELETE FROM studies WHERE id {others.format('id')}"
        " AND NOT EXISTS (SELECT 1 FROM trials t WHERE t.study_id = studies.id)",
        values,
    )
    conn.execute(
        "DELETE FROM workloads WHERE sweep_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM studies s WHERE s.workload_id = workloads.id)",
        (sweep_id,),
    )
    return withdrawn


def _adopt_finished(conn: sqlite3.Connection, sweep_id: int) -> int:
    """Copy results into PENDING trials that another sweep has finished under the same key; returns how many."""
    # A beaten trial depends on the other trials of its own study, so its result is not valid elsewhere.
    pairs = conn.execute(
        "SELECT p.id, (SELECT min(d.id) FROM trials d WHERE d.key = p.key"
        " AND d.status IN ('COMPLETE', 'INFEASIBLE') AND d.stop_reason IS NOT 'beaten') AS twin"
        f" FROM trials p WHERE p.study_id IN {MINE} AND p.status = 'PENDING' AND twin IS NOT NULL",
        (sweep_id,),
    ).fetchall()
    names = [row[1] for row in conn.execute("PRAGMA table_info(measurements)")]
    columns = ", ".join(quoted(name) for name in names[1:])
    erase_data(conn, [trial for trial, _ in pairs])
    for trial, twin in pairs:
        conn.execute(
            "UPDATE trials SET (status, steps, started, ended, stop_reason, message, checkpoint, checkpoint_seconds) ="
            " (SELECT status, steps, started, ended, stop_reason, 'copied from trial ' || id, NULL, NULL"
            " FROM trials WHERE id = ?) WHERE id = ?",
            (twin, trial),
        )
        copied = {
            "losses": "step, loss",
            "measurements": columns,
            "gradient_noise": "step, layer, grad_sq, trace_sigma",
        }
        for table, rest in copied.items():
            conn.execute(
                f"INSERT INTO {table} (trial_id, {rest}) SELECT ?, {rest} FROM {table} WHERE trial_id = ?",
                (trial, twin),
            )
        conn.execute(
            "INSERT INTO best_records SELECT metric_id, ?, step, value FROM best_records"
            " WHERE metric_id IN (SELECT id FROM metrics) AND trial_id = ?",
            (trial, twin),
        )
    return len(pairs)


def _previous(conn: sqlite3.Connection, plan: Plan) -> dict[str, Any] | None:
    row = conn.execute(
        "SELECT definition FROM sweeps WHERE source = 'launch' AND CASE WHEN ?1 IS NULL THEN name = ?2 ELSE file = ?1 END"
        " ORDER BY id DESC LIMIT 1",
        (plan.file, plan.name),
    ).fetchone()
    return None if row is None else json.loads(row[0])


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
