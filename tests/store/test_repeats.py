"""Repeats of best trials in the store: which are planned, and that nothing takes them for trials of a search."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvdsweep.curves.outcomes import steps_to_result
from hvdsweep.opening import open_store
from hvdsweep.repeats import FIRST_REPEAT, repeat_number, repeat_of, trial_name
from hvdsweep.states import Status
from hvdsweep.store.connection import connect
from hvdsweep.store.content import problems
from hvdsweep.store.goal_answers import answer_at_goal
from hvdsweep.store.maintenance import check
from hvdsweep.store.plans import save_plan
from hvdsweep.store.repeats import lacks_repeats
from hvdsweep.store.workload_tables import repeats_table

from .plans import gang, outcome, plan, train_all

GOAL = 0.05
"""Seldom reached at the start, where nothing has been trained that could be repeated."""


def wanted_plan(goal: float = GOAL, **changes: Any) -> Any:
    made = plan(steps=80, **changes)
    return replace(made, workloads=[replace(workload, goal=goal) for workload in made.workloads])


def start(path: Path, **changes: Any) -> None:
    conn = connect(path, create=True)
    save_plan(conn, wanted_plan(**changes))
    conn.close()


def best_trials(conn: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """Batch size -> (steps, number) of the search's best, by a loop over all measurements."""
    found: dict[int, tuple[int, int]] = {}
    for size, number, step, value in conn.execute(
        'SELECT s.batch_size, t.number, m.step, m."val/error" FROM trials t JOIN studies s ON s.id = t.study_id'
        " JOIN measurements m ON m.trial_id = t.id WHERE t.repeats IS NULL AND t.status = 'COMPLETE'"
    ):
        if value < GOAL:
            found[size] = min(found.get(size, (10**9, 0)), (step, number))
    return found


def repeats(conn: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT s.batch_size, t.repeats, t.number, t.status FROM trials t JOIN studies s ON s.id = t.study_id"
        " WHERE t.repeats IS NOT NULL ORDER BY s.batch_size, t.number"
    ).fetchall()


def save(path: Path, **changes: Any) -> Any:
    conn = connect(path)
    saved = save_plan(conn, wanted_plan(**changes))
    conn.close()
    return saved


def test_the_best_trial_is_repeated_once_its_search_has_ended(path: Path, look: sqlite3.Connection) -> None:
    """None while a trial is to come; then two of the trial that reached the goal first, with its metaparameters and seeds that
    no other trial has. Saving again adds nothing."""
    start(path, repeats=2)
    assert repeats(look) == []
    train_all(path)
    saved = save(path, repeats=2)
    best = best_trials(look)
    assert set(best) == {8, 16}
    wanted = [
        (size, best[size][1], repeat_number(best[size][1], index), "PENDING")
        for size in (8, 16)
        for index in (0, 1)
    ]
    assert repeats(look) == wanted
    assert (saved.repeats, saved.new_trials, saved.outcome) == (4, 0, "extended")
    again = look.execute(
        "SELECT count(*) FROM trials r JOIN trials t ON t.study_id = r.study_id AND t.number = r.repeats"
        " WHERE r.parameters = t.parameters"
    ).fetchone()
    assert again == (4,)
    assert look.execute("SELECT count(DISTINCT seed || '/' || study_id) FROM trials").fetchone() == (10,)
    saved = save(path, repeats=2)
    assert (saved.repeats, saved.outcome, repeats(look)) == (0, "unchanged", wanted)
    assert check(look) == []
    assert list(problems(look)) == []


def test_repeats_are_trained_last_and_count_in_no_search(path: Path, look: sqlite3.Connection) -> None:
    """Answers, tables and counts of the searches are those from before the repeats were trained, though a repeat was faster; the
    repeats have a table of their own."""
    start(path, repeats=3)
    train_all(path)
    save(path, repeats=3)
    with open_store(path) as reader:
        workload = reader.workloads()[0]
        before = answer_at_goal(reader, workload), reader.workload_table(workload.name), reader.counts()
    written = train_all(path)
    assert len(written) == 6
    last = "trial_id = (SELECT max(id) FROM trials)"
    look.execute(f"DELETE FROM best_records WHERE {last} AND step > 0")
    look.execute(f"UPDATE best_records SET value = -1 WHERE {last}")
    with open_store(path) as reader:
        after = answer_at_goal(reader, workload), reader.workload_table(workload.name), reader.counts()
        again = repeats_table(reader, workload)
        assert before[0] is not None
        assert after[0] is not None
        assert again is not None
        assert before[0][0].steps.tolist() == after[0][0].steps.tolist()
        assert before[0][1].value.tolist() == after[0][1].value.tolist()
        assert before[1].number.tolist() == after[1].number.tolist() == [0, 1, 2] * 2
        assert before[2] == after[2]
        assert reader.counts(repeats=True) == {study: {Status.COMPLETE: 3} for study in (1, 2)}
        assert (again.number >= FIRST_REPEAT).all()
        assert np.diff(again.offsets).min() > 0
        assert steps_to_result(again, GOAL).steps.min() == 0
        (sweep,) = reader.status().sweeps
        assert (sweep.repeats, sweep.repeat_trials["COMPLETE"], sweep.trials["COMPLETE"]) == (
            6,
            6,
            6,
        )
        assert {trial.repeats for trial in reader.trials().rows} == {
            None,
            *(number for _, number in best_trials(look).values()),
        }


def test_status_counts_the_repeats_to_come(path: Path) -> None:
    """Before the search has ended a sweep of two batch sizes with three repeats each has six to come."""
    start(path, repeats=3)
    with open_store(path) as reader:
        (sweep,) = reader.status().sweeps
    assert (sweep.repeats, sum(sweep.repeat_trials.values())) == (6, 0)


def test_another_best_trial_is_repeated_too(path: Path, look: sqlite3.Connection) -> None:
    """More trials give another best: trained repeats of the former stay, others are withdrawn, and the new best gets as
    many repeats."""
    start(path, repeats=2)
    train_all(path)
    save(path, repeats=2)
    with gang(path) as writer:
        first = writer.commit(None, claim=True).claim
        assert first is not None
        writer.commit(outcome(first), claim=False)
    trials = 3
    former = best_trials(look)
    while best_trials(look)[8][1] == former[8][1]:
        trials += 3
        save(path, repeats=2, trials=trials)
        assert {row[3] for row in repeats(look)} <= {"COMPLETE", "PENDING"}
        with gang(path) as writer:
            for _ in range(6):
                claim = writer.commit(None, claim=True).claim
                assert claim is not None
                assert claim.number < FIRST_REPEAT
                writer.commit(outcome(claim), claim=False)
    save(path, repeats=2, trials=trials)
    best = best_trials(look)
    mine = [row for row in repeats(look) if row[0] == first.definition["batch_size"]]
    assert [row[1:] for row in mine if row[3] == "COMPLETE"] == [
        (former[mine[0][0]][1], first.number, "COMPLETE")
    ]
    pending = [(row[0], row[1]) for row in repeats(look) if row[3] == "PENDING"]
    kept = 1 if best[mine[0][0]][1] == former[mine[0][0]][1] else 0
    assert pending == sorted((size, best[size][1]) for size in (8, 16) for _ in range(2))[kept:]


@pytest.mark.parametrize("changes", [{"repeats": 0}, {"repeats": 2, "trials": 5}])
def test_repeats_not_begun_are_withdrawn(
    path: Path, look: sqlite3.Connection, changes: dict[str, int]
) -> None:
    """A plan without repeats, or one that asks for more trials first, has none that wait."""
    start(path, repeats=2)
    train_all(path)
    save(path, repeats=2)
    assert len(repeats(look)) == 4
    save(path, **changes)
    assert repeats(look) == []


def test_a_study_that_never_reached_the_goal_has_none(path: Path, look: sqlite3.Connection) -> None:
    """Without a trial below the goal there is no best trial to repeat."""
    start(path, repeats=2, goal=-1.0)
    train_all(path)
    assert not lacks_repeats(look, 1, wanted_plan(repeats=2, goal=-1.0))


def test_names_and_numbers() -> None:
    """A repeat's number names the trial and which repeat it is; no trial of a search is taken for one."""
    assert repeat_of(repeat_number(9_999_999, 99)) == (9_999_999, 99)
    assert repeat_of(10_000_000) is None
    assert trial_name(7) == "7"
    assert trial_name(repeat_number(7, 1)) == "7 repeat 2"
