"""docs/launching.md names every option and every event that there is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import pytest

from hvdsweep.cli.doctor import doctor
from hvdsweep.cli.launch import launch
from hvdsweep.launch import events, horovodrun
from hvdsweep.launch.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "launching.md").read_text()


@pytest.mark.parametrize("command", [launch, doctor])
def test_every_option_is_documented(command: click.Command) -> None:
    """Each option's names stand in the text."""
    options = [
        name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts
    ]
    assert [name for name in options if f"`{name}" not in TEXT] == []


def test_every_event_is_documented_with_its_fields() -> None:
    """Each event has a row that names all its fields."""
    rows = {
        line.split("`")[1]: line
        for line in TEXT.splitlines()
        if line.startswith("| `") and "--" not in line.split("|")[1]
    }
    kinds = [
        kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)
    ]
    for kind in kinds:
        if kind is not events.Event:
            missing = [
                name
                for name in [field.name for field in dataclasses.fields(kind)]
                if name != "time" and f"`{name}`" not in rows[kind.event]
            ]
            assert missing == [], kind.event


def test_defaults_are_documented_as_they_are() -> None:
    """The numbers in the table of options are the program's."""
    for option, value in (
        ("--np N", Settings.np),
        ("--gangs G", Settings.gangs),
        ("--hang-timeout SECONDS", Settings.hang_timeout),
        ("--start-timeout SECONDS", Settings.start_timeout),
        ("--max-attempts N", Settings.max_attempts),
        ("--max-set-aside N", Settings.max_set_aside),
    ):
        assert f"| `{option}` | {value:g} |" in TEXT
        given = {name: parameter.default for parameter in launch.params for name in parameter.opts}
        assert given[option.split()[0]] == value


def test_tuning_is_documented() -> None:
    """Every setting of Horovod that survives is named."""
    assert [name for name in sorted(horovodrun.TUNING) if f"`{name}`" not in TEXT] == []
