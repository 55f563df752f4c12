"""What the command line answers to a mistyped command or option."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from hvdsweep.cli import COMMANDS, group
from hvdsweep.cli.options import GoalValue
from tests.tui.stores import small_store


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["lunch"], "launch"),
        (["curv"], "curve"),
        (["Curve"], "curve"),
        (["trial"], "trials"),
        (["run", "digits.toml"], "launch"),
        (["plot"], "figure"),
        (["delete", "2"], "tui"),
        (["dataset"], "datasets"),
        (["docter"], "doctor"),
        (["launch", "--bach"], "--batch-sizes"),
        (["scale", "--batchsize"], "--batch-sizes"),
        (["launch", "--gang"], "--gangs"),
        (["trials", "--srot", "best"], "--sort"),
        (["launch", "--batchszie"], "--batch-sizes"),
        (["curve", "--num-trails", "3"], "--num-trials"),
        (["batch", "submit", "--max-runing", "3"], "--max-running"),
    ],
)
def test_a_mistyped_word_gets_the_one_that_was_meant(arguments, meant):
    """Exit code 2, and the command or option that is closest."""
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output or f"Did you mean {meant}?" in result.output


def test_an_option_that_is_like_no_other_gets_no_suggestion():
    """The dashes alone do not make `--since` and `--json` alike."""
    result = CliRunner().invoke(group, ["events", "--since", "3"])
    assert result.exit_code == 2
    assert "No such option '--since'." in result.output
    assert "Did you mean" not in result.output


@pytest.mark.parametrize("words", [[], ["curve"], ["batch", "submit"]])
def test_help_is_a_command_too(words):
    """`hvdsweep help curve` prints what `hvdsweep curve --help` does."""
    found, wanted = (CliRunner().invoke(group, line) for line in (["help", *words], [*words, "--help"]))
    assert (found.exit_code, found.output) == (0, wanted.output)
    assert "Usage:" in found.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_found_from_one_wrong_letter(name):
    """One letter left out of any command still leads to it."""
    result = CliRunner().invoke(group, [name[:-1]])
    assert f"Did you mean {name}?" in result.output


def test_a_word_like_no_command_gets_the_list():
    """A word close to no command gets the list of all commands."""
    result = CliRunner().invoke(group, ["xyzzy"])
    assert result.exit_code == 2
    assert all(name in result.output for name in COMMANDS)


@pytest.mark.parametrize(("goal", "value"), [("10%", 0.1), (" 5 % ", 0.05), ("0.1", 0.1)])
def test_a_goal_may_be_a_percentage(goal, value):
    """`5%` is understood by every command that takes a goal."""
    assert GoalValue().convert(goal, None, None) == pytest.approx(value)
    with pytest.raises(click.BadParameter):
        GoalValue().convert("ten%", None, None)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_an_example(name):
    """Of every command, with options that it has."""
    said = CliRunner().invoke(group, [name, "--help"]).output
    first = said.splitlines()[0]
    example = COMMANDS[name][1]
    assert first == f"Example: hvdsweep {name} {example}".rstrip()
    options = [word for word in example.split() if word.startswith("--")]
    assert all(option in said.split("Options:")[1] for option in options)


def test_the_first_screen_begins_with_what_the_tool_is_for():
    """`hvdsweep` alone prints the question it answers first, then its usage."""
    said = CliRunner().invoke(group, []).output
    assert said.splitlines()[0].strip() == "How far does data parallelism pay for your workload?"
    assert said.index("Usage: ") > said.index("scaling curve")


@pytest.mark.parametrize(
    ("metric", "goal", "words"),
    [
        ("val/classification_error", "5", "is reached at once: classification_error is never above 1"),
        ("val/classification_error", "0", "cannot be reached: classification_error is never below 0"),
        ("val/classification_error", "0.1", ""),
        ("val/cross_entropy_error", "5", ""),
    ],
)
def test_a_goal_that_makes_no_sense_is_named(metric, goal, words, tmp_path_factory):
    """`curve` and `best` warn of it once for all workloads, in the words of the sweep file's check, and still
    answer."""
    store = tmp_path_factory.getbasetemp() / "goals.db"
    if not store.exists():
        small_store(store)
    for command in ("curve", "best"):
        arguments = [command, "--db", str(store), "--metric", metric, "--goal", goal]
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code == 0
        assert result.stderr.count("--goal: ") == (1 if words else 0)
        assert words in result.output
