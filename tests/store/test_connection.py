"""Opening a store: what is created, what is refused, and with which message."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.opening import open_store
from hvdsweep.store import connection
from hvdsweep.store.connection import connect, heard, transaction
from hvdsweep.store.filesystem import FileSystem, file_system_of
from hvdsweep.store.schema import APPLICATION_ID, VERSION
from tests.cli.forked import run, without_privileges

from .plans import small_store


def test_a_new_store_is_marked_as_ours(path: Path):
    """application_id, user_version and the journal say what the file is; opening it again changes nothing."""
    for _ in range(2):
        conn = connect(path, create=True)
        asked = {
            name: conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        }
        assert asked == {"application_id": APPLICATION_ID, "user_version": VERSION}
        assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        conn.close()
    assert {
        "sweeps",
        "workloads",
        "studies",
        "trials",
        "losses",
        "measurements",
        "best_records",
        "gangs",
    } <= tables


def test_a_missing_store_is_made_only_when_asked(path: Path):
    """Without `create` a typing error in --db must not leave an empty database behind."""
    with pytest.raises(UserError, match=r"no such database.*--db"):
        connect(path)
    with pytest.raises(UserError, match=r"no such database.*--db"):
        open_store(path)
    assert not path.exists()


@pytest.mark.parametrize("opened", [lambda path: connect(path, create=True), open_store])
def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, opened):
    """A text, another program's database, a folder: each is named in the message and left unchanged."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like a header of one " * 40)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as conn:
        conn.execute("CREATE TABLE places (id INTEGER)")
    before = [text.read_bytes(), other.read_bytes()]
    for place, words in ((text, "not an SQLite database"), (other, "another program"), (tmp_path, "folder")):
        with pytest.raises(UserError, match=words):
            opened(place)
    assert [text.read_bytes(), other.read_bytes()] == before


def test_an_empty_file_is_no_store_to_read_but_one_to_fill(path: Path):
    """`mktemp` leaves such a file; launching into it works, reading it reports that it is empty."""
    path.touch()
    with pytest.raises(UserError, match="holds nothing yet"):
        open_store(path)
    connect(path, create=True).close()
    assert open_store(path).sweeps() == []


def test_a_newer_store_is_not_opened(planned: Path):
    """A file of a later program may mean something else by the same names."""
    with sqlite3.connect(planned) as conn:
        conn.execute(f"PRAGMA user_version = {VERSION + 1}")
    for opened in (connect, open_store):
        with pytest.raises(UserError, match="newer hvdsweep"):
            opened(planned)


def test_a_damaged_store_says_so(planned: Path):
    """The remedy is named; no traceback of sqlite3."""
    content = bytearray(planned.read_bytes())
    content[4096 : 4096 * 8] = b"\xff" * (4096 * 7)
    planned.write_bytes(content)

    def read() -> None:
        with open_store(planned) as reader:
            reader.sweeps()
            reader.trials()

    with pytest.raises(UserError, match="damaged"):
        read()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    """The message names the folder, not the file."""
    with pytest.raises(UserError, match=r"the folder .*absent does not exist"):
        connect(tmp_path / "absent" / "store.db", create=True)


def test_many_processes_may_create_one_store_at_once(path: Path):
    """The tables are created once, by the first process; none fails."""
    with ThreadPoolExecutor(8) as pool:
        for conn in pool.map(lambda _: connect(path, create=True), range(8)):
            assert conn.execute("SELECT count(*) FROM sweeps").fetchone() == (0,)
            conn.close()


def test_no_wal_on_a_network(path: Path, monkeypatch: pytest.MonkeyPatch):
    """On NFS the journal is a rollback journal, an event says why, and writing and reading work."""
    monkeypatch.setattr(connection, "file_system_of", lambda _: FileSystem("nfs4", "/home", network=True))
    small_store(path)
    conn = connect(path)
    assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    with open_store(path) as reader:
        assert [event.message for event in reader.events() if event.kind == "journal"] == [
            "nfs4 at /home is a network file system: rollback journal, not WAL"
        ]
    conn.close()


def test_a_store_moved_to_a_network_leaves_wal(planned: Path, monkeypatch: pytest.MonkeyPatch):
    """The mode is a property of the file: one that comes from a local disk is changed when it is next opened."""
    monkeypatch.setattr(
        connection, "file_system_of", lambda _: FileSystem("lustre", "/scratch", network=True)
    )
    conn = connect(planned)
    assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert conn.execute("SELECT count(*) FROM events WHERE kind = 'journal'").fetchone() == (1,)
    conn.close()


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw - nfs4 server:/home rw
31 30 8:3 / /home/local\\040disk rw - xfs /dev/sdb rw
32 22 0:41 / /mnt/box rw - fuse.sshfs me@there:/ rw
33 22 0:42 / /mnt/box rw - tmpfs tmpfs rw
34 22 0:43 / /scratch rw - lustre 10.0.0.1@tcp:/s rw
35 22 0:44 / /hom rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("place", "kind", "network"),
    [
        ("/var/x.db", "ext4", False),
        ("/home/me/x.db", "nfs4", True),
        ("/home/local disk/x.db", "xfs", False),
        ("/mnt/box/x.db", "tmpfs", False),
        ("/scratch/x.db", "lustre", True),
        ("/homestead/x.db", "ext4", False),
    ],
)
def test_the_innermost_and_latest_mount_decides(place: str, kind: str, network: bool):
    """As the kernel resolves paths: longest mount point, the later of two on the same one; whole names only."""
    found = file_system_of(place, MOUNTS)
    assert (found.type, found.network) == (kind, network)


def test_this_machine_s_mounts_can_be_read(tmp_path: Path):
    """The real /proc/self/mountinfo gives a type for a folder that is really there."""
    found = file_system_of(tmp_path)
    assert found.type != "unknown"
    assert str(tmp_path.resolve()).startswith(found.mount)


def test_a_writer_waits_its_turn_and_then_gives_up_with_words(planned: Path, monkeypatch: pytest.MonkeyPatch):
    """A lock that is never released is reported as such, and nothing is half-written."""
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.01)
    holder, other = connect(planned), connect(planned)
    with transaction(holder), pytest.raises(RunFailed, match="locked by another process"), transaction(other):
        pytest.fail("entered while another writer was at work")
    with transaction(other):
        other.execute("UPDATE sweeps SET name = 'free again'")
    assert holder.execute("SELECT name FROM sweeps").fetchone() == ("free again",)


def test_a_long_wait_is_heard_and_ends_when_the_lock_does(planned: Path, monkeypatch: pytest.MonkeyPatch):
    """The callback gets one message after the first attempt; a later attempt succeeds."""
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.01)
    holder, other = connect(planned), connect(planned)
    holder.execute("BEGIN IMMEDIATE")
    heard_words: list[str] = []

    def hear(words: str) -> None:
        heard_words.append(words)
        holder.execute("COMMIT")

    with heard(hear), transaction(other):
        other.execute("UPDATE sweeps SET name = 'written'")
    assert len(heard_words) == 1
    assert "is locked by another process" in heard_words[0]
    assert holder.execute("SELECT name FROM sweeps").fetchone() == ("written",)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_may_not_be_written_is_named_before_sqlite_sees_it(planned: Path, place: str):
    """A read-only file or folder is refused by every writing command and by doctor; no file is left next to it."""
    before = sorted(planned.parent.iterdir())
    locked = planned if place == "file" else planned.parent
    mode = locked.stat().st_mode
    locked.chmod(mode & ~0o222)
    try:
        importing = ["import", "published/zhang_2024", "--db", str(planned)]
        written = run(importing, planned.parent, before=without_privileges)
        doctor = run(["doctor", "--quick", "--db", str(planned)], planned.parent, before=without_privileges)
        read = run(["status", "--db", str(planned)], planned.parent, before=without_privileges)
    finally:
        locked.chmod(mode)
    assert written.code == 2
    says = f"{planned}: cannot be written" if place == "file" else f"its folder {locked} cannot be written"
    assert says in written.err
    assert doctor.code == 1
    assert " ".join(says.split()) in " ".join(doctor.out.split())
    assert read.code == 0
    assert sorted(planned.parent.iterdir()) == before


def test_a_transaction_is_all_or_nothing(planned: Path):
    """An error in the block leaves no trace of what the block had done before."""
    conn = connect(planned)

    def fail() -> None:
        with transaction(conn):
            conn.execute("DELETE FROM trials")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert conn.execute("SELECT count(*) FROM trials").fetchone() == (6,)


def test_sqlite_utils_is_loaded_only_to_make_or_migrate(planned: Path):
    """Reading and writing an existing store need the standard library and numpy alone, making one no pandas either."""
    code = (
        "import sys; from hvdsweep.store.connection import connect; from hvdsweep.opening import open_store; path = sys.argv[1]\n"
        "open_store(path).status(); connect(path).close()\n"
        "print({'sqlite_utils', 'pandas', 'scipy', 'rich', 'click', 'pydantic'} & set(sys.modules))\n"
        "connect(path + '.new', create=True); print({'sqlite_utils', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(planned)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[:2] == ["set()", "{'sqlite_utils'}"]
