"""Odd paths, wherever a command takes one: it ends, in words, and leaves nothing where it was pointed at.

To add a case: a path in ODD, or a command line with `{}` in READING or WRITING.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.forked import run
from tests.tui.stores import small_store

ODD: dict[str, bytes] = {
    "a FIFO": b"fifo",
    "bytes that are not UTF-8": b"b\xff\xfe.db",
    "a name of 300 characters": b"n" * 300,
    "a name of 300 characters in a folder": b"folder/" + b"n" * 300,
    "a device": b"/dev/null",
    "a device without end": b"/dev/zero",
    "a folder": b"folder",
    "below a file": b"hvdsweep.db/x",
    "a socket": b"socket",
    "a loop of links": b"loop",
    "a link to a FIFO": b"link",
    "in a folder that does not exist": b"nowhere/x",
    "an escape sequence": b"a\x1b[31mb",
    "nothing": b"",
}

READING = [
    "status --db {}",
    "trials --db {}",
    "events --db {}",
    "logs --db {}",
    "curve --db {}",
    "curve {}",
    "best --db {}",
    "figure curve --db {}",
    "report --db {}",
    "report {}",
    "export out --db {}",
    "scale --show --db {}",
    "workloads {}",
    "launch --dry-run {}",
    "launch --dry-run digits.toml --hostfile {}",
    "scale {}",
    "merge main.db {}",
    "batch status {}",
]
"""Command lines whose path is read."""

WRITING = [
    "doctor --quick --db {}",
    "import published/zhang_2024 --db {}",
    "import {} --db other.db",
    "export {}",
    "merge {} x.db",
    "demo --db {}",
    "report --out {}",
    "figure curve --out {}",
]
"""Command lines that may make a file of that name; ordinary names are left out."""

MADE = ("an escape sequence", "in a folder that does not exist")
"""Names under which a file may be made."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paths")
    small_store(folder / "hvdsweep.db")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "link").symlink_to("fifo")
    # The path of a socket may have 107 characters.
    there = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    os.chdir(there)
    (Path(os.fsdecode(bytes(folder) + b"/" + ODD["bytes that are not UTF-8"]))).write_bytes(
        (folder / "hvdsweep.db").read_bytes()
    )
    return folder


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_path_gives_a_message(odd: str, folder: Path):
    """By every command: exit code 0, 1 or 2, no traceback, no waiting, no raw escape sequence; no file appears next
    to it."""
    (folder / "other.db").unlink(missing_ok=True)
    before = (sorted(os.listdir(bytes(folder))), sorted(os.listdir("/dev")))
    for command in READING + (WRITING if odd not in MADE else []):
        arguments = [ODD[odd] if word == "{}" else word for word in command.split()]
        ended = run(arguments, folder, before=lambda: signal.alarm(60))
        assert ended.code in (0, 1, 2), (command, ended)
        assert "Traceback" not in ended.err, (command, ended.err)
        assert "\x1b" not in ended.out + ended.err, command
        # An import that finds nothing may have made its database.
        (folder / "other.db").unlink(missing_ok=True)
        assert (sorted(os.listdir(bytes(folder))), sorted(os.listdir("/dev"))) == before, command


@pytest.mark.parametrize("option", ["--db", "--scratch"])
def test_a_dry_run_refuses_the_path_that_a_launch_refuses(option: str, folder: Path):
    """Exit code 2 and the same words, before anything is trained; an empty file may become a database."""
    for odd, path in ODD.items():
        if odd != "an escape sequence" and not (option == "--scratch" and odd == "a folder"):
            words = ["launch", "digits.toml", "--dry-run", option, path]
            ended = run(words, folder, before=lambda: signal.alarm(60))
            assert ended.code == 2, (odd, ended)
    (folder / "new").write_bytes(b"")
    assert run(["launch", "digits.toml", "--dry-run", "--db", "new"], folder).code == 0
    (folder / "new").unlink()


async def test_an_odd_path_gives_a_message_in_the_interface(folder: Path):
    """Each gives a heading and a sentence on the screen, for questions too; no file appears next to it."""
    from hvdsweep.errors import HvdsweepError
    from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
    from tui.source import SpareReaders, Trouble, Watch

    before = sorted(os.listdir(bytes(folder)))
    source = FakeSource()
    async with pilot_of(source) as pilot:
        for odd in ODD.values():
            path = Path(os.fsdecode(bytes(folder) + b"/" + odd if not odd.startswith(b"/") else odd))
            trouble = Watch(path).look()
            assert isinstance(trouble, Trouble), path
            with pytest.raises(HvdsweepError), SpareReaders(path).reader():
                pass
            source.put(trouble)
            await settle(pilot)
            shown = screen_text(pilot)
            assert trouble.heading in shown
            assert "\x1b" not in shown
            assert "\udcff" not in shown
    assert sorted(os.listdir(bytes(folder))) == before


def test_a_copied_store_stays_one_file(folder: Path, tmp_path: Path):
    """Whatever reads it leaves no WAL and no shared memory next to it."""
    (tmp_path / "copy.db").write_bytes((folder / "hvdsweep.db").read_bytes())
    for command in READING:
        if "--db" in command:
            ended = run(command.replace("{}", "copy.db").split(), tmp_path)
            assert "Traceback" not in ended.err, command
    assert not {"copy.db-wal", "copy.db-shm", "copy.db-journal"} & set(os.listdir(tmp_path))


def test_files_have_the_rights_that_the_umask_leaves(folder: Path, tmp_path: Path):
    """Under umask 077 no other user can read a database, a report or a figure."""
    for command in (
        "import published/zhang_2024 --db private.db",
        "report --db private.db --out private.html",
        "figure curve --db private.db --out private.svg",
    ):
        assert run(command.split(), tmp_path, before=lambda: os.umask(0o077)).code == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"private.db": 0o600, "private.html": 0o600, "private.svg": 0o600}
