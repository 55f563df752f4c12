"""A shard on a disk of its machine: its place on the shared disk holds whole copies, the latest state goes before."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.batch.scratch import Scratch
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.opening import open_store
from hvdsweep.store import checkpoints
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run
from tests.batch.sweeps import Worker, content, plan_of


@pytest.fixture
def places(tmp_path) -> tuple[Path, Path]:
    """(folder on the local disk, the database's place on the shared one)"""
    for name in ("local", "shared"):
        (tmp_path / name).mkdir()
    return tmp_path / "local", tmp_path / "shared" / "0001.db"


def ended(path: Path) -> int:
    with open_store(path) as reader:
        return sum(row.status.name == "COMPLETE" for row in reader.trials().rows)


def heard(path: Path) -> None:
    with closing(connect(path)) as conn:
        begin_run(conn, 1, np=1, gangs=1)


def test_the_copy_is_whole_and_the_next_node_continues_from_it(places, tmp_path):
    """After each copy the shared file is a complete store without a WAL; another machine begins with it."""
    local, final = places
    plan = plan_of(tmp_path, sizes="[8]")
    scratch = Scratch(local, final)
    with scratch as path:
        worker = Worker(path, plan)
        worker.train(1)
        scratch.copy()
        assert ended(final) == 1
        worker.train(2)
        heard(path)
        worker.close()
    assert content(final) == content(path)
    assert [entry.name for entry in final.parent.iterdir()] == ["0001.db"]
    other = tmp_path / "other"
    other.mkdir()
    with Scratch(other, final) as path:
        assert ended(path) == 3


def test_another_sweep_under_the_same_name_begins_with_nothing(places, tmp_path):
    """Batch folders of equal names share a scratch folder, and one may be made again for another sweep: each database of a shard
    holds its own sweep alone, and the same sweep finds its file again."""
    local, final = places
    mine = Scratch(local, final, ["one"])
    assert Scratch(local, final, ["one"]).local == mine.local
    elsewhere = tmp_path / "home" / final.parent.name / final.name
    others = [Scratch(local, final, ["other"]), Scratch(local, elsewhere, ["one"])]
    assert len({mine.local, *(one.local for one in others)}) == 3


def test_a_node_that_died_before_it_copied_loses_nothing(places, tmp_path):
    """Where the local file goes beyond the shared one it is kept; where it is behind, it is replaced."""
    local, final = places
    plan = plan_of(tmp_path, sizes="[8]")
    with Scratch(local, final) as path:
        worker = Worker(path, plan)
        worker.train(1)
        worker.close()
    worker = Worker(path, plan)
    worker.train(1)
    worker.close()
    heard(path)
    with Scratch(local, final):
        pass
    assert ended(final) == 2
    other = tmp_path / "other"
    other.mkdir()
    with Scratch(other, final) as elsewhere:
        worker = Worker(elsewhere, plan)
        worker.train(2)
        worker.close()
        heard(elsewhere)
    with Scratch(local, final) as path:
        assert ended(path) == 4


@pytest.mark.parametrize("step", [-30 * 86400.0, 3600.0])
def test_the_clocks_of_nodes_do_not_decide_which_state_is_the_latest(places, tmp_path, monkeypatch, step):
    """A node whose clock is ahead must not put its old state in the place of what another has trained since."""
    local, final = places
    plan = plan_of(tmp_path, sizes="[8]")
    now = time.time()

    def train(folder: Path, offset: float) -> int:
        monkeypatch.setattr(time, "time", lambda: now + offset)
        folder.mkdir(exist_ok=True)
        with Scratch(folder, final) as path:
            worker = Worker(path, plan)
            worker.train(1)
            worker.close()
            heard(path)
            return ended(path)

    assert [train(local, step), train(tmp_path / "other", 0.0), train(local, step)] == [1, 2, 3]
    assert ended(final) == 3


def test_what_cannot_be_copied_is_said(places, tmp_path):
    """A shared disk that vanishes ends the run with an error that names the local file; a missing folder is refused."""
    local, final = places
    scratch = Scratch(local, final)

    def run() -> None:
        with scratch as path:
            Worker(path, plan_of(tmp_path, sizes="[8]")).close()
            final.parent.rmdir()

    with pytest.raises(RunFailed, match=r"What was trained is in .*local"):
        run()
    with closing(sqlite3.connect(scratch.local)) as conn:
        assert conn.execute("SELECT count(*) FROM trials").fetchone() == (4,)
    with pytest.raises(UserError, match="is not a folder"):
        Scratch(tmp_path / "nowhere", final)


def test_checkpoints_travel_with_their_database(places, tmp_path):
    """A copy brings the checkpoint that it names, another node begins with it, and it goes when the trial has ended; one that a
    newer checkpoint replaces during the copy is replaced in the copy too."""
    local, final = places
    other = tmp_path / "other"
    other.mkdir()

    def kept(path: Path) -> list[int]:
        return sorted(file.step for file in checkpoints.files(path))

    def advance(path: Path, step: int) -> None:
        checkpoints.save(path, 1, "key", step, [np.full(10, step)])
        with closing(connect(path)) as conn:
            conn.execute(
                "UPDATE trials SET status = 'RUNNING', steps = ?, checkpoint = ? WHERE id = 1", (step, step)
            )
        checkpoints.remove(path, 1, but=step)

    with Scratch(local, final) as path:
        Worker(path, plan_of(tmp_path, sizes="[8]")).close()
        advance(path, 10)
    assert kept(final) == kept(path) == [10]
    with Scratch(other, final) as path:
        assert kept(path) == [10]
        assert checkpoints.load(path, 1, "key", 10)[0] == [("int64", (10,))]
        advance(path, 20)
        heard(path)
        carry = checkpoints.carry

        def late(source: Path, target: Path, wanted: set[tuple[int, int]]) -> None:
            if (1, 20) in wanted:
                advance(path, 30)
            carry(source, target, wanted)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checkpoints, "carry", late)
            Scratch(other, final).copy()
        assert kept(final) == [30]
        with closing(connect(final)) as conn:
            assert conn.execute("SELECT checkpoint FROM trials WHERE id = 1").fetchone() == (30,)
        with closing(connect(path)) as conn:
            conn.execute("UPDATE trials SET status = 'PENDING', steps = 0, checkpoint = NULL WHERE id = 1")
    assert kept(final) == []
