"""Times, numbers and bars as words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.states import Status
from tui.words import CONDITIONS, GANGS, STATUSES, bar, clock, count, duration, number, plural


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"), (math.nan, "–"), (math.inf, "–"), (0.0004, "0.0 s"), (0.04, "40 ms"), (0.0951, "0.1 s"),
        (9.94, "9.9 s"), (12.4, "12 s"), (59.4, "59 s"),
        (59.6, "1 min 00 s"), (200, "3 min 20 s"), (3599.4, "59 min 59 s"), (3600, "1 h 00 min"), (7500, "2 h 05 min"),
        (86399, "23 h 59 min"), (86400, "1 d 0 h"), (273600, "3 d 4 h"), (-3, "0.0 s"),
    ],
)  # fmt: skip
def test_durations(seconds, words):
    """Two largest units; what is not known is a dash."""
    assert duration(seconds) == words


@given(st.floats(0, 1e7))
def test_a_longer_time_never_reads_shorter(seconds):
    """The words, read back in seconds, are within one of their smaller unit."""
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
    parts = duration(seconds).split()
    value = sum(float(amount) * units[unit] for amount, unit in zip(parts[::2], parts[1::2], strict=True))
    assert abs(value - seconds) <= units[parts[-1]]


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
    """No colour is needed to tell two states of one kind apart."""
    assert set(STATUSES) == {status.name for status in Status}
    for states in (CONDITIONS, STATUSES, GANGS):
        words = [word for _, word, _ in states.values()]
        assert len(set(words)) == len(words)
        said = [(symbol, word) for symbol, word, _ in states.values()]
        assert len(set(said)) == len(said)
