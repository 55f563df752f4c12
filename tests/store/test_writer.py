"""What a gang writes is what is read, all of it or nothing; and no trial has two owners."""

from __future__ import annotations

import math
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.errors import RunFailed
from hvdsweep.opening import open_store
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, delete_sweep, gang_state, request_stop, requeue
from hvdsweep.store.maintenance import check
from hvdsweep.store.writer import TrialWriter

from .plans import gang, outcome, small_store, train_all

DONE = Final(Status.COMPLETE, StopReason.BUDGET)


def test_losses_come_back_bit_for_bit(planned: Path):
    """float32 losses, written in three pieces, are the same numbers when read; NaN and infinity survive."""
    losses = np.random.default_rng(1).normal(size=40).astype(np.float32)
    losses[7], losses[11], losses[12] = np.nan, np.inf, -np.inf
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        for first, last in ((0, 1), (1, 30), (30, 40)):
            final = DONE if last == 40 else None
            writer.commit(
                TrialUpdate(trial, losses[first:last], last, first_step=first + 1, final=final), claim=False
            )
    with open_store(planned) as reader:
        steps, read = reader.losses(trial)
        assert reader.trial(trial).steps == 40
    assert steps.tolist() == list(range(1, 41))
    assert np.array_equal(read.astype(np.float32), losses, equal_nan=True)
    nulls = sqlite3.connect(planned).execute("SELECT step FROM losses WHERE loss IS NULL").fetchall()
    assert nulls == [(8,)], "NaN is NULL to anyone who opens the file"


def test_metrics_become_columns_as_they_appear(planned: Path):
    """New names, odd names, different sets of names at different steps: each value in its place, the rest NaN."""
    rows = [
        (0, {"val/error": 1.0}),
        (5, {"val/error": 0.5, 'it\'s "odd", really': 2.0}),
        (10, {"val/ünïcode": -1.0}),
        (15, {"val/error": math.inf, "val/ünïcode": math.nan}),
    ]
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        writer.commit(TrialUpdate(trial, np.zeros(20), 20, measurements=rows[:1]), claim=False)
        writer.commit(TrialUpdate(trial, np.zeros(0), 20, measurements=rows[1:], final=DONE), claim=False)
    with open_store(planned) as reader:
        read = reader.measurements(trial)
    assert read.steps.tolist() == [0, 5, 10, 15]
    nan = math.nan
    expected = {
        "val/error": [1.0, 0.5, nan, math.inf],
        'it\'s "odd", really': [nan, 2.0, nan, nan],
        "val/ünïcode": [nan, nan, -1.0, nan],
    }
    assert read.values.keys() == expected.keys()
    for name, values in expected.items():
        assert np.array_equal(read.values[name], values, equal_nan=True), name


def test_two_writers_may_meet_the_same_new_metric(planned: Path):
    """Each keeps the columns it knows in memory; a column added by the other in between is found, not added twice."""
    with gang(planned) as one, gang(planned) as two:
        first, second = (writer.commit(None, claim=True).claim.trial_id for writer in (one, two))
        for writer, trial in ((one, first), (two, second)):
            update = TrialUpdate(
                trial, np.zeros(1), 1, measurements=[(1, {"val/new": float(trial)})], final=DONE
            )
            writer.commit(update, claim=False)
    with open_store(planned) as reader:
        assert [reader.measurements(trial).values["val/new"].tolist() for trial in (first, second)] == [
            [first],
            [second],
        ]


def test_names_that_differ_only_in_case_are_refused(planned: Path):
    """SQLite would write them into one column; the whole commit is refused and leaves nothing."""
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        update = TrialUpdate(trial, np.ones(3), 3, measurements=[(0, {"val/Error": 1.0, "val/error": 2.0})])
        with pytest.raises(ValueError, match="ignores case"):
            writer.commit(update, claim=False)
        assert writer.commit(TrialUpdate(trial, np.ones(2), 2, final=DONE), claim=False).claim is None
    with open_store(planned) as reader:
        assert len(reader.losses(trial)[0]) == 2
        assert reader.metrics() == []


def test_numpy_scalars_are_numbers(planned: Path):
    """Values, steps and first steps straight from numpy or TensorFlow are stored as numbers, not refused or as blobs."""
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        measured = [(np.int64(3), {"val/error": np.float32(0.25)})]
        update = TrialUpdate(trial, np.ones(3, np.float16), np.int32(3), np.int64(1), measured, DONE)
        writer.commit(update, claim=False)
    kinds = "SELECT DISTINCT typeof(step), typeof({}) FROM {}"
    conn = sqlite3.connect(planned)
    assert conn.execute(kinds.format('"val/error"', "measurements")).fetchall() == [("integer", "real")]
    assert conn.execute(kinds.format("loss", "losses")).fetchall() == [("integer", "real")]


def test_a_commit_that_fails_leaves_nothing(planned: Path, look: sqlite3.Connection):
    """A step recorded twice is an error, and takes the new column, the records and the trial's end with it."""
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        writer.commit(TrialUpdate(trial, np.ones(5), 5), claim=False)
        twice = TrialUpdate(
            trial, np.ones(5), 10, first_step=5, measurements=[(9, {"val/new": 1.0})], final=DONE
        )
        with pytest.raises(sqlite3.IntegrityError):
            writer.commit(twice, claim=True)
        assert look.execute("SELECT status, steps FROM trials WHERE id = ?", (trial,)).fetchone() == (
            "RUNNING",
            5,
        )
        assert look.execute("SELECT count(*) FROM losses").fetchone() == (5,)
        assert look.execute("SELECT count(*) FROM best_records").fetchone() == (0,)
        again = TrialUpdate(
            trial, np.ones(5), 10, first_step=6, measurements=[(9, {"val/new": 1.0})], final=DONE
        )
        assert writer.commit(again, claim=True).claim is not None
        assert look.execute('SELECT step, "val/new" FROM measurements').fetchall() == [(9, 1.0)]
    assert check(look) == []


def test_no_trial_is_ever_claimed_twice(path: Path):
    """Four gangs drain 120 trials as fast as they can: every trial has exactly one owner and one set of losses."""
    small_store(path, batch_sizes=(2, 4, 8, 16), trials=30, steps=4)
    claimed: list[list[int]] = [[] for _ in range(4)]

    def drain(mine: list[int]) -> None:
        with gang(path) as writer:
            claim = writer.commit(None, claim=True).claim
            while claim is not None:
                mine.append(claim.trial_id)
                claim = writer.commit(outcome(claim), claim=True).claim

    threads = [threading.Thread(target=drain, args=(mine,)) for mine in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(trial for mine in claimed for trial in mine) == list(range(1, 121))
    assert check(connect(path)) == []


def test_release_takes_everything_back(planned: Path, look: sqlite3.Connection):
    """A released trial is as if never begun, and the next to claim it starts clean."""
    with gang(planned) as writer:
        claim = writer.commit(None, claim=True).claim
        update = outcome(claim)
        update.final = None
        writer.commit(update, claim=False)
        assert look.execute("SELECT count(*) FROM best_records").fetchone()[0] > 0
        writer.release(claim.trial_id)
        for table in ("losses", "measurements", "best_records"):
            assert look.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        assert check(look) == []
        again = writer.commit(None, claim=True).claim
        assert again == claim
        writer.commit(outcome(again), claim=False)
    assert check(look) == []


def test_a_trial_taken_away_is_not_written_to(planned: Path, look: sqlite3.Connection):
    """A gang thought dead that wakes up: its trial went to another, its whole update is dropped, it is asked to stop."""
    with gang(planned) as sleeper, gang(planned) as heir:
        claim = sleeper.commit(None, claim=True).claim
        sleeper.commit(TrialUpdate(claim.trial_id, np.ones(3), 3), claim=False)
        gang_state(look, sleeper.gang_id, "DEAD", message="no sign of life")
        requeue(look, [claim.trial_id], count_attempt=True, message="hung", max_attempts=3)
        heirs = heir.commit(None, claim=True).claim
        assert heirs.trial_id == claim.trial_id
        heir.commit(TrialUpdate(claim.trial_id, np.full(2, 7.0), 2), claim=False)
        late = TrialUpdate(
            claim.trial_id, np.ones(3), 6, first_step=4, measurements=[(4, {"val/error": 0.0})], final=DONE
        )
        reply = sleeper.commit(late, claim=True)
        assert (reply.claim, reply.stop, reply.lost) == (None, True, True)
        sleeper.release(claim.trial_id)
        assert look.execute("SELECT loss FROM losses").fetchall() == [(7.0,), (7.0,)]
        assert look.execute(
            "SELECT status, gang_id FROM trials WHERE id = ?", (claim.trial_id,)
        ).fetchone() == (
            "RUNNING",
            heir.gang_id,
        )
        assert look.execute("SELECT state FROM gangs WHERE id = ?", (sleeper.gang_id,)).fetchone() == (
            "DEAD",
        )
        heir.commit(TrialUpdate(claim.trial_id, np.full(2, 7.0), 4, first_step=3, final=DONE), claim=False)
    assert check(look) == []


def test_a_request_to_stop_is_heard_at_the_next_commit(planned: Path, look: sqlite3.Connection):
    """What was trained is kept, and no further trial is given out, until the sweep runs again."""
    with gang(planned) as writer:
        claim = writer.commit(None, claim=True).claim
        request_stop(look, 1)
        reply = writer.commit(outcome(claim), claim=True)
        assert (reply.claim, reply.stop, reply.lost) == (None, True, False)
    assert look.execute("SELECT status, count(*) FROM trials GROUP BY 1 ORDER BY 1").fetchall() == [
        ("COMPLETE", 1),
        ("PENDING", 5),
    ]
    assert len(train_all(planned)) == 5


def test_one_gang_can_be_stopped_alone(planned: Path, look: sqlite3.Connection):
    """A gang marked STOPPED gets no more trials; the others do."""
    with gang(planned) as one, gang(planned) as two:
        claim = one.commit(None, claim=True).claim
        gang_state(look, one.gang_id, "STOPPED")
        assert one.commit(outcome(claim), claim=True).stop
        assert two.commit(None, claim=True).claim is not None


def test_the_gang_s_row_says_what_it_does(planned: Path):
    """Idle, training which trial, idle again; every commit is a heartbeat."""
    with gang(planned) as writer, open_store(planned) as reader:
        seen = []

        def note() -> None:
            row = reader.gangs()[0]
            seen.append((row.state, row.trial_id, row.workload, row.steps))

        note()
        claim = writer.commit(None, claim=True).claim
        note()
        writer.commit(TrialUpdate(claim.trial_id, np.ones(3), 3), claim=False)
        note()
        before = reader.gangs()[0].heartbeat
        writer.commit(TrialUpdate(claim.trial_id, np.ones(1), 4, first_step=4, final=DONE), claim=False)
        note()
        assert reader.gangs()[0].heartbeat >= before
    assert seen == [
        ("STARTING", None, None, None),
        ("TRAINING", 1, "set/net/sgd", 0),
        ("TRAINING", 1, "set/net/sgd", 3),
        ("IDLE", None, None, None),
    ]


def test_trials_add_up_to_one_speed_per_study(trained: Path):
    """`throughput` sums steps and seconds of a study's trials; examples per second follow from the batch size."""
    with open_store(trained) as reader:
        rows = [(r.workload, r.batch_size, r.np, r.source, r.steps, r.seconds) for r in reader.throughput()]
        rates = [(r.steps_per_second, r.examples_per_second) for r in reader.throughput()]
    assert rows == [("set/net/sgd", size, 2, "trial", 120, 6.0) for size in (8, 16)]
    assert rates == [(20.0, 160.0), (20.0, 320.0)]


def test_best_steps_to_goal_counts_complete_trials(planned: Path):
    """The fewest steps strictly beyond the goal, over COMPLETE trials of that study and no others."""
    conn = connect(planned)
    begin_run(conn, 1, np=1, gangs=1, order="plain")
    conn.close()
    with gang(planned) as writer:

        def trial(final: Final | None, *values: float) -> None:
            claim = writer.commit(None, claim=True).claim
            measured = [(step, {"val/error": value}) for step, value in zip((0, 10, 20), values, strict=True)]
            writer.commit(
                TrialUpdate(claim.trial_id, np.ones(20), 20, measurements=measured, final=final), claim=False
            )

        def best(goal: float, study: int = 1, maximize: bool = False) -> int | None:
            return writer.best_steps_to_goal(study, "val/error", goal, maximize)

        assert best(0.5) is None
        trial(DONE, 0.9, 0.6, 0.4)
        assert (best(0.5), best(0.4), best(0.4001)) == (20, None, 20)
        trial(Final(Status.INFEASIBLE, StopReason.DIVERGED), 0.9, 0.1, 0.1)
        assert best(0.5) == 20
        trial(None, 0.9, 0.3, 0.5)
        assert (best(0.5), best(0.35)) == (20, None), "a running trial may still fail for good"
        assert best(0.5, study=2) is None
        assert best(0.5, maximize=True) is None


def test_a_second_writer_of_the_gang_continues_its_trial(planned: Path, look: sqlite3.Connection):
    """The running best is taken up from the store where the memory of the first writer is gone."""
    first = gang(planned)
    claim = first.commit(None, claim=True).claim
    first.commit(
        TrialUpdate(
            claim.trial_id, np.ones(4), 4, measurements=[(0, {"val/error": 0.5, "val/accuracy": 0.5})]
        ),
        claim=False,
    )
    first.close()
    with TrialWriter(planned, first.gang_id) as second:
        measured = [
            (4, {"val/error": 0.7, "val/accuracy": 0.7}),
            (5, {"val/error": 0.4, "val/accuracy": 0.6}),
        ]
        second.commit(TrialUpdate(claim.trial_id, np.ones(1), 5, 5, measured, DONE), claim=False)
    rows = look.execute("SELECT metric, step, value FROM running_best ORDER BY metric, step").fetchall()
    assert rows == [
        ("val/accuracy", 0, 0.5),
        ("val/accuracy", 4, 0.7),
        ("val/error", 0, 0.5),
        ("val/error", 5, 0.4),
    ]


def test_a_trial_cannot_end_in_a_state_that_is_no_end(planned: Path):
    """PENDING or RUNNING as an end is a bug of the caller."""
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        with pytest.raises(ValueError, match="cannot end as RUNNING"):
            writer.commit(
                TrialUpdate(trial, np.ones(1), 1, final=Final(Status.RUNNING, StopReason.NONE)), claim=False
            )


def test_a_full_disk_is_said_and_loses_only_the_commit_it_stopped(planned: Path, look: sqlite3.Connection):
    """What was committed before stays; the message gives the remedy; with space again the trial continues."""
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        writer.commit(TrialUpdate(trial, np.ones(5), 5), claim=False)
        writer._conn.execute("PRAGMA max_page_count = 1").fetchall()
        with pytest.raises(RunFailed, match="disk is full"):
            writer.commit(TrialUpdate(trial, np.ones(50_000), 50_005, first_step=6), claim=False)
        assert check(look) == []
        assert look.execute("SELECT count(*), max(step) FROM losses").fetchone() == (5, 5)
        writer._conn.execute("PRAGMA max_page_count = 1000000").fetchall()
        writer.commit(TrialUpdate(trial, np.ones(35), 40, first_step=6, final=DONE), claim=False)
    assert check(look) == []


def test_a_gang_whose_sweep_is_gone_stops(planned: Path, look: sqlite3.Connection):
    """Deleted while a forgotten gang trained: it writes nothing and leaves."""
    with gang(planned) as writer:
        claim = writer.commit(None, claim=True).claim
        delete_sweep(look, 1)
        assert writer.commit(outcome(claim), claim=True).stop
        assert writer.commit(None, claim=True).stop
    assert check(look) == []


def test_an_unknown_gang_is_refused(planned: Path):
    """A writer without a gang is refused: its trials could not be recovered."""
    with pytest.raises(ValueError, match="no gang 99"):
        TrialWriter(planned, 99)
