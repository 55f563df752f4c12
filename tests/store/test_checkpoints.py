"""Checkpoints: files that are whole or refused, and a store that returns to their step without losing or repeating data."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner

from hvdsweep.cli.status import status
from hvdsweep.store import checkpoints as files
from hvdsweep.store.checkpoints import Refused, folder_of
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Claim, TrialUpdate
from hvdsweep.store.lifecycle import delete_sweep, recover, requeue
from hvdsweep.store.maintenance import check
from hvdsweep.store.plans import save_plan
from tests.limits import HANG_SECONDS

from .plans import gang, outcome, plan

ARRAYS = [
    np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
    np.float32(0.25).reshape(()),
    np.zeros((0, 3), np.float32),
    np.array([True, False]),
    np.array([2**40, -1], np.int64),
    np.array([1.5, -2.0], ml_dtypes.bfloat16),
]
DATA = ("losses", "measurements", "best_records", "gradient_noise")


def part(update: TrialUpdate, first: int, last: int, *, saved: bool = False) -> TrialUpdate:
    """Steps `first` to `last` of a whole trial; `saved`: with a checkpoint at the last of them, made 100 s after its start."""
    return replace(
        update,
        losses=update.losses[first - 1 : last],
        first_step=first,
        steps=last,
        measurements=[
            (step, values)
            for step, values in update.measurements
            if first <= step <= last or step == 0 == first - 1
        ],
        final=update.final if last == len(update.losses) else None,
        checkpoint=(last, time.time() + 100) if saved else None,
        noise=[(step, "", 1 / step, 2.0 * step) for step in range(5, 41, 5) if first <= step <= last],
    )


def interrupted(path: Path) -> Claim:
    """The first trial of a planned store, at work: 30 of 40 steps made, a checkpoint of step 20 on disk."""
    writer = gang(path)
    claim = writer.commit(None, claim=True).claim
    assert claim is not None
    files.save(path, claim.trial_id, claim.key, 20, ARRAYS)
    writer.commit(part(outcome(claim), 1, 20, saved=True), claim=False)
    writer.commit(part(outcome(claim), 21, 30), claim=False)
    writer.close()
    return claim


def content(look: sqlite3.Connection) -> dict[str, list[tuple]]:
    return {table: look.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in DATA}


def test_a_checkpoint_is_read_as_it_was_written(path: Path):
    """Matrices, scalars, empty arrays, truth values, integers, bfloat16: types, shapes and bytes."""
    files.save(path, 3, "key", 7, ARRAYS)
    form, body = files.load(path, 3, "key", 7)
    assert form == [
        ("float32", (3, 4)),
        ("float32", ()),
        ("float32", (0, 3)),
        ("bool", (2,)),
        ("int64", (2,)),
        ("bfloat16", (2,)),
    ]
    assert bytes(body) == b"".join(array.tobytes() for array in ARRAYS)
    assert [(file.trial_id, file.step) for file in files.files(path)] == [(3, 7)]


def test_a_damaged_checkpoint_is_refused(path: Path):
    """Cut anywhere, or with any one byte changed: refused, never read."""
    files.save(path, 3, "key", 7, ARRAYS[:2])
    (place,) = folder_of(path).iterdir()
    whole = place.read_bytes()
    for size in range(len(whole)):
        place.write_bytes(whole[:size])
        with pytest.raises(Refused, match="damaged"):
            files.load(path, 3, "key", 7)
    for index in range(len(whole)):
        place.write_bytes(whole[:index] + bytes([whole[index] ^ 16]) + whole[index + 1 :])
        with pytest.raises(Refused, match="damaged"):
            files.load(path, 3, "key", 7)
    place.unlink()
    with pytest.raises(Refused, match="is gone"):
        files.load(path, 3, "key", 7)


def test_a_checkpoint_of_another_trial_is_refused(path: Path):
    """Two files swapped, or one of another step under the name: the key and the step in the file are checked."""
    files.save(path, 1, "one", 5, ARRAYS)
    files.save(path, 2, "two", 5, ARRAYS)
    one, two = sorted(folder_of(path).iterdir())
    other = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(other)
    for trial, key in ((1, "one"), (2, "two")):
        with pytest.raises(Refused, match="another trial"):
            files.load(path, trial, key, 5)
    shutil.copy(two, one.with_name("trial-1-step-6.checkpoint"))
    with pytest.raises(Refused, match="another trial"):
        files.load(path, 1, "one", 6)


def test_a_full_disk_leaves_the_checkpoint_before(path: Path, monkeypatch: pytest.MonkeyPatch):
    """A write that fails raises OSError and leaves no part of a file."""
    files.save(path, 1, "key", 5, ARRAYS)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.save(path, 1, "key", 6, ARRAYS)
    assert [place.name for place in folder_of(path).iterdir()] == ["trial-1-step-5.checkpoint"]


WRITING = """
import sys
import numpy as np
from hvdsweep.store.checkpoints import save
step = int(sys.argv[2])
while True:
    save(sys.argv[1], 1, "key", step, [np.full(50_000, step, np.int64)])
    print(step, flush=True)
    step += 1
"""


def test_a_kill_during_the_writing_leaves_whole_files(path: Path):
    """SIGKILL at 20 random instants: every file under its final name is whole, the last one announced among them."""
    draw, step = random.Random(5), 1
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITING, str(path), str(step)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        last = int(process.stdout.readline())
        time.sleep(draw.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        rest, _ = process.communicate(timeout=HANG_SECONDS)
        last = int((rest.split() or [last])[-1])
        whole = [file.step for file in files.files(path) if file.path.suffix == ".checkpoint"]
        assert last in whole
        for one in whole[-2:]:
            _, body = files.load(path, 1, "key", one)
            assert np.array_equal(np.frombuffer(body, np.int64), np.full(50_000, one))
        step = max(whole) + 1


@pytest.mark.parametrize("how", ["died", "stopped", "recovered", "released"])
def test_an_interrupted_trial_resumes_at_its_checkpoint(planned: Path, look: sqlite3.Connection, how: str):
    """Its gang died, was stopped, was found dead, or gave it back: cut back to step 20, claimed first, and in the end the store
    holds what an undisturbed trial leaves there; the file is there until then."""
    claim = interrupted(planned)
    if how == "recovered":
        found = recover(look, 1)
        assert (found.requeued, found.resumed) == (1, 1)
    elif how == "released":
        with gang(planned) as other:
            look.execute("UPDATE trials SET gang_id = ? WHERE status = 'RUNNING'", (other.gang_id,))
            other.release(claim.trial_id)
    else:
        requeue(look, [claim.trial_id], count_attempt=how == "died", message=None, max_attempts=3)
    waits = look.execute(
        "SELECT status, steps, checkpoint, gang_id, started FROM trials WHERE id = 1"
    ).fetchone()
    assert waits == ("PENDING", 20, 20, None, None)
    for table in DATA:
        assert look.execute(f"SELECT max(step) FROM {table}").fetchone() <= (20,), table
    assert look.execute("SELECT count(*) FROM losses").fetchone() == (20,)
    assert check(look) == []
    assert files.sizes(planned).keys() == {claim.trial_id}
    with gang(planned) as writer:
        again = writer.commit(None, claim=True).claim
        assert again == replace(claim, checkpoint=20)
        writer.commit(part(outcome(claim), 21, 40), claim=False)
        files.remove(planned, claim.trial_id)
    assert check(look) == []
    resumed = content(look)
    row = look.execute(
        "SELECT status, steps, checkpoint, ended - started FROM trials WHERE id = 1"
    ).fetchone()
    assert row[:3] == ("COMPLETE", 40, None)
    assert 100 <= row[3] < 100 + HANG_SECONDS, "the time before the checkpoint counts"
    look.execute(
        "UPDATE trials SET status = 'PENDING', steps = 0, gang_id = NULL, started = NULL WHERE id = 1"
    )
    with gang(planned) as writer:
        assert writer.commit(None, claim=True).claim == claim
        writer.commit(part(outcome(claim), 1, 40), claim=False)
    assert content(look) == resumed


def test_a_refused_checkpoint_begins_the_trial_again(planned: Path, look: sqlite3.Connection):
    """All data are removed, an event says why, and the records of the restarted trial are right."""
    claim = interrupted(planned)
    requeue(look, [claim.trial_id], count_attempt=False, message=None, max_attempts=3)
    with gang(planned) as writer:
        writer.commit(None, claim=True)
        writer.begin_again(claim.trial_id, "trial 0: its checkpoint is damaged")
        assert [look.execute(f"SELECT count(*) FROM {table}").fetchone() for table in DATA] == [(0,)] * len(
            DATA
        )
        assert look.execute("SELECT steps, checkpoint FROM trials WHERE id = 1").fetchone() == (0, None)
        assert look.execute("SELECT message, trial_id FROM events WHERE kind = 'checkpoint'").fetchall() == [
            ("trial 0: its checkpoint is damaged", 1)
        ]
        writer.commit(outcome(claim), claim=False)
    assert check(look) == []


def test_only_what_is_resumed_from_stays_on_disk(planned: Path, look: sqlite3.Connection):
    """Files of ended and deleted trials, older ones and parts are removed; those of a running trial are left to its gang."""
    claim = interrupted(planned)
    for trial, step in ((1, 10), (1, 30), (2, 5), (99, 5)):
        files.save(planned, trial, "key", step, ARRAYS)
    (folder_of(planned) / "trial-2-step-7.partial").write_bytes(b"half")
    (folder_of(planned) / "notes.txt").write_text("mine")

    def left() -> list[tuple[int, int]]:
        return sorted((file.trial_id, file.step) for file in files.files(planned))

    files.tidy(look)
    assert left() == [(1, 10), (1, 20), (1, 30)]
    requeue(look, [claim.trial_id], count_attempt=False, message=None, max_attempts=3)
    assert left() == [(1, 20)]
    with gang(planned) as writer:
        writer.commit(None, claim=True)
    requeue(look, [claim.trial_id], count_attempt=True, message="third", max_attempts=1)
    assert left() == []
    assert (folder_of(planned) / "notes.txt").read_text() == "mine"
    assert check(look) == []


def test_a_deleted_sweep_takes_its_checkpoints_along(planned: Path, look: sqlite3.Connection):
    """The folder is removed too, once it is empty."""
    interrupted(planned)
    recover(look, 1)
    assert folder_of(planned).is_dir()
    delete_sweep(look, 1)
    assert not folder_of(planned).exists()


def test_a_withdrawn_trial_leaves_nothing(planned: Path, look: sqlite3.Connection):
    """A plan without the interrupted trial's batch size removes it, what it recorded and its checkpoint."""
    interrupted(planned)
    recover(look, 1)
    assert look.execute("SELECT batch_size FROM studies WHERE id = 1").fetchone() == (8,)
    assert save_plan(look, plan(batch_sizes=(16,))).withdrawn == 3
    assert check(look) == []
    assert files.files(planned) == []


def test_a_result_of_another_sweep_replaces_the_checkpoint(planned: Path, look: sqlite3.Connection):
    """A trial that another sweep has finished meanwhile replaces the data of the interrupted one."""
    claim = interrupted(planned)
    recover(look, 1)
    other = save_plan(look, plan(key="other")).sweep_id
    with gang(planned, other) as writer:
        twin = writer.commit(None, claim=True).claim
        assert twin is not None
        assert twin.key == claim.key
        writer.commit(outcome(twin), claim=False)
    assert save_plan(look, plan()).adopted == 1
    assert look.execute("SELECT status, steps, checkpoint FROM trials WHERE id = 1").fetchone() == (
        "COMPLETE",
        40,
        None,
    )
    assert check(look) == []
    assert files.files(planned) == []


def test_status_says_how_large_they_are(planned: Path):
    """Bytes by sweep in the JSON, megabytes in the text; nothing without checkpoints."""

    def printed(*more: str) -> str:
        return CliRunner().invoke(status, ["--db", str(planned), *more], catch_exceptions=False).stdout

    assert json.loads(printed("--json"))["sweeps"][0]["checkpoint_bytes"] == 0
    assert "checkpoints" not in printed()
    claim = interrupted(planned)
    files.save(planned, claim.trial_id, claim.key, 20, [np.zeros(1_000_000, np.float32)])
    size = sum(place.stat().st_size for place in folder_of(planned).iterdir())
    conn = connect(planned)
    save_plan(conn, plan(key="other"))
    conn.close()
    assert [sweep["checkpoint_bytes"] for sweep in json.loads(printed("--json"))["sweeps"]] == [size, 0]
    assert "checkpoints: 4.0 MB" in printed()
