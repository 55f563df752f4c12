"""Bootstrap intervals and the best of k, against enumeration and brute resampling."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import best_of, minimum_interval, resampled_minima, steps_to_result
from hvdsweep.curves.resampling import minimum_intervals, minimum_ranks, percentile_interval

from . import oracle
from .oracle import Study, Trial

STEPS = st.lists(st.sampled_from([1.0, 2.0, 2.0, 5.0, 7.0, 11.0, math.inf]), min_size=1, max_size=5)


def bootstrap_distribution(values):
    """The least of n draws with replacement, over all n^n equally likely draws."""
    minima = [min(draw) for draw in itertools.product(values, repeat=len(values))]
    return sorted(minima)


@given(STEPS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_interval_of_a_minimum_is_that_of_every_resample(values, level):
    """The closed form is the percentile interval over all n^n resamples, not an approximation of it."""
    minima = bootstrap_distribution(values)

    def quantile(p):
        exact = Fraction(p).limit_denominator(10_000) * len(minima)
        return minima[max(math.ceil(exact), 1) - 1]

    assert minimum_interval(values, level) == (quantile((1 - level) / 2), quantile((1 + level) / 2))


def test_interval_of_nothing_is_nothing():
    """No trial, no interval."""
    assert all(math.isnan(end) for end in minimum_interval([]))


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True))
def test_ranks_invert_the_distribution(n, probability):
    """The rank is the least whose cumulative probability 1 - (1 - (i + 1) / n)^n is at least the probability."""

    def below(count):
        return 1 - (1 - count / n) ** n

    rank = int(minimum_ranks(probability, np.array([n]))[0])
    assert below(rank + 1) >= probability - 1e-6
    assert rank == 0 or below(rank) <= probability + 1e-6


def studies_of(columns):
    """One study per list of steps to the goal; inf: a trial that never reaches it."""
    return [
        Study(2**index, [Trial(n, [] if math.isinf(s) else [(int(s), 0.1)]) for n, s in enumerate(values)])
        for index, values in enumerate(columns)
    ]


@given(st.lists(STEPS | st.just([]), min_size=1, max_size=3), st.integers(0, 3))
def test_intervals_of_all_studies_at_once(columns, seed):
    """Each study's interval and its simulated minima are those of its own trials; no trials give NaN."""
    result = steps_to_result(oracle.table(studies_of(columns)), 0.5)
    low, high = minimum_intervals(result)
    draws = resampled_minima(result, 50, seed)
    for index, values in enumerate(columns):
        np.testing.assert_array_equal((low[index], high[index]), minimum_interval(values))
        assert set(draws[:, index][~np.isnan(draws[:, index])].tolist()) <= set(values)
        assert np.isnan(draws[:, index]).all() == (not values)


def test_simulated_minima_follow_the_exact_distribution():
    """20,000 draws hit each value as often as all n^n resamples do, within 5 sigma; the same seed, the same draws."""
    values = [3.0, 8.0, 8.0, 20.0, math.inf]
    result = steps_to_result(oracle.table(studies_of([values])), 0.5)
    draws = resampled_minima(result, 20_000, seed=3)[:, 0]
    exact = bootstrap_distribution(values)
    for value in set(values):
        share = exact.count(value) / len(exact)
        sigma = math.sqrt(share * (1 - share) / len(draws))
        assert np.mean(draws == value) == pytest.approx(share, abs=5 * sigma)
    np.testing.assert_array_equal(draws, resampled_minima(result, 20_000, seed=3)[:, 0])
    assert not np.array_equal(draws, resampled_minima(result, 20_000, seed=4)[:, 0])


def test_studies_are_resampled_independently():
    """Two studies with the same trials do not share their draws."""
    result = steps_to_result(oracle.table(studies_of([[1, 2, 3, 4]] * 2)), 0.5)
    draws = resampled_minima(result, 2000)
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.1


@given(st.lists(st.sampled_from([1.0, 2.0, 2.0, 5.0, 7.5, math.inf]), min_size=1, max_size=7))
def test_best_of_k_is_that_of_every_subset(values):
    """Expectation, quantiles and the chance to reach, for every k, are those over all subsets of k trials."""
    levels = (0.25, 0.5, 0.75, 1.0)
    found = best_of(values, levels=levels)
    for row, k in enumerate(range(1, len(values) + 1)):
        minima = sorted(min(subset) for subset in itertools.combinations(values, k))
        finite = [value for value in minima if math.isfinite(value)]
        assert found.probability[row] == pytest.approx(len(finite) / len(minima), abs=1e-12)
        if finite:
            assert found.expected[row] == pytest.approx(sum(finite) / len(finite))
        else:
            assert math.isnan(found.expected[row])
        ranks = [max(math.ceil(level * len(minima) - 1e-9), 1) - 1 for level in levels]
        assert found.quantiles[row].tolist() == [minima[rank] for rank in ranks]


def test_best_of_k_at_scale():
    """With a thousand trials 1..1000 the expected least of k is (n + 1) / (k + 1), for every k."""
    found = best_of(np.random.default_rng(0).permutation(np.arange(1, 1001)), k=[1, 2, 10, 500, 999, 1000])
    np.testing.assert_allclose(found.expected, 1001 / (np.array([1, 2, 10, 500, 999, 1000]) + 1), rtol=1e-9)


@pytest.mark.parametrize("k", [[0], [4], [1, 9]])
def test_best_of_more_trials_than_there_are(k):
    """k beyond the number of trials has no answer."""
    with pytest.raises(ValueError, match="between 1 and the number of trials, 3"):
        best_of([1.0, 2.0, 3.0], k=k)


def test_best_of_takes_nan_for_not_reached():
    """A trial without a value never is the best."""
    assert best_of([math.nan, 2.0], k=[1]).probability.tolist() == [0.5]


def test_percentile_interval_counts_infinite_values():
    """A resample that does not reach the goal is the worst there is; NaN is no resample."""
    samples = np.array([1.0, 2.0, 3.0, math.inf, math.nan])
    assert percentile_interval(samples, 0.5) == (1.0, 3.0)
    assert percentile_interval(samples, 0.9) == (1.0, math.inf)
    assert all(math.isnan(end) for end in percentile_interval(np.array([math.nan])))


def test_best_of_some_numbers_is_that_of_all():
    """Where only large k are asked for, slow trials count for nothing and are left out: the answer is the same."""
    values = np.random.default_rng(3).lognormal(0.0, 1.0, 400)
    values[::7] = math.inf
    some, every = best_of(values, [200, 380, 400]), best_of(values)
    np.testing.assert_allclose(some.expected, every.expected[some.k - 1], rtol=1e-14)
    np.testing.assert_array_equal(some.quantiles, every.quantiles[some.k - 1])
    np.testing.assert_allclose(some.probability, every.probability[some.k - 1], rtol=1e-14)
