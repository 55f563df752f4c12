"""From which step on a trial is beaten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.stopping import beaten_at


@given(st.integers(0, 2**32))
def test_without_a_margin_it_is_the_best_trials_step(best: int):
    """A trial that has made as many steps as the best one and not reached the goal needs more."""
    assert beaten_at(best) == beaten_at(best, 0.0) == best


@pytest.mark.parametrize(
    ("best", "margin", "step"),
    [
        (100, 0.25, 125),
        (101, 0.25, 127),
        (10, 0.1, 11),
        (30, 0.1, 33),
        (3, 0.5, 5),
        (0, 0.25, 0),
        (7, 1.0, 14),
    ],
)
def test_the_margin_is_rounded_up(best: int, margin: float, step: int):
    """(1 + margin) best, exactly for decimals that binary numbers cannot hold (1.1 * 10 > 11), rounded up."""
    assert beaten_at(best, margin) == step


@given(st.integers(0, 10**6), st.integers(0, 400), st.integers(0, 10**6))
def test_a_beaten_trial_is_slower_by_more_than_the_margin(best: int, percent: int, later: int):
    """Whatever step a beaten trial would have reached the goal at, it lies beyond (1 + margin) best: in whole numbers."""
    stopped = beaten_at(best, percent / 100)
    assert (stopped + later + 1) * 100 > best * (100 + percent)
    assert (stopped - 1) * 100 < best * (100 + percent)
