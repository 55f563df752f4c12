"""What is done about warnings: ranges that grow outward to round numbers, budgets and trials that double, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import curve
from hvdsweep.curves.remedies import LEAST_FACTOR, remedy, widened
from hvdsweep.curves.warnings import WarningKind
from hvdsweep.plan import make_plan
from hvdsweep.search import Range
from hvdsweep.sweep.load import check_text
from hvdsweep.sweep.restore import sweep_of
from hvdsweep.sweep.write import sweep_toml

from . import oracle
from .oracle import Study, Trial

SWEEP = """
dataset = "digits"
model = "fc_32"
algorithms = ["momentum"]
[goal]
metric = "val/classification_error"
value = 0.5
[budget]
examples = 3200
[evaluation]
every = 10
[studies]
batch_sizes = [16, 32]
trials = 4
seed = 1
[search]
learning_rate = { scale = "log", min = 0.01, max = 1.0 }
momentum = { scale = "reverse_log", min = 0.8, max = 0.99 }
"""
BEST = {"learning_rate": 0.5, "momentum": 0.9}


def definition() -> dict:
    return make_plan(check_text(SWEEP, "x.toml").loaded).definition


def spaces() -> dict:
    plan = make_plan(check_text(SWEEP, "x.toml").loaded)
    return {study.batch_size: study.space for study in plan.studies}


def made(parameters, *, first=40, others=(45, 50, 55), budget=200, **question):
    """A curve of two studies; the trial with `parameters` is the best of batch size 16."""
    mine = [Trial(0, [(first, 0.1)], steps=budget, parameters=parameters)]
    mine += [Trial(1 + n, [(step, 0.1)], steps=budget, parameters=BEST) for n, step in enumerate(others)]
    good = [Trial(n, [(30 + n, 0.1)], steps=100, parameters=BEST) for n in range(4)]
    table = oracle.table(
        [
            Study(16, mine, train_steps=budget, target_trials=4),
            Study(32, good, train_steps=100, target_trials=4),
        ]
    )
    return curve(table, searches=spaces(), **question)


def planned(found):
    """The plan of a remedy, through the text of its file."""
    text = sweep_toml(sweep_of(found.definition))
    checked = check_text(text, "x.toml")
    assert checked.loaded is not None, checked.problems
    return make_plan(checked.loaded)


def test_nothing_to_do():
    """A curve without warnings, and one whose warnings were not asked about."""
    assert remedy(definition(), made(BEST), spaces()) is None
    doubtful = made({**BEST, "learning_rate": 0.011})
    assert remedy(definition(), doubtful, spaces(), only=[(32, WarningKind.BOUNDARY)]) is None
    assert remedy(definition(), doubtful, spaces(), only=[(16, WarningKind.BUDGET)]) is None


def test_a_best_trial_at_the_edge_widens_that_end_at_that_batch_size():
    """The other end, the other metaparameter and the other batch size stay; so do their trials."""
    found = remedy(definition(), made({**BEST, "learning_rate": 0.011}), spaces())
    assert found.changes == ("batch size 16: learning_rate from 0.01 .. 1 to 0.002 .. 1",)
    before, after = make_plan(check_text(SWEEP, "x.toml").loaded), planned(found)
    small, large = after.studies
    old_small, old_large = before.studies
    assert small.space.dimensions["learning_rate"] == Range("log", 0.002, 1.0)
    assert small.space.dimensions["momentum"] == Range("reverse_log", 0.8, 0.99)
    assert [trial.key for trial in large.trials] == [trial.key for trial in old_large.trials]
    assert not {trial.key for trial in small.trials} & {trial.key for trial in old_small.trials}


def test_two_edges_at_once():
    """Both metaparameters of one best trial, one sentence each."""
    found = remedy(definition(), made({"learning_rate": 0.99, "momentum": 0.9899}), spaces())
    assert found.changes == (
        "batch size 16: learning_rate from 0.01 .. 1 to 0.01 .. 5",
        "batch size 16: momentum from 0.8 .. 0.99 to 0.8 .. 0.997",
    )


def test_a_range_that_was_widened_is_widened_again():
    """The second time it starts from where the first ended; the file has one override for that batch size."""
    first = remedy(definition(), made({**BEST, "learning_rate": 0.011}), spaces())
    studies = {study.batch_size: study.space for study in planned(first).studies}
    table = made({**BEST, "learning_rate": 0.0021}).result.table
    second = remedy(first.definition, curve(table, searches=studies), studies)
    assert second.changes[0].startswith("batch size 16: learning_rate from 0.002 .. 1 to 0.000")
    assert sweep_toml(sweep_of(second.definition)).count("[[search.override]]") == 1


def test_a_short_budget_is_doubled_in_its_own_unit():
    """Examples stay examples; only that batch size; under a budget that was only asked for nothing is."""
    late = made(BEST, first=196, others=(197, 198, 199))
    found = remedy(definition(), late, spaces())
    assert found.changes == ("batch size 16: budget from 3,200 to 6,400 examples",)
    assert [study.steps for study in planned(found).studies] == [400, 100]
    asked = made(BEST, first=196, others=(197, 198, 199), step_budget=198)
    assert remedy(definition(), asked, spaces()) is None


def test_too_few_successes_double_the_trials_of_every_study():
    """The same sweep continues: its key and its trials stay."""
    few = made(BEST, others=())
    doubts = {warning.kind for warning in few.points[0].warnings}
    assert WarningKind.FEW_REACHED in doubts
    found = remedy(definition(), few, spaces(), only=[(16, WarningKind.FEW_REACHED)])
    assert found.changes == ("every batch size: 4 -> 8 trials",)
    before, after = make_plan(check_text(SWEEP, "x.toml").loaded), planned(found)
    assert after.key == before.key
    for old, new in zip(before.studies, after.studies, strict=True):
        assert (new.target_trials, new.max_trials) == (8, 32)
        assert new.trials[:4] == old.trials


def test_the_given_definition_is_left_as_it_is():
    """A remedy is a changed copy; the given definition stays."""
    given_ = definition()
    remedy(given_, made({**BEST, "learning_rate": 0.011}), spaces())
    assert given_ == definition()


def test_listed_points_have_no_range_and_no_more_trials():
    """A list has no range to widen and no further points: no remedy."""
    text = SWEEP.replace("trials = 4\n", "")
    head, _, _ = text.partition("[search]")
    text = head + "[search]\nmomentum = 0.9\npoints = [{ learning_rate = 0.1 }]\n"
    plan = make_plan(check_text(text, "x.toml").loaded)
    listed = {study.batch_size: study.space for study in plan.studies}
    assert remedy(plan.definition, made(BEST, others=()), listed) is None


@pytest.mark.parametrize(
    ("name", "before", "lower", "after"),
    [
        ("learning_rate", Range("log", 0.01, 3), True, Range("log", 0.001, 3)),
        ("learning_rate", Range("log", 0.01, 3), False, Range("log", 0.01, 20)),
        ("momentum", Range("reverse_log", 0.7, 0.99), False, Range("reverse_log", 0.7, 0.997)),
        ("momentum", Range("reverse_log", 0.7, 0.99), True, Range("reverse_log", 0.0, 0.99)),
        ("momentum", Range("reverse_log", 0.0, 0.99), True, None),
        ("label_smoothing", Range("linear", 0.0, 0.2), False, Range("linear", 0.0, 0.26)),
        ("label_smoothing", Range("linear", 0.0, 0.2), True, None),
        ("dropout", Range("linear", 0.2, 0.9), False, None),
        ("end_learning_rate_factor", Range("log", 0.01, 0.5), False, Range("log", 0.01, 1.0)),
        ("end_learning_rate_factor", Range("log", 0.01, 1.0), False, None),
        ("learning_rate_decay_steps", Range("integer", 100, 200), False, None),
        ("weight_decay", Range("log", 1e-6, 1e-3), True, Range("log", 1e-7, 1e-3)),
    ],
)
def test_widened(name, before, lower, after):
    """To round numbers, inside the metaparameter's domain; None where it ends there."""
    assert widened(name, before, lower=lower) == after


@given(st.floats(1e-6, 1.0), st.floats(1.5, 1e4), st.booleans())
def test_a_log_range_grows_outward_only(low, factor, lower):
    """The end in question moves at least threefold, the other not at all."""
    before = Range("log", low, low * factor)
    after = widened("weight_decay", before, lower=lower)
    if lower:
        assert after.max == pytest.approx(before.max)
        assert before.min / after.min >= LEAST_FACTOR * 0.999
    else:
        assert after.min == pytest.approx(before.min)
        assert after.max / before.max >= LEAST_FACTOR * 0.999
