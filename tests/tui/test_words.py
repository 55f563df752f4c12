"""Times, numbers and bars as words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.states import Status
from tui.words import CONDITIONS, GANGS, STATUSES, bar, clock, count, duration, number, plural, short


def test_what_is_not_known_is_a_dash():
    """Of times and numbers."""
    assert (duration(None), duration(math.nan), short(None), short(math.nan)) == ("–",) * 4


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_is_as_wide_as_asked_and_as_full_as_it_should_be(fraction, width):
    """`width` cells; filled to an eighth of a cell."""
    text = bar(fraction, width).plain
    assert len(text) == width
    eighths = sum(" ▏▎▍▌▋▊▉█".index(cell) for cell in text.replace("·", " "))
    assert abs(eighths / 8 - fraction * width) <= 1 / 8
    assert bar(2.0, width).plain == "█" * width
    assert bar(-1.0, width).plain == "·" * width


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"), (math.nan, "nan"), (math.inf, "inf"), (3.0, "3"), (0.05059, "0.05059"), (0.0505908, "0.05059"),
        (1e-7, "1e-07"), (123456.0, "123456"), (1e300, "1e+300"), (-2.0, "-2"),
    ],
)  # fmt: skip
def test_numbers(value, words):
    """Four significant digits, whole numbers in full."""
    assert number(value) == words


def test_counts_and_plurals():
    """Groups of three, and the word that goes with the number."""
    assert count(1234567) == "1,234,567"
    assert [plural(1, "study", "studies"), plural(2, "study", "studies"), plural(0, "trial")] == [
        "1 study", "2 studies", "0 trials",
    ]  # fmt: skip
    assert clock(0.0) == "00:00:00"
    assert clock(0.0, day=True) == "1970-01-01 00:00"


def test_every_state_has_its_own_symbol_and_word():
    """Two states of one kind differ without colours."""
    assert set(STATUSES) == {status.name for status in Status}
    for states in (CONDITIONS, STATUSES, GANGS):
        words = [word for _, word, _ in states.values()]
        assert len(set(words)) == len(words)
        said = [(symbol, word) for symbol, word, _ in states.values()]
        assert len(set(said)) == len(said)
