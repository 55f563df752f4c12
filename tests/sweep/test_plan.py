"""A plan is deterministic and named by what it is: keys change with everything that matters, and with nothing
that does not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hvdsweep.identity import canonical_json, definition_diff, derived_seed
from hvdsweep.plan import Plan, StudyPlan, TrialPlan, make_plan
from hvdsweep.sweep.load import Overrides, check_text
from hvdsweep.sweep.user_code import fingerprint
from tests.sweep.texts import edited, loaded, planned


def study(plan: Plan, workload: str = "momentum", batch_size: int = 64) -> StudyPlan:
    """One study of a plan of `texts.GOOD`."""
    (found,) = [s for s in plan.studies if s.workload.endswith(f"/{workload}") and s.batch_size == batch_size]
    return found


def trial(plan: Plan, number: int = 3) -> TrialPlan:
    """One trial of that study."""
    return study(plan).trial(number)


def test_the_definition_is_the_contract():
    """Training gets these keys and no others; workloads, studies and the numbers of trials follow the
    file."""
    plan = planned()
    assert [workload.name for workload in plan.workloads] == ["digits/fc_128/sgd", "digits/fc_128/momentum"]
    assert [s.batch_size for s in plan.workloads[0].studies] == [8, 64, 512]
    workload = plan.workloads[1]
    assert (workload.metric, workload.goal, workload.maximize) == ("val/classification_error", 0.05, False)
    assert (workload.train_examples, workload.parameters) == (1297, 64 * 128 + 128 + 128 * 10 + 10)
    found = study(plan)
    assert (found.steps, found.target_trials, found.max_trials, found.seed) == (2000, 24, 96, 1)
    assert found.definition == {
        "workload": "digits/fc_128/momentum",
        "dataset": "digits",
        "dataset_options": {},
        "model": "fc_128",
        "model_options": {},
        "algorithm": "momentum",
        "source": None,
        "batch_size": 64,
        "steps": 2000,
        "schedule": "constant",
        "evaluation": {"every": 20, "splits": ["val"], "at_start": True},
        "goal": {"metric": "val/classification_error", "value": 0.05, "maximize": False},
        "stop": "budget",
        "infeasible": {"loss_above": None},
        "micro_batch": 256,
    }
    assert json.loads(canonical_json(found.definition)) == found.definition
    assert json.loads(canonical_json(plan.definition)) == plan.definition


def test_sgd_has_no_momentum():
    """The space of sgd leaves momentum out; the others have it."""
    plan = planned()
    assert set(study(plan, "sgd").search) == {"learning_rate"}
    assert set(study(plan, "sgd").trial(0).metaparameters) == {"learning_rate"}
    assert set(study(plan).trial(0).metaparameters) == {"learning_rate", "momentum"}


def test_keys_are_golden():
    """Keys, seeds and points are the same in every process and release: stores made earlier must still be
    recognised."""
    plan = planned()
    seventh = study(plan).trial(7)
    assert plan.key.startswith("a3d029a14937341a4b2a")
    assert study(plan).key.startswith("080fe8464c81951b0528")
    assert seventh.key.startswith("c6c8dd07ebd2f8504a7a")
    assert (seventh.seed, seventh.metaparameters) == (
        789237838,
        {"learning_rate": 0.016872519, "momentum": 0.99616191385},
    )


def test_keys_are_the_same_in_another_process():
    """Nothing depends on the order of sets, hash seeds or the working directory."""
    code = (
        "from tests.sweep.texts import planned; p = planned(); "
        "print(p.key, *[t.key for s in p.studies for t in s.trial_range(0, 3)])"
    )
    root = Path(__file__).parents[2]
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    plan = planned()
    expected = [plan.key, *[t.key for s in plan.studies for t in s.trial_range(0, 3)]]
    assert runs[0].split() == runs[1].split() == expected


SAME_TRIALS = [
    ("more trials", [("trials = 24", "trials = 48")]),
    ("fewer trials", [("trials = 24", "trials = 4")]),
    ("max_trials", [("trials = 24", "trials = 24\nmax_trials = 30")]),
    ("more batch sizes", [("[8, 64, 512]", "[4, 8, 16, 64, 512, 1024]")]),
    ("fewer batch sizes", [("[8, 64, 512]", "[64]")]),
    ("micro_batch", [("micro_batch = 256", "micro_batch = 17")]),
    ("name", [('dataset = "digits"', 'name = "other"\ndescription = "text"\ndataset = "digits"')]),
    ("goal, as long as trials do not end at it", [("value = 0.05", "value = 0.03")]),
    ("goal's metric", [("val/classification_error", "val/cross_entropy_error")]),
    ("spelt-out defaults", [("every = 20", 'every = 20\nat_start = true\nsplits = ["val"]')]),
    ("order of algorithms", [('["sgd", "momentum"]', '["momentum", "sgd"]')]),
    ("notation", [("min = 1e-3", "min = 0.001"), ("max = 10.0", "max = 10")]),
]

OTHER_TRIALS = [
    ("dataset", [('"digits"', '"mnist"')], "dataset"),
    ("model", [("fc_128", "fc_64")], "model"),
    ("model option", [('model = "fc_128"', 'model = "fc_128"\nmodel_options = { dropout = 0.1 }')], "model_options.dropout"),
    ("steps", [("steps = 2000", "steps = 3000")], "budget.steps: 2000 -> 3000"),
    ("evaluation", [("every = 20", "every = 10")], "evaluation.every: 20 -> 10"),
    ("splits", [("every = 20", 'every = 20\nsplits = ["val", "test"]')], "evaluation.splits"),
    ("at_start", [("every = 20", "every = 20\nat_start = false")], "evaluation.at_start: true -> false"),
    ("seed", [("seed = 1", "seed = 2")], "studies.seed: 1 -> 2"),
    ("learning rate", [("max = 10.0", "max = 5.0")], "search.learning_rate.max: 10.0 -> 5.0"),
    ("momentum fixed", [('{ scale = "reverse_log", min = 0.8, max = 0.999 }', "0.9")], 'search.momentum: {"max": 0.999'),
    ("dropout", [("momentum = {", "dropout = 0.2\nmomentum = {")], "search.dropout: (not set) -> 0.2"),
    ("schedule", [("micro_batch = 256", 'micro_batch = 256\nschedule = "linear"')], 'training.schedule: "constant" -> "linear"'),
    ("stop", [("micro_batch = 256", 'micro_batch = 256\nstop = "goal"')], 'training.stop: "budget" -> "goal"'),
    ("infeasible", [("[training]", "[infeasible]\nloss_above = 9.0\n[training]")], "infeasible.loss_above: (not set) -> 9.0"),
    (
        "override of this batch size",
        [("[training]", "[[search.override]]\nbatch_sizes = [64]\nlearning_rate = 0.1\n[training]")],
        'search.override.64: (not set) -> {"learning_rate": 0.1}',
    ),
    (
        "budget of this batch size",
        [("steps = 2000", "steps = 2000\n[[budget.override]]\nbatch_sizes = [64]\nsteps = 100")],
        'budget.override.64: (not set) -> {"steps": 100}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes"), [row[1] for row in SAME_TRIALS], ids=[row[0] for row in SAME_TRIALS])
def test_what_does_not_change_a_trial_changes_no_key(changes):
    """The sweep's key, the study's, and every trial's stay; there is nothing to report as different."""
    before, after = planned(), planned(*changes)
    assert after.key == before.key
    assert study(after).key == study(before).key
    count = min(study(before).target_trials, study(after).target_trials)
    assert study(after).trials[:count] == study(before).trials[:count]
    assert definition_diff(before.definition, after.definition) == []


@pytest.mark.parametrize(
    ("changes", "line"), [row[1:] for row in OTHER_TRIALS], ids=[row[0] for row in OTHER_TRIALS]
)
def test_what_changes_a_trial_changes_every_key_and_is_named(changes, line):
    """Sweep, study and trial get other keys, and one line says which key of the file did it."""
    before, after = planned(), planned(*changes)
    assert after.key != before.key
    assert study(after).key != study(before).key
    assert trial(after).key != trial(before).key
    lines = definition_diff(before.definition, after.definition)
    assert any(found.startswith(line) for found in lines)
    assert len({found.split(":")[0].split(".")[0] for found in lines}) == 1


def test_the_goal_counts_where_trials_end_at_it():
    """With stop = "goal" another goal means other trials; against "budget" only the change of stop is named."""
    stop = ("micro_batch = 256", 'stop = "goal"')
    one, other = planned(stop), planned(stop, ("value = 0.05", "value = 0.03"))
    assert trial(one).key != trial(other).key
    assert definition_diff(one.definition, other.definition) == ["goal.value: 0.05 -> 0.03"]
    assert definition_diff(planned().definition, one.definition) == ['training.stop: "budget" -> "goal"']


def test_trials_differ_from_one_another():
    """Every trial of every study has a key of its own; seeds are 31-bit and (nearly) all different."""
    trials = [t for s in planned().studies for t in s.trials]
    assert len({t.key for t in trials}) == len(trials) == 2 * 3 * 24
    assert all(0 <= t.seed < 2**31 for t in trials)
    assert len({t.seed for t in trials}) == len(trials)
    assert len({t.metaparameters["learning_rate"] for t in trials}) > 0.9 * len(trials)


def test_where_the_file_lies_is_not_part_of_a_trial(tmp_path):
    """`source` is in the definition for finding user code, and in no key."""
    here = make_plan(replace(loaded(), source=str(tmp_path)))
    assert study(here).definition["source"] == str(tmp_path)
    assert trial(here).key == trial(planned()).key
    assert here.key == planned().key


def test_user_code_is_part_of_a_trial_but_its_comments_are_not(tmp_path):
    """Editing the module changes the keys and is named; editing a comment, or moving the directory, does
    not."""
    text = edited(("fc_128", "own:build"))

    def plan(code: str, directory: str = "a") -> Plan:
        (tmp_path / directory).mkdir(exist_ok=True)
        (tmp_path / directory / "own.py").write_text(code)
        checked = check_text(text, "f.toml", source=str(tmp_path / directory))
        assert checked.loaded is not None, checked.problems
        return make_plan(checked.loaded)

    one = plan('def build(dataset):\n    return "# kept"\n')
    assert one.workloads[0].parameters is None
    same = plan('# a comment\n\ndef build(dataset):  # another\n    return "# kept"\n', "b")
    other = plan('def build(dataset):\n    return "# changed"\n')
    assert (same.key, trial(same).key) == (one.key, trial(one).key)
    assert trial(other).key != trial(one).key
    (line,) = definition_diff(one.definition, other.definition)
    assert line.startswith("code.own:build: ")


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("import helper", "helper.py"),
        ("from helper import width", "helper.py"),
        ("def build(d):\n    import helper", "helper.py"),
        ("from parts import width", "parts/__init__.py"),
        ("from parts import width", "parts/width.py"),
        ("import parts.width as w", "parts/width.py"),
        ("from parts.width import number", "parts/width.py"),
        ("import middle", "helper.py"),
        ("import parts.relative", "parts/width.py"),
    ],
)
def test_modules_that_user_code_imports_are_part_of_it(tmp_path, line, file):
    """A change in a module of the same folder, imported in any form and over any number of modules, changes the hash; one
    in a module that is not imported does not."""
    (tmp_path / "parts").mkdir()
    texts = {
        "own.py": f"{line}\n",
        "helper.py": "width = 3\n",
        "middle.py": "import helper\nimport own\n",
        "parts/__init__.py": "",
        "parts/width.py": "number = 1\n",
        "parts/relative.py": "from . import width\n",
        "other.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    before = fingerprint("own:build", str(tmp_path))
    (tmp_path / "other.py").write_text("changed = 1\n")
    assert fingerprint("own:build", str(tmp_path)) == before
    (tmp_path / file).write_text("width = number = 4\n")
    assert fingerprint("own:build", str(tmp_path)) != before


def test_budgets_in_examples_and_epochs():
    """Steps are the examples divided by the batch size, rounded down; overrides hold for their batch
    sizes."""
    assert [s.steps for s in planned(("steps = 2000", "examples = 100000")).workloads[0].studies] == [
        12500,
        1562,
        195,
    ]
    epochs = planned(("steps = 2000", "epochs = 20.5")).workloads[0]
    assert [s.steps for s in epochs.studies] == [int(20.5 * 1297 // size) for size in (8, 64, 512)]
    override = ("steps = 2000", "steps = 2000\n[[budget.override]]\nbatch_sizes = [8, 9]\nexamples = 80000")
    assert [s.steps for s in planned(override).workloads[0].studies] == [10000, 2000, 2000]
    assert [s.steps for s in planned(override, overrides=Overrides(steps=50)).workloads[0].studies] == [
        50,
        50,
        50,
    ]


@pytest.mark.parametrize(
    ("steps", "count", "every"), [(2000, 100, 20), (150, 100, 2), (7, 100, 1), (2000, 3, 667)]
)
def test_a_count_of_measurements_is_spread_over_the_budget(steps, count, every):
    """At most `count` measurements after the start, at even distances."""
    plan = planned(("steps = 2000", f"steps = {steps}"), ("every = 20", f"count = {count}"))
    assert study(plan).definition["evaluation"]["every"] == every
    assert -(-steps // every) <= count


def test_linear_schedule_searches_its_metaparameters_by_default():
    """Left out, the decay is searched from half the steps to all of them and from 1e-4 to 0.1; given, the
    file wins."""
    linear = ("micro_batch = 256", 'schedule = "linear"')
    search = study(planned(linear)).search
    assert search["learning_rate_decay_steps"] == {"scale": "integer", "min": 1000, "max": 2000}
    assert search["end_learning_rate_factor"] == {"scale": "log", "min": 1e-4, "max": 0.1}
    fixed = planned(linear, ("momentum = {", "learning_rate_decay_steps = 70\nmomentum = {"))
    assert study(fixed).trial(0).metaparameters["learning_rate_decay_steps"] == 70
    assert (
        study(planned(linear, ("steps = 2000", "steps = 1"), ("every = 20", ""))).search[
            "learning_rate_decay_steps"
        ]
        == 1
    )


def test_spaces_that_differ_per_batch_size():
    """An override replaces the metaparameters it gives at its batch sizes, and nothing else."""
    plan = planned(
        ("[training]", "[[search.override]]\nbatch_sizes = [512, 1024]\nlearning_rate = 0.5\n[training]")
    )
    assert study(plan, batch_size=512).search["learning_rate"] == 0.5
    assert study(plan, batch_size=512).search["momentum"] == study(plan).search["momentum"]
    assert trial(plan) == trial(planned())


def test_points_are_the_trials():
    """A list gives its trials in order; their number is the default and the most there can be."""
    text = edited(
        ("trials = 24\n", ""),
        ('learning_rate = { scale = "log", min = 1e-3, max = 10.0 }\n', ""),
        (
            'momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }',
            "momentum = 0.9\npoints = [{ learning_rate = 1 }, { learning_rate = 2, momentum = 0.5 }]",
        ),
    )
    plan = planned(text=text)
    found = study(plan)
    assert (found.target_trials, found.max_trials) == (2, 2)
    assert [t.metaparameters for t in found.trials] == [
        {"learning_rate": 1.0, "momentum": 0.9},
        {"learning_rate": 2.0, "momentum": 0.5},
    ]
    assert study(plan, "sgd").trial(1).metaparameters == {"learning_rate": 2.0}
    with pytest.raises(IndexError):
        found.trial(2)


def test_an_integer_and_a_float_of_the_same_value_are_the_same_trial():
    """learning_rate = 1 and learning_rate = 1.0 have one key."""
    range_ = '{ scale = "log", min = 1e-3, max = 10.0 }'
    assert trial(planned((range_, "1"))).key == trial(planned((range_, "1.0"))).key


def test_derived_seeds_look_random():
    """Seeds of successive numbers fill their range evenly, and depend on every part."""
    seeds = [derived_seed(31, 1, "w", 8, number) for number in range(4000)]
    counts = [sum(1 for seed in seeds if seed * 8 // 2**31 == octant) for octant in range(8)]
    assert max(counts) - min(counts) < 150
    assert len({derived_seed(64, 1, "w", 8), derived_seed(64, 2, "w", 8), derived_seed(64, 1, "v", 8)}) == 3


def test_planning_computes_no_points_until_asked(monkeypatch):
    """A plan of a million trials is made at once: points are computed per trial asked for."""
    from hvdsweep.search import Space

    asked: list[int] = []
    points = Space.points
    monkeypatch.setattr(
        Space,
        "points",
        lambda self, seed, start, count: asked.append(count) or points(self, seed, start, count),
    )
    plan = planned(("trials = 24", "trials = 1000000"))
    assert asked == []
    study(plan).trial(999_999)
    assert asked == [1]


def test_repeats_of_the_best_trial_are_trials_with_other_seeds():
    """`studies.repeats` leaves the sweep and its trials as they are; a repeat has the metaparameters given, and a seed and a
    key that differ by trial and index. It cannot be beaten: its key is that of a sweep whose trials end at the goal."""
    plain, again = planned(), planned(("trials = 24", "trials = 24\nrepeats = 5"))
    assert again.key == plain.key
    assert study(again).repeats == 5
    assert study(again).trials == study(plain).trials
    values = study(plain).trial(3).metaparameters
    made = [study(again).repeat(number, index, values) for number in (3, 4) for index in range(5)]
    assert len({one.seed for one in made} | {one.seed for one in study(again).trials}) == 10 + 24
    assert len({one.key for one in made}) == len({one.number for one in made}) == 10
    assert {tuple(one.metaparameters.items()) for one in made} == {tuple(values.items())}
    goal, beaten, budget = (
        study(planned(overrides=Overrides(stop=stop))).repeat(3, 0, values)
        for stop in ("goal", "beaten", "budget")
    )
    assert goal == beaten
    assert goal.key != budget.key
    assert budget == made[0]
