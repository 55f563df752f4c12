"""How long a sweep still takes, judged by the trials of the same study that have ended."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Pace:
    """What the trials of one study have taken so far."""

    complete: int = 0
    lost: float = 0.0
    """Seconds spent on trials that diverged or failed: part of the price of those that did not."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=99))
    """Seconds of the latest COMPLETE trials."""

    def add(self, seconds: float, complete: bool) -> None:
        """Count an ended trial."""
        if complete:
            self.complete += 1
            self.recent.append(max(0.0, seconds))
        else:
            self.lost += max(0.0, seconds)

    @property
    def per_trial(self) -> float | None:
        """Seconds per COMPLETE trial; None until there is one. By the median: the first trial of a gang also compiles."""
        if not self.complete:
            return None
        return sorted(self.recent)[(len(self.recent) - 1) // 2] + self.lost / self.complete


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
    """Gangs that are at work on it now."""


def remaining(
    works: Sequence[Work], paces: Mapping[int, Pace], gangs: int
) -> tuple[list[float | None], float | None]:
    """Seconds left of each study (at its present number of gangs) and of the whole sweep (at `gangs` gangs).

    A study of which nothing has finished is judged by the nearest batch size of the same workload: as fast per step, or
    slower in proportion to the batch size where that is larger. None where nothing is known.
    """
    each: list[float | None] = []
    total: float | None = 0.0
    longest = 0.0
    for work in works:
        if work.trials <= 0:
            each.append(0.0)
            continue
        per_trial = _per_trial(work, works, paces)
        if per_trial is None:
            each.append(None)
            total = None
            continue
        seconds = per_trial * work.trials
        each.append(seconds / max(1, min(work.gangs, math.ceil(work.trials))))
        longest = max(longest, per_trial * min(1.0, work.trials))
        if total is not None:
            total += seconds
    # One trial is never shared by gangs.
    return each, None if total is None else max(total / max(1, gangs), longest)


def _per_trial(work: Work, works: Sequence[Work], paces: Mapping[int, Pace]) -> float | None:
    own = paces.get(work.study)
    if own is not None and own.per_trial is not None:
        return own.per_trial
    best: tuple[float, float] | None = None
    for other in works:
        pace = paces.get(other.study)
        known = pace.per_trial if pace is not None else None
        if known is None or other.workload != work.workload or not other.train_steps or not work.train_steps:
            continue
        ratio = work.batch_size / other.batch_size
        estimate = known * work.train_steps / other.train_steps * max(1.0, ratio)
        distance = abs(math.log(ratio))
        if best is None or distance < best[0]:
            best = (distance, estimate)
    return None if best is None else best[1]
