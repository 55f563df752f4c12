"""A reader sees what was written, in pages, arrays and frames, and can never block a writer."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.states import Status
from hvdsweep.store import reader as reader_module
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.events import event
from hvdsweep.store.exchange import TrialUpdate
from hvdsweep.store.rows import TrialFilter
from hvdsweep.store.store import Store
from hvdsweep.store.trial_pages import SORTS

from .plans import gang, outcome, plan, small_store, train_all


def test_a_reader_cannot_write(trained: Path):
    """The connection itself refuses, whatever SQL it is given."""
    with open_store(trained) as reader, pytest.raises(UserError, match="readonly"):
        reader.rows("DELETE FROM trials")


def test_a_wrong_question_is_a_bug_not_a_message(trained: Path):
    """Only faults of the file or the machine are reported to the user as such."""
    with open_store(trained) as reader, pytest.raises(sqlite3.OperationalError, match="no such column"):
        reader.rows("SELECT colour FROM trials")


def test_losses_and_measurements_are_what_was_written(planned: Path):
    """Every trial's arrays against the updates that went in; an unknown or empty trial has none."""
    written = train_all(planned)
    with open_store(planned) as reader:
        for trial, update in written.items():
            steps, losses = reader.losses(trial)
            assert (steps.dtype, losses.dtype, losses.flags.c_contiguous) == (np.int64, np.float64, True)
            assert losses.astype(np.float32).tolist() == update.losses.tolist()
            read = reader.measurements(trial)
            assert read.steps.tolist() == [step for step, _ in update.measurements]
            for name, values in read.values.items():
                assert values.tolist() == [row[name] for _, row in update.measurements]
        assert [len(part) for part in reader.losses(999)] == [0, 0]
        assert reader.measurements(999).values == {}


def test_reading_continues_during_a_write_transaction(planned: Path):
    """An open write transaction neither blocks a reader nor shows it anything half-done."""
    writer = connect(planned)
    with open_store(planned) as reader:
        with transaction(writer):
            writer.execute("UPDATE trials SET status = 'COMPLETE'")
            assert reader.counts() == {1: {Status.PENDING: 3}, 2: {Status.PENDING: 3}}
        assert reader.counts() == {1: {Status.COMPLETE: 3}, 2: {Status.COMPLETE: 3}}


def test_a_reader_in_the_middle_does_not_stop_a_writer(planned: Path):
    """While a snapshot is held, trials are claimed, trained and recorded; the snapshot stays what it was."""
    with open_store(planned) as reader:
        with reader.snapshot():
            before = reader.counts()
            assert len(train_all(planned)) == 6
            assert reader.counts() == before
        assert reader.counts() == {study: {Status.COMPLETE: 3} for study in (1, 2)}


def test_data_version_changes_with_the_commits_of_others(planned: Path):
    """It changes with a commit of another process and with nothing else: polling it costs no reading."""
    with open_store(planned) as reader:
        first = reader.data_version()
        reader.status()
        assert reader.data_version() == first
        with gang(planned) as writer:
            writer.commit(None, claim=True)
        assert reader.data_version() != first


@pytest.mark.parametrize("wal_left", [False, True])
def test_a_store_in_a_folder_that_may_not_be_written(trained: Path, wal_left: bool):
    """A finished store on a read-only medium opens, although SQLite's WAL needs to write next to it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "store.db"
        shutil.copy(trained, copy)
        if wal_left:
            # What a killed writer leaves; here with nothing in it.
            Path(f"{copy}-wal").touch()
        os.chmod(copy, 0o444)
        os.chmod(folder, 0o555)
        assert answer_of_nobody(copy) == b"6"
        os.chmod(folder, 0o755)


def test_a_store_at_rest_is_seen_to_be_written_again(trained: Path):
    """A read-only user opened it before its owner resumed: all later writes are seen."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "store.db"
        shutil.copy(trained, copy)
        os.chmod(folder, 0o555)
        owners, readers = multiprocessing.Pipe()

        def watched(reader: Store) -> str:
            said = [reader.at_rest, reader.data_version() == reader.data_version()]
            for _ in range(2):
                before = reader.data_version()
                readers.send("looked")
                readers.recv()
                said += [reader.data_version() != before, len(reader.events())]
            return repr(said)

        with open_store(trained) as before:
            events = len(before.events())
        child, answer = nobody(copy, watched)
        assert owners.poll(20), "it could not be opened"
        os.chmod(folder, 0o755)
        with closing(connect(copy)) as owner:
            for _ in range(2):
                assert owners.poll(20)
                owners.recv()
                event(owner, "note", "more")
                owners.send("written")
            assert answered(child, answer) == repr([True, True, True, events + 1, True, events + 2]).encode()


def test_a_folder_that_is_closed_to_the_reader(trained: Path):
    """A message that says so, not a traceback."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "store.db"
        shutil.copy(trained, copy)
        os.chmod(folder, 0o000)
        answer = answer_of_nobody(copy)
        os.chmod(folder, 0o755)
        assert answer.startswith(b"UserError(")
        assert b"cannot be reached: Permission denied" in answer


def answer_of_nobody(path: Path) -> bytes:
    """How many trials a process without any rights reads."""
    return answered(*nobody(path, lambda reader: str(len(reader.trials().rows))))


def nobody(path: Path, question: Callable[[Store], str]) -> tuple[int, int]:
    """A process without any rights that answers a question (root would be refused nothing), and the pipe it answers on."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        answer = b"failed"
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            with open_store(path) as reader:
                answer = question(reader).encode()
        except BaseException as error:
            answer = repr(error).encode()
        finally:
            os.write(write, answer)
            os._exit(0)
    os.close(write)
    return child, read


def answered(child: int, read: int) -> bytes:
    """What such a process said at its end."""
    with os.fdopen(read, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return answer


def test_a_file_that_is_locked_exclusively_is_reported(planned: Path, monkeypatch: pytest.MonkeyPatch):
    """Under a rollback journal a process that never releases its lock is reported, after a bounded wait."""
    monkeypatch.setattr(reader_module, "WAIT_SECONDS", 0.01)
    holder = sqlite3.connect(planned, isolation_level=None)
    holder.execute("PRAGMA journal_mode = delete").fetchall()
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UserError, match=r"locked by another process.*fuser"):
        open_store(planned)
    holder.execute("ROLLBACK")
    open_store(planned).close()


def test_pages_are_slices_of_the_sorted_whole(trained: Path):
    """For every sort, both ways: pages joined are the whole list, in an order that Python's sort agrees with."""
    with open_store(trained) as reader:
        everything = reader.trials().rows
        assert [row.id for row in everything] == list(range(1, 7))
        for sort in [*SORTS, "parameters.learning_rate"]:
            for descending in (False, True):
                pages = [
                    reader.trials(sort=sort, descending=descending, offset=o, limit=4) for o in (0, 4, 8)
                ]
                assert {page.total for page in pages} == {6}
                joined = [row for page in pages for row in page.rows]
                assert joined == sorted_by(everything, sort, descending), (sort, descending)


def sorted_by(rows, sort: str, descending: bool) -> list:
    """The obvious order: by value, those without one last, then by id."""

    def value(row):
        if sort.startswith("parameters."):
            return row.parameters.get(sort.removeprefix("parameters."))
        if sort == "seconds":
            return row.ended - row.started
        return getattr(row, sort)

    known = sorted((row for row in rows if value(row) is not None), key=lambda row: row.id)
    known.sort(key=value, reverse=descending)
    return known + [row for row in rows if value(row) is None]


def test_an_unknown_sort_is_explained(trained: Path):
    """The message lists what there is."""
    with (
        open_store(trained) as reader,
        pytest.raises(UserError, match=r"sort: speed: no such column\. Sort by id, "),
    ):
        reader.trials(sort="speed")


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (TrialFilter(sweep_id=1), lambda row: row.sweep_id == 1),
        (TrialFilter(sweep_id=7), lambda row: False),
        (TrialFilter(workload="set/net/sgd"), lambda row: True),
        (TrialFilter(workload="set/net/momentum"), lambda row: False),
        (TrialFilter(ranges=(("study", ((2, 2),)),)), lambda row: row.study_id == 2),
        (TrialFilter(ranges=(("gang", ((1, 1),)),)), lambda row: True),
        (TrialFilter(statuses=(Status.INFEASIBLE,)), lambda row: row.status is Status.INFEASIBLE),
        (TrialFilter(statuses=(Status.INFEASIBLE, Status.COMPLETE)), lambda row: True),
        (TrialFilter(ranges=(("batch_size", ((10, math.inf),)),)), lambda row: row.batch_size >= 10),
        (
            TrialFilter(ranges=(("batch_size", ((8, 8),)), ("steps", ((40, 40),)))),
            lambda row: row.batch_size == 8,
        ),
        (
            TrialFilter(ranges=(("parameters.momentum", ((0.1, 0.2),)),)),
            lambda row: 0.1 <= row.parameters["momentum"] <= 0.2,
        ),
        (
            TrialFilter(
                ranges=(("parameters.learning_rate", ((0.1, 1),)), ("parameters.momentum", ((0, 0),)))
            ),
            lambda row: row.number == 0,
        ),
        (TrialFilter(ranges=(("parameters.dropout", ((0, 1),)),)), lambda row: False),
    ],
)
def test_filters_select_what_they_say(trained: Path, where: TrialFilter, holds):
    """Each against the same condition in Python over all rows."""
    with open_store(trained) as reader:
        page = reader.trials(where)
        assert page.rows == tuple(row for row in reader.trials().rows if holds(row))
        assert page.total == len(page.rows)


def test_a_trial_s_best_and_goal_step(trained: Path):
    """`best`, `best_step` and `goal_step` are those of its measurements under its workload's goal (val/error < 0.2)."""
    with open_store(trained) as reader:
        for row in reader.trials().rows:
            read = reader.measurements(row.id)
            errors = read.values["val/error"]
            assert row.best == errors.min()
            assert row.best_step == read.steps[errors.argmin()]
            below = read.steps[errors < 0.2]
            assert row.goal_step == (below[0] if len(below) else None)
            assert reader.trial(row.id) == row
        with pytest.raises(UserError, match="no trial 77"):
            reader.trial(77)


def test_the_workload_table_is_the_store_in_arrays(trained: Path):
    """Against plain loops over rows: order, codes, metaparameters, offsets and records."""
    conn = connect(trained)
    conn.execute(
        'UPDATE trials SET parameters = \'{"learning_rate": 3, "decay": null, "kind": "a"}\' WHERE id = 2'
    )
    with open_store(trained) as reader:
        table = reader.workload_table("set/net/sgd")
        rows = sorted(reader.trials().rows, key=lambda row: (row.batch_size, row.number))
    assert (table.metric, table.goal, table.maximize, table.train_examples) == ("val/error", 0.2, False, 1000)
    assert table.batch_sizes.tolist() == [8, 16]
    assert table.train_steps.tolist() == [40, 40]
    assert table.target_trials.tolist() == [3, 3]
    assert table.trial_id.tolist() == [row.id for row in rows]
    assert table.number.tolist() == [row.number for row in rows]
    assert [table.batch_sizes[i] for i in table.study] == [row.batch_size for row in rows]
    assert table.status.tolist() == [row.status.value for row in rows]
    assert table.stop_reason.tolist() == [row.stop_reason.value for row in rows]
    assert table.steps.tolist() == [40] * 6
    for name, values in table.parameters.items():
        expected = [row.parameters.get(name) for row in rows]
        expected = [math.nan if not isinstance(value, (int, float)) else value for value in expected]
        assert np.array_equal(values, expected, equal_nan=True), name
    for i, row in enumerate(rows):
        mine = slice(table.offsets[i], table.offsets[i + 1])
        kept = conn.execute(
            "SELECT step, value FROM running_best WHERE trial_id = ? AND metric = 'val/error' ORDER BY step",
            (row.id,),
        ).fetchall()
        assert (
            list(zip(table.record_step[mine].tolist(), table.record_value[mine].tolist(), strict=True))
            == kept
        )


def test_a_table_of_another_metric_has_its_direction_and_no_goal(trained: Path):
    """Accuracy is maximised by nature; the sweep's goal is about something else."""
    with open_store(trained) as reader:
        table = reader.workload_table("set/net/sgd", "val/accuracy")
        assert (table.maximize, table.goal) == (True, None)
        assert reader.workload_table("set/net/sgd", maximize=True).goal is None


def test_a_workload_without_a_metric_is_asked_about_one_it_has(path: Path):
    """Imported workloads may name no goal: the metric is one that this very workload has records of."""
    small_store(path)
    conn = connect(path)
    conn.execute("UPDATE workloads SET metric = NULL, goal = NULL")
    other = connect(path)
    with gang(path) as writer:
        claim = writer.commit(None, claim=True).claim
        measured = [(0, {"val/cross_entropy_error": 1.0})]
        writer.commit(TrialUpdate(claim.trial_id, np.ones(1), 1, measurements=measured), claim=False)
        other.execute('ALTER TABLE measurements ADD COLUMN "val/classification_error" REAL')
        other.execute("INSERT INTO metrics (name, maximize) VALUES ('val/classification_error', 0)")
    with open_store(path) as reader:
        assert reader.workload_table("set/net/sgd").metric == "val/cross_entropy_error"


def test_the_latest_sweep_answers_unless_one_is_named(path: Path):
    """Two sweeps of the same workload in a store: the later one, or the one asked for."""
    from hvdsweep.store.plans import save_plan

    small_store(path, batch_sizes=(8,))
    save_plan(connect(path), plan(batch_sizes=(32,), key="later"))
    with open_store(path) as reader:
        assert reader.workload_table("set/net/sgd").batch_sizes.tolist() == [32]
        assert reader.workload_table("set/net/sgd", sweep=1).batch_sizes.tolist() == [8]


def test_unknown_names_are_answered_with_known_ones(trained: Path):
    """A misspelt workload, an unmeasured metric, a sweep without the workload."""
    with open_store(trained) as reader:
        with pytest.raises(UserError, match=r"workload: set/nut/sgd: .*There is set/net/sgd"):
            reader.workload_table("set/nut/sgd")
        with pytest.raises(UserError, match=r"metric: val/loss: .*Measured: val/error, val/accuracy"):
            reader.workload_table("set/net/sgd", "val/loss")
        with pytest.raises(UserError, match="sweep 9: workload"):
            reader.workload_table("set/net/sgd", sweep=9)


def test_a_table_before_anything_was_measured(planned: Path):
    """A planned sweep has trials but no records; its curves can still be requested."""
    with open_store(planned) as reader:
        table = reader.workload_table("set/net/sgd")
    assert (len(table.trial_id), len(table.record_step), table.metric) == (6, 0, "val/error")


def test_events_come_in_order_from_where_one_left_off(trained: Path):
    """`after_id` continues, `latest` cuts at the front."""
    with open_store(trained) as reader:
        everything = reader.events()
        assert [event.id for event in everything] == sorted(event.id for event in everything)
        assert reader.events(everything[1].id) == everything[2:]
        assert reader.events(latest=1) == everything[-1:]
        assert reader.events(sweep_id=5) == []


def test_studies_and_workloads_come_with_their_definitions(planned: Path):
    """JSON columns are parsed; the search space is what the plan said."""
    with open_store(planned) as reader:
        (workload,) = reader.workloads()
        studies = reader.studies(1)
    assert (workload.name, workload.metric, workload.goal, workload.maximize) == (
        "set/net/sgd",
        "val/error",
        0.2,
        False,
    )
    first = plan().workloads[0].studies[0]
    assert (studies[0].definition, studies[0].search) == (first.definition, first.search)
    assert [study.batch_size for study in studies] == [8, 16]
    assert reader_of_other_sweep(planned) == []


def reader_of_other_sweep(path: Path) -> list:
    """Studies of a sweep that does not exist."""
    with open_store(path) as reader:
        return reader.studies(3)


def test_frames_hold_the_same_numbers(trained: Path):
    """`open_store` for notebooks: trials, losses and measurements as pandas frames."""
    with open_store(trained) as store:
        trials = store.trials_frame("set/net/sgd")
        assert trials.index.tolist() == list(range(1, 7))
        assert trials["status"].value_counts().to_dict() == {"COMPLETE": 4, "INFEASIBLE": 2}
        assert trials["parameters.learning_rate"].tolist() == [
            row.parameters["learning_rate"] for row in store.trials().rows
        ]
        losses = store.losses_frame([2, 1])
        assert losses.groupby("trial_id")["loss"].size().to_dict() == {1: 40, 2: 40}
        assert losses[losses.trial_id == 1].loss.tolist() == store.losses(1)[1].tolist()
        frame = store.measurements_frame(3)
        assert frame.columns.tolist() == ["trial_id", "step", "val/error", "val/accuracy"]
        assert frame["val/error"].tolist() == store.measurements(3).values["val/error"].tolist()
        assert store.trials_frame("nobody").empty
        assert store.losses_frame([]).empty


def test_a_snapshot_within_a_snapshot_is_the_same_one(trained: Path):
    """Methods that take one themselves can be called inside one."""
    with open_store(trained) as reader, reader.snapshot():
        assert json.loads(json.dumps(reader.status().to_json()))["sweeps"][0]["trials"]["COMPLETE"] == 4
        assert reader.trials().total == 6
        with gang(trained) as writer:
            writer.commit(None, claim=False)
        assert reader.gangs()[-1].id == 1


def test_running_trials_show_their_progress(planned: Path):
    """Steps and records of a trial in training are there after every commit."""
    with gang(planned) as writer, open_store(planned) as reader:
        claim = writer.commit(None, claim=True).claim
        update = outcome(claim)
        writer.commit(
            TrialUpdate(claim.trial_id, update.losses[:8], 8, measurements=update.measurements[:3]),
            claim=False,
        )
        row = reader.trial(claim.trial_id)
        assert (row.status, row.steps, row.ended) == (Status.RUNNING, 8, None)
        assert row.best == min(values["val/error"] for _, values in update.measurements[:3])


def test_opening_another_reader_leaves_the_locks_of_the_first(tmp_path):
    """A writer that comes and goes in another process does not delete the WAL under a reader: every event is seen."""
    import subprocess
    import sys

    from hvdsweep.opening import open_store
    from hvdsweep.store.connection import connect
    from hvdsweep.store.events import event

    path = tmp_path / "store.db"
    code = (
        "import sys; from hvdsweep.store.connection import connect; from hvdsweep.store.events import event;"
        "conn = connect(sys.argv[1]); event(conn, 'run', sys.argv[2]); conn.close()"
    )
    writer = connect(path, create=True)
    event(writer, "run", "first")
    with open_store(path) as reader:
        with open_store(path):
            pass
        writer.close()
        for count in (2, 3):
            subprocess.run([sys.executable, "-c", code, str(path), str(count)], check=True)
            assert len(reader.events(latest=9)) == count
