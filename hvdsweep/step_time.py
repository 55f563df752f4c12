"""How long a step takes: measured, derived from other batch sizes or numbers of ranks, or a rough estimate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hvdsweep.split import split_batch

CROSSOVERS = tuple(2.0**power for power in range(-2, 15))
"""Batch sizes at which the examples of a step take as long as its fixed part; all equally likely before anything is
timed. Convolutions on one core are at the low end, small networks on a GPU at the high end."""

SCATTER = 0.25
"""Standard deviation of the logarithm of a timing, on a machine with other load."""

COMPILING = 30.0
"""Seconds. The first trial to finish also compiled: alone, and shorter than this, it says next to nothing."""


ALLREDUCE_SECONDS = 1.5e-3
"""Time that averaging over the ranks of one machine adds to a step (Gloo: 0.8 to 2 ms), for any model."""

FLOPS_PER_SECOND = 1e10
"""Of one CPU core, roughly; a GPU is so much faster that splitting pays even less often."""

ROUGH_STEP_SECONDS = 2e-4
"""Fixed part of a step if nothing was measured."""

ROUGH_PARAMETERS = 100_000
"""Weights assumed for a model whose number is unknown (the user's own)."""

Basis = Literal["measured", "derived", "rough"]
"""Measured at this batch size and number of ranks; derived from others of the same model; or a rough estimate."""


class Speed(Protocol):
    """A measured speed, as in the store (`hvdsweep.store.rows.ThroughputRow`)."""

    @property
    def workload(self) -> str: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def np(self) -> int: ...
    @property
    def gangs(self) -> int: ...
    @property
    def steps_per_second(self) -> float: ...


@dataclass(frozen=True)
class Timing:
    """Measured step time of one study."""

    workload: str
    batch_size: int
    seconds: float
    """Per step, above 0."""


def step_seconds(timings: Iterable[Timing], workload: str, batch_size: int) -> float | None:
    """Seconds per step of `workload` at `batch_size`; None if nothing of its data set and model was timed.

    A step takes a (1 + B / X): a fixed part and a share per example. The nearest batch size timed sets the level (of
    the same workload, if another algorithm's is equally near). All timings together weight the crossovers X, and the
    growth from the nearest size is the mean over X, in the logarithm. So one timing alone predicts for a larger batch
    neither the same time nor a proportional one.
    """
    kin = [
        timing
        for timing in timings
        if family(timing.workload) == family(workload) and 0 < timing.seconds < math.inf
    ]
    if not kin:
        return None
    nearest = min(kin, key=lambda one: (abs(math.log(one.batch_size / batch_size)), one.workload != workload))
    errors = [_squared_errors(kin, crossover) for crossover in CROSSOVERS]
    weights = [math.exp((min(errors) - error) / (2 * SCATTER**2)) for error in errors]
    growth = [
        math.log((crossover + batch_size) / (crossover + nearest.batch_size)) for crossover in CROSSOVERS
    ]
    mean = math.fsum(weight * one for weight, one in zip(weights, growth, strict=True)) / math.fsum(weights)
    return nearest.seconds * math.exp(mean)


@dataclass(frozen=True)
class Expected:
    """Seconds per step, and their basis."""

    seconds: float
    basis: Basis


class StepTimes:
    """Seconds per step of any study on any number of ranks."""

    def __init__(self, speeds: Iterable[Speed]) -> None:
        """`speeds` in order of time: the last one of a kind counts."""
        self._rows = [row for row in speeds if 0 < row.steps_per_second < math.inf]

    def known(self, workload: str, batch_size: int, np: int, gangs: int) -> Expected | None:
        """From speeds of the same model on `np` ranks; None if there are none.

        Speeds with `gangs` gangs side by side come first: a gang alone on the machine is faster.
        """
        mine = [row for row in self._rows if row.np == np]
        for rows in ([row for row in mine if row.gangs == gangs], mine):
            latest = {(row.workload, row.batch_size): 1 / row.steps_per_second for row in rows}
            own = latest.get((workload, batch_size))
            if own is not None:
                return Expected(own, "measured")
            timings = [Timing(*key, seconds) for key, seconds in latest.items()]
            seconds = step_seconds(timings, workload, batch_size)
            if seconds is not None:
                return Expected(seconds, "derived")
        return None

    def has(self, workload: str, np: int, gangs: int) -> bool:
        """Whether a speed of the same model was measured with exactly `gangs` gangs of `np` ranks side by side."""
        return any(
            row.np == np and row.gangs == gangs and family(row.workload) == family(workload)
            for row in self._rows
        )

    def expected(
        self, workload: str, batch_size: int, np: int, gangs: int, *, parameters: int | None, granule: int = 1
    ) -> Expected:
        """`known`, else from another number of ranks, else roughly from the number of weights.

        From m ranks to n: a rank's share takes as long as the same share did on m ranks, and averaging comes on top.
        """
        found = self.known(workload, batch_size, np, gangs)
        if found is not None:
            return found
        low, high = split_batch(batch_size, np, granule)[0]
        share = high - low
        counts = {(row.np, row.gangs) for row in self._rows if family(row.workload) == family(workload)}
        for other, side in sorted(counts, key=lambda one: (abs(math.log(one[0] / np)), -one[1])):
            near = self.known(workload, share * other, other, side)
            if near is not None:
                working = max(near.seconds - _averaging(other), 0.1 * near.seconds)
                return Expected(working + _averaging(np), "derived")
        return Expected(rough_seconds(share, np, parameters), "rough")


def rough_seconds(share: int, np: int, parameters: int | None) -> float:
    """Seconds of a step in which the busiest of `np` ranks takes `share` examples: 6 flops per weight and example (forward and
    backward), and averaging.

    A lower bound of the work for convolutions and sequences, which use a weight more than once.
    """
    weights = ROUGH_PARAMETERS if parameters is None else parameters
    return ROUGH_STEP_SECONDS + 6 * weights * share / FLOPS_PER_SECOND + _averaging(np)


def _averaging(np: int) -> float:
    return ALLREDUCE_SECONDS if np > 1 else 0.0


def is_inconclusive(trials: int, seconds: float) -> bool:
    """Whether a sweep whose only finished `trials` took `seconds` each has no pace to judge the rest by yet."""
    return trials < 2 and seconds < COMPILING


def family(workload: str) -> str:
    """Data set and model: the algorithm hardly matters to the time of a step."""
    return workload.rpartition("/")[0] or workload


def _squared_errors(timings: Sequence[Timing], crossover: float) -> float:
    """How far the timings are from growing as (1 + B / crossover), each workload with its own level."""
    levels: dict[str, list[float]] = {}
    for one in timings:
        levels.setdefault(one.workload, []).append(math.log(one.seconds / (crossover + one.batch_size)))
    return math.fsum(
        (value - math.fsum(values) / len(values)) ** 2 for values in levels.values() for value in values
    )
