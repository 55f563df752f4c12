"""The hyperbola fit: planted curves, scipy as an oracle, and the coverage of its intervals."""

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import fit_hyperbola, student

SIZES = 2 ** np.arange(4, 16)


@given(st.integers(1, 200), st.floats(0.5, 1, exclude_max=True).filter(lambda p: p < 1 - 1e-9))
def test_student_quantile_is_scipys(degrees, probability):
    """Quantiles of t agree with scipy to 1e-8, and cdf inverts them."""
    assert student.quantile(probability, degrees) == pytest.approx(
        scipy.stats.t.ppf(probability, degrees), rel=1e-8, abs=1e-9
    )


@given(st.integers(1, 60), st.floats(-50, 50))
def test_student_distribution_is_scipys(degrees, t):
    """P(T <= t) agrees with scipy on both sides of 0."""
    assert student.cdf(t, degrees) == pytest.approx(scipy.stats.t.cdf(t, degrees), abs=1e-8)


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_student_quantile_outside_its_half(probability):
    """Only the upper half below 1 is answered."""
    with pytest.raises(ValueError, match="t quantile"):
        student.quantile(probability, 3)


@given(st.floats(3, 5e5), st.floats(1, 1e7), st.integers(3, 12))
def test_a_planted_hyperbola_is_recovered_exactly(b_crit, s_min, points):
    """Without noise the fit returns what was planted, with no lack of fit and point-like intervals."""
    sizes = SIZES[-points:] if b_crit > 3000 else SIZES[:points]
    fit = fit_hyperbola(sizes, s_min * (1 + b_crit / sizes))
    assert fit.b_crit.value == pytest.approx(b_crit, rel=1e-5)
    assert fit.s_min.value == pytest.approx(s_min, rel=1e-5)
    assert fit.e_min.value == pytest.approx(s_min * b_crit, rel=1e-5)
    assert fit.lack_of_fit_percent < 1e-6
    np.testing.assert_allclose(fit.steps(sizes), s_min * (1 + b_crit / sizes), rtol=1e-6)
    assert fit.b_crit.low <= fit.b_crit.value <= fit.b_crit.high
    assert fit.b_crit.high / fit.b_crit.low == pytest.approx(1, abs=1e-3)


def noisy(seed: int, noise: float, b_crit: float = 700.0, s_min: float = 300.0, sizes: np.ndarray = SIZES):
    rng = np.random.default_rng(seed)
    return s_min * (1 + b_crit / sizes) * np.exp(noise * rng.standard_normal(len(sizes)))


@given(st.integers(0, 10_000), st.floats(0.001, 0.4), st.floats(50, 10_000))
def test_the_optimum_and_its_errors_are_scipys(seed, noise, b_crit):
    """Estimates and standard errors agree with scipy's curve_fit, from the true start, on noisy curves."""
    steps = noisy(seed, noise, b_crit)
    fit = fit_hyperbola(SIZES, steps)
    optimum, covariance = scipy.optimize.curve_fit(
        lambda size, a, b: a + np.logaddexp(0, b - np.log(size)),
        SIZES,
        np.log(steps),
        p0=[math.log(300.0), math.log(b_crit)],
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    assert math.log(fit.s_min.value) == pytest.approx(optimum[0], abs=1e-4)
    assert math.log(fit.b_crit.value) == pytest.approx(optimum[1], abs=1e-4)
    assert fit.s_min.standard_error == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-3)
    assert fit.b_crit.standard_error == pytest.approx(math.sqrt(covariance[1, 1]), rel=1e-3)
    error_e = math.sqrt(covariance.sum())
    assert fit.e_min.standard_error == pytest.approx(error_e, rel=1e-3)


@given(st.integers(0, 10_000), st.floats(0.01, 0.3), st.sampled_from([0.5, 0.68, 0.95]))
def test_interval_ends_are_where_the_profile_says(seed, noise, level):
    """At each end of an interval the least sum of squares is 1 + t^2 / (n - 2) of the optimum's, found by scipy."""
    steps = noisy(seed, noise)
    fit = fit_hyperbola(SIZES, steps, level)
    x, y = np.log(SIZES), np.log(steps)

    def squares(a, b):
        return float(np.sum((y - a - np.logaddexp(0, b - x)) ** 2))

    least = squares(math.log(fit.s_min.value), math.log(fit.b_crit.value))
    target = least * (1 + scipy.stats.t.ppf((1 + level) / 2, len(x) - 2) ** 2 / (len(x) - 2))

    def profile(fixed, value, free):
        if fixed == "b":
            return squares(np.mean(y - np.logaddexp(0, value - x)), value)
        at = (lambda b: squares(value, b)) if fixed == "a" else (lambda b: squares(value - b, b))
        return scipy.optimize.minimize_scalar(at, bracket=(free - 0.1, free + 0.1)).fun

    start = math.log(fit.b_crit.value)
    for fixed, estimate in (("b", fit.b_crit), ("a", fit.s_min), ("e", fit.e_min)):
        for end in (estimate.low, estimate.high):
            if end is not None:
                assert profile(fixed, math.log(end), start) == pytest.approx(target, rel=0.02)


def test_intervals_cover_at_the_stated_rate():
    """Over 1,000 noisy curves each 95 % and 68 % interval holds the planted value at its rate, within 3 sigma."""
    runs = 1000
    for level in (0.95, 0.68):
        held = np.zeros(3)
        for seed in range(runs):
            fit = fit_hyperbola(SIZES, noisy(seed, 0.1), level)
            for index, (estimate, truth) in enumerate(
                ((fit.b_crit, 700.0), (fit.s_min, 300.0), (fit.e_min, 210_000.0))
            ):
                held[index] += (estimate.low or 0.0) <= truth <= (estimate.high or math.inf)
        sigma = math.sqrt(level * (1 - level) / runs)
        assert np.abs(held / runs - level).max() < 3 * sigma + 0.005  # 0.005: nonlinearity


def test_lack_of_fit_of_a_kinked_curve():
    """A curve with a sharp corner misses the hyperbola; the percentage is the rms of S / fit - 1."""
    steps = np.maximum(1e6 / SIZES, 500.0)
    fit = fit_hyperbola(SIZES, steps)
    relative = steps / fit.steps(SIZES) - 1
    assert fit.lack_of_fit_percent == pytest.approx(100 * math.sqrt(np.mean(relative**2)))
    assert 5 < fit.lack_of_fit_percent < 30


@pytest.mark.parametrize("steps", [1e6 / SIZES, np.full(len(SIZES), 50.0), 10.0 * SIZES, 1e9 / SIZES**1.5])
def test_curves_without_a_bend_have_no_fit(steps):
    """Perfect scaling throughout, and no scaling at all, leave B_crit without a value."""
    assert fit_hyperbola(SIZES, steps) is None


def test_points_that_did_not_reach_are_left_out():
    """NaN, infinite and zero steps do not enter; fewer than three points are no fit."""
    steps = 300.0 * (1 + 700.0 / SIZES)
    holes = steps.copy()
    holes[[0, 5]], holes[7], holes[9] = np.nan, np.inf, 0.0
    fit = fit_hyperbola(SIZES, holes)
    assert (fit.points, fit.b_crit.value) == (8, pytest.approx(700.0))
    holes[3:] = np.nan
    assert fit_hyperbola(SIZES, holes) is None


def test_an_unbounded_parameter_has_an_open_interval():
    """Noisy perfect scaling cannot exclude an infinite B_crit, nor S_min of 0; E_min stays bounded."""
    for seed in range(40):
        fit = fit_hyperbola(SIZES, noisy(seed, 0.2, b_crit=1e5))
        if fit is not None and fit.b_crit.high is None:
            assert fit.s_min.low is None
            assert fit.e_min.low is not None
            assert fit.e_min.high is not None
            break
    else:
        pytest.fail("no interval was open in 40 noisy curves")
