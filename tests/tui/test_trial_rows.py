"""Trials as rows of a table."""

from __future__ import annotations

from tui.trial_rows import short_names


def test_short_names_keep_what_differs():
    """Parts that all workloads share are left out; one workload keeps its last part."""
    assert short_names(["a/b/c"]) == {"a/b/c": "c"}
    assert short_names(["d/fc/sgd", "d/fc/momentum"]) == {"d/fc/sgd": "sgd", "d/fc/momentum": "momentum"}
