"""The widths that rounds of trials are decided by: those that `curve` prints, and the same whatever stopping cut off."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvdsweep.curves import curve
from hvdsweep.curves.so_far import Searched, Width, fewest_evaluations, interval_widths, least_margin
from hvdsweep.states import StopReason
from hvdsweep.stopping import beaten_at
from tests.curves.oracle import Study, Trial, table

SIZES = (8, 16, 32, 64, 128)
BUDGET = 10**6


def drawn(seed: int, spread: float, every: int, failing: float) -> list[list[int | None]]:
    """Steps to the goal of 4 to 20 trials of each batch size: a hyperbola with scatter, seen at evaluations."""
    random = np.random.default_rng(seed)
    found = []
    for size in SIZES:
        steps = 100 * (1 + 64 / size) * np.exp(spread * random.exponential(size=random.integers(4, 20)))
        found.append(
            [
                None if random.random() < failing else int(every * math.ceil(value / every) + every)
                for value in steps
            ]
        )
    return found


SEARCHES = st.builds(
    drawn,
    st.integers(0, 2**32),
    st.sampled_from([0.02, 0.2, 1.0]),
    st.sampled_from([1, 7, 50]),
    st.sampled_from([0.0, 0.3, 0.95]),
)


def searched(steps: list[list[int | None]]) -> list[Searched]:
    return [
        Searched(size, BUDGET, study, [None if value is None else value - 1 for value in study], 1)
        for size, study in zip(SIZES, steps, strict=True)
    ]


def printed(steps: list[list[int | None]], margin: float | None = None) -> list[float]:
    """What `curve` makes of them; with a margin, trials that did not reach the goal were stopped at some step beyond it."""
    studies = []
    for size, study in zip(SIZES, steps, strict=True):
        limit = None if margin is None else beaten_at(min(filter(None, study), default=BUDGET), margin)
        trials = [
            Trial(number, [(value - 1, 0.5), (value, 0.1)], steps=BUDGET)
            if value is not None
            else Trial(number, [(1, 0.9)], stop_reason=StopReason.BEATEN, steps=min(limit + number, BUDGET))
            if limit is not None
            else Trial(number, [(1, 0.9)], steps=BUDGET)
            for number, value in enumerate(study)
        ]
        studies.append(Study(size, trials, BUDGET))
    points = curve(replace(table(studies, goal=0.2), margin=margin)).points
    return [math.inf if point.relative_width is None else point.relative_width for point in points]


@settings(max_examples=30, deadline=None)
@given(SEARCHES)
def test_they_are_the_printed_ones(steps: list[list[int | None]]) -> None:
    """For any search, half of every point's interval over its steps, and infinite where `curve` prints no interval."""
    assert [width.relative for width in interval_widths(searched(steps))] == printed(steps)


@settings(max_examples=30, deadline=None)
@given(SEARCHES, st.floats(0.05, 2.0), st.data())
def test_what_stopping_cuts_off_changes_nothing(
    steps: list[list[int | None]], margin: float, data: st.DataObject
) -> None:
    """Trials beyond the margin may have reached the goal or have been stopped anywhere there: the same widths, in the rounds
    and in `curve`."""
    limits = [beaten_at(min(filter(None, study), default=BUDGET), margin) for study in steps]
    cut = [
        [
            None if value is not None and value > limit and data.draw(st.booleans()) else value
            for value in study
        ]
        for study, limit in zip(steps, limits, strict=True)
    ]
    widths = interval_widths(searched(steps), margin)
    assert interval_widths(searched(cut), margin) == widths
    assert printed(cut, margin) == [width.relative for width in widths]


def test_evaluations_that_are_too_rare_are_recognised() -> None:
    """With one evaluation every fifth of the steps to the goal the spacing alone is wider than 10 %, with one every twentieth it
    is not; so says the number of evaluations that is needed."""
    best = [100 * (1 + 64 // size) for size in SIZES]
    fewest = fewest_evaluations(0.1, len(SIZES))
    assert 5 < fewest < 20
    for share, enough in ((5, False), (20, True)):
        spaced = [
            Searched(
                size, BUDGET, [steps, steps + every, steps + every], [steps - every, steps, steps], every
            )
            for size, steps, every in (
                (size, steps, steps // share) for size, steps in zip(SIZES, best, strict=True)
            )
        ]
        assert [width.spacing < 0.1 for width in interval_widths(spaced)] == [enough] * 5


@pytest.mark.parametrize("steps", [[None] * 6, [100], []])
def test_too_little_is_no_interval(steps: list[int | None]) -> None:
    """No trial that reached the goal, or a single one: infinitely wide."""
    assert interval_widths(searched([steps] * 5)) == [Width(math.inf)] * 5


def test_a_goal_reached_before_training_cannot_be_narrowed() -> None:
    """Steps of 0: no interval, and no number of evaluations gives one."""
    assert interval_widths(searched([[0, 0, 0, 0]] * 5)) == [Width(math.inf, math.inf)] * 5


def test_the_margin_grows_with_the_share() -> None:
    """Trials are trained to a third beyond the best for 10 %."""
    assert least_margin(0.1) == 0.331
    assert least_margin(0.05) < least_margin(0.1)
