"""Curves S = S_min (1 + (B_crit / B)^p)^(1/p) with a free knee p: the fit in ln S, and the curves that the data allow.

p = 1 is the hyperbola of McCandlish et al. 2018; a larger p bends more sharply from S ~ 1/B to S = S_min. With a = ln S_min
and b = ln B_crit the residuals are linear in a, so only (b, p) is searched: on a grid whose shapes are cached per set
of batch sizes, then on finer ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from hvdsweep.curves.table import Bools, Floats

LEAST, MOST = 1.0, 4.0
"""Range of knees."""

REACH = math.log(1e6)
"""B_crit is searched this far (in ln B) beyond the smallest and the largest batch size: there the curve is straight."""

NEAR = 3.0
"""A curve counts in an average if its B_crit is at most this far (in ln B) beyond the batch sizes."""

MARGIN = 0.5
"""An optimum this close to the ends of the search is not one: the curve has no bend."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Curves on a grid of (b, p): M of them, over n batch sizes."""

    b: Floats
    """[M], ln B_crit"""
    p: Floats
    """[M], knee"""
    mean: Floats
    """[M], mean of the shape ln(1 + (B_crit / B)^p) / p over the batch sizes."""
    centred: Floats
    """[M, n], the shape minus its mean."""

    def squares(self, y: Floats) -> Floats:
        """[M], sum of squares about each curve with its best S_min; `y` [n] = ln S."""
        rest = y - y.mean() - self.centred
        squares: Floats = np.einsum("mn,mn->m", rest, rest)
        return squares


def shape(x: Floats, b: Floats | float, p: Floats | float) -> Floats:
    """ln(1 + (B_crit / B)^p) / p at x = ln B; `b` and `p` broadcast."""
    shapes: Floats = np.logaddexp(0.0, p * (b - x)) / p
    return shapes


def grid(x: Floats, b: Floats, p: Floats) -> Grid:
    """All pairs of `b` and `p`."""
    pairs_b, pairs_p = (pairs.ravel() for pairs in np.meshgrid(b, p))
    # As `shape`; all powers of few exponentials.
    middle = float(x.mean())
    powers = np.exp(np.outer(p, b - middle))[:, :, None] * np.exp(np.outer(p, middle - x))[:, None, :]
    shapes = np.log1p(powers).reshape(len(pairs_p), len(x)) / pairs_p[:, None]
    mean = shapes.mean(axis=1)
    return Grid(pairs_b, pairs_p, mean, shapes - mean[:, None])


_STEP = 0.1
"""Distance of the coarse grid's b, within the batch sizes."""


@lru_cache(maxsize=64)
def coarse(x: tuple[float, ...]) -> Grid:
    """The first grid for these ln B: fine within the batch sizes, coarse beyond them."""
    low, high = x[0] - 4.0, x[-1] + 4.0
    inner = np.linspace(low, high, math.ceil((high - low) / _STEP) + 1)
    outer = np.linspace(0.0, REACH - 4.0, 21)[1:]
    b = np.concatenate(((low - outer)[::-1], inner, high + outer))
    return grid(np.array(x), b, np.concatenate((np.linspace(1.0, 2.0, 9), np.linspace(2.25, MOST, 8))))


@dataclass(frozen=True, eq=False)
class Points:
    """The points of a curve to fit."""

    x: Floats
    """[n], ln B"""
    y: Floats
    """[n], ln S"""

    @cached_property
    def coarse(self) -> Grid:
        return coarse(tuple(self.x.tolist()))

    @cached_property
    def squares(self) -> Floats:
        """[M], sum of squares about each curve of the coarse grid."""
        return self.coarse.squares(self.y)

    @property
    def start(self) -> float:
        """ln B_crit of the best hyperbola of the coarse grid."""
        hyperbolas = self.coarse.p == 1.0
        return float(self.coarse.b[hyperbolas][np.argmin(self.squares[hyperbolas])])

    def rest(self, b: float, p: float) -> Floats:
        """[n], residuals at the best S_min."""
        rest: Floats = self.y - shape(self.x, b, p)
        rest -= rest.sum() / len(rest)
        return rest

    @cached_property
    def optimum(self) -> tuple[float, float, float]:
        """(b, p, least sum of squares); b is at an end of the search if the curve has no bend.

        The best of the coarse grid, then Levenberg-Marquardt.
        """
        best = int(np.argmin(self.squares))
        b, p, least = float(self.coarse.b[best]), float(self.coarse.p[best]), float(self.squares[best])
        low, high = float(self.x[0]) - REACH, float(self.x[-1]) + REACH
        rest, damping = self.rest(b, p), 1e-3
        for _ in range(100):
            by_b, by_p = slopes(self.x, b, p)
            by_b -= by_b.sum() / len(by_b)
            by_p -= by_p.sum() / len(by_p)
            down_b, down_p = float(by_b @ rest), float(by_p @ rest)
            bb, pp, bp = float(by_b @ by_b), float(by_p @ by_p), float(by_b @ by_p)
            # A knee that the slope holds at its end does not move.
            held = (p <= LEAST and down_p < 0) or (p >= MOST and down_p > 0)
            for _ in range(8):
                damped_b, damped_p = bb + damping * max(bb, 1e-12), pp + damping * max(pp, 1e-12)
                if held:
                    move_b, move_p = down_b / damped_b, 0.0
                else:
                    # Positive but for rounding, where neither moves the curve.
                    determinant = max(damped_b * damped_p - bp * bp, 1e-300)
                    move_b = (damped_p * down_b - bp * down_p) / determinant
                    move_p = (damped_b * down_p - bp * down_b) / determinant
                new_b = min(max(b + min(max(move_b, -1.0), 1.0), low), high)
                new_p = min(max(p + min(max(move_p, -1.0), 1.0), LEAST), MOST)
                rest = self.rest(new_b, new_p)
                found = float(rest @ rest)
                if found < least:
                    break
                damping *= 4
            else:
                break
            size, gain = abs(new_b - b) + abs(new_p - p), least - found
            b, p, least, damping = new_b, new_p, found, max(damping / 10, 1e-12)
            if size < 1e-7 or gain <= 1e-13 * least:
                break
        return b, p, least


def slopes(x: Floats, b: float, p: float) -> tuple[Floats, Floats]:
    """[n] each, derivatives of the shape by b and p."""
    distance, bent = b - x, shape(x, b, p)
    share = np.exp(p * (distance - bent))
    return share, (distance * share - bent) / p


@dataclass(frozen=True, eq=False)
class Average:
    """The best curve at each of K knees, and its weight."""

    b: Floats
    """[K], ln B_crit"""
    p: Floats
    """[K], knee"""
    weight: Floats
    """[K], sums to 1."""


KNEES = np.geomspace(LEAST, MOST, 13)
"""The knees of an average: evenly spaced in ln p."""

HYPERBOLA_WEIGHT = 0.4
"""Prior weight of the hyperbola. A smaller one makes the critical batch size too large if the knee is 1, a larger one
too small if it is 2 (benchmarks/coverage.py)."""


@lru_cache(maxsize=64)
def _at_knees(x: tuple[float, ...]) -> tuple[Floats, Grid]:
    """The ln B_crit within reach of these ln B, and the curves with each of them at each of `KNEES`."""
    step = np.arange(x[0] - 4.0, x[-1] + 4.0, _STEP)
    return step, grid(np.array(x), step, KNEES)


def average(points: Points, best: tuple[float, float, float], variance: float) -> Average:
    """Weighs each knee by its likelihood, for residuals of this variance; `best` is (b, p, least sum of squares)."""
    x, y = points.x, points.y
    step, curves = _at_knees(tuple(x.tolist()))
    squares = curves.squares(y).reshape(len(KNEES), len(step))
    least = np.clip(squares.argmin(axis=1), 1, len(step) - 2)
    before, at, after = (squares[np.arange(len(KNEES)), least + by] for by in (-1, 0, 1))
    # The vertex of the parabola through the three lowest points.
    bend = before - 2 * at + after
    shift = np.where(bend > 0, (before - after) / np.where(bend > 0, 2 * bend, 1.0), 0.0)
    b, p = step[least] + _STEP * np.clip(shift, -1.0, 1.0), KNEES
    prior = np.append(HYPERBOLA_WEIGHT, np.full(len(p) - 1, (1 - HYPERBOLA_WEIGHT) / (len(p) - 1)))
    # The optimum replaces its nearest knee, so that a curve without scatter is found exactly.
    nearest = int(np.argmin(np.abs(np.log(p / best[1]))))
    b[nearest], p = best[0], np.where(np.arange(len(p)) == nearest, best[1], p)
    rest = y - shape(x, b[:, None], p[:, None])
    rest -= rest.mean(axis=1, keepdims=True)
    squares = np.einsum("kn,kn->k", rest, rest)
    weight = prior * np.exp(-(squares - squares.min()) / (2 * variance))
    return Average(b, p, weight / weight.sum())


@dataclass(frozen=True, eq=False)
class Allowed:
    """The curves that the data allow at a level: those whose sum of squares is little above the least."""

    b: Floats
    """[M]"""
    p: Floats
    """[M]"""
    low_a: Floats
    """[M], least ln S_min for which (b, p) is allowed."""
    high_a: Floats
    """[M]"""
    excess: Floats
    """[M], sum of squares above the least."""
    likely: Bools
    """[M], whether also allowed at a smaller level."""
    weight: Floats
    """[M], weight in averages over the set. From `allowed`, a prior: even in b and ln p, HYPERBOLA_WEIGHT for the
    hyperbola, and 0 for curves of another grid."""
    no_least: bool
    """Whether no small B_crit is excluded."""
    no_largest: bool
    """Whether no large B_crit is excluded."""


def allowed(points: Points, excess: float) -> Allowed:
    """The curves with a sum of squares within `excess` of the least.

    Projected on any function of (a, b, p) the set is its profile interval.
    """
    x, y, first, (b, p, least) = points.x, points.y, points.coarse, points.optimum
    limit = least + excess
    inside = points.squares <= limit
    # The ends of a long narrow set lie between the points of a coarse grid: search again, in the box around it.
    edge_b, edge_p = np.append(first.b[inside], b), np.append(first.p[inside], p)
    low, high = float(edge_b.min()), float(edge_b.max())
    reach = 0.6 if low < float(x[0]) - 4 or high > float(x[-1]) + 4 else 1.2 * _STEP
    narrow = _half_width(x, b, p, excess)
    if not inside.any():
        reach = min(reach, narrow)
    span = np.linspace(max(low - reach, first.b[0]), min(high + reach, first.b[-1]), 72)
    knees = np.linspace(max(float(edge_p.min()) - 0.25, LEAST), min(float(edge_p.max()) + 0.25, MOST), 25)
    fine = grid(x, np.unique(np.append(span, b)), np.unique(np.append(knees, p)))
    # Far beyond the batch sizes all curves look the same, and would count by their number.
    near = (fine.b > x[0] - NEAR) & (fine.b < x[-1] + NEAR)
    density = (1 - HYPERBOLA_WEIGHT) / math.log(MOST / LEAST) * (knees[1] - knees[0]) / fine.p
    parts: list[tuple[Floats, ...]] = []
    for one, squares, prior in (
        (first, points.squares, np.zeros(len(first.b))),
        (fine, fine.squares(y), near * np.where(fine.p == 1.0, HYPERBOLA_WEIGHT, density)),
    ):
        room = limit - squares
        kept = room >= 0
        half = np.sqrt(room[kept] / len(x))
        a = y.mean() - one.mean[kept]
        parts.append((one.b[kept], one.p[kept], a - half, a + half, squares[kept] - least, prior[kept]))
    at_best = float(y.mean() - shape(x, b, p).mean())
    radius = math.sqrt(max(excess, 0.0) / len(x))
    at_least = 1e-300  # if no curve of the grid is allowed, the best is the only one
    parts.append(
        (*(np.array([value]) for value in (b, p, at_best - radius, at_best + radius, 0.0, at_least)),)
    )
    every_b, every_p, low_a, high_a, above, weight = (
        np.concatenate(columns) for columns in zip(*parts, strict=True)
    )
    return Allowed(
        every_b,
        every_p,
        low_a,
        high_a,
        above,
        np.ones(len(above), np.bool_),
        weight,
        no_least=bool(every_b.min() <= first.b[0] + MARGIN),
        no_largest=bool(every_b.max() >= first.b[-1] - MARGIN),
    )


def both(one: Allowed, other: Allowed) -> Allowed:
    """The curves of either set."""
    joined = {
        name: np.concatenate((getattr(one, name), getattr(other, name)))
        for name in ("b", "p", "low_a", "high_a", "excess", "likely", "weight")
    }
    return Allowed(
        **joined, no_least=one.no_least or other.no_least, no_largest=one.no_largest or other.no_largest
    )


def _half_width(x: Floats, b: float, p: float, excess: float) -> float:
    """How far b may deviate at this p according to its curvature, with a margin."""
    slope = 1.0 / (1.0 + np.exp(-p * (b - x)))
    information = float(np.sum((slope - slope.mean()) ** 2))
    return 3 * math.sqrt(excess / information) + 1e-9 if information > 0 else REACH
