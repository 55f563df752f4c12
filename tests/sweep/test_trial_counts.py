"""Numbers of trials: one, one per batch size, or as many as the answer needs; none of them makes it another sweep."""

from __future__ import annotations

import pytest

from hvdsweep.sweep.load import Overrides, check_text
from hvdsweep.sweep.restore import sweep_of
from hvdsweep.sweep.trial_counts import parse_share, parse_trials, with_numbers, with_until
from hvdsweep.sweep.write import sweep_toml
from tests.sweep.texts import GOOD, loaded, planned

ROUNDS = ("trials = 24", "trials = { least = 8, most = 40, until = 0.05 }")
NUMBERS = ("trials = 24", "trials = { 64 = 9, default = 3 }")


def bounds(
    *changes: tuple[str, str], overrides: Overrides | None = None
) -> list[tuple[int, int | None, int, float | None]]:
    """(target, most, max_trials, until) of the first workload's studies."""
    studies = planned(*changes, overrides=overrides).workloads[0].studies
    return [(study.target_trials, study.most_trials, study.max_trials, study.until) for study in studies]


def test_rounds_and_numbers_reach_the_plan() -> None:
    """Least, most and share of the rounds; the number of each batch size; four times as many attempts."""
    assert bounds(ROUNDS) == [(8, 40, 160, 0.05)] * 3
    assert bounds(NUMBERS) == [(3, None, 12, None), (9, None, 36, None), (3, None, 12, None)]


@pytest.mark.parametrize("change", [ROUNDS, NUMBERS])
def test_no_number_of_trials_makes_another_sweep(change: tuple[str, str]) -> None:
    """Key and first trials are those of the plain number."""
    plain, plan = planned(), planned(change)
    assert plan.key == plain.key
    assert [study.trial(0) for study in plan.studies] == [study.trial(0) for study in plain.studies]


def test_widening_makes_another_sweep_with_the_same_trials() -> None:
    """Trials after a widening are others, so the sweep is; its first trials have the keys they had."""
    plain, plan = planned(), planned(("[search]\n", "[search]\nwiden = true\n"))
    assert plan.key != plain.key
    assert [study.trial(0) for study in plan.studies] == [study.trial(0) for study in plain.studies]


@pytest.mark.parametrize("change", [ROUNDS, NUMBERS, ("[search]\n", "[search]\nwiden = true\n")])
def test_it_is_written_and_restored(change: tuple[str, str]) -> None:
    """The stored definition as a file again: the same definition."""
    plan = planned(change)
    assert planned(text=sweep_toml(sweep_of(plan.definition))).definition == plan.definition
    assert sweep_of(plan.definition).studies.trials == loaded(change).sweep.studies.trials


@pytest.mark.parametrize(
    ("trials", "least", "expected"),
    [
        (24, None, {"until": 0.1}),
        (6, None, {"least": 6, "most": 64, "until": 0.1}),
        ({"least": 5, "most": 9, "until": 0.5}, None, {"least": 5, "most": 9, "until": 0.1}),
        ({"64": 9, "default": 3}, None, {"until": 0.1}),
        (24, 100, {"least": 100, "most": 100, "until": 0.1}),
    ],
)
def test_until_on_the_command_line(trials: object, least: int | None, expected: dict[str, float]) -> None:
    """`--until` keeps the bounds of the file's rounds, else 8 to 64; `--trials` is the least."""
    assert with_until(trials, 0.1, least) == expected


def test_errors_of_until_name_the_option() -> None:
    """Too few trials for an interval are the option's mistake, not the file's."""
    checked = check_text(GOOD, "good.toml", overrides=Overrides(trials=3, until=0.1))
    assert checked.problems == ("--until: 3 is below 4, the least allowed",)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.1", 0.1), (" 5 % ", 0.05), ("100%", 1.0)])
def test_shares(text: str, share: float) -> None:
    """Percentages and shares."""
    assert parse_share(text) == share


@pytest.mark.parametrize(
    "text", ["", "ten", "10", "0", "-5%", "nan", "101%", "10%%", "5e-324", "1e-9", "0.01%"]
)
def test_what_is_no_share(text: str) -> None:
    """Everything else is refused, with what would be right."""
    with pytest.raises(ValueError, match=r"10%"):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "trials"),
    [
        ("24", 24),
        ("64=9", {"64": 9}),
        (" 64 = 9, default = 3 ", {"64": 9, "default": 3}),
        ("{ 64 = 9 }", {"64": 9}),
        ("64:9", {"64": 9}),
    ],
)
def test_trials_as_an_option(text, trials):
    """One number, or numbers by batch size as in the file."""
    assert parse_trials(text) == trials


@pytest.mark.parametrize(
    "text", ["", "x", "64=", "=9,8=3", "9,8", "64=9;32=1", "0", "64=0", "07=3", "1" * 5000, "²"]
)
def test_what_is_no_number_of_trials(text):
    """ValueError, never anything else."""
    with pytest.raises(ValueError, match="is "):
        parse_trials(text)


@pytest.mark.parametrize(
    ("file", "after"),
    [
        (24, {"default": 24, "64": 9}),
        ({"default": 3, "64": 2}, {"default": 3, "64": 9}),
        (None, {"64": 9}),
    ],
)
def test_one_batch_size_gets_more(file, after):
    """The other batch sizes keep their trials."""
    assert with_numbers(file, {"64": 9}) == after


def test_rounds_and_single_numbers_do_not_go_together():
    """A sweep that trains in rounds decides its own numbers."""
    with pytest.raises(ValueError, match="where its answer is least certain"):
        with_numbers({"until": 0.1}, {"64": 9})
