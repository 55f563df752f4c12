"""Numbers of things as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.words import counted, duration


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (12345, "12,345 trials")],
)
def test_counted(number, text):
    """One of a thing has no s; thousands are set apart."""
    assert counted(number, "trial") == text
    assert counted(1, "study", "studies") == "1 study"
    assert counted(3, "study", "studies") == "3 studies"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "?"), (math.nan, "?"), (math.inf, "?"), (0.0004, "0 s"), (0.04, "40 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"),
        (9.94, "9.9 s"), (9.96, "10 s"), (12.4, "12 s"), (59.4, "59 s"),
        (59.6, "1 min 00 s"), (200, "3 min 20 s"), (3599.4, "59 min 59 s"), (3600, "1 h 00 min"), (7500, "2 h 05 min"),
        (86399, "23 h 59 min"), (86400, "1 d 0 h"), (273600, "3 d 4 h"), (-3, "0 s"),
    ],
)  # fmt: skip
def test_durations(seconds, words):
    """Two largest units; `?` where it is not known."""
    assert duration(seconds) == words


@given(st.floats(0, 1e7))
def test_a_longer_time_never_reads_shorter(seconds):
    """The words, read back in seconds, are within one of their smaller unit."""
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
    parts = duration(seconds).split()
    value = sum(float(amount) * units[unit] for amount, unit in zip(parts[::2], parts[1::2], strict=True))
    assert abs(value - seconds) <= units[parts[-1]]
