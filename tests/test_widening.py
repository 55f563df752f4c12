"""Searches that grow: earlier points stay, new ones fill the new part first, and the whole is as dense as one search."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.search import Choice, Fixed, Range, Space
from hvdsweep.widening import Stretch, new_points, search_json, sequence_of, stretches_of, widened_at

NARROW = Space({"learning_rate": Range("log", 1e-3, 1e-1), "momentum": Range("reverse_log", 0.8, 0.99)})
WIDE = Space({"learning_rate": Range("log", 1e-3, 1.0), "momentum": Range("reverse_log", 0.8, 0.99)})
WIDEST = Space({"learning_rate": Range("log", 1e-3, 1.0), "momentum": Range("reverse_log", 0.8, 0.999)})
SEED = (1, "set/net/momentum", 64)


@given(st.integers(0, 60), st.integers(1, 30))
def test_points_do_not_depend_on_how_many_are_asked_for(start: int, count: int) -> None:
    """Any range of numbers gives the points that the whole sequence has there, across two widenings."""
    stretches = [Stretch(20, WIDE), Stretch(45, WIDEST)]
    whole = sequence_of(NARROW, stretches, SEED, 0, 100)
    assert sequence_of(NARROW, stretches, SEED, start, count) == whole[start : start + count]


def test_earlier_points_stay() -> None:
    """A widening at trial 20 leaves trials 0 to 19 as they were, and a second one at 45 leaves 20 to 44."""
    once = sequence_of(NARROW, [Stretch(20, WIDE)], SEED, 0, 60)
    assert once[:20] == sequence_of(NARROW, [], SEED, 0, 20)
    twice = sequence_of(NARROW, [Stretch(20, WIDE), Stretch(45, WIDEST)], SEED, 0, 60)
    assert twice[:45] == once[:45]
    assert twice[45:] != once[45:]


def test_the_new_part_is_searched_first() -> None:
    """As many trials as bring it to the density of the former part lie outside that; later ones lie everywhere."""
    stretch = Stretch(40, WIDE)
    more = new_points(NARROW, stretch, SEED, 1)
    points = sequence_of(NARROW, [stretch], SEED, 40, more + 200)
    rates = np.array([point["learning_rate"] for point in points])
    # Three decades where there were two: half as many trials again.
    assert more == pytest.approx(20, abs=3)
    assert (rates[:more] > 0.1).all()
    assert float((rates[more:] > 0.1).mean()) == pytest.approx(1 / 3, abs=0.05)


def test_the_best_at_an_edge_widens_that_end() -> None:
    """A best learning rate near the upper end moves that end out; what is not near an end stays."""
    found = widened_at(NARROW, {"learning_rate": 0.09, "momentum": 0.9})
    assert found is not None
    space, changes = found
    assert space.dimensions["learning_rate"].max >= 0.3
    assert space.dimensions["learning_rate"].min == 1e-3
    assert space.dimensions["momentum"] == NARROW.dimensions["momentum"]
    assert len(changes) == 1
    assert changes[0].startswith("learning_rate from 0.001 .. 0.1 to 0.001 .. ")


@pytest.mark.parametrize("value", [0.98999, 0.80001])
def test_momentum_stays_inside_its_domain(value: float) -> None:
    """However often momentum is widened at an end, it stays from 0 up to, but below, 1."""
    space = NARROW
    for _ in range(10):
        ends = space.dimensions["momentum"]
        found = widened_at(space, {"momentum": ends.max if value > 0.9 else ends.min})
        if found is None:
            break
        space = found[0]
        assert 0 <= space.dimensions["momentum"].min < space.dimensions["momentum"].max < 1


def test_nothing_to_widen() -> None:
    """A best in the middle, fixed values, choices and lists of points: None."""
    assert widened_at(NARROW, {"learning_rate": 0.01, "momentum": 0.93}) is None
    fixed = Space({"learning_rate": Fixed(0.1), "dropout": Choice((0.0, 0.5))})
    assert widened_at(fixed, {"learning_rate": 0.1, "dropout": 0.5}) is None
    assert widened_at(Space({}, ({"learning_rate": 0.1},)), {"learning_rate": 0.1}) is None


def test_the_stored_search_says_how_it_grew() -> None:
    """The JSON is the widest space's, readable as a space, with every widening; without one it is the space's own."""
    stretches = (Stretch(20, WIDE), Stretch(45, WIDEST))
    stored = json.loads(json.dumps(search_json(NARROW, stretches)))
    assert Space.from_json(stored) == WIDEST
    assert stretches_of(stored) == stretches
    assert search_json(NARROW, ()) == NARROW.to_json()
    assert stretches_of(NARROW.to_json()) == ()
