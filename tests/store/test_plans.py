"""Saving a plan: idempotent, extending, never touching what has begun; results shared; diverged trials replaced."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run
from hvdsweep.store.maintenance import check
from hvdsweep.store.plans import save_plan, top_up
from hvdsweep.sweep.load import load_sweep

from .plans import Plan, Study, Workload, gang, outcome, plan, small_store, train_all

ROOT = Path(__file__).parents[2]


def rows(conn: sqlite3.Connection) -> list[tuple]:
    """What a plan decides about a store."""
    return conn.execute(
        "SELECT w.name, s.batch_size, s.target_trials, s.max_trials, t.number, t.key, t.seed, t.parameters, t.status"
        " FROM workloads w JOIN studies s ON s.workload_id = w.id JOIN trials t ON t.study_id = s.id ORDER BY 1, 2, 5"
    ).fetchall()


def test_saving_twice_changes_nothing(path: Path):
    """The same plan again: the same sweep, no new rows, no event."""
    conn = connect(path, create=True)
    saved = save_plan(conn, plan())
    assert (saved.outcome, saved.new_trials, saved.adopted, saved.withdrawn, saved.previous) == (
        "created",
        6,
        0,
        0,
        None,
    )
    before, events = rows(conn), conn.execute("SELECT count(*) FROM events").fetchone()
    again = save_plan(conn, plan())
    assert (again.sweep_id, again.outcome, again.new_trials) == (saved.sweep_id, "unchanged", 0)
    assert (rows(conn), conn.execute("SELECT count(*) FROM events").fetchone()) == (before, events)


def test_a_real_sweep_file_is_stored_as_planned(path: Path):
    """`examples/digits.toml`, planned by `hvdsweep.plan`: every trial with its key, seed and metaparameters."""
    import json

    planned = make_plan(load_sweep(ROOT / "examples" / "digits.toml"))
    conn = connect(path, create=True)
    saved = save_plan(conn, planned)
    expected = [
        (workload.name, study.batch_size, trial.number, trial.key, trial.seed, trial.metaparameters)
        for workload in planned.workloads
        for study in workload.studies
        for trial in study.trials
    ]
    stored = [(row[0], row[1], row[4], row[5], row[6], json.loads(row[7])) for row in rows(conn)]
    assert stored == sorted(expected, key=lambda row: row[:3])
    assert saved.new_trials == len(expected)
    assert save_plan(conn, planned).outcome == "unchanged"
    definition = json.loads(conn.execute("SELECT definition FROM studies ORDER BY id LIMIT 1").fetchone()[0])
    assert definition == planned.workloads[0].studies[0].definition


def test_more_trials_and_batch_sizes_extend(path: Path):
    """Earlier trials keep their ids, results and places; only new ones are added, and only they are trained."""
    sweep = small_store(path)
    train_all(path)
    conn = connect(path)
    before = conn.execute("SELECT * FROM trials").fetchall()
    saved = save_plan(conn, plan(batch_sizes=(8, 16, 32), trials=5))
    assert (saved.sweep_id, saved.outcome, saved.new_trials) == (sweep, "extended", 15 - 6)
    assert conn.execute("SELECT * FROM trials WHERE id <= 6").fetchall() == before
    assert len(train_all(path)) == 9
    assert check(conn) == []


def test_a_smaller_plan_withdraws_only_what_has_not_begun(path: Path):
    """PENDING trials beyond the plan go, results stay; the wider plan brings them back as they were."""
    small_store(path, trials=5)
    conn = connect(path)
    begin_run(conn, 1, np=1, gangs=1, order="plain")
    with gang(path) as writer:
        claim = writer.commit(None, claim=True).claim
        assert (claim.definition["batch_size"], claim.number) == (8, 0)
        running = writer.commit(outcome(claim), claim=True).claim
    wide = rows(conn)
    saved = save_plan(conn, plan(batch_sizes=(16,), trials=2))
    assert (saved.outcome, saved.withdrawn) == ("unchanged", 3 + 3)
    left = conn.execute(
        "SELECT batch_size, number, status FROM trials t JOIN studies s ON s.id = t.study_id ORDER BY 1, 2"
    ).fetchall()
    assert left == [(8, 0, "COMPLETE"), (8, 1, "RUNNING"), (16, 0, "PENDING"), (16, 1, "PENDING")]
    assert running.number == 1
    saved = save_plan(conn, plan(trials=5))
    assert (saved.outcome, saved.new_trials) == ("extended", 6)
    assert rows(conn) == wide


def test_a_study_that_never_began_disappears_whole(path: Path):
    """Dropping a batch size before it began leaves no empty study or workload behind."""
    small_store(path)
    conn = connect(path)
    save_plan(conn, plan(batch_sizes=(4,)))
    assert conn.execute("SELECT batch_size FROM studies").fetchall() == [(4,)]
    save_plan(conn, Plan([Workload([Study(4)], name="another/net/sgd")]))
    assert conn.execute("SELECT name FROM workloads").fetchall() == [("another/net/sgd",)]


def test_diverged_trials_do_not_count_as_surplus(path: Path):
    """With one of three diverged and replaced, saving the plan again keeps the replacement."""
    small_store(path, batch_sizes=(8,))
    conn = connect(path)
    train_all(path, diverging=[1])
    assert top_up(conn, 1, plan(batch_sizes=(8,))) == 1
    saved = save_plan(conn, plan(batch_sizes=(8,)))
    assert (saved.outcome, saved.withdrawn) == ("unchanged", 0)
    assert conn.execute("SELECT number FROM trials WHERE status = 'PENDING'").fetchall() == [(3,)]


def test_another_key_is_another_sweep_and_returns_the_older_definition(path: Path):
    """From the same file with another key: a new sweep, and the latest older definition for the message."""
    conn = connect(path, create=True)
    for seed in (1, 2):
        save_plan(conn, plan(key=f"seed {seed}", definition={"seed": seed}))
    saved = save_plan(conn, plan(key="seed 3", definition={"seed": 3}, name="renamed"))
    assert (saved.sweep_id, saved.outcome, saved.previous) == (3, "created", {"seed": 2})
    elsewhere = save_plan(conn, plan(key="seed 4", file="other.toml"))
    assert elsewhere.previous is None
    assert save_plan(conn, plan(key="a", file=None, name="nameless")).previous is None
    nameless = save_plan(conn, plan(key="b", file=None, name="nameless"))
    assert nameless.previous == {"seed": 1}, "without a file the name decides"


def test_finished_trials_of_other_sweeps_are_adopted(path: Path):
    """Same key, same result: losses, measurements and records are copied in the transaction that saves the plan."""
    small_store(path)
    written = train_all(path, diverging=[1])
    conn = connect(path)
    wider = plan(batch_sizes=(16, 32), trials=4, key="another")
    saved = save_plan(conn, wider)
    assert (saved.outcome, saved.new_trials, saved.adopted) == ("created", 8, 3)
    twins = conn.execute(
        "SELECT a.id, b.id FROM trials a JOIN trials b ON a.key = b.key AND a.id < b.id ORDER BY a.id"
    ).fetchall()
    assert len(twins) == 3
    for one, other in twins:
        for table in ("losses", "measurements"):
            copies = [
                [row[1:] for row in conn.execute(f"SELECT * FROM {table} WHERE trial_id = ?", (trial,))]
                for trial in (one, other)
            ]
            assert copies[0] == copies[1] != [], table
        same = "SELECT status, stop_reason, steps, seed, parameters FROM trials WHERE id = ?"
        assert conn.execute(same, (one,)).fetchone() == conn.execute(same, (other,)).fetchone()
        assert len(written[one].losses) == 40
    assert check(conn) == []
    assert conn.execute("SELECT message FROM events WHERE sweep_id = ?", (saved.sweep_id,)).fetchall() == [
        ("plan created: 8 trials added, 3 trials copied from another sweep",)
    ]
    assert len(train_all(path, saved.sweep_id)) == 5
    assert save_plan(conn, wider).adopted == 0


def test_what_another_sweep_finishes_later_is_adopted_too(path: Path):
    """A trial still PENDING here and finished there meanwhile: launching again copies it."""
    conn = connect(path, create=True)
    save_plan(conn, plan())
    other = save_plan(conn, plan(key="another"))
    assert other.adopted == 0
    train_all(path, 1)
    again = save_plan(conn, plan(key="another"))
    assert (again.outcome, again.adopted) == ("unchanged", 6)


@pytest.mark.parametrize(
    ("change", "adopted"), [("stop_reason = 'beaten'", 0), ("status = 'INCOMPLETE'", 0), ("seed = 0", 3)]
)
def test_only_results_that_hold_anywhere_are_adopted(path: Path, change: str, adopted: int):
    """A beaten trial depends on its own study, an incomplete one has no result."""
    small_store(path, batch_sizes=(8,))
    train_all(path)
    conn = connect(path)
    conn.execute(f"UPDATE trials SET {change}")
    assert save_plan(conn, plan(batch_sizes=(8,), key="another")).adopted == adopted


def test_diverged_trials_are_replaced_up_to_the_bound(path: Path):
    """Numbers continue where they ended; when `max_trials` is reached, the study stays below its target."""
    small_store(path, batch_sizes=(8,), max_trials=5)
    conn = connect(path)
    sweep = plan(batch_sizes=(8,), max_trials=5)
    train_all(path, diverging=range(10))
    assert top_up(conn, 1, sweep) == 2
    assert conn.execute(
        "SELECT number, parameters, seed FROM trials WHERE status = 'PENDING'"
    ).fetchall() == [
        (n, f'{{"learning_rate":{10.0 ** -(n % 4)},"momentum":{n / 10}}}', 100 + n) for n in (3, 4)
    ]
    assert top_up(conn, 1, sweep) == 0, "the pending ones may still succeed"
    train_all(path, diverging=range(10))
    assert top_up(conn, 1, sweep) == 0, "five trials is the bound"


def test_topping_up_counts_what_may_still_succeed(path: Path):
    """PENDING, RUNNING and INCOMPLETE trials are not replaced: only divergence is an outcome of the trial itself."""
    small_store(path, batch_sizes=(8,))
    conn = connect(path)
    conn.execute("UPDATE trials SET status = 'INCOMPLETE' WHERE number = 0")
    with gang(path) as writer:
        writer.commit(None, claim=True)
        assert top_up(conn, 1, plan(batch_sizes=(8,))) == 0
    conn.execute("UPDATE trials SET status = 'INFEASIBLE' WHERE number = 2")
    assert top_up(conn, 1, plan(batch_sizes=(8,))) == 1


def test_topping_up_needs_no_lock_when_nothing_is_missing(path: Path):
    """A supervisor asks every second; that must not disturb the gangs that write."""
    small_store(path)
    holder, asker = connect(path), connect(path)
    asker.execute("PRAGMA busy_timeout = 0")
    holder.execute("BEGIN IMMEDIATE")
    assert top_up(asker, 1, plan()) == 0
    holder.execute("ROLLBACK")


def test_a_changed_goal_of_the_same_sweep_is_taken_over(path: Path):
    """If the goal is not part of a trial's identity, the file's new goal becomes the sweep's goal."""
    small_store(path)
    conn = connect(path)
    first = plan()
    changed = replace(first, workloads=[replace(first.workloads[0], goal=0.5, metric="val/loss")])
    assert save_plan(conn, changed).outcome == "unchanged"
    assert conn.execute("SELECT metric, goal FROM workloads").fetchall() == [("val/loss", 0.5)]


def test_saving_a_plan_that_fails_leaves_the_store_as_it_was(path: Path):
    """A study whose points cannot be computed: nothing of the sweep is written."""

    class Broken(Study):
        @property
        def trials(self):
            raise ZeroDivisionError

    conn = connect(path, create=True)
    with pytest.raises(ZeroDivisionError):
        save_plan(conn, Plan([Workload([Study(8), Broken(16)])]))
    assert conn.execute(
        "SELECT (SELECT count(*) FROM sweeps) + (SELECT count(*) FROM trials)"
    ).fetchone() == (0,)
