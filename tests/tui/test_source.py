"""The source: one snapshot per change, a clear trouble for every state a file may be in, and recovery by itself."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.store import reader, store
from hvdsweep.store.connection import connect
from hvdsweep.store.events import event
from tests.limits import HANG_SECONDS
from tui.snapshot import Snapshot
from tui.source import (
    LIFE_SECONDS,
    MACHINE_SHARE,
    REST_SECONDS,
    SPARE,
    StoreSource,
    Trouble,
    Watch,
    rest_after,
)


@pytest.fixture
def path(trained: Path, tmp_path: Path) -> Path:
    """A copy of the small store that a test may change."""
    with sqlite3.connect(trained) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(trained, tmp_path / "hvdsweep.db"))


def write(path: Path) -> None:
    """Another process commits something."""
    conn = connect(path)
    event(conn, "note", "something happened")
    conn.close()


def test_a_look_returns_only_what_is_new(path):
    """The first look reads a snapshot, the next nothing, one after a commit the next number."""
    watch = Watch(path)
    first = watch.look()
    assert isinstance(first, Snapshot)
    assert [sweep.name for sweep in first.sweeps] == ["digits", "short", "lost"]
    assert watch.look() is None
    write(path)
    second = watch.look()
    assert isinstance(second, Snapshot)
    assert second.number == first.number + 1
    assert second.events[-1].message == "something happened"
    watch.close()


def test_a_sweep_in_training_is_read_again_though_nothing_was_written(path, monkeypatch):
    """A killed supervisor writes nothing: after LIFE_SECONDS its sweep is checked again and shown as killed."""
    now = 0.0
    watch = Watch(path, clock=lambda: now)
    monkeypatch.setattr(store, "lives_here", lambda *_: True)
    first = watch.look()
    assert isinstance(first, Snapshot)
    assert first.sweeps[0].condition == "RUNNING"
    monkeypatch.setattr(store, "lives_here", lambda *_: False)
    now = LIFE_SECONDS - 0.01
    assert watch.look() is None
    now = LIFE_SECONDS
    second = watch.look()
    assert isinstance(second, Snapshot)
    assert second.sweeps[0].condition == "LOST"
    now = 100.0
    assert watch.look() is None
    watch.close()


def nothing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def newer(path: Path) -> None:
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA user_version = 99")
    conn.close()


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE things (name)")
    conn.close()


def text(path: Path) -> None:
    path.write_text("not a database at all\n" * 100)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def damaged(path: Path) -> None:
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE studies SET batch_size = -4 WHERE id = 1")
    conn.close()


STATES = {
    "nothing": (nothing, "No database yet", "does not exist", True),
    "empty": (empty, "The database is empty", "holds nothing yet", True),
    "newer": (newer, "The database cannot be read", "Upgrade hvdsweep", False),
    "foreign": (foreign, "The database cannot be read", "of another program", False),
    "text": (text, "The database cannot be read", "is not an SQLite database", False),
    "damaged": (damaged, "The database cannot be read", "table studies, row 1, column batch_size: -4", False),
    "folder": (folder, "The database cannot be read", "is a folder", False),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_file_is_reported_once_and_passes(path, state):
    """A file that is missing, empty, newer, foreign, broken or a folder: one message with a remedy, then data
    again."""
    spoil, heading, words, gone = STATES[state]
    good = path.read_bytes()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    spoil(path)
    watch = Watch(path)
    trouble = watch.look()
    assert isinstance(trouble, Trouble)
    assert (trouble.heading, trouble.gone) == (heading, gone)
    assert words in trouble.text
    assert str(path) in trouble.text
    assert watch.look() is None
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.with_name("new").write_bytes(good)
    path.with_name("new").rename(path)
    assert isinstance(watch.look(), Snapshot)
    watch.close()


def test_a_file_deleted_while_it_is_open_is_noticed(path):
    """SQLite would continue to read the deleted file; the watch sees that it is gone, and a new one in its place."""
    watch = Watch(path)
    assert isinstance(watch.look(), Snapshot)
    good = path.read_bytes()
    path.unlink()
    trouble = watch.look()
    assert isinstance(trouble, Trouble)
    assert trouble.gone
    path.write_bytes(good)
    assert isinstance(watch.look(), Snapshot)
    watch.close()


def test_a_locked_file_is_reported_and_passes(path, monkeypatch):
    """While a writer holds the whole file, a message says so and the data shown stay; new data follow once it lets
    go."""
    monkeypatch.setattr(reader, "WAIT_SECONDS", 0.01)
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA journal_mode = DELETE")
    conn.close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    watch = Watch(path)
    trouble = watch.look()
    assert isinstance(trouble, Trouble)
    assert "is locked by another process" in trouble.text
    assert not trouble.gone
    holder.execute("ROLLBACK")
    holder.close()
    assert isinstance(watch.look(), Snapshot)
    watch.close()


def test_a_listener_gets_what_was_seen_before_it_listened(path):
    """The first read happens at once; a later listener gets its result too, then every change; closing ends the
    thread."""
    source = StoreSource(path).start()
    heard: list[Snapshot | Trouble] = []
    told = threading.Semaphore(0)

    def tell(update: Snapshot | Trouble) -> None:
        heard.append(update)
        told.release()

    source.listen(tell)
    assert told.acquire(timeout=HANG_SECONDS)
    write(path)
    source.nudge()
    assert told.acquire(timeout=HANG_SECONDS)
    assert [type(update) for update in heard] == [Snapshot, Snapshot]
    source.close()
    assert not source._thread.is_alive()


def test_a_question_is_answered_from_the_file_of_now(path):
    """A reader waits for the next question, but never answers from a file that was deleted or replaced."""
    source = StoreSource(path)
    first = source.ask(lambda held: held)
    assert source.ask(lambda held: held is first and len(held.sweeps())) == 3
    path.unlink()
    with pytest.raises(UserError, match="no such database"):
        source.ask(lambda held: held)
    other = connect(path, create=True)
    other.close()
    assert source.ask(lambda held: held is not first and len(held.sweeps())) == 0
    source.close()


def test_a_file_that_goes_between_two_glances_is_a_message(path, monkeypatch):
    """Deleted after it was seen to exist, before it is looked at: the error that a missing file is, nothing else."""
    monkeypatch.setattr(Path, "exists", lambda self: True)
    source = StoreSource(path)
    path.unlink()
    with pytest.raises(UserError):
        source.ask(lambda held: held)
    assert isinstance(Watch(path).look(), Trouble)


def test_questions_at_the_same_time_have_a_reader_each(path):
    """A reader is for one thread at a time; of many no more than SPARE stay open, and none after a failure or the end."""
    source = StoreSource(path)
    meet = threading.Barrier(SPARE + 2, timeout=HANG_SECONDS)
    with ThreadPoolExecutor(SPARE + 2) as threads:
        held = list(threads.map(source.ask, [lambda held: (meet.wait(), held)[1]] * (SPARE + 2)))
    assert len({*map(id, held)}) == SPARE + 2
    assert sum(map(_open, held)) == SPARE
    with pytest.raises(ZeroDivisionError):
        source.ask(lambda held: 1 / 0)
    assert sum(map(_open, held)) == SPARE - 1
    source.close()
    assert not any(map(_open, held))
    late = source.ask(lambda held: held)
    assert not _open(late)


def _open(held: reader.Reader) -> bool:
    try:
        held.rows("SELECT 1")
    except (sqlite3.ProgrammingError, UserError):
        return False
    return True


def test_looking_never_writes(path):
    """After many looks the file's bytes are the same."""
    with open_store(path):
        pass
    before = path.read_bytes()
    watch = Watch(path)
    for _ in range(20):
        watch.look()
    watch.close()
    assert path.read_bytes() == before


def test_the_rest_grows_with_what_painting_took_and_shrinks_with_the_machine():
    """Over a whole cycle the interface takes its share of the machine; if the pause would be too long it takes more."""
    for processors in (1, 2, 64):
        for used in (0.0001, 0.001, 0.003):
            rest = rest_after(used, processors)
            assert used / (rest * processors) == pytest.approx(MACHINE_SHARE) or rest == REST_SECONDS
    assert rest_after(0.001, 2) == pytest.approx(0.4)
    assert rest_after(10.0, 64) == REST_SECONDS


def test_a_key_ends_the_rest_of_an_interface_that_paints_much(path, monkeypatch):
    """Without keys the next read comes after the pause; after a key, as soon as two reads may follow each other."""
    monkeypatch.setattr("tui.source.rest_after", lambda used, processors: 3600.0)
    source = StoreSource(path).start()
    heard = threading.Semaphore(0)
    source.listen(lambda update: heard.release())
    assert heard.acquire(timeout=HANG_SECONDS)
    write(path)
    assert not heard.acquire(timeout=0.6)
    for _ in range(3):  # the second and third come right after a look, before the rest has begun
        source.attend()
        assert heard.acquire(timeout=HANG_SECONDS)
        write(path)
    source.close()
    assert not source._thread.is_alive()
