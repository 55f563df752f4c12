"""How long a sweep still takes, judged by finished trials of the same study."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hvdsweep.step_time import Timing, is_inconclusive, step_seconds


@dataclass(frozen=True)
class Pace:
    """How long the trials of one study have taken so far."""

    complete: int = 0
    """COMPLETE trials."""
    first: float | None = None
    """Seconds of the first of them, which included compiling."""
    trained: float | None = None
    """Seconds of its steps alone, if known."""
    lost: float = 0.0
    """Seconds spent on trials that diverged or failed: part of the cost of the others."""
    recent: Sequence[float] = ()
    """Seconds of the latest COMPLETE trials; includes the first one if there are few."""

    @property
    def usual(self) -> float | None:
        """Seconds of a COMPLETE trial, by the lower median; None until there is one."""
        if not self.recent:
            return None
        if self.complete == 1 and self.first is not None and self.trained is not None:
            return min(self.first, self.trained)
        return sorted(self.recent)[(len(self.recent) - 1) // 2]

    @property
    def per_trial(self) -> float | None:
        """Seconds per COMPLETE trial, including those lost on others; None until there is one."""
        return None if self.usual is None else self.usual + self.lost / self.complete

    @property
    def sure(self) -> bool:
        """Whether more is known than the duration of the first trial, compiling included."""
        return self.complete > 1 or self.trained is not None

    @property
    def setup(self) -> float | None:
        """Extra seconds of a gang's first trial of the study; None if not known yet."""
        if self.first is None or self.usual is None or not self.sure:
            return None
        return max(0.0, self.first - self.usual)


@dataclass(frozen=True)
class Left:
    """Time that one study still takes; None if nothing is known."""

    work: float | None
    """Seconds of one gang."""
    seconds: float | None
    """With the gangs that work on it now."""


@dataclass(frozen=True)
class Work:
    """What is left of one study."""

    study: int
    workload: str
    batch_size: int
    train_steps: int
    trials: float
    """Trials still to be trained; a running one counts by its remaining share."""
    gangs: int
    """Gangs that work on it now."""
    side: int | None = None
    """Gangs side by side that may train it; None: all."""


def remaining(
    works: Sequence[Work], paces: Mapping[int, Pace], gangs: int
) -> tuple[list[Left], float | None]:
    """What is left of each study, and seconds for the whole sweep (on `gangs` gangs).

    A study with too few finished trials is judged by the others (`step_seconds`); if it has none at all, one
    compilation is added. None if nothing is known, or if a single short trial is all that has finished.
    """
    finished = [pace for pace in paces.values() if pace.complete]
    if (
        len(finished) == 1
        and finished[0].trained is None
        and is_inconclusive(finished[0].complete, finished[0].first or 0.0)
    ):
        paces = {}
    setups = [pace.setup for pace in paces.values() if pace.setup is not None]
    setup = statistics.median(setups) if setups else 0.0
    timings = _timings(works, paces)
    each: list[Left] = []
    total: float | None = 0.0
    longest = 0.0
    for work in works:
        if work.trials <= 0:
            each.append(Left(0.0, 0.0))
            continue
        pace = paces.get(work.study, Pace())
        per_trial = _per_trial(work, pace, timings)
        if per_trial is None:
            each.append(Left(None, None))
            total = None
            continue
        seconds = per_trial * work.trials
        if not pace.complete:
            seconds += setup
        each.append(Left(seconds, seconds / max(1, min(work.gangs, math.ceil(work.trials)))))
        longest = max(longest, per_trial * min(1.0, work.trials))
        if total is not None:
            total += seconds / max(1, work.side or gangs)
    # Gangs never share a trial.
    return each, None if total is None else max(total, longest)


def _timings(works: Sequence[Work], paces: Mapping[int, Pace]) -> list[Timing]:
    """Time per step of the studies' trials; only of those known without compiling, if there are any."""
    known = [
        (work, pace)
        for work in works
        if work.train_steps and (pace := paces.get(work.study)) is not None and pace.complete
    ]
    steady = [(work, pace) for work, pace in known if pace.sure]
    return [
        Timing(work.workload, work.batch_size, pace.per_trial / work.train_steps)
        for work, pace in steady or known
        if pace.per_trial
    ]


def _per_trial(work: Work, pace: Pace, timings: Sequence[Timing]) -> float | None:
    if pace.sure:
        return pace.per_trial
    step = step_seconds(timings, work.workload, work.batch_size)
    expected = None if step is None or not work.train_steps else step * work.train_steps
    # The first trial included compiling: the rest is assumed to take no longer.
    return min((seconds for seconds in (pace.per_trial, expected) if seconds is not None), default=None)
