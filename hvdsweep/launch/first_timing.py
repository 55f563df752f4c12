"""Timing before the first layout of `--np auto`, so that a long sweep of an untimed model does not start on a guess."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hvdsweep.launch.announce import Announcer
from hvdsweep.launch.gang import CommandBuilder
from hvdsweep.launch.hosts import Host
from hvdsweep.launch.scale import Case, Failed, Scale, Timed, cases_of
from hvdsweep.layout import START_SECONDS, Shape
from hvdsweep.plan import Plan
from hvdsweep.step_time import StepTimes, family
from hvdsweep.store.throughput import here_last, record_throughput, throughput
from hvdsweep.words import counted, duration

SECONDS = 1.0
"""Time measured per case."""
CASE_SECONDS = 4.0
"""Time per case with tracing and warming up, roughly."""
MOST_SIZES = 4
"""Batch sizes timed per model; times of the others lie between theirs."""
WORTH = 10
"""A sweep is timed first if it is expected to take at least this many times as long as the timing."""


@dataclass(frozen=True)
class FirstTiming:
    """What to time on one number of ranks."""

    np: int
    cases: tuple[Case, ...]


def wanted(plan: Plan, shapes: Sequence[Shape], times: StepTimes, expected: float) -> list[FirstTiming]:
    """What to time before one of `shapes` is chosen; empty if speeds are known, or timing does not pay.

    `expected`: seconds that the sweep takes, as far as known. Times the fewest ranks, the most, and some between; times
    on other numbers are derived from them.
    """
    if len(shapes) < 2:
        return []
    chosen = sorted({shapes[0], shapes[len(shapes) // 2], shapes[-1]})
    found = [FirstTiming(shape.np, tuple(_cases(plan, shape, times))) for shape in chosen]
    found = [timing for timing in found if timing.cases]
    cost = sum(START_SECONDS + CASE_SECONDS * len(timing.cases) for timing in found)
    return found if expected >= WORTH * cost else []


def _cases(plan: Plan, shape: Shape, times: StepTimes) -> list[Case]:
    """A few batch sizes of every model whose speed on so many ranks is unknown."""
    models: dict[str, dict[int, Case]] = {}
    for case in cases_of(plan):
        if times.known(case.workload, case.batch_size, shape.np, shape.gangs) is None:
            models.setdefault(family(case.workload), {}).setdefault(case.batch_size, case)
    return [by_size[size] for by_size in models.values() for size in _spread(sorted(by_size))]


def _spread(sizes: Sequence[int]) -> list[int]:
    """At most MOST_SIZES of them, evenly spread, with the first and the last."""
    count = min(len(sizes), MOST_SIZES)
    return [sizes[place * (len(sizes) - 1) // max(1, count - 1)] for place in range(count)]


def measure(
    conn: sqlite3.Connection,
    timings: Sequence[FirstTiming],
    announce: Announcer,
    stop: Callable[[], bool],
    *,
    hosts: Sequence[Host] | None,
    threads: int,
    build: CommandBuilder,
) -> None:
    """Time them with `threads` per rank; each speed is stored as soon as it is known, as `hvdsweep scale` does.

    A case that cannot be timed becomes a note: the gangs that train it will report the error. `stop` ends the timing
    early.
    """
    cost = sum(START_SECONDS + CASE_SECONDS * len(timing.cases) for timing in timings)
    ranks = ", ".join(str(timing.np) for timing in timings)
    announce.note(
        f"No speeds are known yet: timing steps on {ranks} ranks first, about {duration(cost)}. The database keeps the speeds."
    )
    for timing in timings:
        scale = Scale(timing.cases, [timing.np], seconds=SECONDS, hosts=hosts, threads=threads, build=build)
        for found in scale.run(stop):
            if isinstance(found, Timed):
                record_throughput(conn, gangs=1, **vars(found))
            elif isinstance(found, Failed):
                first = found.message.partition("\n")[0]
                announce.note(f"Not timed on {counted(found.np, 'rank')}: {first}")
        if stop():
            return


def speeds_of(conn: sqlite3.Connection) -> StepTimes:
    """The speeds in the store; those of this machine override those of others."""
    return StepTimes(here_last(throughput(conn)))
