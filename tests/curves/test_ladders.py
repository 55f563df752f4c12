"""Goals and budgets worth stepping through: between the best measurement and the start, every step a change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import steps_to_result
from hvdsweep.curves.ladders import budget_ladder, goal_ladder, neighbour

from . import oracle
from .oracle import Study, Trial


def falling(best: float, start: float = 0.9, *, size: int = 8, steps: int = 100) -> Study:
    """A study of trials that fall from `start` to `best` and a little above."""
    trials = [
        Trial(n, [(0, start), (10, (start + best) / 2), (50, best + 0.01 * n)], steps=steps) for n in range(4)
    ]
    return Study(size, trials, train_steps=steps)


def test_goals_lie_between_the_best_and_the_start():
    """They ascend, each can be reached, and the sweep's own is among them; the easiest is the value at which trials
    start."""
    table = oracle.table([falling(0.02), falling(0.05, size=16)])
    ladder = goal_ladder([table], [0.1])
    assert ladder == sorted(set(ladder))
    assert 0.1 in ladder
    assert min(ladder) > 0.02
    assert max(ladder) == pytest.approx(0.9)
    assert steps_to_result(table, ladder[0]).reached.any()


def test_goals_are_denser_near_the_best():
    """Each gap is about as large as the one before it or larger, up to the rounding of its ends."""
    ladder = goal_ladder([oracle.table([falling(0.02)])])
    gaps = np.diff(ladder)
    assert len(ladder) > 30
    assert (gaps[1:] > 0.45 * gaps[:-1]).all()
    assert gaps[-1] > 5 * gaps[0]


def test_the_first_notch_is_no_finer_than_what_was_measured():
    """Where trials' bests are 0.01 apart, no goal is closer to the best than that."""
    ladder = goal_ladder([oracle.table([falling(0.02)])])
    assert ladder[0] - 0.02 == pytest.approx(0.01, rel=0.1)


def test_goals_of_a_metric_that_rises():
    """Below the best, above the start."""
    table = oracle.table(
        [Study(8, [Trial(0, [(0, 0.1), (10, 0.6)]), Trial(1, [(0, 0.1), (10, 0.8)])])], maximize=True
    )
    ladder = goal_ladder([table], [0.7])
    assert ladder[0] == pytest.approx(0.1)
    assert max(ladder) < 0.8
    assert 0.7 in ladder


def test_nothing_measured():
    """Without measurements the ladder has only the given goals; NaN is not one."""
    table = oracle.table([Study(8, [])])
    assert goal_ladder([table], [0.2]) == [0.2]
    assert goal_ladder([table], [math.nan]) == []
    assert goal_ladder([oracle.table([Study(8, [Trial(0, [(0, 0.5)])])])]) == []
    assert budget_ladder([oracle.table([Study(8, [], train_steps=0)])]) == []


@given(st.floats(1e-6, 0.5), st.floats(0.51, 1e4), st.integers(0, 8))
def test_goals_are_round_and_strictly_reachable(best, start, digits):
    """Whatever the range: none at or beyond the best, all short decimals that read back exactly."""
    best = float(f"{best:.4g}")
    table = oracle.table([Study(8, [Trial(0, [(0, start), (10, best)])])])
    ladder = goal_ladder([table])
    assert all(goal > best for goal in ladder)
    assert all(goal == float(f"{goal:.8g}") for goal in ladder)
    assert ladder == sorted(set(ladder))


def test_budgets_in_steps_and_examples():
    """Round numbers from the first improvement on the initial weights to the longest training."""
    tables = [oracle.table([falling(0.02, size=4, steps=1000), falling(0.02, size=64, steps=200)])]
    assert budget_ladder(tables) == [10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700]
    examples = budget_ladder(tables, examples=True)
    assert examples[0] == 50  # 10 steps of 4 examples are 40
    assert examples[-1] == 10_000  # below 200 steps of 64


def test_budgets_of_wall_time_studies_end_with_what_was_done():
    """A study without a step budget: the most steps of any trial."""
    study = Study(1, [Trial(0, [(0, 0.9), (2, 0.5)], steps=30)], train_steps=0)
    assert budget_ladder([oracle.table([study])])[-1] == 20


@given(
    st.lists(st.floats(-100, 100, allow_nan=False), min_size=1, max_size=20, unique=True).map(sorted),
    st.floats(-150, 150, allow_nan=False),
    st.integers(-5, 5).filter(bool),
)
def test_neighbours(ladder, value, steps):
    """As a slow walk: one rung at a time, to the next one strictly above or below, and not beyond the ends."""
    here = value
    for _ in range(abs(steps)):
        further = [rung for rung in ladder if (rung > here if steps > 0 else rung < here)]
        if not further:
            here = ladder[-1] if steps > 0 else ladder[0]
            break
        here = min(further) if steps > 0 else max(further)
    assert neighbour(ladder, value, steps) == here


def test_no_ladder():
    """Without rungs the value stays."""
    assert neighbour([], 3.0, 1) == 3.0
