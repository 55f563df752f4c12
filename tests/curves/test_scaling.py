"""Perfect scaling, regions, the maximum useful and the critical batch size, on curves with known answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import (
    Region,
    Rules,
    critical_batch_size,
    max_useful_batch_size,
    perfect_scaling,
    regions,
)
from hvdsweep.curves.decisions import regions_of
from hvdsweep.curves.scaling import Critical, Useful, normalised, overhead
from hvdsweep.errors import UserError

SIZES = 2 ** np.arange(8)
HALVING = 1024.0 / SIZES
NAN = math.nan


def test_perfect_scaling_starts_at_the_smallest_batch_size_that_reached():
    """S(B0) B0 / B, with B0 the first of the series: one that never reached is not in it."""
    steps = np.array([NAN, 300.0, 200.0])
    np.testing.assert_allclose(perfect_scaling(np.array([1, 2, 4]), steps), [600.0, 300.0, 150.0])
    np.testing.assert_allclose(overhead(np.array([1, 2, 4]), steps), [NAN, 0.0, 1 / 3])
    assert np.isnan(perfect_scaling(np.array([1, 2]), np.array([NAN, NAN]))).all()


def test_three_regions_of_a_drawn_curve():
    """Halving, then less than halving, then flat: one region each, and none where the goal was not reached."""
    sizes = np.array([1, 2, 4, 8, 16, 32, 64])
    steps = np.array([1000, 500, 250, 180, 150, 140, NAN])
    assert max_useful_batch_size(sizes, steps).batch_size == 16
    P, D, M = Region.PERFECT, Region.DIMINISHING, Region.MAXIMAL
    assert regions(sizes, steps) == [P, P, P, D, M, M, None]


def test_perfect_scaling_does_not_come_back():
    """After scaling has fallen behind, a lucky batch size does not start a second perfect region."""
    steps = np.array([1000, 500, 350, 140, 120, 119.0])
    P, D = Region.PERFECT, Region.DIMINISHING
    assert regions(2 ** np.arange(6), steps)[:4] == [P, P, D, D]


def test_the_rule_is_inclusive_and_an_option():
    """S = 110 is within 10 % of 100, 111 is not; 11 % lets it in."""
    sizes = np.array([1, 2, 4])
    assert max_useful_batch_size(sizes, np.array([110.0, 105.0, 100.0])).batch_size == 1
    assert max_useful_batch_size(sizes, np.array([111.0, 105.0, 100.0])).batch_size == 2
    assert (
        max_useful_batch_size(sizes, np.array([111.0, 105.0, 100.0]), Rules(useful_tolerance=0.11)).batch_size
        == 1
    )
    assert Rules(useful_tolerance=0.11).useful == "smallest B with S(B) <= 1.11 min S"


@given(st.lists(st.none() | st.integers(1, 300), min_size=1, max_size=10), st.sampled_from([0.0, 0.1, 0.5]))
def test_max_useful_by_its_definition(steps, tolerance):
    """The smallest batch size whose steps, in exact arithmetic, are within the tolerance of the fewest."""
    sizes = 2 ** np.arange(len(steps))
    array = np.array([NAN if value is None else value for value in steps])
    useful = max_useful_batch_size(sizes, array, Rules(useful_tolerance=tolerance))
    reached = [value for value in steps if value is not None]
    if not reached:
        assert useful is None
        return
    percent = round(100 * tolerance)
    within = [
        size
        for size, value in zip(sizes.tolist(), steps, strict=True)
        if value is not None and 100 * value <= (100 + percent) * min(reached)
    ]
    assert useful.batch_size == min(within)


def test_a_curve_that_still_falls_only_bounds_the_useful_batch_size():
    """Where nothing larger shows the end of scaling, the answer is a lower bound, and no region is maximal."""
    useful = max_useful_batch_size(SIZES, HALVING)
    assert (useful.batch_size, useful.at_least) == (128, True)
    assert regions(SIZES, HALVING) == [Region.PERFECT] * 8
    failed = np.append(HALVING[:-1], NAN)
    long_enough, too_short = np.array([0] * 7 + [16]), np.array([0] * 7 + [15])
    assert not max_useful_batch_size(SIZES, failed, failed_within=long_enough).at_least
    assert max_useful_batch_size(SIZES, failed, failed_within=too_short).at_least


def test_critical_batch_size_of_a_hyperbola():
    """On S = S_min (1 + B_crit / B) the overhead grows as (B - B0) / (B0 + B_crit): 20 % at B0 + 0.2 (B0 + B_crit)."""
    b_crit, sizes = 1000.0, np.unique(np.geomspace(10, 100_000, 4000).astype(int))
    critical = critical_batch_size(sizes, 50.0 * (1 + b_crit / sizes))
    assert critical.batch_size == pytest.approx(10 + 0.2 * 1010, rel=1e-3)
    assert not critical.at_least
    doubled = critical_batch_size(sizes, 50.0 * (1 + b_crit / sizes), Rules(overhead=0.4))
    assert doubled.batch_size == pytest.approx(10 + 0.4 * 1010, rel=1e-3)


def test_critical_batch_size_between_two_points_is_log_log():
    """Examples 100 at B = 1 and 200 at B = 4: they reach 120 at B = 4 ^ (ln 1.2 / ln 2)."""
    critical = critical_batch_size(np.array([1, 4]), np.array([100.0, 50.0]))
    assert critical.batch_size == pytest.approx(4 ** (math.log(1.2) / math.log(2)), rel=1e-12)


def test_critical_batch_size_that_is_never_met_is_a_bound():
    """Perfect scaling to the end: at least the largest batch size; one point alone says nothing."""
    critical = critical_batch_size(SIZES, HALVING)
    assert (critical.batch_size, critical.at_least) == (128.0, True)
    assert critical_batch_size(SIZES[:1], HALVING[:1]) is None
    assert critical_batch_size(np.array([1, 2]), np.array([0.0, 5.0])) is None


def test_the_goal_met_by_initial_weights_breaks_nothing():
    """Zero steps everywhere: perfect throughout, no fit of logarithms, no division warnings."""
    zero = np.zeros(3)
    assert regions(SIZES[:3], zero) == [Region.MAXIMAL] * 3
    assert np.isnan(overhead(SIZES[:3], zero)).all()


def test_normalising_divides_by_the_steps_at_one_batch_size():
    """Every step count over that at B; a B that has none is refused with those that have."""
    steps = np.array([100.0, NAN, 25.0])
    np.testing.assert_array_equal(normalised("w", np.array([1, 2, 4]), steps, 4), [4.0, NAN, 1.0])
    for size in (2, 3):
        with pytest.raises(UserError, match=f"batch size {size} .* reached the goal: 1, 4"):
            normalised("w", np.array([1, 2, 4]), steps, size)


@pytest.mark.parametrize("options", [{"useful_tolerance": -0.1}, {"overhead": math.nan}])
def test_rules_without_sense_are_refused(options):
    """A tolerance is a share, not negative."""
    with pytest.raises(UserError, match=next(iter(options))):
        Rules(**options)


def test_a_region_is_named_only_where_the_data_say_so():
    """Undecided within the intervals; never maximal where examples were saved, where the next larger batch size is less than
    twice as large, or while the maximum useful one may be larger."""
    sizes, steps = np.array([4, 64, 96, 256]), np.array([100.0, 10.0, 9.0, 9.0])
    critical, useful = Critical(8.0, False, (8.0, 8.0)), Useful(64, False, (64, 64), (64, 64))
    excess = overhead(sizes, steps)
    P, U, M = Region.PERFECT, Region.UNDECIDED, Region.MAXIMAL
    assert regions_of(sizes, steps, excess, critical, useful) == [P, U, M, M]
    assert regions_of(sizes, steps, np.full(4, -0.1), critical, useful) == [P, U, U, U]
    open_end = Useful(64, True, (64, None), (64, 64))
    assert regions_of(sizes, steps, excess, critical, open_end) == [P, U, U, U]
    later = Useful(256, False, (256, 256), (256, 256))
    assert regions_of(sizes, steps, excess, critical, later) == [P, Region.DIMINISHING, Region.DIMINISHING, M]
    assert regions_of(sizes, np.array([100.0, NAN, 9.0, 9.0]), excess, None, useful) == [U, None, M, M]
