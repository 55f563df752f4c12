"""Seconds per step at batch sizes that were not timed, against workloads whose step time is a formula."""

from __future__ import annotations

import random

import pytest

from hvdsweep.step_time import Timing, step_seconds


def timed(overhead: float, share: float, sizes: list[int], workload: str = "set/net/sgd") -> list[Timing]:
    """Steps of `overhead` + `share` x batch size seconds."""
    return [Timing(workload, size, overhead + share * size) for size in sizes]


def test_what_was_timed_is_believed() -> None:
    """At a batch size that was timed: that time, also for another algorithm of the same model; nothing for another model."""
    timings = [*timed(1.0, 0.5, [4, 16]), Timing("set/net/momentum", 16, 3.0)]
    assert step_seconds(timings, "set/net/sgd", 16) == pytest.approx(9.0)
    assert step_seconds(timings, "set/net/momentum", 16) == pytest.approx(3.0)
    assert step_seconds(timings, "set/net/momentum", 4) == pytest.approx(3.0)
    assert step_seconds(timings, "set/other/sgd", 4) is None
    assert step_seconds([], "set/net/sgd", 4) is None


def test_one_timing_promises_neither_extreme() -> None:
    """From batch size 4 to 1024: clearly slower, and clearly less than 256 times; and back the same way."""
    up = step_seconds([Timing("w", 4, 1.0)], "w", 1024)
    down = step_seconds([Timing("w", 1024, 1.0)], "w", 4)
    assert up is not None
    assert down is not None
    assert 3.0 < up < 60.0
    assert up * down == pytest.approx(1.0)


@pytest.mark.parametrize(("overhead", "share"), [(1.0, 0.0), (1.0, 0.01), (0.1, 1.0), (0.0, 1.0)])
def test_several_timings_tell_how_it_grows(overhead: float, share: float) -> None:
    """Mostly overhead, mixed, mostly examples: 8 times beyond the largest timed, within 60 %, though timings scatter by 10 %."""
    scatter = random.Random(1)
    timings = [
        Timing("w", one.batch_size, one.seconds * scatter.uniform(0.9, 1.1))
        for one in timed(overhead, share, [4, 8, 16, 32, 64, 128])
    ]
    assert step_seconds(timings, "w", 1024) == pytest.approx(overhead + 1024 * share, rel=0.6)


def test_workloads_share_their_growth_at_levels_of_their_own() -> None:
    """Momentum costs twice as much a step everywhere: how it grows is learnt from plain SGD, also beyond its largest."""
    timings = timed(0.01, 1.0, [4, 16, 64]) + [
        Timing("set/net/momentum", one.batch_size, 2 * one.seconds) for one in timed(0.01, 1.0, [64, 256])
    ]
    assert step_seconds(timings, "set/net/momentum", 1024) == pytest.approx(2 * 1024, rel=0.1)
