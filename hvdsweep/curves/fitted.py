"""The fit of a scaling curve: hyperbola or free knee, whichever the data require, and the curves that the data allow.

Estimates come from the steps as measured. Intervals allow for the goal having been reached anywhere between two
evaluations, and for every knee between 1 and 4 that the data allow, so that they do not depend on the chosen formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hvdsweep.curves import knee, student
from hvdsweep.curves.fit import MIN_POINTS, Estimate, HyperbolaFit, hyperbola_at, hyperbola_optimum
from hvdsweep.curves.knee import Allowed, Average, Points
from hvdsweep.curves.spread import Spread
from hvdsweep.curves.table import Bools, Floats, Ints

HYPERBOLA = "S = s_min (1 + b_crit / B)"
FREE_KNEE = "S = s_min (1 + (b_crit / B)^knee)^(1 / knee)"

CRITERION = (
    "the free knee where n ln(sum of squares), the scatter between trials included, is lower by more than 2 (Akaike); the"
    " hyperbola otherwise, and where no study's trials show how far their best scatters"
)

LIKELY = 0.8
"""Level of the smaller set of curves that must agree on a region: each side is missed in at most one of ten."""

LEAST_FOR_KNEE = 5
"""Batch sizes needed to fit a knee: three parameters, and two more points to show a misfit."""


@dataclass(frozen=True)
class KneeFit:
    """S = S_min (1 + (B_crit / B)^p)^(1/p), least squares in ln S."""

    knee: float
    """p, from 1 (the hyperbola) to 4."""
    b_crit: float
    s_min: float
    e_min: float
    lack_of_fit_percent: float
    """Root mean square of S / fitted S - 1, in percent."""


@dataclass(frozen=True)
class ScalingFit:
    """The formula used, its parameters with intervals, and how far the points are from it."""

    knee: float
    """1 for the hyperbola."""
    knee_interval: tuple[float, float]
    """Knees that the data allow, within 1 to 4."""
    b_crit: Estimate
    """In examples: where the straight ends of the curve in log-log meet; for the hyperbola, where S = 2 S_min."""
    s_min: Estimate
    """Steps at an infinite batch size, for the best of so many trials."""
    e_min: Estimate
    """Examples at an infinitesimal batch size, for the best of so many trials."""
    lack_of_fit_percent: float
    """Root mean square of S / fitted S - 1, in percent."""
    expected_scatter_percent: float | None
    """The lack of fit to expect from the scatter of the best of so many trials and from evaluation spacing alone; None
    if no study shows a scatter."""
    misfit: bool
    """Whether the points are further from the formula than the scatter of their trials explains: by more than MISFIT."""
    points: int
    """Batch sizes fitted."""
    trials: int
    """S_min and E_min are those of the best of so many trials."""
    level: float
    """Level of the intervals."""
    hyperbola: HyperbolaFit | None
    """The fitted hyperbola, whichever formula is used."""
    free_knee: KneeFit | None

    @property
    def formula(self) -> str:
        return HYPERBOLA if self.knee == 1.0 else FREE_KNEE

    def steps(self, batch_sizes: np.typing.ArrayLike) -> Floats:
        """Fitted steps at any batch sizes."""
        x = np.log(np.asarray(batch_sizes, np.float64))
        fitted: Floats = self.s_min.value * np.exp(knee.shape(x, math.log(self.b_crit.value), self.knee))
        return fitted


MISFIT, GAPS_FOR_MISFIT = 2.0, 5
"""A standard deviation about the curve this many times the one expected from trials and evaluation spacing counts as a
misfit: one in twenty correct formulas reaches it (benchmarks/coverage.py). It takes so many gaps (second value) to know
the trials' scatter well enough."""


UNSEEN_SCATTER = 0.02
"""Least standard deviation of ln S of single trials: training again with another seed moves the steps by more. Points
that lie on a curve by chance show nothing else."""


@dataclass(frozen=True)
class Residual:
    """How far the best of a study's trials is from the curve, as a variance of ln S."""

    variance: float
    """Pooled: about the best curve, and between the trials of each study."""
    degrees: int
    """Degrees of freedom behind it."""
    own: float
    """The part due to the trials alone, without evaluation spacing: mostly from batch sizes where spacing matters little."""
    own_degrees: int
    """Degrees of freedom behind `own`."""

    def quantile(self, level: float) -> float:
        """Two-sided quantile of Student's t for `own`."""
        return student.quantile((1 + level) / 2, self.own_degrees)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fitted formulas of a curve of S batch sizes; either `fit` or `reason` is set."""

    x: Floats
    """[n], ln B of the batch sizes fitted."""
    fit: ScalingFit | None
    reason: str | None
    """Why there is no fit."""
    best: tuple[float, float] | None
    """(ln B_crit, knee) of the curve used; at an end of the search if it has no bend. None: too few points."""
    residual: Residual | None
    allowed: Allowed | None
    """The curves that the data allow at the level; None if not asked for, or too few points."""
    average: Average | None = None
    """The best curve at each knee; None if `allowed` is, or if only the hyperbola is fitted."""

    @property
    def fit_found(self) -> bool:
        """Whether the curve has a bend, so that a formula fits it."""
        return self.best is not None and self.reason is None


def usable(steps: Floats) -> Bools:
    """[S], the batch sizes to fit: those that reached the goal after some training."""
    kept: Bools = np.isfinite(steps) & (steps > 0)
    return kept


def fit_curve(
    batch_sizes: Ints, steps: Floats, spread: Spread, level: float, *, whole: bool = True
) -> Fitted:
    """Fit the steps [S] (NaN: not reached). Not `whole`: only the points' scatter, no intervals of parameters."""
    kept = usable(steps)
    # As if every batch size had as many trials: the best of more comes sooner.
    steps = steps * np.exp(spread.later)
    x, y = np.log(batch_sizes[kept].astype(np.float64)), np.log(steps[kept])
    n = len(x)
    if n < MIN_POINTS:
        word = "batch size" if n == 1 else "batch sizes"
        return Fitted(
            x, None, f"only {n} {word} reached the goal; a fit needs {MIN_POINTS}", None, None, None
        )
    points = Points(x, y)
    found = _choose(points, spread, kept)
    residual = _residual(found, x, y, spread, kept)
    set_of = mean_of = None
    if whole:
        middle = np.log(steps[kept] - np.nan_to_num(spread.spacing[kept]) / 2)
        set_of = _allowed(Points(x, middle), spread, kept, level)
        if found.free is not None and spread.gaps:
            # By the scatter of the points alone: exact points of a curve give that curve, however far trials scatter.
            mean_of = knee.average(points, found.free, max(found.free[2] / (n - 3), 1e-20))
    fit = reason = None
    low, high = float(x[0]) - knee.REACH, float(x[-1]) + knee.REACH
    if found.b <= low + knee.MARGIN:
        reason = "steps do not fall with the batch size: there is no bend to fit"
    elif found.b >= high - knee.MARGIN:
        reason = "steps fall in proportion to the batch size up to the largest: there is no bend to fit"
    elif set_of is not None:
        fit = _scaling_fit(batch_sizes[kept], steps[kept], found, set_of, spread, kept, level)
    return Fitted(x, fit, reason, (found.b, found.p), residual, set_of, mean_of)


@dataclass(frozen=True)
class _Choice:
    """The chosen curve."""

    a: float
    b: float
    p: float
    squares: float
    parameters: int
    hyperbola: float
    """b of the hyperbola."""
    free: tuple[float, float, float] | None
    """(b, p, squares) of the free knee."""


def _choose(points: Points, spread: Spread, kept: Bools) -> _Choice:
    x, y, n = points.x, points.y, len(points.x)
    hyperbola, squares = hyperbola_optimum(x, y, points.start)
    b, p, parameters = hyperbola, 1.0, 2
    free: tuple[float, float, float] | None = None
    if n >= LEAST_FOR_KNEE:
        free = points.optimum
        if free[2] > squares:
            free = (b, 1.0, squares)
        if spread.gaps:
            # The scatter between trials counts as in `_pooled`, so that rounding alone does not call for a knee.
            worth = spread.gaps / 2
            known = worth * _expected(spread, kept) + 1e-20
            if (n + worth) * math.log((squares + known) / (free[2] + known)) > 2:
                (b, p, squares), parameters = free, 3
    a = float(np.mean(y - knee.shape(x, b, p)))
    return _Choice(a, b, p, squares, parameters, hyperbola, free)


def _residual(found: _Choice, x: Floats, y: Floats, spread: Spread, kept: Bools) -> Residual:
    own = len(x) - found.parameters
    variance, degrees = _pooled(found.squares, own, spread, kept)
    coarse = spread.coarseness[kept]
    between = float(np.mean(spread.trials[kept] ** 2)) if spread.gaps else 0.0
    relative = _relative(spread, kept)
    known = max(between, variance - float(coarse.mean()), 1e-20) * relative + coarse
    weight = relative * known[0] ** 2 / known**2
    rest = y - found.a - knee.shape(x, found.b, found.p)
    share = weight * relative
    of_points = float(weight @ (rest**2 * len(x) / own - coarse)) / float(share.sum())
    own_degrees = own * float(share.sum()) ** 2 / (len(x) * float(share @ share))
    worth = spread.gaps / 2
    pooled = (own_degrees * max(of_points, 0.0) + worth * between) / (own_degrees + worth)
    pooled = max(pooled, 0.0 if spread.gaps else UNSEEN_SCATTER**2)
    return Residual(variance, degrees, pooled, max(round(own_degrees + worth), 1))


def _pooled(squares: float, own: int, spread: Spread, kept: Bools) -> tuple[float, int]:
    """(variance of ln S about the curve, its degrees of freedom): of the residuals, and of the trials of each study.

    At least the variance due to evaluation spacing, or UNSEEN_SCATTER if no study shows how far its trials scatter.
    """
    variance, degrees = squares / own, float(own)
    if spread.gaps:
        # The mean of m gaps, each about exponential, is as certain as a variance of m / 2 degrees of freedom.
        worth = spread.gaps / 2
        variance = (squares + worth * _expected(spread, kept)) / (own + worth)
        degrees += worth
    floor = 0.0 if spread.gaps else UNSEEN_SCATTER**2
    return max(variance, floor, float(spread.coarseness[kept].mean())), int(degrees)


def _expected(spread: Spread, kept: Bools) -> float:
    """Variance of ln S expected from trials and evaluation spacing."""
    return float((spread.trials[kept] ** 2 + spread.coarseness[kept]).mean())


def _relative(spread: Spread, kept: Bools) -> Floats:
    """Variance of each point relative to the mean over the points."""
    each = spread.relative[kept] ** 2
    relative: Floats = each / each.mean()
    return relative


def _allowed(points: Points, spread: Spread, kept: Bools, level: float) -> Allowed:
    """Profile likelihood with Student's t, over both b and p."""
    best, x = points.optimum, points.x
    variance, degrees = _pooled(best[2], max(len(x) - 3, 1), spread, kept)
    variance *= _leverage(x, best, _relative(spread, kept))
    t = student.quantile((1 + level) / 2, degrees)
    found = knee.allowed(points, t * t * variance)
    luck = spread.luck[kept]
    if luck.any():
        # The best of n gained more from seeds at one end: the curve may be that without this gain, too.
        found = knee.both(found, knee.allowed(Points(x, points.y + luck), t * t * variance))
    likely = found.excess <= student.quantile((1 + LIKELY) / 2, degrees) ** 2 * variance
    weight = found.weight * np.exp(-found.excess / (2 * max(variance, 1e-20)))
    return replace(found, likely=likely, weight=weight / weight.sum())


def _leverage(x: Floats, best: tuple[float, float, float], relative: Floats) -> float:
    """How much more than points of equal variance those of this `relative` variance move S_min, B_crit or E_min."""
    b, p, _ = best
    slopes = np.stack((np.ones(len(x)), *knee.slopes(x, b, p)))[: 3 if len(x) >= LEAST_FOR_KNEE else 2]
    # Where the curve is straight, S_min and B_crit have the same effect on it; rounding must not separate them.
    by_point = np.linalg.pinv(slopes.T, rcond=1e-9)[:2]
    moves = np.vstack((by_point, by_point.sum(axis=0))) ** 2
    return max(1.0, float(np.max(moves @ relative / np.maximum(moves.sum(axis=1), 1e-300))))


def _scaling_fit(
    sizes: Ints, steps: Floats, found: _Choice, allowed: Allowed, spread: Spread, kept: Bools, level: float
) -> ScalingFit:
    free = None
    x, y, n = np.log(sizes.astype(np.float64)), np.log(steps), len(sizes)
    hyperbola = hyperbola_at(found.hyperbola, x, y, level)
    if found.free is not None:
        b, p, _ = found.free
        a = float(np.mean(y - knee.shape(x, b, p)))
        free = KneeFit(p, math.exp(b), math.exp(a), math.exp(a + b), _lack(x, steps, a, b, p))
    expected, misfit, own = None, False, n - found.parameters
    if spread.gaps:
        scatter = _expected(spread, kept)
        expected = 100 * math.sqrt(scatter * own / n)
        misfit = spread.gaps >= GAPS_FOR_MISFIT and found.squares / own > MISFIT**2 * scatter
    e_low, e_high = allowed.low_a + allowed.b, allowed.high_a + allowed.b
    errors = (None, None, None)
    if found.p == 1.0 and hyperbola is not None:
        errors = tuple(  # type: ignore[assignment]
            one.standard_error for one in (hyperbola.b_crit, hyperbola.s_min, hyperbola.e_min)
        )
    # As B_crit -> infinity S_min -> 0 (perfect scaling throughout); as B_crit -> 0 E_min -> 0.
    no_low, no_high = allowed.no_least, allowed.no_largest
    return ScalingFit(
        knee=found.p,
        knee_interval=(min(float(allowed.p.min()), found.p), max(float(allowed.p.max()), found.p)),
        b_crit=_estimate(found.b, errors[0], allowed.b, allowed.b, no_low, no_high),
        s_min=_estimate(found.a, errors[1], allowed.low_a, allowed.high_a, no_high, False),
        e_min=_estimate(found.a + found.b, errors[2], e_low, e_high, no_low, False),
        lack_of_fit_percent=_lack(x, steps, found.a, found.b, found.p),
        expected_scatter_percent=expected,
        misfit=misfit,
        points=n,
        trials=spread.typical,
        level=level,
        hyperbola=hyperbola,
        free_knee=free,
    )


def _lack(x: Floats, steps: Floats, a: float, b: float, p: float) -> float:
    relative = np.expm1(np.log(steps) - a - knee.shape(x, b, p))
    return 100 * math.sqrt(float(np.mean(relative**2)))


def _estimate(
    value: float, error: float | None, low: Floats, high: Floats, no_low: bool, no_high: bool
) -> Estimate:
    # Estimates come from the steps as measured, intervals from the middle between evaluations.
    least, most = min(float(low.min()), value), max(float(high.max()), value)
    return Estimate(
        math.exp(value), error, None if no_low else math.exp(least), None if no_high else math.exp(most)
    )
