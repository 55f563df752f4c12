"""Axes in data units: scales, padded limits that follow the data, and ticks between two limits.

Every tick is an exact decimal (or a power of two), and its label says exactly that number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Scale = Literal["log2", "log10", "linear"]
Limits = tuple[float, float]

_PADDING = 0.05  # of the span, on each side
_LEAST_LOG_PADDING = 0.1  # decades, on each side
_SMALLEST, _LARGEST = 1e-300, 1e300  # of data that limits follow: keeps spans and padding inside float64
_LOWEST, _HIGHEST = 1e-307, 1e307  # of limits
_FINEST = 1e-12  # shortest span, relative to the numbers themselves, that ticks and dots can resolve
_MOST_TICKS = 200  # no terminal is wider
_SUFFIXES = ("", "k", "M", "G", "T")
_EXACT_DIGITS = 18  # a float64 needs 17


@dataclass(frozen=True)
class Tick:
    """A position on an axis with a label."""

    value: float
    """In data units; exactly the label's value."""
    label: str
    """ASCII, no spaces."""


@dataclass(frozen=True)
class Axis:
    """How one direction of a chart maps numbers to positions."""

    scale: Scale = "linear"
    """`log2` for batch sizes, `log10` for steps and errors, `linear` for the rest."""
    limits: tuple[float | None, float | None] = (None, None)
    """Fixed ends in data units; `None` follows the data (padded)."""
    title: str = ""
    """What is measured, with its unit."""

    def __post_init__(self) -> None:
        if self.scale not in ("log2", "log10", "linear"):
            raise ValueError(f"scale: {self.scale!r} is not log2, log10 or linear")
        for end in self.limits:
            if end is not None and not self.holds(end):
                raise ValueError(f"limits: {end!r} is not a place on a {self.scale} axis")
        low, high = self.limits
        if low is not None and high is not None and not low < high:
            raise ValueError(f"limits: {low!r} is not below {high!r}")

    @property
    def log(self) -> bool:
        """Whether only positive values have a position on this axis."""
        return self.scale != "linear"

    def holds(self, value: float) -> bool:
        """Whether a value has a position: finite, and positive on log axes."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def forward(self, values: npt.ArrayLike) -> FloatArray:
        """Data units to scale units (octaves, decades or the same), any shape; NaN if there is no position."""
        given = np.asarray(values, np.float64)
        if not self.log:
            return given
        with np.errstate(divide="ignore", invalid="ignore"):
            taken = np.log2(given) if self.scale == "log2" else np.log10(given)
        if taken.size and not np.min(taken) > -np.inf:
            taken = np.where(np.isneginf(taken), np.nan, taken)
        return taken

    def inverse(self, places: npt.ArrayLike) -> FloatArray:
        """Scale units to data units, any shape; overflow gives Inf, as in float64 arithmetic."""
        given = np.asarray(places, np.float64)
        if not self.log:
            return given
        with np.errstate(over="ignore", under="ignore"):
            return np.exp2(given) if self.scale == "log2" else np.power(10.0, given)

    def fit(self, low: float, high: float) -> Limits:
        """Limits for data from `low` to `high` (NaN, NaN if there are none): padded by 5 % of the span, on log axes
        by 0.1 decade at least; a fixed end stays where it is. A single value gets room on both sides."""
        fixed_low, fixed_high = self.limits
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = (1.0, 10.0) if self.log else (0.0, 1.0)
            low = fixed_low if fixed_low is not None else low
            high = fixed_high if fixed_high is not None else high
        bottom = _SMALLEST if self.log else -_LARGEST
        start, end = (self._forward_one(min(max(value, bottom), _LARGEST)) for value in (low, high))
        if not self.resolves(start, end):
            room = {"log2": 1.0, "log10": 0.5}.get(self.scale) or abs(start) * 0.1 or 1.0
        else:
            room = max(_PADDING * (end - start), self._least_padding)
        below, above = self.bounded(start - room, end + room)
        first = below if fixed_low is None else fixed_low
        last = above if fixed_high is None else fixed_high
        return self._apart(first, last)

    def resolves(self, start: float, end: float) -> bool:
        """Whether the span between two positions (scale units) is long enough for float64 to draw it."""
        return end - start > max(_FINEST * max(abs(start), abs(end)), _SMALLEST)

    def bounded(self, start: float, end: float) -> Limits:
        """Limits in data units of a window in scale units, kept inside what float64 can hold."""
        bottom = self._forward_one(_LOWEST) if self.log else -_HIGHEST
        low, high = (self._inverse_one(min(max(place, bottom), self._top)) for place in (start, end))
        return self._apart(low, high)

    def ticks(self, limits: Limits | None = None, *, most: int = 8) -> tuple[Tick, ...]:
        """At most `most` ticks inside `limits` (by default the axis's own, or those of an empty chart), ascending:
        powers of two on log2 axes, decades or 1-2-5 on log10, round numbers on linear ones and when zoomed in."""
        return self.ticks_that(limits or self.fit(math.nan, math.nan), lambda ticks: len(ticks) <= most)

    def ticks_that(self, limits: Limits, fit: Callable[[Sequence[Tick]], bool]) -> tuple[Tick, ...]:
        """The densest set of ticks inside `limits` for which `fit` returns true; if none does, a single tick of
        the sparsest; empty if not even one fits."""
        sparsest: tuple[Tick, ...] = ()
        for ticks in self._from_dense_to_sparse(*limits):
            if ticks and fit(ticks):
                return ticks
            sparsest = ticks or sparsest
        return next(((tick,) for tick in sparsest if fit((tick,))), ())

    @property
    def _least_padding(self) -> float:
        if not self.log:
            return 0.0
        return _LEAST_LOG_PADDING * (math.log2(10) if self.scale == "log2" else 1.0)

    def _forward_one(self, value: float) -> float:
        return float(self.forward(value))

    def _inverse_one(self, place: float) -> float:
        return float(self.inverse(place))

    @property
    def _top(self) -> float:
        return self._forward_one(_HIGHEST)

    def _apart(self, low: float, high: float) -> Limits:
        """The same limits, or a window around `low` if `high` has no position above it."""
        start = self._forward_one(low)
        if self.resolves(start, self._forward_one(high)):
            return low, high
        room = 1.0 if self.log else abs(low) * 0.1 or 1.0
        if start + room <= self._top:
            return low, self._inverse_one(start + room)
        return self._inverse_one(start - room), low

    def _from_dense_to_sparse(self, low: float, high: float) -> Iterator[tuple[Tick, ...]]:
        """Sets of ticks, each sparser than the one before."""
        if self.scale == "log2":
            sets = list(_powers_of_two(low, high))
        elif self.scale == "log10":
            sets = list(_decades(low, high))
        else:
            sets = []
        if not sets or len(sets[0]) < 3:
            # Zoomed in between powers: round numbers are more useful than a single power, which is the last resort.
            for ticks in _round_numbers(low, high, suffixes=self.scale != "log2"):
                if len(ticks) >= 2 or not sets:
                    yield ticks
        yield from sets


def _powers_of_two(low: float, high: float) -> Iterator[tuple[Tick, ...]]:
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    powers = [power for power in range(first, last + 1) if low <= 2.0**power <= high]
    for step in (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000):
        chosen = [power for power in powers if power % step == 0]
        if not chosen:
            return
        if len(chosen) > _MOST_TICKS:
            continue
        yield tuple(Tick(2.0**power, _power_label(power)) for power in chosen)


def _power_label(power: int) -> str:
    if 0 <= power < 50:
        return f"{2 ** (power % 10)}{_SUFFIXES[power // 10]}"
    return f"{2.0**power}" if -4 <= power < 0 else f"2^{power}"


def _decades(low: float, high: float) -> Iterator[tuple[Tick, ...]]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    inside = [
        (digit, power)
        for power in range(first, last + 1)
        for digit in (1, 2, 5)
        if low <= float(f"{digit}e{power}") <= high
    ]
    if inside and last - first <= 12:
        yield _log_ticks(inside)
    if sum(digit == 1 for digit, _ in inside) < 3:
        yield _log_ticks([(digit, power) for digit, power in inside if digit != 2])
    for step in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500):
        chosen = [(digit, power) for digit, power in inside if digit == 1 and power % step == 0]
        if not chosen:
            return
        yield _log_ticks(chosen)


def _log_ticks(numbers: Sequence[tuple[int, int]]) -> tuple[Tick, ...]:
    """Ticks at digit * 10**power; below one all in one notation, so that the column of labels reads as one."""
    if not numbers:
        return ()
    small = min(power for _, power in numbers) < -3
    return tuple(Tick(float(f"{digit}e{power}"), _log_label(digit, power, small)) for digit, power in numbers)


def _log_label(digit: int, power: int, small: bool) -> str:
    if power < 0 and not small:
        return _decimal(digit, power)
    if 0 <= power < 15:
        return f"{digit * 10 ** (power % 3)}{_SUFFIXES[power // 3]}"
    return f"{digit}e{power}"


def _round_numbers(low: float, high: float, *, suffixes: bool) -> Iterator[tuple[Tick, ...]]:
    """Multiples of 1, 2 or 5 times a power of ten, about sixty of them first, down to one."""
    below, above = Decimal(low), Decimal(high)
    span = above - below
    power = (span / 60).adjusted()
    for step in range(9):
        digit, exponent = (1, 2, 5)[step % 3], power + step // 3
        size = Decimal(digit).scaleb(exponent)
        first, last = math.ceil(below / size), math.floor(above / size)
        if last - first > _MOST_TICKS or last < first:
            continue
        counts = [n * digit for n in range(first, last + 1)]
        ticks = _linear_ticks(
            [n for n in counts if low <= float(f"{n}e{exponent}") <= high], exponent, suffixes
        )
        if ticks:
            yield ticks


def _linear_ticks(counts: Sequence[int], exponent: int, suffixes: bool) -> tuple[Tick, ...]:
    """Ticks at count * 10**exponent, all with the same suffix and number of decimals."""
    if not counts:
        return ()
    largest = max(abs(n) for n in counts)
    magnitude = len(str(largest)) - 1 + exponent if largest else 0
    if magnitude < -3 or magnitude >= 15 or len(str(largest)) > _EXACT_DIGITS:
        labels = [_scientific(n, exponent) for n in counts]
    else:
        thousands = magnitude // 3 if suffixes and magnitude >= 4 else 0
        if 3 * thousands - exponent > 3:
            thousands = 0
        labels = [_decimal(n, exponent - 3 * thousands) + (_SUFFIXES[thousands] if n else "") for n in counts]
    return tuple(Tick(float(f"{n}e{exponent}"), label) for n, label in zip(counts, labels, strict=True))


def _decimal(count: int, exponent: int) -> str:
    return format(Decimal(count).scaleb(exponent), "f")


def _scientific(count: int, exponent: int) -> str:
    if not count:
        return "0"
    digits = str(abs(count)).rstrip("0")
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{'-' if count < 0 else ''}{mantissa}e{len(str(abs(count))) - 1 + exponent}"
