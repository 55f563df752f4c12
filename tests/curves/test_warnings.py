"""When a point of a curve comes with a warning, and when it must not."""

import pytest

from hvdsweep.curves import Limits, WarningKind, best_measurements, steps_to_result, warnings_for
from hvdsweep.states import Status, StopReason

from . import oracle
from .oracle import Study, Trial

GOOD = [Trial(n, [(10 + n, 0.1)], parameters={"learning_rate": 1e-2}) for n in range(4)]
"""Four trials that all reach the goal, 0.5, early."""


def doubts(study, search=None, limits=None, goal=0.5, **question):
    table = oracle.table([study])
    result = steps_to_result(table, goal, **question)
    best = best_measurements(table, **question)
    (found,) = warnings_for(result, best, {study.batch_size: search} if search is not None else None, limits)
    return found


def kinds(*arguments, **options):
    return [warning.kind for warning in doubts(*arguments, **options)]


def test_a_sound_point_has_no_warning():
    """Reached early by enough trials, in the middle of the space, study finished: silence."""
    search = {"learning_rate": {"scale": "log", "min": 1e-4, "max": 1.0}}
    assert doubts(Study(8, GOOD, target_trials=4), search) == ()


def at(name, value):
    return Study(8, [Trial(n, [(10, 0.1)], parameters={name: value}) for n in range(4)])


@pytest.mark.parametrize(
    ("name", "search", "value", "end"),
    [
        # log from 1e-4 to 1: five percent is a fifth of a decade.
        ("learning_rate", {"scale": "log", "min": 1e-4, "max": 1.0}, 10**-3.81, "lower"),
        ("learning_rate", {"scale": "log", "min": 1e-4, "max": 1.0}, 10**-3.79, None),
        ("learning_rate", {"scale": "log", "min": 1e-4, "max": 1.0}, 10**-0.19, "upper"),
        ("learning_rate", {"scale": "log", "min": 1e-4, "max": 1.0}, 10**-0.21, None),
        # reverse_log: 1 - momentum from 0.1 to 1e-4.
        ("momentum", {"scale": "reverse_log", "min": 0.9, "max": 0.9999}, 1 - 10**-3.86, "upper"),
        ("momentum", {"scale": "reverse_log", "min": 0.9, "max": 0.9999}, 1 - 10**-3.84, None),
        ("momentum", {"scale": "reverse_log", "min": 0.9, "max": 0.9999}, 1 - 10**-1.14, "lower"),
        ("label_smoothing", {"scale": "linear", "min": 0.0, "max": 0.2}, 0.009, "lower"),
        ("label_smoothing", {"scale": "linear", "min": 0.0, "max": 0.2}, 0.011, None),
        ("learning_rate_decay_steps", {"scale": "integer", "min": 0, "max": 100}, 96, "upper"),
        ("learning_rate_decay_steps", {"scale": "integer", "min": 0, "max": 100}, 94, None),
        # No order, no search: no boundary.
        ("label_smoothing", {"scale": "choice", "values": [0.0, 0.1]}, 0.0, None),
        ("learning_rate", 0.1, 0.1, None),
    ],
)
def test_the_boundary_of_the_scaled_range(name, search, value, end):
    """Within 5 % of the scaled range, not of the plain one; the sentence names parameter, value and end."""
    found = doubts(at(name, value), {name: search})
    assert [warning.kind for warning in found] == ([] if end is None else [WarningKind.BOUNDARY])
    if end is not None:
        assert f"best {name} {value:.4g} is within 5% of the {end} end" in found[0].message


def test_the_boundary_is_an_option_and_a_broken_search_says_nothing():
    """A wider edge gives more warnings; a search that describes no space gives none, and no error."""
    search = {"learning_rate": {"scale": "log", "min": 1e-4, "max": 1.0}}
    assert kinds(at("learning_rate", 1e-3), search, Limits(boundary=0.3)) == [WarningKind.BOUNDARY]
    assert kinds(at("learning_rate", 1e-4), {"learning_rate": {"scale": "??"}}) == []


def late(step, steps=100, stop_reason=StopReason.BUDGET):
    return [Trial(n, [(step, 0.1)], steps=steps, stop_reason=stop_reason) for n in range(4)]


@pytest.mark.parametrize(("step", "cut"), [(95, False), (96, True), (100, True)])
def test_reaching_the_goal_in_the_last_steps(step, cut):
    """In the last 5 % of the budget: a longer one may do better."""
    assert kinds(Study(8, late(step))) == ([WarningKind.BUDGET] if cut else [])


def test_the_budget_is_the_asked_one_the_studys_or_the_trials():
    """A step budget cuts short too; a trial stopped at its goal had the whole budget; wall time has the trial's."""
    assert kinds(Study(8, late(50)), step_budget=51) == [WarningKind.BUDGET]
    assert kinds(Study(8, late(50, steps=50, stop_reason=StopReason.GOAL))) == []
    assert kinds(Study(8, late(50, steps=50), train_steps=0)) == [WarningKind.BUDGET]
    assert kinds(Study(8, late(110, steps=200))) == []  # ran on beyond train_steps


def test_still_improving_without_reaching():
    """Best error found in the last 5 % and the goal not reached; found earlier, the budget is not to blame."""
    improving = [Trial(n, [(10, 0.9), (95, 0.8)]) for n in range(4)]
    settled = [Trial(n, [(10, 0.9), (94, 0.8), (100, 0.85)]) for n in range(4)]
    assert kinds(Study(8, improving)) == [WarningKind.BUDGET, WarningKind.FEW_REACHED]
    assert kinds(Study(8, settled)) == [WarningKind.FEW_REACHED]
    assert kinds(Study(8, improving), step_budget=10) == [WarningKind.BUDGET, WarningKind.FEW_REACHED]


@pytest.mark.parametrize(
    ("reached", "total", "few"), [(2, 5, True), (3, 5, False), (3, 30, False), (3, 31, True)]
)
def test_too_few_trials_reached(reached, total, few):
    """Fewer than 3, or fewer than 10 %."""
    trials = [Trial(n, [(10, 0.1 if n < reached else 0.9)]) for n in range(total)]
    found = doubts(Study(8, trials))
    assert [warning.kind for warning in found] == ([WarningKind.FEW_REACHED] if few else [])
    if few:
        assert f"only {reached} of {total} trials" in found[0].message
    assert kinds(Study(8, trials), limits=Limits(min_reached=1, min_share_reached=0.0)) == []


def test_unfinished_studies():
    """Fewer complete trials than the target, or trials still to come."""
    assert kinds(Study(8, GOOD, target_trials=5)) == [WarningKind.UNFINISHED]
    pending = [*GOOD, Trial(9, [], status=Status.PENDING)]
    (warning,) = doubts(Study(8, pending, target_trials=4))
    assert (warning.kind, warning.message) == (WarningKind.UNFINISHED, "4 of 4 trials complete, 1 to come")
    diverged = [*GOOD, Trial(9, [], status=Status.INFEASIBLE)]
    assert kinds(Study(8, diverged, target_trials=4)) == []


def test_stopped_trials_that_the_answer_leans_on():
    """A curve at a harder goal than the one that stopped its trials says so."""
    trials = [Trial(n, [(10, 0.4)], steps=10, stop_reason=StopReason.GOAL) for n in range(3)]
    assert kinds(Study(8, trials), limits=Limits(min_reached=0, min_share_reached=0.0), goal=0.3) == [
        WarningKind.STOPPED
    ]
    assert kinds(Study(8, trials)) == []


def test_stopped_trials_have_not_failed_to_reach_the_goal():
    """One trial at the goal and seven stopped because of it: nothing says that few trials can reach it."""
    best = Trial(0, [(10, 0.4)], steps=10, stop_reason=StopReason.GOAL)
    beaten = [Trial(n, [(10, 0.9)], steps=10, stop_reason=StopReason.BEATEN) for n in range(1, 8)]
    assert kinds(Study(8, [best, *beaten])) == []
    failed = [Trial(n, [(10, 0.9)], steps=100) for n in range(9, 16)]
    assert kinds(Study(8, [best, *beaten[:1], *failed])) == [WarningKind.FEW_REACHED]
    (warning,) = doubts(Study(8, [best, *beaten[:1], *failed]))
    assert warning.message == "only 1 of 9 trials reached the goal, and 1 was stopped before reaching it"
    (warning,) = doubts(Study(8, [best, *beaten[:1]]))
    assert warning.message == "only 2 trials count: the best of more may be better"


def test_json_of_a_warning():
    """A word for programs, a sentence for people."""
    (warning,) = doubts(Study(8, GOOD, target_trials=5))
    assert warning.to_json() == {"kind": "unfinished", "message": "4 of 5 trials complete"}
