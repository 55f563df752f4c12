"""Scales map to the unit interval and back, and the sequence of points never moves and covers better than
chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import qmc

from hvdsweep.search import Choice, Fixed, Range, Space

units = st.floats(0, 1)
PAPER = Space.from_json(
    {
        "learning_rate": {"scale": "log", "min": 1e-4, "max": 10.0},
        "momentum": {"scale": "reverse_log", "min": 0.9, "max": 0.9999},
        "end_learning_rate_factor": {"scale": "log", "min": 1e-4, "max": 0.1},
        "learning_rate_decay_steps": {"scale": "integer", "min": 300_000, "max": 600_000},
    }
)
"""The paper's example space (ResNet-50, batch size 256), four dimensions."""


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    scale = draw(st.sampled_from(["linear", "log", "reverse_log", "integer", "integer log"]))
    if scale == "linear":
        low, high = sorted(draw(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))))
    elif scale == "log":
        low, high = sorted(draw(st.tuples(st.floats(1e-9, 1e6), st.floats(1e-9, 1e6))))
    elif scale == "reverse_log":
        low, high = sorted(1 - x for x in draw(st.tuples(st.floats(1e-6, 1), st.floats(1e-6, 1))))
    else:
        low, high = map(float, sorted(draw(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)))))
    if not low < high or (high - low) < 1e-9 * max(abs(low), abs(high)):
        high = low + (1.0 if scale != "reverse_log" else (1 - low) / 2)
    return Range("integer" if scale.startswith("integer") else scale, low, high, scale.endswith(" log"))


@given(ranges(), units)
def test_from_unit_stays_inside_and_to_unit_takes_it_back(dimension, unit):
    """A value lies in [min, max]; its unit is the unit it came from (for integers: that of the same
    integer)."""
    value = float(dimension.from_unit(unit))
    assert dimension.min <= value <= dimension.max
    if dimension.scale == "integer":
        assert value == round(value)
        assert float(dimension.from_unit(dimension.to_unit(value))) == value
    else:
        assert float(dimension.to_unit(value)) == pytest.approx(unit, abs=1e-6)


@given(ranges())
def test_scales_are_increasing_and_vectorised(dimension):
    """A larger unit never gives a smaller value, and an array gives what its elements give."""
    grid = np.linspace(0, 1, 33)
    values = dimension.from_unit(grid)
    assert values.shape == grid.shape
    assert np.all(np.diff(values) >= 0)
    assert values.tolist() == [float(dimension.from_unit(unit)) for unit in grid]
    assert dimension.to_unit(values.reshape(3, 11)).shape == (3, 11)


def test_scales_against_their_formulas():
    """log is geometric, reverse_log is geometric in 1 - value, linear is arithmetic: the middles, by hand."""
    assert float(Range("log", 1e-4, 10).from_unit(0.5)) == pytest.approx(math.sqrt(1e-3))
    assert 1 - float(Range("reverse_log", 0.9, 0.999).from_unit(0.5)) == pytest.approx(1e-2)
    assert float(Range("linear", -1, 4).from_unit(0.5)) == pytest.approx(1.5)
    assert Range("log", 1, 1000).to_unit([1, 10, 100, 1000]) == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("dimension", [Range("integer", 3, 9), Choice((0.0, 0.01, 0.1, 0.5))])
def test_every_discrete_value_has_an_equal_share(dimension):
    """Even units give every integer of a range, and every choice, equally often."""
    values, counts = np.unique(dimension.from_unit((np.arange(28_000) + 0.5) / 28_000), return_counts=True)
    assert counts.max() - counts.min() <= 1
    assert values.size == (7 if isinstance(dimension, Range) else 4)


def test_integers_on_a_log_scale_follow_their_logarithm():
    """The share of integer n is log((n + 1/2) / (n - 1/2)) of the whole."""
    dimension = Range("integer", 1, 6, log=True)
    values, counts = np.unique(dimension.from_unit((np.arange(100_000) + 0.5) / 100_000), return_counts=True)
    expected = [math.log((n + 0.5) / (n - 0.5)) / math.log(6.5 / 0.5) for n in range(1, 7)]
    assert values.tolist() == [1, 2, 3, 4, 5, 6]
    assert counts / 100_000 == pytest.approx(expected, abs=1e-4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6, unique=True))
def test_choices_come_back(values):
    """A choice's unit leads back to it; a value that is not listed has none."""
    dimension = Choice(tuple(values))
    assert dimension.from_unit(dimension.to_unit(values)).tolist() == values
    assert math.isnan(float(dimension.to_unit(1e9)))
    assert float(Fixed(2.0).from_unit(0.1)) == 2.0
    assert math.isnan(float(Fixed(2.0).to_unit(3.0)))


@given(ranges(), units)
def test_boundary_distance_is_the_distance_on_the_scale(dimension, unit):
    """0 at both ends and beyond, never above 0.5, and the smaller of u and 1 - u in between."""
    assert dimension.boundary_distance([dimension.min, dimension.max]).tolist() == [0, 0]
    value = float(dimension.from_unit(unit))
    distance = float(dimension.boundary_distance(value))
    assert 0 <= distance <= 0.5
    if dimension.scale != "integer":
        assert distance == pytest.approx(min(unit, 1 - unit), abs=1e-6)


def test_boundary_distance_of_what_is_not_searched():
    """Values beyond the range are at its boundary; fixed, chosen, listed and unknown metaparameters have
    none."""
    space = Space({"a": Range("log", 1, 100), "b": Fixed(3.0), "c": Choice((1.0, 2.0))})
    assert space.boundary_distance("a", 1000.0) == 0
    assert space.boundary_distance("a", 10.0) == pytest.approx(0.5)
    assert [space.boundary_distance(name, 1.0) for name in ("b", "c", "d")] == [0.5, 0.5, 0.5]
    assert Space({}, ({"a": 1.0},)).boundary_distance("a", 1.0) == 0.5


@given(st.integers(0, 2**64 - 1), st.integers(0, 300), st.integers(1, 40), st.integers(1, 5))
def test_a_point_depends_on_its_number_alone(seed, start, count, dimensions):
    """Points start .. start + count - 1 are those of any longer request that holds them, bit by bit."""
    space = Space({f"m{index}": Range("linear", 0, 1) for index in range(dimensions)})
    longer = space.points(seed, 0, start + count + 3)
    assert space.points(seed, start, count) == longer[start : start + count]
    assert space.points(seed, start, 0) == []


@pytest.mark.parametrize("dimensions", [1, 2, 5, 12])
def test_the_sequence_is_scipys_to_the_last_bit(dimensions):
    """For any seed and start: trials of stores that older versions wrote keep their keys."""
    space = Space({f"m{index:02}": Range("linear", 0, 1) for index in range(dimensions)})
    for seed, start in ((0, 0), (5, 17), (2**63 + 5, 4000)):
        halton = qmc.Halton(dimensions, scramble=True, rng=np.random.default_rng(seed))
        np.testing.assert_array_equal(space.units(seed, start, 50), halton.random(start + 50)[start:])


def test_points_are_those_of_scipy():
    """The sequence is scipy's scrambled Halton: dimension i is the i-th searched metaparameter by name."""
    space = Space.from_json(
        {"b": {"scale": "log", "min": 1, "max": 100}, "a": {"scale": "linear", "min": 0, "max": 2}, "c": 7}
    )
    halton = qmc.Halton(2, scramble=True, rng=np.random.default_rng(5)).random(50)
    points = space.points(5, 0, 50)
    assert [point["a"] for point in points] == pytest.approx(2 * halton[:, 0], rel=1e-8)
    assert [point["b"] for point in points] == pytest.approx(100 ** halton[:, 1], rel=1e-8)
    assert all(list(point) == ["a", "b", "c"] and point["c"] == 7 for point in points)


def test_discrepancy_is_far_below_that_of_random_points():
    """In the paper's four dimensions, 100 points: below the best of 20 random sets, for each of 20 seeds."""
    random = min(qmc.discrepancy(np.random.default_rng(seed).random((100, 4))) for seed in range(20))
    ours = [qmc.discrepancy(PAPER.units(seed, 0, 100)) for seed in range(20)]
    assert max(ours) < random


def test_points_are_uniform_on_their_scales():
    """Each metaparameter of 400 points, carried back to the unit interval, passes Kolmogorov-Smirnov
    easily."""
    points = PAPER.points(3, 0, 400)
    for name, dimension in PAPER.dimensions.items():
        unit = dimension.to_unit([point[name] for point in points])
        assert stats.kstest(unit, "uniform").statistic < 0.03


def test_sampled_values_are_short_and_inside():
    """Values have at most 9 significant digits (1 - value, for momentum) and do not leave their range by
    rounding."""
    narrow = Space({"a": Range("linear", 1 / 3, 1 / 3 + 1e-8), "b": Range("reverse_log", 0.9, 0.99999)})
    for point in narrow.points(1, 0, 200):
        assert 1 / 3 <= point["a"] <= 1 / 3 + 1e-8
        assert float(f"{1 - point['b']:.9g}") == pytest.approx(1 - point["b"], rel=1e-12)
    for point in PAPER.points(1, 0, 50):
        assert float(f"{point['learning_rate']:.9g}") == point["learning_rate"]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.floats(-10, 10).map(Fixed), ranges()), max_size=5)
)
def test_json_round_trip(dimensions):
    """A space reads back from its JSON as an equal one, for any order of its names."""
    space = Space(dimensions)
    assert Space.from_json(space.to_json()) == space
    assert Space(dict(reversed(dimensions.items()))) == space
    assert space.searched == tuple(
        sorted(name for name, entry in dimensions.items() if isinstance(entry, Range))
    )


def test_listed_points_replace_the_search():
    """A list gives its points in order, with fixed metaparameters filled in, and ends where it ends."""
    space = Space({"m": Fixed(0.9)}, ({"a": 1.0}, {"a": 2.0, "m": 0.5}))
    assert space.points(1, 0, 2) == [{"a": 1.0, "m": 0.9}, {"a": 2.0, "m": 0.5}]
    assert Space.from_json(space.to_json()) == space
    assert space.names == ("a", "m")
    with pytest.raises(IndexError):
        space.points(1, 1, 2)
    assert space.without(["m"]).points(1, 0, 2) == [{"a": 1.0}, {"a": 2.0}]
    with pytest.raises(ValueError, match="a cannot be searched too"):
        Space({"a": Range("linear", 0, 1)}, ({"a": 1.0},))


def test_a_space_without_search_repeats_its_point():
    """All metaparameters fixed: every point is the same (trials then differ by their seed)."""
    assert Space({"a": Fixed(1.0)}).points(1, 5, 2) == [{"a": 1.0}, {"a": 1.0}]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"a": {"scale": "log", "min": 0, "max": 1}}, "a: min 0 is not above 0"),
        ({"a": {"scale": "log", "min": 2, "max": 1}}, "a: min 2 is not below max 1"),
        ({"a": {"scale": "reverse_log", "min": 0.5, "max": 1}}, "a: max 1 is not below 1"),
        ({"a": {"scale": "cubic", "min": 0, "max": 1}}, "unknown scale 'cubic'"),
        ({"a": {"scale": "integer", "min": 0.5, "max": 3}}, "whole numbers"),
        ({"a": {"scale": "integer", "min": 0, "max": 3, "log": True}}, "below 1"),
        ({"a": {"scale": "linear", "min": 0, "max": 3, "log": True}}, "log = true"),
        ({"a": {"scale": "linear", "min": 0, "max": math.inf}}, "finite"),
        ({"a": {"scale": "linear", "min": 0}}, "a range needs 'max'"),
        ({"a": {"scale": "choice", "values": []}}, "at least one value"),
        ({"a": {"scale": "choice", "values": [1, 1]}}, "listed twice"),
        ({"a": "fast"}, "neither a number nor a range"),
        ({"a": True}, "neither a number nor a range"),
    ],
)
def test_impossible_spaces_are_refused(written, message):
    """A space that cannot be sampled is a ValueError naming the metaparameter."""
    with pytest.raises(ValueError, match=message):
        Space.from_json(written)
