"""The contents of a chart: series of points, reference lines, bands and notes; plain immutable data in data units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from hvdsweep.charts.axis import Axis, FloatArray, Limits

BoolArray = npt.NDArray[np.bool_]


def _numbers(name: str, values: npt.ArrayLike | None, length: int | None) -> FloatArray | None:
    if values is None:
        return None
    array = np.asarray(values, np.float64).view()
    if array.ndim != 1 or (length is not None and len(array) != length):
        raise ValueError(f"{name}: shape {array.shape} is not ({'n' if length is None else length},)")
    array.flags.writeable = False
    return array


def _same(left: FloatArray | BoolArray | None, right: FloatArray | BoolArray | None) -> bool:
    if left is None or right is None:
        return left is right
    return left is right or np.array_equal(left, right, equal_nan=left.dtype != np.bool_)


@dataclass(frozen=True, init=False, eq=False)
class Series:
    """Named points, joined by a line in the order given or not. The arrays are kept, not copied: do not write to them.

    A point without a finite position (NaN, Inf, or not positive on a log axis) is a gap: it breaks the line and never
    widens an axis. Two series are equal when everything they show is equal.
    """

    name: str
    """The series' name, in the legend and the read-out; sets colour and marker unless they are given."""
    x: FloatArray
    """[n] data units."""
    y: FloatArray
    """[n] data units."""
    line: bool
    """Joins neighbours by straight lines (straight on the screen, so power laws on log-log axes)."""
    steps: bool
    """Joins neighbours by holding the value until the next x, as a running best does."""
    marker: str | None
    """One character for every point; `None` chooses one by name and leaves it out where points are too dense;
    "" draws no markers, or braille dots if there is no line either."""
    y_low: FloatArray | None
    """[n] lower ends of the error bars, data units; NaN: none. Without a position on the axis: up to its edge."""
    y_high: FloatArray | None
    """[n] upper ends, as `y_low`."""
    censored: BoolArray | None
    """[n] true where y is only a lower bound (the budget ended before the goal): an open marker under an arrow."""
    color: str | None
    """A style key of the theme or any colour; `None` chooses one by name."""
    visible: bool
    """False keeps the name, its colour and its marker (dimmed in the legend) but draws nothing."""
    _masks: dict[tuple[bool, bool], BoolArray] = field(init=False, repr=False)

    def __init__(
        self,
        name: str,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        line: bool = True,
        steps: bool = False,
        marker: str | None = None,
        y_low: npt.ArrayLike | None = None,
        y_high: npt.ArrayLike | None = None,
        censored: npt.ArrayLike | None = None,
        color: str | None = None,
        visible: bool = True,
    ) -> None:
        """Raises ValueError if an array is not one-dimensional or not as long as `x`."""
        put = object.__setattr__
        xs = _numbers("x", x, None)
        assert xs is not None
        put(self, "name", name)
        put(self, "x", xs)
        put(self, "y", _numbers("y", y, len(xs)))
        put(self, "line", line or steps)
        put(self, "steps", steps)
        put(self, "marker", marker)
        put(self, "y_low", _numbers("y_low", y_low, len(xs)))
        put(self, "y_high", _numbers("y_high", y_high, len(xs)))
        flags = None if censored is None else _numbers("censored", censored, len(xs))
        put(self, "censored", None if flags is None else flags != 0)
        put(self, "color", color)
        put(self, "visible", visible)
        put(self, "_masks", {})

    def __len__(self) -> int:
        return len(self.x)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Series):
            return NotImplemented
        if self is other:
            return True
        mine = (self.name, self.line, self.steps, self.marker, self.color, self.visible)
        theirs = (other.name, other.line, other.steps, other.marker, other.color, other.visible)
        arrays = ("x", "y", "y_low", "y_high", "censored")
        return mine == theirs and all(_same(getattr(self, name), getattr(other, name)) for name in arrays)

    def __hash__(self) -> int:
        return hash((self.name, len(self.x)))

    @cached_property
    def ascending(self) -> bool:
        """Whether x never falls and has no NaN; such a series is decimated by bisection."""
        return len(self) < 2 or bool((self.x[1:] >= self.x[:-1]).all())

    @cached_property
    def _ranges(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, smallest and largest y; NaN among the values makes them NaN."""
        x, y = self.x, self.y
        if not len(x):
            return math.nan, math.nan, math.nan, math.nan
        ends = (x[0], x[-1]) if self.ascending and len(x) > 1 else (x.min(), x.max())
        return float(ends[0]), float(ends[1]), float(y.min()), float(y.max())

    def drawable(self, x_axis: Axis, y_axis: Axis) -> BoolArray | None:
        """[n] which points have a position on these axes; `None` if all of them do."""
        x_low, x_high, y_low, y_high = self._ranges
        x_fine = math.isfinite(x_low) and math.isfinite(x_high) and (x_low > 0 or not x_axis.log)
        y_fine = math.isfinite(y_low) and math.isfinite(y_high) and (y_low > 0 or not y_axis.log)
        if (x_fine and y_fine) or not len(self):
            return None
        known = self._masks.get((x_axis.log, y_axis.log))
        if known is not None:
            return known
        mask = np.ones(len(self), np.bool_)
        for values, axis, fine in ((self.x, x_axis, x_fine), (self.y, y_axis, y_fine)):
            if not fine:
                mask &= np.isfinite(values)
            if not fine and axis.log:
                mask &= values > 0
        self._masks[x_axis.log, y_axis.log] = mask
        return mask

    def not_positive(self, x_axis: Axis, y_axis: Axis) -> int:
        """How many points a log axis leaves out: finite, but zero or below."""
        x_low, _, y_low, _ = self._ranges
        if not len(self) or ((x_low > 0 or not x_axis.log) and (y_low > 0 or not y_axis.log)):
            return 0
        lost = np.zeros(len(self), np.bool_)
        if x_axis.log:
            lost |= self.x <= 0
        if y_axis.log:
            lost |= self.y <= 0
        return int(np.count_nonzero(lost & np.isfinite(self.x) & np.isfinite(self.y)))

    def extent(self, x_axis: Axis, y_axis: Axis) -> tuple[Limits, Limits] | None:
        """Data limits over the points that have a position, error bars included; `None` if no point has one."""
        mask = self.drawable(x_axis, y_axis)
        if not len(self) or (mask is not None and not mask.any()):
            return None
        if mask is None:
            x_low, x_high, y_low, y_high = self._ranges
        else:
            x, y = self.x[mask], self.y[mask]
            x_low, x_high, y_low, y_high = float(x.min()), float(x.max()), float(y.min()), float(y.max())
        for bounds in (self.y_low, self.y_high):
            if bounds is None:
                continue
            ends = bounds if mask is None else bounds[mask]
            ends = ends[np.isfinite(ends) & ((ends > 0) | (not y_axis.log))]
            if len(ends):
                y_low, y_high = min(y_low, float(ends.min())), max(y_high, float(ends.max()))
        return (x_low, x_high), (y_low, y_high)


@dataclass(frozen=True)
class Reference:
    """A line that is not a measurement: a goal, perfect scaling, B_crit, a fitted curve."""

    label: str
    """Printed along horizontal and vertical lines, in the legend for the others; may be empty."""
    horizontal: float | None = None
    """y of a line across the chart; the y axis reaches it."""
    vertical: float | None = None
    """x of a line from bottom to top; it does not widen the axis."""
    function: Callable[[FloatArray], npt.ArrayLike] | None = None
    """y of x (data units, [m] to [m]), evaluated at every dot column; NaN is a gap. Never widens an axis."""
    points: tuple[tuple[float, float], ...] = ()
    """Corners (x, y) of a path; a NaN pair lifts the pen. Never widens an axis."""
    dashed: bool = True
    color: str = "reference"
    """A style key of the theme (`reference`, `goal`) or any colour."""

    @property
    def in_legend(self) -> bool:
        """Whether the legend names it; the labels of other lines are along them."""
        return self.horizontal is None and self.vertical is None

    def __post_init__(self) -> None:
        given = [
            self.horizontal is not None,
            self.vertical is not None,
            self.function is not None,
            bool(self.points),
        ]
        if sum(given) != 1:
            raise ValueError("a reference line has exactly one of horizontal, vertical, function and points")


@dataclass(frozen=True)
class Band:
    """A labelled interval of one axis: a region of a scaling curve, a confidence interval."""

    low: float | None
    """Data units; `None` reaches the chart's edge."""
    high: float | None
    label: str = ""
    axis: Literal["x", "y"] = "x"
    color: str | None = None
    """A background key of the theme or any colour; `None` takes the next of the theme's band colours."""


@dataclass(frozen=True)
class Annotation:
    """A short note at a point of the data."""

    x: float
    y: float
    text: str
    marker: str = ""
    """Drawn at the point itself; "" leaves the cell unchanged."""
    color: str = "annotation"
