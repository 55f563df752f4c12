"""The free knee against scipy, the choice between formulas, and why there is no fit."""

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from hvdsweep.curves import knee
from hvdsweep.curves.decisions import log_critical
from hvdsweep.curves.fitted import fit_curve
from hvdsweep.curves.intervals import upper_rank
from hvdsweep.curves.spread import Spread

SIZES = 2 ** np.arange(2, 12)
X = np.log(SIZES)


def spread(count, *, gaps=0, trials=0.05, spacing=math.nan):
    known = np.full(count, float(spacing))
    scatter, none = np.full(count, trials if gaps else math.nan), np.zeros(count)
    return Spread(known, none, np.ones(count), scatter, gaps, 8, none, none)


def bent(p, b_crit=64.0, s_min=60.0):
    return s_min * (1 + (b_crit / SIZES) ** p) ** (1 / p)


@pytest.mark.parametrize("seed", range(12))
def test_least_squares_agree_with_scipy(seed):
    """The least sum of squares over B_crit and knee is that of scipy from many starts."""
    rng = np.random.default_rng(seed)
    y = np.log(bent(rng.uniform(1, 4))) + rng.choice([0.01, 0.1, 0.3]) * rng.standard_normal(len(SIZES))
    _, _, squares = knee.Points(X, y).optimum
    bounds = ([-50, X[0] - knee.REACH, 1], [50, X[-1] + knee.REACH, 4])
    best = min(
        2 * least_squares(lambda t: y - t[0] - knee.shape(X, t[1], t[2]), (4, b, p), bounds=bounds).cost
        for b in (2.0, 4.0, 6.0)
        for p in (1.01, 2.0, 3.9)
    )
    assert squares == pytest.approx(best, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_allowed_curves_end_where_the_profile_does(seed):
    """At the least and the most ln B_crit, ln S_min and ln E_min that are allowed, the least sum of squares by scipy has risen by
    what is allowed, to the grid's spacing."""
    rng = np.random.default_rng(seed)
    y = np.log(bent(rng.uniform(1, 3))) + 0.1 * rng.standard_normal(len(SIZES))
    points = knee.Points(X, y)
    b, p, least = points.optimum
    excess = least * rng.choice([0.3, 1.0])
    found = knee.allowed(points, excess)
    assert not found.no_least
    assert not found.no_largest

    def rise(fixed, value):
        a_of = {
            "b": lambda t: np.mean(y - knee.shape(X, value, t[1])),
            "a": lambda t: value,
            "e": lambda t: value - t[0],
        }
        ends = ([X[0] - knee.REACH, 1], [X[-1] + knee.REACH, 4])

        def rest(t):
            return y - a_of[fixed](t) - knee.shape(X, value if fixed == "b" else t[0], t[1])

        starts = [(b, min(max(knee_, 1.01), 3.99)) for knee_ in (p, 1.0, 4.0)]
        return min(2 * least_squares(rest, start, bounds=ends).cost for start in starts) - least

    lows = {"b": found.b, "a": found.low_a, "e": found.low_a + found.b}
    highs = {"b": found.b, "a": found.high_a, "e": found.high_a + found.b}
    for fixed in lows:
        for end in (lows[fixed].min(), highs[fixed].max()):
            assert 0.85 * excess < rise(fixed, end) < excess * (1 + 1e-5)


@pytest.mark.parametrize(("p", "chosen"), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)])
def test_the_knee_that_the_data_ask_for(p, chosen):
    """A hyperbola stays one; a sharper bend gets its knee, and both formulas are kept."""
    fit = fit_curve(SIZES, bent(p), spread(10, gaps=10), 0.95).fit
    assert fit.knee == pytest.approx(chosen, abs=0.01)
    assert fit.b_crit.value == pytest.approx(64, rel=0.01)
    assert fit.s_min.value == pytest.approx(60, rel=0.01)
    assert (fit.hyperbola is None, fit.free_knee is None) == (False, False)
    np.testing.assert_allclose(fit.steps(SIZES), bent(p), rtol=0.01)


def test_single_trials_do_not_ask_for_a_knee():
    """Where no study shows how far its best scatters, the hyperbola is used."""
    assert fit_curve(SIZES, bent(3.0), spread(10), 0.95).fit.knee == 1.0


def test_three_points_on_a_hyperbola_are_not_certain():
    """Because of evaluation spacing and the trials' scatter an interval is open that residuals alone would close."""
    three = SIZES[[2, 5, 8]]
    steps = 60 * (1 + 64 / three)
    fit = fit_curve(three, steps, spread(3, gaps=3, trials=0.1), 0.95).fit
    assert fit.b_crit.value == pytest.approx(64, rel=1e-6)
    assert fit.b_crit.low < 0.8 * 64
    assert fit.b_crit.high is None or fit.b_crit.high > 1.2 * 64


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([100.0, math.nan, 50.0], "only 2 batch sizes reached the goal"),
        ([100.0, 50.0, 25.0], "in proportion to the batch size"),
        ([100.0, 110.0, 120.0], "do not fall with the batch size"),
    ],
)
def test_a_missing_fit_says_why(steps, why):
    """Too few points, no bend to either side."""
    found = fit_curve(np.array([8, 16, 32]), np.array(steps), spread(3), 0.95)
    assert found.fit is None
    assert why in found.reason


def test_a_wrong_formula_is_noticed():
    """Points far from the fit, next to trials that hardly scatter."""
    steps = bent(1.0) * np.exp(0.3 * np.array([1, -1] * 5))
    assert fit_curve(SIZES, steps, spread(10, gaps=10, trials=0.02), 0.95).fit.misfit
    assert not fit_curve(SIZES, steps, spread(10, gaps=10, trials=0.3), 0.95).fit.misfit


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0])
def test_critical_batch_size_is_where_examples_exceed(p):
    """At B* the curve needs 1.2 times the examples of B0; for the hyperbola this is 1.2 B0 + 0.2 B_crit."""
    b, reference = math.log(64.0), 4
    size = math.exp(float(log_critical(np.array([b]), np.array([p]), reference, 0.2)[0]))
    examples = [one * math.exp(float(knee.shape(np.log(one), b, p))) for one in (reference, size)]
    assert examples[1] / examples[0] == pytest.approx(1.2)
    if p == 1.0:
        assert size == pytest.approx(1.2 * 4 + 0.2 * 64)


@pytest.mark.parametrize("trials", [3, 6, 20, 100])
def test_upper_end_without_a_fit(trials):
    """The best of n new trials is beyond the k-th of n old ones in C(n, k) / C(2n, k); k is the least that is enough."""
    k = upper_rank(trials, 0.95)
    assert math.comb(trials, k) / math.comb(2 * trials, k) <= 0.05
    assert k == 1 or math.comb(trials, k - 1) / math.comb(2 * trials, k - 1) > 0.05


def test_two_trials_are_too_few_for_an_upper_end():
    """Even the slower of two is passed by a repeated search in one of six."""
    assert upper_rank(2, 0.95) is None
