"""Attacks on a sweep in training: real ranks, real limits, as root. Only with HVDSWEEP_SLOW_TESTS=1; tests/README.md says how."""

import os

import pytest

SLOW = pytest.mark.skipif(
    not os.environ.get("HVDSWEEP_SLOW_TESTS"), reason="minutes; set HVDSWEEP_SLOW_TESTS=1 to run it"
)
"""On every attack that trains: the quick round of kills in the ordinary suite is tests/launch/test_kill.py."""
