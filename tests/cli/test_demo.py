"""`hvdsweep demo`: two launches of one sweep, its curve, and commands to try next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.cli.curve import curve
from hvdsweep.cli.demo import next_lines
from hvdsweep.cli.launch import launch
from hvdsweep.errors import UserError

Asked = list[dict[str, Any]]


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What each launch was asked for; nothing is trained."""
    asked: Asked = []

    def trained(**options: Any) -> None:
        asked.append(options)
        sys.exit(0)

    monkeypatch.setattr(launch, "callback", trained)
    monkeypatch.setattr(curve, "callback", lambda **options: click.echo(f"the curve of {options['db']}"))
    return asked


def test_two_launches_then_the_curve_then_what_next(launches: Asked, tmp_path: Path) -> None:
    """Two gangs of one rank, then one of two ranks on all batch sizes; same file, trials and database; then the rest."""
    found = CliRunner().invoke(group, ["demo", "--db", str(tmp_path / "d.db")])
    assert found.exit_code == 0, found.output
    assert [(one["np"], one["gangs"]) for one in launches] == [(1, 2), (2, 1)]
    assert [one["batch_sizes"] for one in launches] == ["2^2..2^8", None]
    for same in ("workloads", "trials", "stop", "db"):
        assert launches[0][same] == launches[1][same]
    assert not launches[0]["dry_run"]
    shown = found.stdout
    assert shown.index(f"the curve of {tmp_path / 'd.db'}") < shown.index("Next:")


def test_a_part_that_does_not_end_well_ends_the_demo(
    launches: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the first part: its exit code, no second part, no curve."""

    def stopped(**options: Any) -> None:
        launches.append(options)
        sys.exit(130)

    monkeypatch.setattr(launch, "callback", stopped)
    found = CliRunner().invoke(group, ["demo", "--db", "d.db"])
    assert found.exit_code == 130
    assert len(launches) == 1
    assert "the curve" not in found.stdout


def test_what_it_names_can_be_run(tmp_path: Path) -> None:
    """Every command under `Next:` parses, on this database, a path with a blank included."""
    lines = [line for line in next_lines(tmp_path / "a b.db") if line.strip().startswith("hvdsweep")]
    assert len(lines) == 4
    for line in lines:
        _, name, *arguments = shlex.split(line)
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.make_context(name, arguments).params["db"] == tmp_path / "a b.db"


def test_the_options_of_the_demo_are_those_of_launch():
    """It gets as far as the database, which is refused with a message."""
    result = CliRunner().invoke(group, ["demo", "--db", "/dev/null"])
    assert isinstance(result.exception, UserError), result.exception
    assert "is a device, not a database" in str(result.exception)
