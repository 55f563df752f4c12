"""Merged shards are the store that one machine would have made: in any order, any number of times, killed or not."""

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvdsweep.batch import source_sweep as merging
from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.merge import merge
from hvdsweep.batch.merge_report import MergeReport
from hvdsweep.batch.plans import write_plan
from hvdsweep.batch.shards import Shard, part_of
from hvdsweep.batch.sources import check_one_sweep, sources_of
from hvdsweep.cli import group
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.launch.sweeps import introduce
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.content import SINCE
from hvdsweep.store.maintenance import check
from hvdsweep.store.plans import save_plan
from tests.batch.sweeps import Worker, content, outcome, plan_of, shards_of, train


def merged(database: Path, sources) -> MergeReport:
    report = MergeReport(str(database))
    with closing(connect(database, create=True)) as conn:
        for source in sources:
            merge(conn, source, report)
        assert check(conn, deep=report.losses < 10**6) == []
    return report


def diverges(workload, batch_size, number):
    return (batch_size // 8 + number) % 4 == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder, plan, three shards with diverged trials, the same sweep trained in one store)"""
    folder = tmp_path_factory.mktemp("trained")
    plan = plan_of(folder)
    whole = folder / "whole.db"
    train(whole, plan, diverges)
    return folder, plan, shards_of(folder, plan, 3, diverges), whole


def test_merged_shards_are_the_store_of_one_machine(trained, tmp_path):
    """In every order, row by row, the studies' numbers of trials included; a second merge finds everything there."""
    _, _, shards, whole = trained
    wanted = content(whole)
    for order in itertools.permutations(shards):
        main = tmp_path / f"{order[0].stem}{order[1].stem}.db"
        report = merged(main, order)
        assert content(main) == wanted
        assert (report.copied, report.present) == (len(wanted["trials"]), 0)
        assert report.losses == len(wanted["losses"])
        before = main.read_bytes()
        again = merged(main, order)
        assert (again.copied, again.present, again.conflicts) == (0, len(wanted["trials"]), [])
        assert main.read_bytes() == before
    with open_store(main) as reader:
        assert [sweep.state for sweep in reader.sweeps()] == ["DONE"]
        speeds = sum(row.steps for row in reader.throughput())
        gangs = {row.gang_id for row in reader.trials().rows}
        assert {gang.id for gang in reader.gangs()} == gangs
        assert {gang.state for gang in reader.gangs()} == {"STOPPED"}
    with open_store(whole) as reader:
        assert speeds == sum(row.steps for row in reader.throughput())


PROGRESS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.booleans()), max_size=6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(progress=PROGRESS, copies=st.lists(st.integers(0, 2), max_size=2), shards=st.integers(1, 4))
def test_merging_while_shards_train_ends_in_the_same_store(tmp_path_factory, progress, copies, shards):
    """Random progress of random shards with merges in between, and shards that are merged twice from copies."""
    folder = tmp_path_factory.mktemp("random")
    plan = plan_of(folder, sizes="[8, 16]", trials=3, steps=5)
    train(folder / "whole.db", plan, diverges)
    paths = [folder / "shards" / f"{index:04d}.db" for index in range(1, shards + 1)]
    workers = [
        Worker(path, part_of(plan, Shard(index, shards), folder / "exchange"), diverges)
        for index, path in enumerate(paths, start=1)
    ]
    main = folder / "main.db"
    for index, trials, now in progress:
        workers[index % shards].train(trials)
        if now:
            merged(main, [paths[index % shards]])
    busy = set(workers)
    while busy:
        busy = {worker for worker in workers if worker.train(1)}
    for index in copies:
        copy = folder / f"copy{index}.db"
        with closing(sqlite3.connect(paths[index % shards])) as conn:
            copy.unlink(missing_ok=True)
            conn.execute("VACUUM INTO ?", (str(copy),))
        paths.append(copy)
    for worker in workers:
        worker.close()
    report = merged(main, paths)
    assert report.conflicts == []
    assert content(main) == content(folder / "whole.db")


def die_after(conn: sqlite3.Connection, instructions: int) -> None:
    """End this process, as a kill does, when SQLite has made so many steps."""
    left = iter(range(instructions // 50))
    conn.set_progress_handler(lambda: next(left, None) is None and os._exit(9), 50)


def test_a_merge_killed_at_any_instant_continues(trained, tmp_path, monkeypatch):
    """A process that ends in the middle of any step leaves a sound store; the next merge makes it whole."""
    _, _, shards, whole = trained
    monkeypatch.setattr(merging, "TRIALS_AT_ONCE", 2)
    main = tmp_path / "main.db"
    killed = 0
    for instructions in (50, 2000, 5000, 9000, 14000, 20000):
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                conn = connect(main, create=True)
                die_after(conn, instructions)
                for shard in shards:
                    merge(conn, shard, MergeReport(str(main)))
            os._exit(0)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        with closing(connect(main, create=True)) as conn:
            assert check(conn) == []
    assert killed >= 3
    merged(main, shards)
    assert content(main) == content(whole)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as conn:
        for statement in statements:
            conn.execute(statement)
        conn.commit()


def retrained(path: Path, plan, steps=None) -> Path:
    """The first shard of two trained again somewhere else: other times, the same numbers."""
    worker = Worker(path, part_of(plan, Shard(1, 2)))
    while (claim := worker.claim()) is not None:
        worker.writer.commit(outcome(claim, steps=steps), claim=False)
    worker.close()
    return path


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE losses SET loss = loss * 1.5 WHERE step = 7", "loss differs from step 7 on, by up to 0.33"),
        ("UPDATE losses SET loss = NULL WHERE step = 7", "loss differs from step 7 on, in what is finite"),
        ('UPDATE measurements SET "val/loss" = 9 WHERE step = 5', "val/loss differs from step 5 on"),
        ("UPDATE trials SET status = 'INFEASIBLE', stop_reason = 'diverged'", "COMPLETE after 20 steps, and INFEASIBLE"),
        ("UPDATE trials SET key = key || 'x'", "other metaparameters under this number"),
    ],
)  # fmt: skip
def test_two_results_for_one_trial_are_reported_and_the_first_stays(tmp_path, statement, words):
    """Each conflict names the trial, both files and what differs, once as an event; nothing is overwritten."""
    plan = plan_of(tmp_path, sizes="[8]")
    first, other = (retrained(tmp_path / f"{name}.db", plan) for name in ("first", "other"))
    main = tmp_path / "main.db"
    assert merged(main, [first, other]).conflicts == []
    before = content(main)
    change(other, statement)
    for _ in range(2):
        report = merged(main, [other])
        assert len(report.conflicts) == 2 and report.copied == report.present == 0  # noqa: PT018
        assert all(words in str(conflict) for conflict in report.conflicts)
        assert f"{first} and {other} differ" in str(report.conflicts[0])
        assert "digits/fc_128/sgd, batch size 8, trial 0" in str(report.conflicts[0])
    assert content(main) == before
    with open_store(main) as reader:
        assert sum(row.kind == "conflict" for row in reader.events()) == 2
    run = CliRunner().invoke(group, ["merge", str(main), str(other)])
    assert run.exit_code == 1
    assert run.output.count("conflict: ") == 2


def test_what_is_the_same_result_is_no_conflict(tmp_path):
    """Equal up to rounding, or cut short because it was beaten; a failed attempt gives way to a result."""
    plan = plan_of(tmp_path, sizes="[8]")
    first, rounded, beaten, failed = (retrained(tmp_path / f"{name}.db", plan) for name in "abcd")
    change(rounded, "UPDATE losses SET loss = loss * 1.00001")
    change(
        beaten,
        "UPDATE trials SET steps = 10, stop_reason = 'beaten'",
        *(f"DELETE FROM {table} WHERE step > 10" for table in ("losses", "measurements", "best_records")),
    )
    change(failed, "UPDATE trials SET status = 'INCOMPLETE', stop_reason = 'failed', attempts = 3")
    main = tmp_path / "main.db"
    assert merged(main, [failed]).copied == 2
    report = merged(main, [first])
    assert (report.copied, report.conflicts) == (2, [])
    report = merged(main, [rounded, beaten, failed])
    assert (report.copied, report.rounded, report.conflicts) == (0, 2, [])
    assert content(main)["losses"] == content(first)["losses"]


def test_sweeps_of_other_definitions_are_refused(tmp_path):
    """The message names the keys of the sweep file that differ; nothing is written; more trials are no difference."""
    plans = {name: tmp_path / name for name in ("a", "b", "c")}
    for folder in plans.values():
        folder.mkdir()
    one = retrained(tmp_path / "one.db", plan_of(plans["a"], sizes="[8]"))
    other = retrained(tmp_path / "other.db", plan_of(plans["b"], sizes="[8]", steps=10))
    more = retrained(tmp_path / "more.db", plan_of(plans["c"], sizes="[8, 16]", trials=6))
    main = tmp_path / "main.db"
    with pytest.raises(UserError, match=r"budget\.steps: 20 -> 10"):
        check_one_sweep([one, other], main)
    run = CliRunner().invoke(group, ["merge", str(main), str(one), str(other)])
    assert isinstance(run.exception, UserError)
    assert not main.exists()
    check_one_sweep([one, more], main)
    merged(main, [one, more])
    with pytest.raises(UserError, match="is the database to merge into"):
        check_one_sweep([one, main], main)
    with pytest.raises(UserError, match="another sweep"):
        check_one_sweep([other], main)
    with closing(connect(main)) as conn:
        rows = conn.execute("SELECT batch_size, target_trials FROM studies ORDER BY 1").fetchall()
    assert rows == [(8, 6), (16, 6)]


def test_older_shards_are_merged_as_they_are(trained, tmp_path):
    """A shard of the first schema lacks nothing that matters, and stays as it is; one of a newer program is refused."""
    _, _, shards, whole = trained
    old = Path(shutil.copy(shards[0], tmp_path / "old.db"))
    with closing(sqlite3.connect(old)) as conn:
        conn.execute("DROP TABLE gradient_noise")
        conn.execute("DROP INDEX trials_with_checkpoint")
        for table, column in SINCE:
            if table != "gradient_noise":
                conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        conn.execute("PRAGMA user_version = 1")
        conn.commit()
    before = old.read_bytes()
    main = tmp_path / "main.db"
    merged(main, [old, *shards[1:]])
    assert content(main) == content(whole)
    assert old.read_bytes() == before
    change(old, "PRAGMA user_version = 99")
    with pytest.raises(UserError, match="newer hvdsweep"):
        merged(main, [old])


def test_what_is_not_whole_is_left_out_and_named(trained, tmp_path):
    """A trial without its losses is not copied; a file that is damaged is an error that names it, not the database."""
    _, _, shards, _ = trained
    broken = Path(shutil.copy(shards[0], tmp_path / "broken.db"))
    change(broken, "DELETE FROM losses WHERE trial_id = 1 AND step = 3")
    report = merged(tmp_path / "main.db", [broken])
    assert report.copied == len(content(broken)["trials"]) - 1
    assert "trial 1: holds 19 losses of 20 steps" in report.problems[0]
    content_of = bytearray(shards[1].read_bytes())
    content_of[4096 * 3 :] = os.urandom(len(content_of) - 4096 * 3)
    broken.write_bytes(content_of)
    with pytest.raises((UserError, RunFailed), match=r"broken\.db"):
        merged(tmp_path / "main.db", [broken])
    with closing(connect(tmp_path / "main.db")) as conn:
        assert check(conn) == []


def test_a_folder_is_merged_with_what_has_not_begun(trained, tmp_path):
    """`merge DIR` writes DIR/merged.db: finished trials, and every other trial of the plan as PENDING."""
    _, plan, shards, _ = trained
    folder = BatchFolder(tmp_path)
    folder.shards_folder.mkdir()
    shutil.copy(shards[1], folder.shard(2))
    write_plan(folder, [plan])
    assert sources_of([tmp_path]) == [folder.shard(2), folder.plan]
    run = CliRunner().invoke(group, ["merge", "--json", str(tmp_path)])
    assert run.exit_code == 0
    assert json.loads(run.stdout)["copied"] == len(content(shards[1])["trials"])
    found = content(tmp_path / "merged.db")["trials"]
    assert json.loads(run.stdout)["planned"] == sum(row[4] == "PENDING" for row in found)
    ended = [row for row in found if row[4] != "PENDING"]
    assert ended == content(shards[1])["trials"]
    assert {(row[1], row[2]) for row in found} >= {
        (s.batch_size, t.number) for s in plan.studies for t in s.trials
    }
    with pytest.raises(UserError, match="no batch folder"):
        CliRunner().invoke(group, ["merge", str(shards[0])], catch_exceptions=False)


def test_a_follower_merges_what_appears_and_ends_with_the_last_trial(trained, tmp_path, monkeypatch):
    """`merge --follow DIR`: shards that begin later, one that has written nothing yet, a damaged one that is replaced, a
    conflict: each is reported once, the others are merged meanwhile. It ends once every trial has ended and no shard may
    replace a diverged one any more; exit code 1 for the conflict."""
    _, plan, shards, _ = trained
    folder = BatchFolder(tmp_path)
    folder.shards_folder.mkdir()
    write_plan(folder, [plan])
    copies = iter(range(100))

    def appear(number, source, *statements):
        part = Path(shutil.copy(source, tmp_path / f"part-{next(copies)}"))
        for statement in statements:
            change(part, statement)
        os.replace(part, folder.shard(number))

    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no database" * 1000)
    running = "UPDATE sweeps SET state = 'RUNNING'"
    other = "UPDATE losses SET loss = loss * 2 WHERE trial_id = 2", "UPDATE trials SET ended = ended + 1"
    rounds = iter(
        [
            lambda: folder.shard(1).touch(),
            lambda: appear(1, shards[0]),
            lambda: appear(2, damaged),
            lambda: appear(4, shards[0], *other),
            lambda: appear(3, shards[2], running),
            lambda: appear(2, shards[1]),
            lambda: appear(3, shards[2]),
        ]
    )
    monkeypatch.setattr(time, "sleep", lambda seconds: next(rounds)())
    run = CliRunner().invoke(group, ["merge", "--follow", str(tmp_path)], catch_exceptions=False)
    assert run.exit_code == 1
    assert next(rounds, None) is None
    lines = run.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if " copied " not in line] == ["left out", "conflict"]
    assert sum(" copied " in line for line in lines) == 3
    assert len(content(tmp_path / "merged.db")["trials"]) == sum(
        len(content(one)["trials"]) for one in shards
    )


def test_metrics_stay_in_the_order_of_the_shard(trained, tmp_path):
    """`trials N` lists them in the order of the columns: the same in every merge, whatever Python's hashes are."""
    shard = tmp_path / "shard.db"
    shutil.copy(trained[2][0], shard)
    change(shard, *(f'ALTER TABLE measurements ADD COLUMN "test/{name}" REAL' for name in "hbdgaecf"))
    merged(tmp_path / "main.db", [shard])
    with open_store(shard) as there, open_store(tmp_path / "main.db") as here:
        assert here.metrics() == there.metrics()


def test_a_million_losses_arrive_to_the_last_bit(tmp_path):
    """50 trials of 20,000 steps: sums and single values of the merged losses are those of the arrays they were made from."""
    plan = plan_of(tmp_path, sizes="[8]", trials=50, steps=20_000)
    worker = Worker(tmp_path / "0001.db", part_of(plan, Shard(1, 1)))
    losses = {}
    for _ in range(50):
        claim = worker.claim()
        update = outcome(claim)
        losses[claim.number] = update.losses.astype(np.float64)
        worker.writer.commit(replace(update, measurements=update.measurements[:9]), claim=False)
    worker.close()
    report = merged(tmp_path / "main.db", [worker.path])
    assert report.losses == 1_000_000
    with open_store(tmp_path / "main.db") as reader:
        for trial in reader.trials().rows:
            steps, values = reader.losses(trial.id)
            assert np.array_equal(values, losses[trial.number])
            assert np.array_equal(steps, np.arange(1, 20_001))


def test_repeats_of_the_best_trials_come_with_the_merged_sweep(tmp_path):
    """No shard trains any, and says so; `merge` counts them once every shard is there; launching the merged sweep adds them."""
    plan = plan_of(tmp_path, trials=2, sizes="[8, 16, 32]\nrepeats = 3")
    shards = shards_of(tmp_path, plan, 2)
    part = part_of(plan, Shard(1, 2))
    with closing(connect(shards[0])) as conn:
        said = introduce(conn, part, save_plan(conn, part, part.shard_json), shards[0]).message
        assert conn.execute("SELECT count(*) FROM trials WHERE repeats IS NOT NULL").fetchone() == (0,)
    assert "9 repeats of the best trials come when the merged shards are launched" in said
    main = str(tmp_path / "main.db")
    hint = "of the best trials, which only the merged shards show, not trained yet"
    assert hint not in CliRunner().invoke(group, ["merge", main, str(shards[0])]).stdout
    said = CliRunner().invoke(group, ["merge", main, *map(str, shards)]).stdout
    with closing(connect(main)) as conn:
        assert conn.execute("SELECT state FROM sweeps").fetchone() == ("IDLE",)
        added = save_plan(conn, plan).repeats
    # A study that did not reach the goal has none.
    assert added in (3, 6, 9)
    assert f"{added} repeats {hint}: hvdsweep launch SWEEP --db {main}" in said
    assert hint not in CliRunner().invoke(group, ["merge", main, *map(str, shards)]).stdout
