"""Gradient noise scale: the batch size that McCandlish et al. 2018 predict from gradients at two batch sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.curves.student import quantile
from hvdsweep.errors import UserError


@dataclass(frozen=True)
class NoiseScale:
    """B_simple = tr(Sigma) / |G|^2 (arXiv 1812.06162, appendix A.1)."""

    value: float
    """Examples; NaN if `gradient_squared` <= 0, since then no estimate is possible."""
    gradient_squared: float
    """Estimate of |G|^2, averaged over steps; may be <= 0 if noise dominates the gradient."""
    trace: float
    """Estimate of tr(Sigma), averaged over steps."""
    steps: int
    """Steps averaged."""


def gradient_noise_scale(
    small_squared: npt.ArrayLike, large_squared: npt.ArrayLike, small_batch: float, large_batch: float
) -> NoiseScale:
    """From squared gradient norms [N steps] at batch sizes b < B: a rank's own gradient, and the all-reduced one.

    |G|^2 = (B |G_B|^2 - b |G_b|^2) / (B - b) and tr(Sigma) = (|G_b|^2 - |G_B|^2) / (1/b - 1/B), each unbiased;
    both are averaged over steps separately, then divided (a mean of ratios would be biased). Steps with a norm that is
    not finite are left out. UserError unless 0 < b < B and the arrays have one length.
    """
    small, large = np.asarray(small_squared, np.float64), np.asarray(large_squared, np.float64)
    if not 0 < small_batch < large_batch:
        raise UserError(
            f"noise scale: batch sizes {small_batch:g} and {large_batch:g}: need 0 < small < large"
        )
    if small.shape != large.shape:
        raise UserError(
            f"noise scale: {small.size} small and {large.size} large norms: need one of each per step"
        )
    usable = np.isfinite(small) & np.isfinite(large)
    if not usable.any():
        return NoiseScale(math.nan, math.nan, math.nan, 0)
    mean_small, mean_large = float(small[usable].mean()), float(large[usable].mean())
    squared = (large_batch * mean_large - small_batch * mean_small) / (large_batch - small_batch)
    trace = (mean_small - mean_large) / (1 / small_batch - 1 / large_batch)
    return NoiseScale(trace / squared if squared > 0 else math.nan, squared, trace, int(usable.sum()))


DEFINITION = (
    "B_simple = tr(Sigma) / |G|^2 in examples: both averaged over the estimates of the best trial in the second half of its "
    "steps to the goal (the last one before the goal if there are none), then divided"
)

Estimates = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Estimates of one trial: (updates made [n], |G|^2 [n], tr(Sigma) [n])."""


@dataclass(frozen=True)
class NoisePoint:
    """The noise scale of one batch size's best trial on its way to the goal."""

    batch_size: int
    value: float | None
    """Examples; None if the estimate of |G|^2 is not above 0."""
    interval: tuple[float, float | None] | None
    """From the scatter of the estimates (Fieller's theorem); an upper end of None is open. None: fewer than three
    estimates, or nothing known."""
    grad_sq: float
    trace_sigma: float
    estimates: int
    """Number of estimates averaged."""

    @property
    def sure(self) -> bool:
        """Whether both ends of its interval are known."""
        return self.value is not None and self.interval is not None and self.interval[1] is not None


@dataclass(frozen=True)
class CurveNoise:
    """The noise scale for a scaling curve."""

    batch_size: float | None
    """The median over the batch sizes with a certain value, else over all that have a value; None if none has."""
    lowest: float | None
    highest: float | None
    """The highest of the values behind the median."""
    counted: int
    """The number of values behind the median."""
    points: tuple[NoisePoint, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "batch_size": self.batch_size,
            "lowest": self.lowest,
            "highest": self.highest,
            "counted": self.counted,
            "definition": DEFINITION,
            "points": [
                {
                    "batch_size": point.batch_size,
                    "value": point.value,
                    "interval": None if point.interval is None else list(point.interval),
                    "grad_sq": point.grad_sq,
                    "trace_sigma": point.trace_sigma,
                    "estimates": point.estimates,
                }
                for point in self.points
            ],
        }


def curve_noise(best: Iterable[tuple[int, int, Estimates]], level: float) -> CurveNoise | None:
    """From (batch size, steps to the goal, estimates of the best trial); None if there are no estimates."""
    points = [
        found for size, steps, one in best if (found := noise_point(size, steps, one, level)) is not None
    ]
    if not points:
        return None
    known = [point for point in points if point.sure] or [
        point for point in points if point.value is not None
    ]
    values = [point.value for point in known if point.value is not None]
    if not values:
        return CurveNoise(None, None, None, 0, tuple(points))
    return CurveNoise(float(np.median(values)), min(values), max(values), len(values), tuple(points))


def noise_point(batch_size: int, steps: int, estimates: Estimates, level: float) -> NoisePoint | None:
    """The noise scale over the second half of `steps` updates; None if no estimate was taken by then."""
    at, squares, traces = estimates
    usable = np.isfinite(squares) & np.isfinite(traces) & (at <= steps)
    if not usable.any():
        return None
    chosen = usable & (2 * at > steps)
    if not chosen.any():
        chosen = usable & (at == at[usable].max())
    x, y = squares[chosen], traces[chosen]
    square, trace = float(x.mean()), float(y.mean())
    value = trace / square if square > 0 and trace > 0 else None
    return NoisePoint(batch_size, value, _fieller(x, y, level), square, trace, len(x))


def _fieller(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], level: float
) -> tuple[float, float | None] | None:
    """Interval for mean(y) / mean(x), above 0."""
    n = len(x)
    if n < 3:
        return None
    (xx, xy), (_, yy) = np.cov(x, y) * quantile((1 + level) / 2, n - 1) ** 2 / n
    a, b, c = x.mean() ** 2 - xx, x.mean() * y.mean() - xy, y.mean() ** 2 - yy
    root = b * b - a * c
    if a > 0:
        # Below 0 only by rounding, if every estimate has the same ratio.
        root = max(root, 0.0)
    if root < 0 or a == 0:
        return None
    ends = sorted(((b - math.sqrt(root)) / a, (b + math.sqrt(root)) / a))
    if a > 0:
        return (max(float(ends[0]), 0.0), float(ends[1])) if ends[1] > 0 and x.mean() > 0 else None
    # The mean of x may be 0: everything above the larger end is possible.
    return (float(ends[1]), None) if ends[1] > 0 else None
