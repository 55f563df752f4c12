"""How long a step takes at a batch size that was not timed, learnt from those that were."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CROSSOVERS = tuple(2.0**power for power in range(-2, 15))
"""Batch sizes at which the examples of a step cost as much as all that does not grow with them; each as likely as the others
before anything is timed. Convolutions on one core stand at the beginning, small networks on a GPU at the end."""

SCATTER = 0.25
"""Standard deviation of the logarithm of a timing, on a machine that also does other things."""

COMPILING = 30.0
"""Seconds. The first trial to finish also compiled: where it is the only one, and shorter than this, it says next to nothing."""


@dataclass(frozen=True)
class Timing:
    """What the steps of one study have taken."""

    workload: str
    batch_size: int
    seconds: float
    """Per step, above 0."""


def step_seconds(timings: Iterable[Timing], workload: str, batch_size: int) -> float | None:
    """Seconds per step of `workload` at `batch_size`; None where nothing of its data set and model was timed.

    A step takes a (1 + B / X): overhead and a share per example. The nearest batch size timed gives the level (of the same
    workload, where another algorithm's is as near), all of them together tell how likely each crossover X is, and the growth
    from there is the mean over X, in the logarithm. So from one timing a larger batch is neither as fast
    nor slower in proportion.
    """
    kin = [
        timing
        for timing in timings
        if _family(timing.workload) == _family(workload) and 0 < timing.seconds < math.inf
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


def tells_too_little(trials: int, seconds: float) -> bool:
    """Whether a sweep whose only finished `trials` took `seconds` each has no pace to judge the rest by yet."""
    return trials < 2 and seconds < COMPILING


def _family(workload: str) -> str:
    """Data set and model: the algorithm hardly matters to the time of a step."""
    return workload.rpartition("/")[0] or workload


def _squared_errors(timings: Sequence[Timing], crossover: float) -> float:
    """How far the timings are from growing as (1 + B / crossover), each workload at a level of its own."""
    levels: dict[str, list[float]] = {}
    for one in timings:
        levels.setdefault(one.workload, []).append(math.log(one.seconds / (crossover + one.batch_size)))
    return math.fsum(
        (value - math.fsum(values) / len(values)) ** 2 for values in levels.values() for value in values
    )
