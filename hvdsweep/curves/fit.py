"""The hyperbola S = S_min (1 + B_crit / B) of a scaling curve, fitted in ln S, with intervals and lack of fit.

McCandlish et al. 2018 (arXiv 1812.06162); E = S B = E_min (1 + B / B_crit) with E_min = S_min B_crit. Published curves
follow it within 3-4 % for some models and miss it by 16-18 % for others, so every fit reports its lack of fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hvdsweep.curves import student
from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.table import Floats

REACH = math.log(1e6)
"""B_crit is searched this far (in ln B) beyond the smallest and the largest batch size: there the curve is straight."""

MIN_POINTS = 3
"""Two parameters need a third point to show a misfit."""


@dataclass(frozen=True)
class Estimate:
    """One fitted parameter."""

    value: float
    standard_error: float | None
    """Of ln(value), from the curvature at the optimum (Gauss-Newton); if small, about the relative error."""
    low: float | None
    """Lower end of the profile interval; None if the data do not exclude small values."""
    high: float | None
    """Upper end; None if the data do not exclude large values."""

    def times(self, unit: int) -> Estimate:
        """The same in another unit."""
        low, high = (None if end is None else end * unit for end in (self.low, self.high))
        return replace(self, value=self.value * unit, low=low, high=high)


@dataclass(frozen=True)
class HyperbolaFit:
    """Least squares in ln S over the batch sizes that reached the goal."""

    b_crit: Estimate
    """In examples: the batch size at which steps are twice S_min and examples twice E_min."""
    s_min: Estimate
    """Steps at an infinite batch size."""
    e_min: Estimate
    """Examples at an infinitesimal batch size."""
    lack_of_fit_percent: float
    """Root mean square of S / fitted S - 1, in percent."""
    points: int
    """Batch sizes fitted."""
    level: float
    """Level of the intervals."""

    def steps(self, batch_sizes: npt.ArrayLike) -> Floats:
        """Fitted steps at any batch sizes."""
        sizes = np.asarray(batch_sizes, np.float64)
        fitted: Floats = self.s_min.value * (1.0 + self.b_crit.value / sizes)
        return fitted


def fit_hyperbola(
    batch_sizes: npt.ArrayLike, steps: npt.ArrayLike, level: float = LEVEL
) -> HyperbolaFit | None:
    """Fit S = S_min (1 + B_crit / B); NaN, infinite and zero steps are left out. None for fewer than three points,
    or if the curve has no bend at all (straight to the ends of the search: B_crit would be 0 or infinite).

    With a = ln S_min and b = ln B_crit the residuals are linear in a, so the fit is a search over b alone: a grid,
    then Gauss-Newton. An interval holds the values whose least sum of squares is within 1 + t^2 / (n - 2) of the
    optimum's (profile, with Student's t): unlike symmetric intervals it is open if the data do not bound it.
    """
    sizes, observed = np.asarray(batch_sizes, np.float64), np.asarray(steps, np.float64)
    usable = np.isfinite(observed) & (observed > 0)
    x, y = np.log(sizes[usable]), np.log(observed[usable])
    if len(x) < MIN_POINTS:
        return None
    return hyperbola_at(hyperbola_optimum(x, y)[0], x, y, level)


def hyperbola_at(b: float, x: Floats, y: Floats, level: float) -> HyperbolaFit | None:
    """The fit with ln B_crit = `b` through y = ln S at x = ln B, as `fit_hyperbola`; `b` from `hyperbola_optimum`."""
    n, low, high = len(x), float(x[0]) - REACH, float(x[-1]) + REACH
    if not low + 0.5 < b < high - 0.5:
        return None
    shape = np.logaddexp(0.0, b - x)
    a = float(np.mean(y - shape))
    residual = y - a - shape
    squares = float(residual @ residual)
    variance = squares / (n - 2)
    slope = _slope(b, x)
    information = float(np.sum((slope - slope.mean()) ** 2))
    if information <= 0.0:
        return None
    error_b = math.sqrt(variance / information)
    error_a = math.sqrt(variance * (1 / n + slope.mean() ** 2 / information))
    error_e = math.sqrt(variance * (1 / n + (1 - slope.mean()) ** 2 / information))
    ends = _profile(x, y, b, squares, student.quantile((1 + level) / 2, n - 2), error_b, low, high)
    relative = np.expm1(residual)
    return HyperbolaFit(
        b_crit=_estimate(b, error_b, ends["b"]),
        s_min=_estimate(a, error_a, ends["a"]),
        e_min=_estimate(a + b, error_e, ends["e"]),
        lack_of_fit_percent=100 * math.sqrt(float(np.mean(relative**2))),
        points=n,
        level=level,
    )


def _slope(b: float, x: Floats) -> Floats:
    """d ln(1 + e^(b - x)) / db."""
    slope: Floats = 1.0 / (1.0 + np.exp(x - b))
    return slope


def _centred(b: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """For each b of [G]: the optimal a [G], and the sum of squares there [G]."""
    rest = y - np.logaddexp(0.0, b[:, None] - x)
    a = rest.mean(axis=1)
    rest -= a[:, None]
    squares: Floats = np.einsum("gi,gi->g", rest, rest)
    return a, squares


def hyperbola_optimum(x: Floats, y: Floats, start: float | None = None) -> tuple[float, float]:
    """(ln B_crit, least sum of squares) of the hyperbola through y = ln S at x = ln B; ln B_crit is at an end of the
    search if the curve has no bend. `start`: an ln B_crit near the optimum, if known."""
    low, high = float(x[0]) - REACH, float(x[-1]) + REACH
    if start is None:
        grid = np.linspace(low, high, 160)
        start = float(grid[np.argmin(_centred(grid, x, y)[1])])
    b, rest = start, _rest(start, x, y)
    least = float(rest @ rest)
    for _ in range(100):
        slope = _slope(b, x)
        slope -= slope.sum() / len(x)
        curvature = float(slope @ slope)
        if curvature == 0.0:
            break
        step = float(slope @ rest) / curvature
        if abs(step) < 1e-7:  # sums of squares no longer tell such steps apart
            b += step
            rest = _rest(b, x, y)
            break
        step = max(-1.0, min(1.0, step))
        for _ in range(20):
            moved = _rest(b + step, x, y)
            if float(moved @ moved) < least:
                break
            step /= 2
        else:
            break
        b, rest = b + step, moved
        least = float(rest @ rest)
        if not low < b < high:
            break
    return b, float(rest @ rest)


def _rest(b: float, x: Floats, y: Floats) -> Floats:
    """Residuals at b and its optimal a."""
    rest: Floats = y - np.logaddexp(0.0, b - x)
    rest -= rest.sum() / len(x)
    return rest


_OFFSETS = np.sinh(np.linspace(0.0, 9.0, 120)) / math.sinh(9.0)
"""[0, 1], dense near 0: the profile is searched outward from the optimum, finely where it is likely to end."""


def _profile(
    x: Floats, y: Floats, b: float, least: float, t: float, error: float, low: float, high: float
) -> dict[str, tuple[float | None, float | None]]:
    """Profile intervals of b, a and e = a + b; None if they reach the ends of the search."""
    allowed = least * t * t / (len(x) - 2)
    ends: list[float | None] = []
    for limit in (low, high):
        # Wide enough to reach `limit`, but near b no coarser than a fraction of the expected half-width.
        walk = b + (limit - b) * _OFFSETS
        if error > 0:
            near = b + math.copysign(min(8 * t * error, abs(limit - b)), limit - b) * np.linspace(
                0.0, 1.0, 120
            )
            walk = np.unique(np.concatenate((walk, near)))
            walk = walk if limit > b else walk[::-1]
        _, squares = _centred(walk, x, y)
        height = np.sqrt(np.maximum(squares - least, 0.0))  # nearly linear in b, so interpolated linearly
        over = np.flatnonzero(height > math.sqrt(allowed))
        if len(over) == 0:
            ends.append(None)
            continue
        after = max(int(over[0]), 1)
        rise = float(height[after] - height[after - 1])
        share = (math.sqrt(allowed) - float(height[after - 1])) / rise if rise > 0 else 0.0
        ends.append(float(walk[after - 1] + max(share, 0.0) * (walk[after] - walk[after - 1])))
    left, right = ends
    inside = np.linspace(low if left is None else left, high if right is None else right, 201)
    inside = np.unique(np.append(inside, b))
    a, squares = _centred(inside, x, y)
    # sum of squares(a', b') = squares(b') + n (a' - a(b'))^2: how far a' may deviate at each b'.
    half = np.sqrt(np.maximum(allowed - (squares - least), 0.0) / len(x))
    e = a + inside
    # As b -> infinity S_min -> 0 (perfect scaling throughout); as b -> -infinity E_min -> 0.
    return {
        "b": (left, right),
        "a": (None if right is None else float((a - half).min()), float((a + half).max())),
        "e": (None if left is None else float((e - half).min()), float((e + half).max())),
    }


def _estimate(logarithm: float, error: float, ends: tuple[float | None, float | None]) -> Estimate:
    low, high = (None if end is None else math.exp(end) for end in ends)
    return Estimate(math.exp(logarithm), error, low, high)
