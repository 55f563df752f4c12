"""What the command line answers to a mistyped command or option."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from hvdsweep.cli import COMMANDS, group
from hvdsweep.cli.options import GoalValue


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["lunch"], "launch"),
        (["curv"], "curve"),
        (["Curve"], "curve"),
        (["trial"], "trials"),
        (["dataset"], "datasets"),
        (["docter"], "doctor"),
        (["launch", "--bach"], "--batch-sizes"),
        (["scale", "--batchsize"], "--batch-sizes"),
        (["launch", "--gang"], "--gangs"),
    ],
)
def test_a_mistyped_word_gets_the_one_that_was_meant(arguments, meant):
    """Exit code 2, and the command or option that is closest."""
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 2
    assert meant in result.output.split("Error:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_found_from_one_wrong_letter(name):
    """One letter left out of any command still leads to it."""
    result = CliRunner().invoke(group, [name[:-1]])
    assert f"Did you mean {name}?" in result.output


def test_a_word_like_no_command_gets_the_list():
    """Nothing close: all commands."""
    result = CliRunner().invoke(group, ["xyzzy"])
    assert result.exit_code == 2
    assert all(name in result.output for name in COMMANDS)


@pytest.mark.parametrize(("goal", "value"), [("10%", 0.1), (" 5 % ", 0.05), ("0.1", 0.1)])
def test_a_goal_may_be_a_percentage(goal, value):
    """What people write for a share is understood by every command that takes a goal."""
    assert GoalValue().convert(goal, None, None) == pytest.approx(value)
    with pytest.raises(click.BadParameter):
        GoalValue().convert("ten%", None, None)
