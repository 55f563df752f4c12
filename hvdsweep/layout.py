"""How many ranks train each study, so that the whole sweep finishes soonest on a given number of slots.

A *shape* is one way to fill the slots: a number of gangs, each of a number of ranks. A *layout* gives every study a
shape. Studies of one shape are trained side by side, one shape after another. Losses do not depend on the layout, only
time does.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

MOST_RANKS = 65_536
"""Most ranks at once: a plan lists every rank's share of a batch."""

START_SECONDS = 15.0
"""From the start of gangs to their first step: imports of TensorFlow (10 to 20 s on a slow machine)."""

SETUP_SECONDS = 1.0
"""Compiling a study's functions, once per gang that trains it."""

EXACT_ROUNDS = 20
"""With more trials per gang, the idle time at the end is a few percent, and is estimated, not simulated."""

FEW_SHAPES = 8
"""With at most so many shapes the search also starts from every three of them, otherwise from every two."""

BEST_STARTS = 4
"""Layouts that the search improves study by study."""

Key = TypeVar("Key")


@dataclass(frozen=True, order=True)
class Shape:
    """One way to fill the slots."""

    np: int
    """Ranks per gang."""
    gangs: int
    """Gangs side by side."""


@dataclass(frozen=True)
class LayoutJob(Generic[Key]):
    """The work of one study."""

    key: Key
    trials: float
    """Trials still to be trained."""
    seconds: Mapping[int, float]
    """Ranks -> seconds of one trial, with as many gangs side by side as the shape has."""


@dataclass(frozen=True)
class Phase(Generic[Key]):
    """The studies that are trained in one shape."""

    shape: Shape
    keys: tuple[Key, ...]
    seconds: float
    """Including the start of the gangs."""


@dataclass(frozen=True)
class Layout(Generic[Key]):
    """A shape for every study."""

    phases: tuple[Phase[Key], ...]
    """In training order: running gangs first, then the shortest phase, so that a curve over all batch sizes is
    available soonest."""

    @property
    def seconds(self) -> float:
        """Expected total."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def shapes(self) -> dict[Key, Shape]:
        """Study -> its shape."""
        return {key: phase.shape for phase in self.phases for key in phase.keys}


def shapes_for(slots: int, first: int | None = None) -> tuple[Shape, ...]:
    """The shapes that use `slots` best, one rank each first: for every number of gangs the most ranks that fit.

    `first`: slots of the first host, which runs rank 0 of every gang and so limits their number; None: only one host.
    """
    if slots < 1 or (first is not None and not 1 <= first <= slots):
        raise ValueError(f"{first} of {slots} slots on the first host make no shape")
    most = slots if first is None else first
    found: dict[int, int] = {1: most}
    for gangs in range(1, most + 1):
        found[slots // gangs] = max(gangs, found.get(slots // gangs, 0))
    return tuple(Shape(np, gangs) for np, gangs in sorted(found.items()))


def choose(
    jobs: Sequence[LayoutJob[Key]],
    shapes: Sequence[Shape],
    *,
    start: float = START_SECONDS,
    warm: Shape | None = None,
) -> Layout[Key]:
    """The layout that finishes first. A study without trials left gets one of the shapes used by the others.

    Every shape costs `start` seconds except `warm`, whose gangs are running, so a change of shape must save its start.
    """
    if not jobs or not shapes:
        raise ValueError("a layout needs studies and shapes")
    working = [job for job in jobs if job.trials > 0]
    if not working:
        return in_one_shape(jobs, warm or shapes[0], start=start)
    cost = _Cost(working, start, warm)
    begun: list[tuple[Shape, ...]] = []
    for size in (1, 2, 3) if len(shapes) <= FEW_SHAPES else (1, 2):
        for some in combinations(shapes, size):
            begun.append(tuple(_cheapest(job, some) for job in working))
    ranked = sorted(dict.fromkeys(begun), key=lambda one: (cost.of(one), one))
    best = min(
        (_improved(one, shapes, cost) for one in ranked[:BEST_STARTS]), key=lambda one: (cost.of(one), one)
    )
    shape_of = dict(zip((job.key for job in working), best, strict=True))
    used = sorted(set(best))
    every = tuple(shape_of.get(job.key) or _cheapest(job, used) for job in jobs)
    return _Cost(jobs, start, warm).layout(every)


def in_one_shape(
    jobs: Sequence[LayoutJob[Key]], shape: Shape, *, start: float = START_SECONDS
) -> Layout[Key]:
    """All studies in one shape, as with `--np` and `--gangs`."""
    return _Cost(jobs, start, None).layout(tuple(shape for _ in jobs))


def _cheapest(job: LayoutJob[Key], shapes: Sequence[Shape]) -> Shape:
    """The shape in which a study takes the least of the slots' time."""
    return min(
        shapes, key=lambda shape: (job.seconds[shape.np] / min(shape.gangs, max(1.0, job.trials)), shape)
    )


def _improved(assigned: tuple[Shape, ...], shapes: Sequence[Shape], cost: _Cost[Key]) -> tuple[Shape, ...]:
    """Improve the layout by moving one study at a time, until no move helps."""
    now = cost.of(assigned)
    while True:
        moves = [
            (*assigned[:place], shape, *assigned[place + 1 :])
            for place in range(len(assigned))
            for shape in shapes
            if shape != assigned[place]
        ]
        found = min(moves, key=lambda one: (cost.of(one), one), default=assigned)
        if cost.of(found) >= now * (1 - 1e-9):
            return assigned
        assigned, now = found, cost.of(found)


class _Cost(Generic[Key]):
    """How long layouts take; a layout is given as one shape per job."""

    def __init__(self, jobs: Sequence[LayoutJob[Key]], start: float, warm: Shape | None) -> None:
        self._jobs = jobs
        self._start = start
        self._warm = warm
        self._known: dict[tuple[Shape, tuple[int, ...]], float] = {}

    def of(self, assigned: Sequence[Shape]) -> float:
        """Seconds of the whole layout."""
        return sum(self._phase(shape, places) for shape, places in _grouped(assigned).items())

    def layout(self, assigned: Sequence[Shape]) -> Layout[Key]:
        phases = [
            Phase(shape, tuple(self._jobs[place].key for place in places), self._phase(shape, places))
            for shape, places in _grouped(assigned).items()
        ]
        phases.sort(key=lambda phase: (phase.shape != self._warm, phase.seconds, phase.shape))
        return Layout(tuple(phases))

    def _phase(self, shape: Shape, places: tuple[int, ...]) -> float:
        known = self._known.get((shape, places))
        if known is None:
            work = [self._jobs[place] for place in places if self._jobs[place].trials > 0]
            known = self._known[shape, places] = self._seconds(shape, work) if work else 0.0
        return known

    def _seconds(self, shape: Shape, work: Sequence[LayoutJob[Key]]) -> float:
        trials = [(job.seconds[shape.np], job.trials) for job in work]
        setups = sum(SETUP_SECONDS * min(job.trials, shape.gangs) for job in work) / shape.gangs
        start = 0.0 if shape == self._warm else self._start
        return start + max(setups, SETUP_SECONDS) + together(trials, shape.gangs)


def _grouped(assigned: Sequence[Shape]) -> dict[Shape, tuple[int, ...]]:
    groups: dict[Shape, list[int]] = {}
    for place, shape in enumerate(assigned):
        groups.setdefault(shape, []).append(place)
    return {shape: tuple(places) for shape, places in groups.items()}


def together(trials: Sequence[tuple[float, float]], gangs: int) -> float:
    """Seconds for `gangs` gangs to train all trials, longest first, each gang taking the next as it finishes one.

    `trials`: (seconds, number) per study.
    """
    work = sum(seconds * count for seconds, count in trials)
    longest = max((seconds for seconds, count in trials if count > 0), default=0.0)
    if gangs == 1:
        return work
    if sum(count for _, count in trials) > EXACT_ROUNDS * gangs:
        # At the end each gang idles for half of the shortest trial on average.
        shortest = min(seconds for seconds, count in trials if count > 0)
        return max(work / gangs + shortest * (1 - 1 / gangs) / 2, longest)
    free = [0.0] * gangs
    for seconds, count in sorted(trials, reverse=True):
        whole = int(count)
        for part in (*[1.0] * whole, *([count - whole] if count > whole else [])):
            heapq.heapreplace(free, free[0] + seconds * part)
    return max(free)
