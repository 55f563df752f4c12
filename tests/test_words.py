"""Numbers of things as people write them."""

import pytest

from hvdsweep.words import counted


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (12345, "12,345 trials")],
)
def test_counted(number, text):
    """One of a thing has no s; thousands are set apart."""
    assert counted(number, "trial") == text
    assert counted(1, "study", "studies") == "1 study"
    assert counted(3, "study", "studies") == "3 studies"
