"""A file is written whole or stays unchanged, and nothing is left next to it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hvdsweep.replacing import write_whole


def test_new_and_again(tmp_path: Path):
    """A new file has the rights that any new file gets; one that was there keeps its own."""
    path = tmp_path / "ä.txt"
    write_whole(path, b"one")
    other = tmp_path / "other"
    other.write_bytes(b"")
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o640)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["other", "ä.txt"]


def test_what_was_there_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A disk that fills up in the middle leaves the old content, and no part of the new."""
    path = tmp_path / "x.txt"
    path.write_bytes(b"old")

    def full(self: Path, content: bytes) -> None:
        with open(self, "wb") as file:
            file.write(content[:1])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.txt"]


def test_a_link_leads_to_what_is_written(tmp_path: Path):
    """The link stays a link."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    write_whole(link, b"one")
    assert link.is_symlink()
    assert (tmp_path / "file").read_bytes() == b"one"


def test_a_device_is_written_to(tmp_path: Path):
    """It is not replaced by a file."""
    write_whole("/dev/null", b"one")
    assert not Path("/dev/null").is_file()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        write_whole(tmp_path / "pipe", b"nobody reads it")
    with open(os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:
        write_whole(tmp_path / "pipe", b"one")
        assert pipe.read() == b"one"
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"one")
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "x", b"one")


@pytest.mark.parametrize("name", ["x.db", "x.db-wal", "x.db-shm", "x.db-journal", "link"])
def test_a_database_is_never_written_over(name: str, tmp_path: Path):
    """Nor is what SQLite keeps next to it: it stays, byte for byte."""
    with closing(sqlite3.connect(tmp_path / "x.db")) as conn:
        conn.execute("CREATE TABLE one (x)")
    (tmp_path / "link").symlink_to("x.db")
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(FileExistsError, match="belongs to a database"):
        write_whole(tmp_path / name, b"page")
    assert (tmp_path / "x.db").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"x.db", "link"}
    write_whole(tmp_path / "x.db.html", b"page")
