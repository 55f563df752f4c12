"""A batch folder read in place of a database: what a merged database would say, live, and without a touch to any shard."""

import shutil
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest

from hvdsweep.batch import view as viewing
from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.merge import merge
from hvdsweep.batch.merge_report import MergeReport
from hvdsweep.batch.plans import write_plan
from hvdsweep.batch.shards import Shard, part_of
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run
from hvdsweep.store.schema import STATEMENTS
from tests.batch.sweeps import Worker, outcome, plan_of, shards_of
from tui.snapshot import Snapshot
from tui.source import Trouble, Watch


def diverges(workload, batch_size, number):
    return (batch_size // 8 + number) % 4 == 0


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Every query checks the shards for changes."""
    monkeypatch.setattr(viewing, "REFRESH_SECONDS", 0.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(a folder of three finished shards, the database they merge into)"""
    path = tmp_path_factory.mktemp("folder")
    plan = plan_of(path)
    shards = shards_of(path, plan, 3, diverges)
    write_plan(BatchFolder(path), [plan])
    with closing(connect(path / "merged.db", create=True)) as conn:
        for shard in shards:
            merge(conn, shard, MergeReport("merged.db"))
    return path, path / "merged.db"


def records(table):
    """(batch size, number, step, value) of every record of a table."""
    for trial, (first, last) in enumerate(zip(table.offsets, table.offsets[1:], strict=False)):
        size = table.batch_sizes[table.study[trial]]
        for step, value in zip(table.record_step[first:last], table.record_value[first:last], strict=True):
            yield size, table.number[trial], step, value


def known(row):
    """A trial without its ids."""
    return row.workload, row.batch_size, row.number


def test_a_folder_answers_as_the_merged_database(finished):
    """Trials, curves, losses and measurements of every trial, speeds and counts are those of the merge."""
    path, main = finished
    before = {entry.name: entry.stat().st_mtime_ns for entry in (path / "shards").iterdir()}
    with open_store(path) as folder, open_store(main) as merged:
        one, other = (sorted(reader.trials().rows, key=known) for reader in (folder, merged))
        assert [known(row) for row in one] == [known(row) for row in other]
        for mine, wanted in zip(one, other, strict=True):
            for name in (
                "status",
                "stop_reason",
                "steps",
                "best",
                "best_step",
                "goal_step",
                "parameters",
                "seed",
                "started",
            ):
                assert getattr(mine, name) == getattr(wanted, name), name
            for a, b in zip(folder.losses(mine.id), merged.losses(wanted.id), strict=True):
                assert np.array_equal(a, b, equal_nan=True)
            assert {key: list(values) for key, values in folder.measurements(mine.id).values.items()} == {
                key: list(values) for key, values in merged.measurements(wanted.id).values.items()
            }
        for maximize in (False, True):
            tables = [
                reader.workload_table("digits/fc_128/sgd", maximize=maximize) for reader in (folder, merged)
            ]
            a, b = (sorted((*map(float, row),) for row in records(table)) for table in tables)
            assert a == b
        state, wanted = folder.status().sweeps[0], merged.status().sweeps[0]
        assert state.trials == wanted.trials
        assert [study.target_trials for study in state.studies] == [4, 4, 4]
        frames = [
            reader.measurements_frame([row.id for row in rows])
            for reader, rows in ((folder, one), (merged, other))
        ]
        assert frames[0].drop(columns="trial_id").equals(frames[1].drop(columns="trial_id"))
        with pytest.raises(UserError, match="hvdsweep merge"):
            folder.check_measurements()
    assert {entry.name: entry.stat().st_mtime_ns for entry in (path / "shards").iterdir()} == before


def test_the_schema_in_memory_is_that_of_a_store(tmp_path):
    """Tables, indices and views of a migrated store and of the statements alone are the same."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%migrations%' ORDER BY 1, 2"
    with (
        closing(connect(tmp_path / "a.db", create=True)) as conn,
        closing(sqlite3.connect(":memory:")) as bare,
    ):
        for statement in STATEMENTS:
            bare.execute(statement)
        assert bare.execute(query).fetchall() == conn.execute(query).fetchall()


def test_a_folder_is_watched_while_its_shards_train(tmp_path):
    """Trials of shards that have not begun are PENDING; running ones show their steps; each change is one new version."""
    folder, plan = BatchFolder(tmp_path), plan_of(tmp_path, sizes="[8]")
    (tmp_path / "shards").mkdir()
    with pytest.raises(UserError, match="none of its jobs has begun"):
        open_store(tmp_path)
    write_plan(folder, [plan])
    with open_store(tmp_path) as reader:
        assert {row.status.name for row in reader.trials().rows} == {"PENDING"}
        assert reader.parameter_names() == ["learning_rate"]
        assert len(reader.losses(1)[0]) == 0
        version = reader.data_version()
        worker = Worker(folder.shard(2), part_of(plan, Shard(2, 2), tmp_path / "exchange"))
        begin_run(worker.conn, 1, np=2, gangs=3)
        claim = worker.claim()
        update = outcome(claim)
        half = type(update)(claim.trial_id, update.losses[:10], 10, measurements=update.measurements[:2])
        worker.writer.commit(half, claim=False)
        assert reader.data_version() != version
        version = reader.data_version()
        running = [row for row in reader.trials().rows if row.status.name == "RUNNING"]
        assert [(row.number, row.steps) for row in running] == [(claim.number, 10)]
        assert len(reader.trials().rows) == 4
        assert list(reader.losses(running[0].id)[1]) == list(update.losses[:10].astype(float))
        (sweep,) = reader.sweeps()
        assert (sweep.live, sweep.state, sweep.gangs, sweep.np) == (True, "RUNNING", 3, 2)
        assert reader.data_version() == version
        rest = type(update)(
            claim.trial_id,
            update.losses[10:],
            20,
            first_step=11,
            measurements=update.measurements[2:],
            final=update.final,
        )
        worker.writer.commit(rest, claim=False)
        assert reader.trial(running[0].id).status.name == "COMPLETE"
        best = min(values["val/classification_error"] for _, values in update.measurements)
        assert reader.trial(running[0].id).best == best
        worker.close()


def test_the_interface_watches_a_folder(finished, tmp_path):
    """The first look is a snapshot of all shards; nothing new is no update; a damaged shard is an event, not an end."""
    path = tmp_path / "copy"
    shutil.copytree(finished[0], path)
    watch = Watch(path)
    first = watch.look()
    assert isinstance(first, Snapshot)
    assert (first.sweeps[0].done, first.database) == (12, str(path))
    assert watch.look() is None
    damaged = path / "shards" / "0002.db"
    damaged.write_bytes(b"no database" * 1000)
    time.sleep(0.01)
    second = watch.look()
    assert isinstance(second, Snapshot)
    assert any(event.kind == "shard" and "0002.db" in event.message for event in second.events)
    assert second.sweeps[0].done == 12
    shutil.rmtree(path)
    assert isinstance(watch.look(), Trouble)
    watch.close()


def test_a_replaced_shard_is_read_again(finished, tmp_path):
    """A copy that takes the place of a shard's file, as from a node's own disk, shows its newer losses."""
    plan = plan_of(tmp_path, sizes="[8]")
    (tmp_path / "shards").mkdir()
    local = tmp_path / "local.db"
    worker = Worker(local, part_of(plan, Shard(1, 1)))
    final = BatchFolder(tmp_path).shard(1)

    def copy() -> None:
        with closing(sqlite3.connect(local)) as conn:
            conn.execute("VACUUM INTO ?", (str(tmp_path / "new.db"),))
        (tmp_path / "new.db").replace(final)

    claim = worker.claim()
    update = outcome(claim)
    worker.writer.commit(type(update)(claim.trial_id, update.losses[:5], 5), claim=False)
    copy()
    with open_store(tmp_path) as reader:
        trial = reader.trials().rows[0].id
        assert len(reader.losses(trial)[0]) == 5
        rest = type(update)(claim.trial_id, update.losses[5:], 20, first_step=6, final=update.final)
        worker.writer.commit(rest, claim=False)
        copy()
        assert reader.trial(trial).steps == 20
        assert len(reader.losses(trial)[0]) == 20
    worker.close()


def test_a_folder_cannot_be_written(finished):
    """What would write says that a folder is only read, and how to stop its jobs."""
    with pytest.raises(UserError, match="hvdsweep batch cancel"):
        connect(finished[0])
