"""Axes put numbers in order, give data room, and label places with the numbers they are."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hvdsweep.charts import Axis

from .drawn import value_of

SCALES = ("log2", "log10", "linear")
scales = st.sampled_from(SCALES)
positive = st.floats(1e-250, 1e250)
numbers = st.one_of(st.floats(-1e250, 1e250), st.floats(-1e6, 1e6), st.integers(-100, 100).map(float))


def values_for(scale, low, high):
    """The drawn numbers, made positive for logarithms."""
    if scale == "linear":
        return low, high
    return max(abs(low), 1e-250), max(abs(high), 1e-250)


@given(scales, st.lists(positive, min_size=2, max_size=50))
def test_places_are_in_the_order_of_the_values(scale, values):
    """A larger value never lies before a smaller one."""
    places = Axis(scale).forward(np.sort(values))
    assert (np.diff(places) >= 0).all()


@given(scales, positive)
def test_inverse_undoes_forward(scale, value):
    """A value goes to its place and back, up to rounding of the exponent."""
    axis = Axis(scale)
    assert float(axis.inverse(axis.forward(value))) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("scale", ["log2", "log10"])
def test_what_is_not_positive_has_no_place_on_a_log_axis(scale):
    """Zero, negative numbers and NaN become NaN, not minus infinity."""
    places = Axis(scale).forward([0.0, -1.0, math.nan, 4.0])
    assert np.isnan(places).tolist() == [True, True, True, False]


@given(scales, numbers, numbers)
def test_data_get_three_to_ten_percent_of_padding_and_a_tenth_of_a_decade(scale, one, other):
    """Limits hold the data with room on both sides: 3 to 10 % of the span, at least 0.1 decade on log axes."""
    low, high = sorted(values_for(scale, one, other))
    axis = Axis(scale)
    start, end = map(float, axis.forward([low, high]))
    assume(axis.resolves(start, end))
    first, last = map(float, axis.forward(axis.fit(low, high)))
    least = {"linear": 0.0, "log10": 0.1, "log2": 0.1 * math.log2(10)}[scale]
    for room in (start - first, last - end):
        assert room >= least * (1 - 1e-6)
        if room > least * (1 + 1e-6):
            assert 0.03 <= room / (end - start) <= 0.10


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("value", [1e-300, 1.0, 64.0, 1e300, 5e-324, 1.7e308])
def test_a_single_value_gets_room_on_both_sides(scale, value):
    """One point, however large or small, makes a window of finite positive width that ticks can be asked for."""
    axis = Axis(scale)
    low, high = axis.fit(value, value)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high
    axis.ticks((low, high))


@pytest.mark.parametrize("scale", SCALES)
def test_no_data_still_make_a_window(scale):
    """Without data (NaN, NaN) the axis is that of an empty chart, with ticks."""
    low, high = Axis(scale).fit(math.nan, math.nan)
    assert low < high
    assert Axis(scale).ticks()


def test_fixed_ends_stay_and_are_not_padded():
    """A given limit is kept exactly; the other end follows the data."""
    low, high = Axis("linear", (0.0, None)).fit(3.0, 10.0)
    assert low == 0.0
    assert high > 10.0
    assert Axis("log10", (1e-3, 1.0)).fit(1e-9, 1e9) == (1e-3, 1.0)


def test_a_fixed_end_beyond_the_data_keeps_the_window_open():
    """Limits never cross, even where all data lie below the fixed lower end."""
    low, high = Axis("log2", (1024.0, None)).fit(1.0, 2.0)
    assert low == 1024.0
    assert high > low


@given(
    scales, st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False)
)
def test_every_window_is_finite_and_open(scale, one, other):
    """Windows of any two places, also at the ends of float64, have finite limits in ascending order."""
    axis = Axis(scale)
    low, high = (abs(one) or 1.0, abs(other) or 1.0) if axis.log else (one, other)
    for first, last in (axis.bounded(*map(float, axis.forward([low, high]))), axis.fit(low, high)):
        assert -math.inf < first < last < math.inf
        assert first > 0 or not axis.log


@pytest.mark.parametrize(
    ("scale", "limits"),
    [("log10", (0.0, None)), ("log2", (-1.0, 2.0)), ("linear", (math.inf, None)), ("linear", (2.0, 1.0))],
)
def test_impossible_limits_are_refused(scale, limits):
    """Limits without a place, or in the wrong order, are an error at once."""
    with pytest.raises(ValueError, match="limits"):
        Axis(scale, limits)


def test_an_unknown_scale_is_refused():
    """There are three scales."""
    with pytest.raises(ValueError, match="scale"):
        Axis("log")


@given(scales, numbers, numbers, st.integers(1, 20))
def test_ticks_lie_inside_the_limits_and_their_labels_say_their_value(scale, one, other, most):
    """Ascending, inside, no more than asked for; a label is ASCII and reads back to exactly the tick's value."""
    low, high = sorted(values_for(scale, one, other))
    axis = Axis(scale)
    assume(axis.resolves(*map(float, axis.forward([low, high]))))
    ticks = axis.ticks((low, high), most=most)
    values = [tick.value for tick in ticks]
    assert len(ticks) <= most
    assert values == sorted(set(values))
    assert all(low <= value <= high for value in values)
    assert all(tick.label.isascii() and " " not in tick.label for tick in ticks)
    assert [value_of(tick.label, scale) for tick in ticks] == values


@given(scales, numbers, numbers)
def test_every_window_has_at_least_two_ticks(scale, one, other):
    """With room for eight, no window goes without orientation, however narrow or wide."""
    low, high = sorted(values_for(scale, one, other))
    axis = Axis(scale)
    assume(axis.resolves(*map(float, axis.forward([low, high]))))
    assert len(axis.ticks((low, high), most=8)) >= 2


@given(st.integers(-40, 40), st.integers(3, 40))
def test_log2_ticks_are_powers_of_two(first, octaves):
    """Where at least three powers of two are in sight, all ticks are powers of two."""
    for tick in Axis("log2").ticks((2.0**first, 2.0 ** (first + octaves)), most=12):
        assert math.log2(tick.value).is_integer()


@given(st.integers(-30, 30), st.integers(3, 30), st.integers(3, 30))
def test_log10_ticks_are_one_two_or_five_times_a_power_of_ten(first, decades, most):
    """Over three decades or more every tick is 1, 2 or 5 times a decade."""
    for tick in Axis("log10").ticks((float(f"1e{first}"), float(f"1e{first + decades}")), most=most):
        mantissa = f"{tick.value:.0e}"
        assert float(mantissa) == tick.value
        assert mantissa[0] in "125"


@pytest.mark.parametrize(
    ("scale", "limits", "most", "labels"),
    [
        ("log2", (1, 65536), 9, "1 4 16 64 256 1k 4k 16k 64k"),
        ("log2", (50, 300), 8, "64 128 256"),
        ("log2", (70, 100), 4, "70 80 90 100"),
        ("log2", (0.1, 1), 8, "0.125 0.25 0.5 1"),
        ("log2", (2.0**18, 2.0**31), 20, "256k 512k 1M 2M 4M 8M 16M 32M 64M 128M 256M 512M 1G 2G"),
        ("log10", (1e-5, 1), 6, "1e-5 1e-4 1e-3 1e-2 1e-1 1"),
        ("log10", (900, 5e6), 5, "1k 10k 100k 1M"),
        ("log10", (0.02, 0.7), 8, "0.02 0.05 0.1 0.2 0.5"),
        ("log10", (0.02, 0.7), 4, "0.05 0.1 0.5"),
        ("log10", (310, 340), 4, "310 320 330 340"),
        ("linear", (-0.05, 1.05), 8, "0.0 0.2 0.4 0.6 0.8 1.0"),
        ("linear", (0, 123456), 8, "0 20k 40k 60k 80k 100k 120k"),
        ("linear", (0, 2500), 8, "0 500 1000 1500 2000 2500"),
        ("linear", (1e-7, 5e-6), 5, "1e-6 2e-6 3e-6 4e-6 5e-6"),
        ("linear", (-3.2, 3.2), 5, "-2 0 2"),
    ],
)
def test_labels_read_as_people_write_them(scale, limits, most, labels):
    """Binary thousands for batch sizes, decades, round numbers; one notation along an axis."""
    assert " ".join(tick.label for tick in Axis(scale).ticks(limits, most=most)) == labels
