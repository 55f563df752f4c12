"""Search spaces: scales from metaparameters to the unit interval and back, and quasi-random points that stay
the same.

Point n depends on the space, the seed and n alone, so asking for more points leaves the earlier ones
unchanged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
ScaleName: TypeAlias = Literal["linear", "log", "reverse_log", "integer"]

SIGNIFICANT_DIGITS = 9
"""A sampled value is rounded to this many digits: enough to distinguish any two float32 numbers, and few enough
that machines whose `exp` differs in its last bit sample the same value (and so derive the same trial key)."""


WIDENED = "widened"
"""Key in the JSON of a stored search: how its space became wider than the sweep file's (`hvdsweep.widening`)."""


@dataclass(frozen=True)
class Fixed:
    """A metaparameter that is not searched."""

    value: float

    def to_unit(self, values: ArrayLike) -> FloatArray:
        """0.5 for the value itself, NaN for any other. Same shape as `values`."""
        return np.where(np.asarray(values, np.float64) == self.value, 0.5, np.nan)

    def from_unit(self, units: ArrayLike) -> FloatArray:
        """The value, whatever the units. Same shape as `units`."""
        return np.full(np.shape(units), self.value)

    def boundary_distance(self, values: ArrayLike) -> FloatArray:
        """0.5 everywhere: a fixed value has no boundary to widen."""
        return np.full(np.shape(values), 0.5)

    def to_json(self) -> float:
        return self.value


@dataclass(frozen=True)
class Choice:
    """One of a few values without an order (the paper's DISCRETE)."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a choice needs at least one value")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"a value is listed twice: {list(self.values)}")

    def to_unit(self, values: ArrayLike) -> FloatArray:
        """The middle of the value's share of [0, 1], NaN for a value not listed. Same shape as `values`."""
        array = np.asarray(values, np.float64)
        units = np.full(array.shape, np.nan)
        for index, value in enumerate(self.values):
            units = np.where(array == value, (index + 0.5) / len(self.values), units)
        return units

    def from_unit(self, units: ArrayLike) -> FloatArray:
        """The value whose equal share of [0, 1] holds the unit. Same shape as `units`."""
        index = np.floor(np.asarray(units, np.float64) * len(self.values)).astype(np.int64)
        values: FloatArray = np.asarray(self.values)[np.clip(index, 0, len(self.values) - 1)]
        return values

    def boundary_distance(self, values: ArrayLike) -> FloatArray:
        """0.5 everywhere: values without an order have no boundary."""
        return np.full(np.shape(values), 0.5)

    def to_json(self) -> dict[str, Any]:
        return {"scale": "choice", "values": list(self.values)}


@dataclass(frozen=True)
class Range:
    """A metaparameter searched from `min` to `max`, both included, evenly on `scale`."""

    scale: ScaleName
    min: float
    max: float
    log: bool = False
    """Integers evenly on a log scale instead of a linear one; only with scale "integer"."""

    def __post_init__(self) -> None:
        if self.scale not in ("linear", "log", "reverse_log", "integer"):
            raise ValueError(f"unknown scale {self.scale!r}")
        if not (math.isfinite(self.min) and math.isfinite(self.max)):
            raise ValueError("min and max must be finite numbers")
        if not self.min < self.max:
            raise ValueError(f"min {self.min:g} is not below max {self.max:g}")
        if self.log and self.scale != "integer":
            raise ValueError('log = true is for scale = "integer"; use scale = "log"')
        if self.scale == "integer" and not (float(self.min).is_integer() and float(self.max).is_integer()):
            raise ValueError("min and max of scale integer must be whole numbers")
        if self.scale == "log" and self.min <= 0:
            raise ValueError(f"min {self.min:g} is not above 0, where a log scale begins")
        if self.log and self.min < 1:
            raise ValueError(f"min {self.min:g} is below 1, the least integer of a log scale")
        if self.scale == "reverse_log" and self.max >= 1:
            raise ValueError(
                f"max {self.max:g} is not below 1 (reverse_log samples 1 - value on a log scale)"
            )

    def to_unit(self, values: ArrayLike) -> FloatArray:
        """Positions of values on the scaled range: 0 at `min`, 1 at `max`, beyond [0, 1] outside. Same shape as
        `values`.

        NaN if the scale has no such value (a log scale at or below 0). An integer stands for an interval of length
        one, so that `from_unit` gives every integer an equal share: its unit lies strictly between 0 and 1.
        """
        low, high = self._edges(half=0.5)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self._forward(np.asarray(values, np.float64)) - low) / (high - low)

    def from_unit(self, units: ArrayLike) -> FloatArray:
        """The values at `units` of the scaled range, never outside [min, max]. Same shape as `units`."""
        low, high = self._edges(half=0.5)
        scaled = low + np.asarray(units, np.float64) * (high - low)
        values: FloatArray
        if self.scale == "reverse_log":
            values = -np.expm1(-scaled)
        elif self.scale == "log" or self.log:
            values = np.exp(scaled)
        else:
            values = scaled
        if self.scale == "integer":
            values = np.floor(values + 0.5)
        clipped: FloatArray = np.clip(values, self.min, self.max)
        return clipped

    def boundary_distance(self, values: ArrayLike) -> FloatArray:
        """Distance to the nearer end as a share of the scaled range: 0 at or beyond an end, 0.5 in the
        middle."""
        low, high = self._edges(half=0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = (self._forward(np.asarray(values, np.float64)) - low) / (high - low)
        distance: FloatArray = np.maximum(np.minimum(unit, 1 - unit), 0.0)
        return distance

    @property
    def length(self) -> float:
        """Length of the scaled range; sampling is even along it."""
        low, high = self._edges(half=0.5)
        return high - low

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {"scale": self.scale, "min": self.min, "max": self.max}
        return written | ({"log": True} if self.log else {})

    def _forward(self, values: FloatArray) -> FloatArray:
        if self.scale == "reverse_log":
            return -np.log1p(-values)
        if self.scale == "log" or self.log:
            return np.log(values)
        return values

    def _edges(self, half: float) -> tuple[float, float]:
        """The scaled ends; integers extend by `half`, so that the outermost get a full share too."""
        reach = half if self.scale == "integer" else 0.0
        low, high = self._forward(np.asarray([self.min - reach, self.max + reach]))
        return float(low), float(high)


Dimension: TypeAlias = Fixed | Choice | Range


def dimension_from_json(value: object) -> Dimension:
    """Read the result of `Dimension.to_json`. Raises ValueError if it describes no dimension."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Fixed(float(value))
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is neither a number nor a range")
    if value.get("scale") == "choice":
        return Choice(tuple(float(entry) for entry in value.get("values", ())))
    try:
        return Range(value["scale"], float(value["min"]), float(value["max"]), bool(value.get("log", False)))
    except KeyError as missing:
        raise ValueError(f"a range needs {missing}") from None


@dataclass(frozen=True)
class Space:
    """The search space of one study: a dimension per metaparameter, or a list of points tried in order."""

    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    """By name, sorted on construction: the order is part of a point's identity."""
    listed: tuple[Mapping[str, float], ...] | None = None
    """Points that replace the search; fixed dimensions supply what a point leaves out."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", dict(sorted(self.dimensions.items())))
        if self.listed is not None and self.searched:
            raise ValueError(f"points replace the search, so {self.searched[0]} cannot be searched too")

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of the metaparameters that are not fixed, sorted: the axes of the quasi-random sequence."""
        return tuple(name for name, dimension in self.dimensions.items() if not isinstance(dimension, Fixed))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all metaparameters of any point, sorted."""
        listed = {name for point in self.listed or () for name in point}
        return tuple(sorted(listed | set(self.dimensions)))

    def without(self, names: Iterable[str]) -> Space:
        """The space without `names`, which the algorithm does not use."""
        left_out = set(names)
        dimensions = {name: entry for name, entry in self.dimensions.items() if name not in left_out}
        if self.listed is None:
            return Space(dimensions)
        points = [{name: point[name] for name in point if name not in left_out} for point in self.listed]
        return Space(dimensions, tuple(points))

    def units(self, seed: int, start: int, count: int) -> FloatArray:
        """Points start .. start + count - 1 of the scrambled Halton sequence, [count, searched] in [0, 1).

        Low discrepancy as in the paper's search (section 3; Bousquet et al. 2017). A late start costs
        nothing. Bit for bit scipy's, whose import takes longer than all else before a launch (0.6 s).
        """
        generator = np.random.default_rng(seed).spawn(1)[0]
        primes = (n for n in itertools.count(2) if all(n % k for k in range(2, math.isqrt(n) + 1)))
        points = np.zeros((count, len(self.searched)))
        for column, base in zip(points.T, primes, strict=False):
            left, weight = np.arange(start, start + count), 1.0
            for _ in range(math.ceil(54 / math.log2(base)) - 1):
                weight /= base
                column += generator.permutation(base)[left % base] * weight
                left //= base
        return np.minimum(points, np.nextafter(1.0, 0.0))

    def points(self, seed: int, start: int, count: int) -> list[dict[str, float]]:
        """Points start .. start + count - 1, each sorted by name. Raises IndexError beyond the end of a
        list."""
        if self.listed is not None:
            if start + count > len(self.listed):
                raise IndexError(f"point {start + count - 1} of a list of {len(self.listed)}")
            fixed = {name: float(entry.from_unit(0.5)) for name, entry in self.dimensions.items()}
            return [
                dict(sorted((fixed | dict(point)).items())) for point in self.listed[start : start + count]
            ]
        units = dict(zip(self.searched, self.units(seed, start, count).T, strict=True))
        columns = {
            name: _rounded(dimension, dimension.from_unit(units.get(name, np.full(count, 0.5))))
            for name, dimension in self.dimensions.items()
        }
        return [{name: column[index] for name, column in columns.items()} for index in range(count)]

    def boundary_distance(self, name: str, value: float) -> float:
        """Distance of `value` from the nearer end of its scaled range, in [0, 0.5]; 0.5 if it is not
        searched."""
        if self.listed is not None or name not in self.dimensions:
            return 0.5
        return float(self.dimensions[name].boundary_distance(value))

    def to_json(self) -> dict[str, Any]:
        """Plain values, as in the sweep file: name -> number or range, and `points` for a list."""
        written: dict[str, Any] = {name: entry.to_json() for name, entry in self.dimensions.items()}
        if self.listed is not None:
            written["points"] = [dict(sorted(point.items())) for point in self.listed]
        return written

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Space:
        """Read the result of `to_json`. Raises ValueError naming the metaparameter that is wrong."""
        dimensions: dict[str, Dimension] = {}
        for name, value in written.items():
            if name in ("points", WIDENED):
                continue
            try:
                dimensions[name] = dimension_from_json(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name}: {error}") from None
        listed = written.get("points")
        if listed is None:
            return cls(dimensions)
        return cls(
            dimensions, tuple({name: float(value) for name, value in point.items()} for point in listed)
        )


def _rounded(dimension: Dimension, values: FloatArray) -> list[float]:
    """Values with few digits; on a reverse log scale the digits of 1 - value count."""
    if not isinstance(dimension, Range) or dimension.scale == "integer":
        return [float(value) for value in values]
    if dimension.scale == "reverse_log":
        rounded = [1.0 - _significant(1.0 - float(value)) for value in values]
    else:
        rounded = [_significant(float(value)) for value in values]
    return [min(max(value, dimension.min), dimension.max) for value in rounded]


def _significant(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
