"""Quantiles of Student's t distribution for whole degrees of freedom, from its closed form."""

from __future__ import annotations

import math
from functools import lru_cache


def cdf(t: float, degrees: int) -> float:
    """P(T <= t) with `degrees` >= 1 whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine_squared = math.cos(angle) ** 2
    term = math.cos(angle) if degrees % 2 else 1.0
    total = 0.0
    for k in range(1 + degrees % 2, degrees, 2):
        total += term
        term *= cosine_squared * k / (k + 1)
    inside = math.sin(angle) * total
    if degrees % 2:
        inside = 2 / math.pi * (angle + inside)
    return 0.5 + 0.5 * inside


@lru_cache(maxsize=1024)
def quantile(probability: float, degrees: int) -> float:
    """The t with P(T <= t) = `probability`, 0.5 <= probability < 1; ValueError otherwise."""
    if not (0.5 <= probability < 1) or degrees < 1:
        raise ValueError(f"t quantile at {probability} with {degrees} degrees of freedom")
    low, high = 0.0, 1.0
    while cdf(high, degrees) < probability:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2
