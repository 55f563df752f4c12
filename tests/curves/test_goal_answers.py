"""SQLite answers every question like the workload's table."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvdsweep.curves import LIVE, best_measurements, curve_json, steps_to_result
from hvdsweep.curves.scaling_curve import curve_of
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.states import Status
from hvdsweep.store.goal_answers import answer_at_goal

from . import database, oracle
from .oracle import Study, Trial

NAME = "data/model/sgd"
STATUSES = st.sampled_from([(Status.COMPLETE,), LIVE, (Status.COMPLETE, Status.INFEASIBLE)])


@settings(max_examples=40)
@given(
    oracle.workloads(),
    oracle.workloads(),
    st.booleans(),
    st.lists(
        st.tuples(oracle.goals, oracle.budgets, oracle.budgets, st.none() | st.integers(1, 3), STATUSES),
        min_size=1,
        max_size=4,
    ),
)
def test_every_answer_is_that_of_the_table(studies, others, maximize, questions):
    """Points, fits, intervals, warnings, metaparameters: the same JSON from SQLite, from the table, and from memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = database.write(Path(folder) / "x.db", {"a/b/c": others, NAME: studies}, maximize=maximize)
        with open_store(path) as reader:
            (workload,) = [row for row in reader.workloads() if row.name == NAME]
            for goal, step_budget, example_budget, num_trials, statuses in questions:
                question = {
                    "step_budget": step_budget,
                    "example_budget": example_budget,
                    "num_trials": num_trials,
                    "statuses": statuses,
                }
                table = reader.workload_table(NAME)
                expected, problems = asked_of(table, goal, question)
                if problems:
                    with pytest.raises(UserError) as same:
                        answer_at_goal(reader, workload, goal, **question)
                    assert same.value.problems == problems
                    continue
                memory = oracle.table(studies, maximize=maximize)
                in_memory, _ = asked_of(memory, goal, question)
                assert without_ids(in_memory) == without_ids(expected)
                answered = answer_at_goal(reader, workload, goal, **question)
                if answered is None:
                    assert any(unmeasured(trial) for study in studies for trial in study.trials)
                else:
                    assert curve_json(curve_of(*answered)) == expected


def asked_of(table, goal, question):
    """(JSON of the curve, no problems), or (None, the problems) where the question has no answer."""
    try:
        result = steps_to_result(table, goal, **question)
    except UserError as error:
        return None, error.problems
    return curve_json(curve_of(result, best_measurements(table, **question))), ()


def unmeasured(trial):
    return trial.steps > 0 and not any(
        value == value and abs(value) < 1e300 for _, value in trial.measurements
    )


def without_ids(plain):
    points = [{key: value for key, value in point.items() if key != "trial_id"} for point in plain["points"]]
    return {**plain, "points": points}


@pytest.fixture
def reader(tmp_path):
    studies = [Study(4, [Trial(3, [(5, 0.9), (10, 0.4)], parameters={"learning_rate": 0.1})])]
    with open_store(database.write(tmp_path / "x.db", {NAME: studies})) as reader:
        yield reader


def test_the_workloads_own_goal_is_the_default(reader):
    """Without a goal the sweep's counts; the trial's metaparameters are there, of the others none."""
    result, best = answer_at_goal(reader, reader.workloads()[0])
    assert (result.goal, result.steps.tolist()) == (0.5, [10])
    assert result.table.parameters_of(0) == {"learning_rate": 0.1}
    assert (best.value.tolist(), best.step.tolist()) == ([0.4], [10])


@pytest.mark.parametrize("question", [{"maximize": True}, {"metric": "val/average_precision"}])
def test_what_the_records_do_not_hold_is_left_to_the_table(reader, question):
    """Another direction and an unknown metric are not answered here."""
    assert answer_at_goal(reader, reader.workloads()[0], 0.1, **question) is None


def test_a_counted_trial_without_records_is_left_to_the_table(tmp_path):
    """A trial whose evaluations all failed has no record: only the full table distinguishes it from one never read."""
    studies = [Study(4, [Trial(0, [(5, 0.1)]), Trial(1, [(5, float("nan"))])])]
    with open_store(database.write(tmp_path / "y.db", {NAME: studies})) as reader:
        assert answer_at_goal(reader, reader.workloads()[0]) is None
