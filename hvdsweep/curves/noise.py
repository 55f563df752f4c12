"""Gradient noise scale: the batch size that McCandlish et al. 2018 predict from gradients at two batch sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError


@dataclass(frozen=True)
class NoiseScale:
    """B_simple = tr(Sigma) / |G|^2 (arXiv 1812.06162, appendix A.1)."""

    value: float
    """Examples. Infinite or negative estimates of |G|^2 leave no answer: NaN where `gradient_squared` <= 0."""
    gradient_squared: float
    """Estimate of |G|^2, averaged over steps; may come out <= 0 where noise drowns the gradient."""
    trace: float
    """Estimate of tr(Sigma), averaged over steps."""
    steps: int
    """Steps averaged."""


def gradient_noise_scale(
    small_squared: npt.ArrayLike, large_squared: npt.ArrayLike, small_batch: float, large_batch: float
) -> NoiseScale:
    """From squared gradient norms [N steps] at batch sizes b < B: a rank's own gradient, and the all-reduced one.

    |G|^2 = (B |G_B|^2 - b |G_b|^2) / (B - b) and tr(Sigma) = (|G_b|^2 - |G_B|^2) / (1/b - 1/B), each unbiased;
    both are averaged over steps separately, then divided (a mean of ratios would be biased). Steps where either norm
    is not finite are left out. UserError unless 0 < b < B and the arrays have one length.
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
