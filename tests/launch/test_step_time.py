"""Seconds per step at batch sizes that were not timed, against workloads whose step time is a formula."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from hvdsweep.step_time import ALLREDUCE_SECONDS, Expected, StepTimes, Timing, step_seconds


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
def test_several_timings_show_how_it_grows(overhead: float, share: float) -> None:
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


@dataclass(frozen=True)
class Row:
    workload: str
    batch_size: int
    np: int
    gangs: int
    steps_per_second: float


def test_speeds_of_gangs_side_by_side_come_first() -> None:
    """A gang alone is faster: its speed counts only where none was measured with as many gangs."""
    alone, together = Row("set/net/sgd", 8, 1, 1, 10.0), Row("set/net/sgd", 8, 1, 4, 5.0)
    assert StepTimes([together, alone]).known("set/net/sgd", 8, 1, 4) == Expected(0.2, "measured")
    assert StepTimes([alone]).known("set/net/sgd", 8, 1, 4) == Expected(0.1, "measured")
    assert StepTimes([alone]).known("set/net/sgd", 8, 2, 4) is None


def test_another_number_of_ranks_is_judged_by_the_share() -> None:
    """Batch 64 on 2 ranks: each rank takes 32 examples as batch 32 on one rank did, and averaging comes on top; and back."""
    one = StepTimes([Row("set/net/sgd", 32, 1, 2, 10.0), Row("set/net/sgd", 64, 1, 2, 5.0)])
    found = one.expected("set/net/sgd", 64, 2, 1, parameters=None)
    assert found == Expected(pytest.approx(0.1 + ALLREDUCE_SECONDS), "derived")
    two = StepTimes([Row("set/net/sgd", 64, 2, 1, 1 / (0.1 + ALLREDUCE_SECONDS))])
    assert two.expected("set/net/sgd", 32, 1, 2, parameters=None) == Expected(pytest.approx(0.1), "derived")


def test_without_any_speed_weights_and_share_decide() -> None:
    """6 operations per weight and example at 10^10 a second, an overhead, and averaging where there are several ranks."""
    empty = StepTimes([Row("set/other/sgd", 32, 1, 2, 10.0)])
    one = empty.expected("set/net/sgd", 1000, 1, 2, parameters=10**6)
    two = empty.expected("set/net/sgd", 1000, 2, 1, parameters=10**6)
    assert (one.basis, two.basis) == ("rough", "rough")
    assert one.seconds == pytest.approx(0.6, rel=0.01)
    assert two.seconds == pytest.approx(0.3 + ALLREDUCE_SECONDS, rel=0.01)


def test_ghost_batches_bound_the_share() -> None:
    """A batch of 64 whose layers look at 32 rows together gains nothing from four ranks over two."""
    times = StepTimes([Row("set/net/sgd", 32, 1, 4, 10.0)])
    four = times.expected("set/net/sgd", 64, 4, 1, parameters=None, granule=32)
    assert four == times.expected("set/net/sgd", 64, 2, 2, parameters=None, granule=32)
