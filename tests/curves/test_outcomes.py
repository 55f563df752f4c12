"""Steps to result and best measurements against the slow oracle of PAPER section 8."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import LIVE, NEVER, best_measurements, steps_to_result
from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason

from . import oracle
from .oracle import Study, Trial

STATUSES = st.sampled_from([(Status.COMPLETE,), LIVE, (Status.COMPLETE, Status.INFEASIBLE), tuple(Status)])


@given(oracle.workloads(), oracle.goals, st.booleans(), oracle.budgets, oracle.budgets, STATUSES)
def test_steps_to_result_equals_the_full_table(
    studies, goal, maximize, step_budget, example_budget, statuses
):
    """For any goal, direction, budgets and statuses, records give what every measurement gives, ties included."""
    question = {"step_budget": step_budget, "example_budget": example_budget, "statuses": statuses}
    table = oracle.table(studies, maximize=maximize)
    result = steps_to_result(table, goal, **question)
    expected = oracle.steps_to_result(studies, goal, maximize, **question)
    found = {
        size: None if step == NEVER else (step, int(table.number[trial]))
        for size, step, trial in zip(
            table.batch_sizes.tolist(), result.steps.tolist(), result.trial.tolist(), strict=True
        )
    }
    assert found == expected


@given(oracle.workloads(), st.booleans(), oracle.budgets, oracle.budgets, STATUSES)
def test_best_measurement_equals_the_full_table(studies, maximize, step_budget, example_budget, statuses):
    """The best objective, then the earliest step, then the smallest trial, for any budgets and statuses."""
    question = {"step_budget": step_budget, "example_budget": example_budget, "statuses": statuses}
    table = oracle.table(studies, maximize=maximize)
    best = best_measurements(table, **question)
    expected = oracle.best_measurement(studies, maximize, **question)
    found = {
        size: None if trial == NEVER else (value, step, int(table.number[trial]))
        for size, value, step, trial in zip(
            table.batch_sizes.tolist(),
            best.value.tolist(),
            best.step.tolist(),
            best.trial.tolist(),
            strict=True,
        )
    }
    assert found == expected


@given(oracle.workloads(), oracle.goals, st.integers(1, 4), STATUSES)
def test_num_trials_takes_the_first_by_number_or_refuses(studies, goal, num_trials, statuses):
    """`num_trials` counts in integer order of the trial's number; a study with fewer is an error."""
    table = oracle.table(studies)
    try:
        expected = oracle.steps_to_result(studies, goal, num_trials=num_trials, statuses=statuses)
    except ValueError:
        with pytest.raises(UserError, match=f"num_trials: {num_trials}: there are only"):
            steps_to_result(table, goal, num_trials=num_trials, statuses=statuses)
        return
    result = steps_to_result(table, goal, num_trials=num_trials, statuses=statuses)
    steps = [None if step == NEVER else step for step in result.steps.tolist()]
    assert steps == [expected[size] and expected[size][0] for size in table.batch_sizes.tolist()]
    assert result.trials_counted.tolist() == [num_trials] * len(steps)


@given(oracle.workloads(), oracle.goals, oracle.budgets)
def test_counts_and_budget_of_a_study(studies, goal, step_budget):
    """Counted trials, those that reached the goal, and the budget they did it within, by plain loops."""
    result = steps_to_result(oracle.table(studies), goal, step_budget=step_budget)
    for index, study in enumerate(sorted(studies, key=lambda study: study.batch_size)):
        complete = [trial for trial in study.trials if trial.status is Status.COMPLETE]
        reached = [
            trial
            for trial in complete
            if any(
                math.isfinite(value) and value < goal and (step_budget is None or step <= step_budget)
                for step, value in trial.measurements
            )
        ]
        own = study.train_steps or max((trial.steps for trial in complete), default=0)
        assert result.trials_counted[index] == len(complete)
        assert result.trials_reached[index] == len(reached)
        assert result.budget[index] == min(
            own, math.inf if step_budget is None else math.floor(min(step_budget, 1e9))
        )


def study_at_goal(trials: list[Trial]) -> Study:
    return Study(8, trials, train_steps=100)


def test_reached_means_strictly_below():
    """A measurement equal to the goal does not reach it, in either direction."""
    studies = [study_at_goal([Trial(0, [(10, 0.5), (20, 0.499)])])]
    assert steps_to_result(oracle.table(studies), 0.5).steps.tolist() == [20]
    studies = [study_at_goal([Trial(0, [(10, 0.5), (20, 0.501)])])]
    assert steps_to_result(oracle.table(studies, maximize=True), 0.5).steps.tolist() == [20]


def test_a_study_that_never_reaches_is_kept():
    """Not reached is an answer with its budget, not a missing row."""
    result = steps_to_result(oracle.table([study_at_goal([Trial(0, [(10, 0.9)])])]), 0.5)
    assert (result.steps.tolist(), result.reached.tolist(), result.budget.tolist()) == (
        [NEVER],
        [False],
        [100],
    )


def test_steps_beyond_32_bits():
    """Steps and example budgets beyond 2^53 stay exact."""
    far = 2**61 + 1
    table = oracle.table([Study(4, [Trial(0, [(far, 0.1)], steps=far)], train_steps=far)])
    assert steps_to_result(table, 0.5, step_budget=far).steps.tolist() == [far]
    assert steps_to_result(table, 0.5, step_budget=far - 1).steps.tolist() == [NEVER]
    assert steps_to_result(table, 0.5, example_budget=4 * far).steps.tolist() == [far]
    assert steps_to_result(table, 0.5, example_budget=4 * far - 1).steps.tolist() == [NEVER]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"goal": math.nan}, "goal: nan"),
        ({"step_budget": -1}, "step budget: -1"),
        ({"example_budget": math.nan}, "example budget: nan"),
        ({"num_trials": 0}, "num_trials: 0"),
    ],
)
def test_questions_without_sense_are_refused(question, message):
    """A goal or budget that is no number, and no trials at all, name themselves in the error."""
    with pytest.raises(UserError, match=message):
        steps_to_result(oracle.table([study_at_goal([])]), **question)


def test_no_goal_at_all():
    """A table without a goal needs one in the question."""
    with pytest.raises(UserError, match="names no goal"):
        steps_to_result(oracle.table([study_at_goal([])], goal=None))


BEATEN = {"stop_reason": StopReason.BEATEN}
"""A trial stopped at step 30, since another had reached the sweep's goal, 0.5, at step 20."""


def stopped_study() -> Study:
    return study_at_goal(
        [
            Trial(0, [(10, 0.8), (20, 0.45)], stop_reason=StopReason.GOAL, steps=20),
            Trial(1, [(10, 0.7), (30, 0.6)], steps=30, **BEATEN),
            Trial(2, [(10, 0.9), (40, 0.55), (90, 0.41)], steps=100),
        ]
    )


@pytest.mark.parametrize(
    ("goal", "steps", "leaning"),
    [
        (0.5, 20, 0),  # the sweep's own goal: stopping lost nothing
        (0.65, 20, 0),  # easier, but the beaten trial continued past that answer
        (0.75, 10, 0),  # reached by the beaten trial itself
        (0.42, 90, 2),  # harder: both stopped trials might have got there before step 90
        (0.1, NEVER, 2),  # never reached, and they might have
    ],
)
def test_answers_that_lean_on_stopped_trials_say_so(goal, steps, leaning):
    """A stopped trial counts against an answer only where it stopped, not reaching the goal, before that answer."""
    result = steps_to_result(oracle.table([stopped_study()]), goal)
    assert result.steps.tolist() == [steps]
    assert result.trials_undecided.tolist() == [leaning]


@pytest.mark.parametrize(
    ("goal", "step_budget", "censored"),
    [
        (0.5, None, 1),  # the beaten trial might have reached it after its 30 steps
        (0.65, None, 0),  # all three reached it
        (0.1, None, 2),  # the one that stopped at its goal is as unknown; the third trained to its budget
        (0.1, 25, 1),  # within 25 steps the beaten trial's 30 are an answer
        (0.1, 20, 0),
    ],
)
def test_trials_cut_short_are_counted(goal, step_budget, censored):
    """Of those that did not reach the goal, the ones that were stopped because of the sweep's own before it was decided."""
    result = steps_to_result(oracle.table([stopped_study()]), goal, step_budget=step_budget)
    assert result.trials_censored.tolist() == [censored]
    assert result.trials_stopped_early.tolist() == [2]


def test_a_step_budget_before_the_stop_leans_on_nothing():
    """Within a budget that every stopped trial used up, their stopping lost nothing."""
    assert steps_to_result(
        oracle.table([stopped_study()]), 0.1, step_budget=20
    ).trials_undecided.tolist() == [0]
    assert steps_to_result(
        oracle.table([stopped_study()]), 0.1, step_budget=21
    ).trials_undecided.tolist() == [1]


def test_fewer_trials_may_lean_on_stopped_ones():
    """`num_trials` may leave out the trial that beat another, whose own answer is then unknown."""
    first = Trial(0, [(10, 0.7), (30, 0.6)], steps=30, **BEATEN)
    winner = Trial(1, [(20, 0.45)], stop_reason=StopReason.GOAL, steps=20)
    result = steps_to_result(oracle.table([study_at_goal([first, winner])]), 0.5, num_trials=1)
    assert (result.steps.tolist(), result.trials_undecided.tolist()) == ([NEVER], [1])


@given(oracle.workloads(), oracle.goals.filter(lambda goal: goal > -1e9), oracle.budgets)
def test_exactly_the_answers_that_stopping_may_change_are_flagged(studies, goal, step_budget):
    """If every stopped trial had reached the goal right after its stop, only flagged answers would change, and all of
    those are reached."""
    before = steps_to_result(oracle.table(studies), goal, step_budget=step_budget)
    for study in studies:
        for trial in study.trials:
            if trial.stop_reason in (StopReason.GOAL, StopReason.BEATEN):
                trial.measurements.append((trial.steps + 1, -1e9))
    after = steps_to_result(oracle.table(studies), goal, step_budget=step_budget)
    flagged = before.trials_undecided > 0
    same = (before.steps == after.steps) & (_numbers(before) == _numbers(after))
    assert bool((same | flagged).all())
    assert bool((after.reached & ((after.steps <= before.steps) | ~before.reached))[flagged].all())


def _numbers(result):
    return np.array(
        [NEVER if trial == NEVER else result.table.number[trial] for trial in result.trial.tolist()]
    )
