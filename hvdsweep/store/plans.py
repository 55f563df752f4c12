"""From a plan to rows and back to work: saving and extending a sweep, replacing diverged trials, putting
lost ones back.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from hvdsweep.store.connection import transaction
from hvdsweep.store.erase import erase_data
from hvdsweep.store.runs import event, gang_is_live

FINISHED_ELSEWHERE = "status IN ('COMPLETE', 'INFEASIBLE') AND stop_reason IS NOT 'beaten'"
"""Trials whose result holds in any study. A beaten one leans on its own study's other trials."""


class TrialPlan(Protocol):
    """One trial to be trained."""

    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def metaparameters(self) -> Mapping[str, float]: ...


class StudyPlan(Protocol):
    """One batch size of a workload: any trial of it by its number."""

    @property
    def batch_size(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def target_trials(self) -> int: ...
    @property
    def max_trials(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...
    @property
    def search(self) -> Mapping[str, Any]: ...
    @property
    def trials(self) -> Sequence[TrialPlan]: ...
    def trial(self, number: int) -> TrialPlan: ...


class WorkloadPlan(Protocol):
    """One workload with its studies."""

    @property
    def name(self) -> str: ...
    @property
    def dataset(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def goal(self) -> float | None: ...
    @property
    def maximize(self) -> bool: ...
    @property
    def train_examples(self) -> int | None: ...
    @property
    def parameters(self) -> int | None: ...
    @property
    def studies(self) -> Sequence[StudyPlan]: ...


class Plan(Protocol):
    """What `hvdsweep.plan` makes of a sweep file; all that the store asks of it."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def file(self) -> str | None: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...
    @property
    def workloads(self) -> Sequence[WorkloadPlan]: ...


@dataclass(frozen=True)
class SavedSweep:
    """What saving a plan did."""

    sweep_id: int
    outcome: Literal["created", "extended", "unchanged"]
    new_trials: int
    """Trials added."""
    adopted: int
    """Trials whose finished result was copied from another sweep of the file instead of being trained
    again.
    """
    withdrawn: int
    """Trials not yet begun that the plan no longer asks for, removed; `save_plan` with the old plan brings
    them back.
    """
    previous: dict[str, Any] | None
    """For a created sweep: the definition of the latest sweep of the same file and name, whose key
    differs.
    """


@dataclass(frozen=True)
class Recovered:
    """What `recover` put back to PENDING."""

    requeued: int
    """RUNNING trials whose gang no longer lives."""
    retried: int
    """INCOMPLETE trials that get another round of attempts."""
    living_gangs: tuple[int, ...]
    """Gangs that still live: their trials were left alone."""


def save_plan(conn: sqlite3.Connection, plan: Plan) -> SavedSweep:
    """Make the store hold `plan`: one transaction, idempotent. What has begun is never touched.

    New trials are added; PENDING ones that the plan no longer asks for are withdrawn; finished trials with
    the same key
    in other sweeps are copied.
    """
    now = time.time()
    with transaction(conn):
        row = conn.execute("SELECT id, definition FROM sweeps WHERE key = ?", (plan.key,)).fetchone()
        definition = _json(plan.definition)
        previous: dict[str, Any] | None = None
        if row is None:
            previous = _previous(conn, plan)
            sweep_id = _inserted(
                conn.execute(
                    "INSERT INTO sweeps (name, key, source, file, definition, state, created) VALUES (?, ?,"
                    " 'launch', ?, ?, 'IDLE', ?)",
                    (plan.name, plan.key, plan.file, definition, now),
                )
            )
        else:
            sweep_id = int(row[0])
            conn.execute(
                "UPDATE sweeps SET name = ?, file = ?, definition = ? WHERE id = ?",
                (plan.name, plan.file, definition, sweep_id),
            )
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
        outcome: Literal["created", "extended", "unchanged"] = "unchanged"
        if row is None:
            outcome = "created"
        elif new_trials:
            outcome = "extended"
        if new_trials or withdrawn or adopted:
            message = f"{outcome}: {new_trials} trials added"
            message += f", {adopted} of them already trained in another sweep" if adopted else ""
            message += f", {withdrawn} not begun withdrawn" if withdrawn else ""
            event(conn, "plan", message, sweep_id=sweep_id)
    return SavedSweep(sweep_id, outcome, new_trials, adopted, withdrawn, previous)


def top_up(conn: sqlite3.Connection, sweep_id: int, plan: Plan) -> int:
    """Add trials to every study with fewer that did not diverge than its target, up to `max_trials` in all.

    Returns how many were added; trials already finished in another sweep are copied as in `save_plan`.
    """
    if not any(_missing(conn, sweep_id, plan)):
        return 0
    added = 0
    with transaction(conn):
        for study_id, study, numbers in _missing(conn, sweep_id, plan):
            added += _add_trials(conn, study_id, [study.trial(number) for number in numbers])
        if added:
            _adopt_finished(conn, sweep_id)
            event(conn, "plan", f"{added} trials added in place of diverged ones", sweep_id=sweep_id)
    return added


def _missing(conn: sqlite3.Connection, sweep_id: int, plan: Plan) -> Iterator[tuple[int, StudyPlan, range]]:
    """(study id, study, numbers of the trials to add) of every study that needs some."""
    studies = {
        (name, batch_size): (study_id, feasible, trials, last)
        for name, batch_size, study_id, feasible, trials, last in conn.execute(
            "SELECT w.name, s.batch_size, s.id, total(t.status != 'INFEASIBLE'), count(t.id), max(t.number)"
            " FROM workloads w JOIN studies s ON s.workload_id = w.id LEFT JOIN trials t ON t.study_id = s.id"
            " WHERE w.sweep_id = ? GROUP BY s.id",
            (sweep_id,),
        )
    }
    for workload in plan.workloads:
        for study in workload.studies:
            study_id, feasible, trials, last = studies[workload.name, study.batch_size]
            wanted = min(study.target_trials - int(feasible), study.max_trials - trials)
            if wanted > 0 and last is not None:
                yield study_id, study, range(last + 1, last + 1 + wanted)


def requeue(
    conn: sqlite3.Connection,
    trial_ids: Iterable[int],
    *,
    count_attempt: bool,
    message: str | None,
    max_attempts: int,
) -> tuple[list[int], list[int]]:
    """RUNNING trials back to PENDING, data erased; those out of attempts become INCOMPLETE, data kept.

    With `count_attempt` the attempt counts as failed. Returns the ids (requeued, set aside). One transaction.
    """
    requeued: list[int] = []
    aside: list[int] = []
    now = time.time()
    with transaction(conn):
        for trial_id in trial_ids:
            row = conn.execute(
                "SELECT attempts FROM trials WHERE id = ? AND status = 'RUNNING'", (trial_id,)
            ).fetchone()
            if row is None:
                continue
            attempts = row[0] + int(count_attempt)
            if count_attempt and attempts >= max_attempts:
                aside.append(trial_id)
                conn.execute(
                    "UPDATE trials SET status = 'INCOMPLETE', stop_reason = 'failed', attempts = ?, message"
                    " = ?, ended = ? WHERE id = ?",
                    (attempts, message, now, trial_id),
                )
            else:
                requeued.append(trial_id)
                _set_pending(conn, trial_id, attempts, message)
        erase_data(conn, requeued)
    return requeued, aside


def recover(conn: sqlite3.Connection, sweep_id: int, *, retry_incomplete: bool = False) -> Recovered:
    """Before a run: RUNNING trials of gangs that no longer live become PENDING, without counting an attempt.

    Those gangs are marked DEAD. With `retry_incomplete`, INCOMPLETE trials start over with no attempts
    counted.
    """
    now = time.time()
    with transaction(conn):
        living = []
        for gang_id, pid, host, started, heartbeat in conn.execute(
            "SELECT id, pid, host, started, heartbeat FROM gangs WHERE sweep_id = ? AND state NOT IN"
            " ('STOPPED', 'DEAD')",
            (sweep_id,),
        ).fetchall():
            if gang_is_live(pid, host, started, heartbeat, now):
                living.append(gang_id)
            else:
                conn.execute(
                    "UPDATE gangs SET state = 'DEAD', ended = ?, trial_id = NULL, message ="
                    " coalesce(message, 'found dead') WHERE id = ?",
                    (now, gang_id),
                )
        mine = (
            "study_id IN (SELECT s.id FROM studies s JOIN workloads w ON w.id = s.workload_id"
            " WHERE w.sweep_id = ?)"
        )
        running = conn.execute(
            f"SELECT id, gang_id, attempts, message FROM trials WHERE status = 'RUNNING' AND {mine}",
            (sweep_id,),
        )
        lost = [row for row in running.fetchall() if row[1] not in living]
        for trial_id, _, attempts, message in lost:
            _set_pending(conn, trial_id, attempts, message)
        retried: list[int] = []
        if retry_incomplete:
            rows = conn.execute(
                f"SELECT id, message FROM trials WHERE status = 'INCOMPLETE' AND {mine}", (sweep_id,)
            ).fetchall()
            for trial_id, message in rows:
                _set_pending(conn, trial_id, 0, message)
                retried.append(trial_id)
        erase_data(conn, [row[0] for row in lost] + retried)
        if lost or retried:
            event(
                conn,
                "recover",
                f"{len(lost)} interrupted and {len(retried)} failed trials start anew",
                sweep_id=sweep_id,
            )
    return Recovered(len(lost), len(retried), tuple(living))


def _set_pending(conn: sqlite3.Connection, trial_id: int, attempts: int, message: str | None) -> None:
    conn.execute(
        "UPDATE trials SET status = 'PENDING', steps = 0, attempts = ?, message = ?, gang_id = NULL,"
        " started = NULL, ended = NULL,"
        " stop_reason = NULL WHERE id = ?",
        (attempts, message, trial_id),
    )


def _save_workload(conn: sqlite3.Connection, sweep_id: int, workload: WorkloadPlan) -> int:
    return int(
        conn.execute(
            "INSERT INTO workloads (sweep_id, name, dataset, model, algorithm, metric, goal, maximize,"
            " train_examples, parameters)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sweep_id, name) DO UPDATE SET metric ="
            " excluded.metric,"
            " goal = excluded.goal, maximize = excluded.maximize, train_examples = excluded.train_examples,"
            " parameters = excluded.parameters RETURNING id",
            (
                sweep_id,
                workload.name,
                workload.dataset,
                workload.model,
                workload.algorithm,
                workload.metric,
                workload.goal,
                int(workload.maximize),
                workload.train_examples,
                workload.parameters,
            ),
        ).fetchone()[0]
    )


def _save_study(conn: sqlite3.Connection, workload_id: int, study: StudyPlan) -> int:
    return int(
        conn.execute(
            "INSERT INTO studies (workload_id, batch_size, train_steps, target_trials, max_trials, seed,"
            " definition, search)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (workload_id, batch_size) DO UPDATE SET"
            " target_trials = excluded.target_trials, max_trials = excluded.max_trials, definition ="
            " excluded.definition,"
            " search = excluded.search RETURNING id",
            (
                workload_id,
                study.batch_size,
                study.steps,
                study.target_trials,
                study.max_trials,
                study.seed,
                _json(study.definition),
                _json(study.search),
            ),
        ).fetchone()[0]
    )


def _add_trials(conn: sqlite3.Connection, study_id: int, trials: Iterable[TrialPlan]) -> int:
    before = conn.total_changes
    conn.executemany(
        "INSERT INTO trials (study_id, number, key, status, parameters, seed) VALUES (?, ?, ?, 'PENDING',"
        " ?, ?)"
        " ON CONFLICT (study_id, number) DO NOTHING",
        [(study_id, trial.number, trial.key, _json(trial.metaparameters), trial.seed) for trial in trials],
    )
    return conn.total_changes - before


def _withdraw_surplus(conn: sqlite3.Connection, study_id: int, target: int) -> int:
    """Remove the last PENDING trials that a lower target no longer needs."""
    feasible = conn.execute(
        "SELECT count(*) FROM trials WHERE study_id = ? AND status != 'INFEASIBLE'", (study_id,)
    ).fetchone()[0]
    return conn.execute(
        "DELETE FROM trials WHERE id IN (SELECT id FROM trials WHERE study_id = ? AND status = 'PENDING'"
        " ORDER BY number DESC LIMIT ?)",
        (study_id, max(feasible - target, 0)),
    ).rowcount


def _withdraw_studies(conn: sqlite3.Connection, sweep_id: int, kept: Sequence[int]) -> int:
    """Remove PENDING trials of studies that the plan does not name, and studies and workloads that are then
    empty.
    """
    marks = ", ".join(map(str, kept))
    mine = "SELECT s.id FROM studies s JOIN workloads w ON w.id = s.workload_id WHERE w.sweep_id = ?"
    withdrawn = conn.execute(
        f"DELETE FROM trials WHERE status = 'PENDING' AND study_id IN ({mine}) AND study_id NOT IN ({marks})",
        (sweep_id,),
    ).rowcount
    conn.execute(
        f"DELETE FROM studies WHERE id IN ({mine}) AND id NOT IN ({marks})"
        " AND NOT EXISTS (SELECT 1 FROM trials t WHERE t.study_id = studies.id)",
        (sweep_id,),
    )
    conn.execute(
        "DELETE FROM workloads WHERE sweep_id = ? AND NOT EXISTS (SELECT 1 FROM studies s WHERE"
        " s.workload_id = workloads.id)",
        (sweep_id,),
    )
    return withdrawn


def _adopt_finished(conn: sqlite3.Connection, sweep_id: int) -> int:
    """Copy the results of PENDING trials that another sweep has finished under the same key."""
    pairs = conn.execute(
        "SELECT p.id, (SELECT min(d.id) FROM trials d WHERE d.key = p.key AND d."
        + FINISHED_ELSEWHERE
        + ") AS twin"
        " FROM workloads w JOIN studies s ON s.workload_id = w.id"
        " JOIN trials p ON p.study_id = s.id AND p.status = 'PENDING' AND p.key IS NOT NULL"
        " WHERE w.sweep_id = ? AND twin IS NOT NULL",
        (sweep_id,),
    ).fetchall()
    names = [row[1] for row in conn.execute("PRAGMA table_info(measurements)")][1:]
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    for trial, twin in pairs:
        conn.execute(
            "UPDATE trials SET (status, steps, started, ended, stop_reason, message) ="
            " (SELECT status, steps, started, ended, stop_reason, 'result of trial ' || id FROM trials"
            " WHERE id = ?) WHERE id = ?",
            (twin, trial),
        )
        conn.execute("INSERT INTO losses SELECT ?, step, loss FROM losses WHERE trial_id = ?", (trial, twin))
        conn.execute(
            f"INSERT INTO measurements (trial_id, {columns}) SELECT ?, {columns} FROM measurements WHERE"
            f" trial_id = ?",
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
        "SELECT definition FROM sweeps WHERE source = 'launch' AND name = ? AND file IS ? ORDER BY id DESC"
        " LIMIT 1",
        (plan.name, plan.file),
    ).fetchone()
    return None if row is None else json.loads(row[0])


def _inserted(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
