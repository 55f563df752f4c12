"""A stored definition becomes the sweep again: the same plan, to the last key, through the text of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hvdsweep.errors import UserError
from hvdsweep.plan import make_plan
from hvdsweep.sweep.load import LoadedSweep, Overrides, check_text, load_sweep
from hvdsweep.sweep.restore import definition_toml, sweep_of
from hvdsweep.sweep.write import sweep_toml
from workloads import catalogue

EXAMPLES = sorted(str(path) for path in (Path(__file__).parents[2] / "examples").glob("*.toml"))


def restored(loaded: LoadedSweep):
    """The plan of the file that is written from what the store keeps of a sweep."""
    stored = json.loads(json.dumps(make_plan(loaded).definition))
    checked = check_text(definition_toml(stored), "restored.toml", source=loaded.source)
    assert checked.loaded is not None, checked.problems
    return make_plan(LoadedSweep(checked.loaded.sweep, checked.loaded.name, loaded.file, loaded.source))


@pytest.mark.parametrize("name", [*EXAMPLES, *sorted(catalogue.presets())], ids=lambda name: Path(name).name)
def test_every_example_and_preset_comes_back(name):
    """Key, definition and the first trial of every study are the same."""
    loaded = load_sweep(name)
    before, after = make_plan(loaded), restored(loaded)
    assert after.key == before.key
    assert after.definition == before.definition
    for old, new in zip(before.studies, after.studies, strict=True):
        assert (new.batch_size, new.steps, new.target_trials, new.max_trials) == (
            old.batch_size,
            old.steps,
            old.target_trials,
            old.max_trials,
        )
        assert new.trial(0) == old.trial(0)


def test_options_of_the_launch_are_in_it():
    """A sweep launched with options is restored with them, not with the file's values."""
    loaded = load_sweep(EXAMPLES[0], Overrides(trials=3, batch_sizes="8,32", steps=50, stop="goal", seed=9))
    after = restored(loaded)
    assert after.key == make_plan(loaded).key
    assert [study.batch_size for study in after.studies][:2] == [8, 32]
    assert {study.steps for study in after.studies} == {50}


def test_alike_overrides_are_written_together():
    """Two batch sizes with the same changes are one table of the file."""
    loaded = next(load_sweep(path) for path in EXAMPLES if path.endswith("digits.toml"))
    text = sweep_toml(sweep_of(make_plan(loaded).definition))
    assert text.count("[[search.override]]") == 1
    assert text.count("[[budget.override]]") == 1
    assert "batch_sizes = [4, 8]" in text


def test_points_can_grow():
    """A list of points that was stored keeps no number of trials at most: points added to the file are all trained."""
    text = """
dataset = "digits"
model = "fc_16"
algorithms = ["sgd"]
[goal]
metric = "val/classification_error"
value = 0.5
[budget]
steps = 5
[studies]
batch_sizes = [8]
trials = 2
[search]
points = [{ learning_rate = 0.1 }, { learning_rate = 0.2 }, { learning_rate = 0.3 }]
"""
    for given in (text, text.replace("trials = 2\n", "")):
        loaded = check_text(given, "x.toml").loaded
        assert loaded is not None
        again = definition_toml(json.loads(json.dumps(make_plan(loaded).definition)))
        more = again.replace("{ learning_rate = 0.3 }", "{ learning_rate = 0.3 }, { learning_rate = 0.4 }")
        for one, other in ((given, again), (given.replace("0.3 }", "0.3 }, { learning_rate = 0.4 }"), more)):
            (before,) = make_plan(check_text(one, "x.toml").loaded).studies  # type: ignore[arg-type]
            (after,) = make_plan(check_text(other, "x.toml").loaded).studies  # type: ignore[arg-type]
            assert (after.target_trials, after.max_trials) == (before.target_trials, before.max_trials)


@pytest.mark.parametrize("definition", [{}, {"dataset": "digits"}, {"dataset": "digits", "goal": 3}])
def test_what_was_never_planned_is_refused(definition):
    """An imported sweep, or a damaged definition: one sentence that names it."""
    with pytest.raises(UserError, match="sweep 7: "):
        definition_toml(definition, "sweep 7")
