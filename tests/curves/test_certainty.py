"""How certain steps to a goal are: against repeated searches drawn at random, and against plain enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves.certainty import influence, known_steps, least_margin, relative_half_width
from hvdsweep.curves.scaling import resampled_max_useful

STEPS = st.lists(st.integers(1, 10**6), min_size=4, max_size=40)


@pytest.mark.parametrize("trials", [12, 24, 64])
def test_it_is_the_interval_of_repeated_searches(trials: int) -> None:
    """Where log steps of a search lie evenly above the best, half the width is, on average over searches, that of the interval
    in which 95 % of 20,000 repeated searches of the same size end."""
    random = np.random.default_rng(trials)
    searches = 100 * np.exp(np.sort(random.random((20_000, trials)), axis=1))
    low, high = np.quantile(searches[:, 0], [0.025, 0.975])
    estimates = [math.log1p(relative_half_width(search)) for search in searches[:2000]]
    # The upper half is as even as the lower one here, so that the estimate has no bias but that of n + 1 against n.
    assert np.mean(estimates) == pytest.approx(math.log(high / low) / 2, rel=0.1)


@given(STEPS, st.integers(2, 9))
def test_it_is_a_share(steps: list[int], factor: int) -> None:
    """All steps times anything, in any order: the same share."""
    scaled = [factor * value for value in reversed(steps)]
    assert relative_half_width(scaled) == pytest.approx(relative_half_width(steps), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "steps", [[], [100.0] * 3, [100.0, math.inf, math.inf, math.inf], [0.0, 1.0, 2.0, 3.0]]
)
def test_too_little_is_no_interval(steps: list[float]) -> None:
    """Fewer than four known steps, or a goal reached before the first step: infinitely wide."""
    assert relative_half_width(steps) == math.inf


def test_trials_that_agree_are_certain() -> None:
    """The same steps in every trial: nothing is uncertain."""
    assert relative_half_width([120.0] * 6) == 0.0


@given(STEPS, st.floats(0.01, 2.0))
def test_only_what_no_stopping_can_change_is_known(steps: list[int], margin: float) -> None:
    """Steps up to (1 + margin) times the least stay, the others are inf; the answer is the same whatever the others were."""
    known = known_steps(steps, margin)
    limit = (1 + margin) * min(steps) * (1 + 1e-12)
    assert [math.isfinite(value) for value in known] == [value <= limit for value in steps]
    cut = [value if value <= limit else limit * 1.5 for value in steps]
    assert relative_half_width(known_steps(cut, margin)) == relative_half_width(known)


def test_without_stopping_every_step_is_known() -> None:
    """No margin: nothing is cut."""
    assert known_steps([100, 900, math.inf], None).tolist() == [100, 900, math.inf]


def test_the_margin_holds_enough_trials() -> None:
    """A study that is just certain enough has, on average, more than four further trials within the margin."""
    until = 0.1
    ranks = 3.69 - 0.025
    apart = 2 * math.log1p(until) / ranks
    assert math.log1p(least_margin(until)) / apart > 4


def test_influence_is_what_resampling_finds() -> None:
    """The share of resampled best trials of one study that move the maximum useful batch size, against 40,000 draws."""
    sizes = np.array([8, 16, 32])
    steps = [np.array([400.0, 420, 500]), np.array([205.0, 240, 300]), np.array([190.0, 195, 260, math.inf])]
    found = influence(sizes, steps)
    random = np.random.default_rng(3)
    for index, values in enumerate(steps):
        rows = np.repeat(np.array([[400.0, 205, 190]]), 40_000, axis=0)
        rows[:, index] = random.choice(values, size=(40_000, len(values))).min(axis=1)
        moved = float((resampled_max_useful(sizes, rows) != 16).mean())
        assert found[index] == pytest.approx(moved, abs=0.01)
    assert found[1] > 0.2


def test_what_never_reached_the_goal_moves_nothing() -> None:
    """A study without a trial that reached it, or without trials, has no influence."""
    steps = [np.array([100.0, 120]), np.array([math.inf, math.inf]), np.array([])]
    assert influence(np.array([1, 2, 4]), steps).tolist() == [0.0, 0.0, 0.0]
