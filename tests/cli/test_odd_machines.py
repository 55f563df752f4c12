"""Commands on odd machines: time zones with and without a clock change, hardly an environment, a disk that flips bits."""

from __future__ import annotations

import contextlib
import io
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hvdsweep.cli import main
from tests.store.test_content import COMMANDS
from tests.tui.stores import small_store

ZONES = {
    "America/New_York": "America/New_York",
    "Asia/Kolkata": "Asia/Kolkata",
    "Pacific/Kiritimati": "Pacific/Kiritimati",
    "No/Such_Place": "UTC",
    "": "UTC",
}
"""TZ -> the zone whose clock is shown."""

MOMENTS = [
    datetime(2023, 11, 5, 5, 30, tzinfo=UTC).timestamp(),
    datetime(2023, 11, 5, 6, 30, tzinfo=UTC).timestamp(),
    datetime(2024, 3, 10, 7, 0, tzinfo=UTC).timestamp(),
]
"""Half past one in New York twice in a night, and the end of the hour that is left out in spring."""


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A small store in one file, with an event at each of MOMENTS and no others."""
    path = small_store(tmp_path_factory.mktemp("machines") / "hvdsweep.db")
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("DELETE FROM events")
        conn.executemany(
            "INSERT INTO events (time, kind, message, sweep_id) VALUES (?, 'note', 'moment', 1)",
            [(moment,) for moment in MOMENTS],
        )
        conn.commit()
        conn.execute("PRAGMA journal_mode = delete")
    return path


def ended(*arguments: str) -> tuple[object, str, str]:
    """`hvdsweep ARGUMENTS` in this process: exit code, stdout, stderr. What would be a traceback is raised."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["hvdsweep", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
    return end.value.code, out.getvalue(), err.getvalue()


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """This process is in the time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_times_are_those_of_the_zone(zone: str, original: Path):
    """`events` and `status` say what the clock on the wall said; JSON keeps the moments apart, and a report says UTC."""

    def clock(name: str) -> list[str]:
        return [
            f"{datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(name)):%Y-%m-%d %H:%M:%S}"
            for moment in MOMENTS
        ]

    def said(*command: str) -> str:
        code, out, err = ended(*command, "--db", str(original))
        assert (code, err) == (0, "")
        return out

    for command in ("events", "status"):
        assert re.findall(r"^ *(\S+ \S+) .* moment$", said(command), re.MULTILINE) == clock(ZONES[zone])
    assert [float(time) for time in re.findall(r'"time": ([0-9.]+)', said("events", "--json"))] == MOMENTS
    page = said("report", "1", "--out", "-")
    assert all(f"{moment} UTC" in page for moment in clock("UTC"))


def test_status_with_hardly_an_environment(original: Path):
    """Without HOME, TERM and PATH, and with LANG=C: exit code 0, nothing on stderr, and no escape sequence on stdout."""
    program = [sys.executable, "-c", "from hvdsweep.cli import main; main()"]
    ended = subprocess.run(
        ["/usr/bin/env", "-i", "LANG=C", *program, "status"], cwd=original.parent, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"digits" in ended.stdout
    assert b"\x1b" not in ended.stdout


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_give_an_answer_or_a_message(seed: int, original: Path, tmp_path: Path, monkeypatch):
    """With one to eight bytes of a store changed, every command that reads answers or prints a message, with exit code 0 to 2."""
    monkeypatch.chdir(tmp_path)
    chance = random.Random(seed)
    content = bytearray(original.read_bytes())
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    for name, arguments in COMMANDS.items():
        shutil.rmtree("exported", ignore_errors=True)
        Path("store.db").write_bytes(content)
        assert ended(*arguments, "--db", "store.db")[0] in (0, 1, 2), name
