"""The display of starting gangs: the stage each has reached, for how long, and how long a start usually takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hvdsweep.launch.events import Event, GangEvent, StageEvent
from hvdsweep.store.stages import usually


@dataclass(frozen=True)
class _Start:
    stage: str
    since: float
    """When the gang was started, by the system clock."""
    usual: float | None


class Starting:
    """The gangs that have not made their first step yet."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gangs: dict[int, _Start] = {}

    def note(self, event: Event) -> None:
        """Take an event of the run; only stages and ends of gangs matter."""
        if isinstance(event, StageEvent):
            if event.stage is None:
                self._gangs.pop(event.gang, None)
            else:
                since = self._clock() - event.seconds
                self._gangs[event.gang] = _Start(event.stage, since, event.usual_seconds)
        elif isinstance(event, GangEvent) and event.state in ("STOPPED", "DEAD"):
            self._gangs.pop(event.gang, None)

    def lines(self) -> list[str]:
        """`gangs 1 and 2 start: loading TensorFlow, 4 s so far, usually 12 s`: a line per stage."""
        by_stage: dict[str, list[int]] = {}
        for gang, start in self._gangs.items():
            by_stage.setdefault(start.stage, []).append(gang)
        lines = []
        for stage, gangs in by_stage.items():
            first = self._gangs[gangs[0]]
            seconds = max(0.0, self._clock() - first.since)
            lines.append(f"{named(gangs)}: {stage}, {seconds:.0f} s so far, {usually(first.usual)}")
        return lines


def named(gangs: Sequence[int]) -> str:
    """`gang 1 starts`, `gangs 1 and 2 start`, `gangs 1 to 8 start`."""
    if len(gangs) == 1:
        return f"gang {gangs[0]} starts"
    if len(gangs) == 2:
        return f"gangs {gangs[0]} and {gangs[1]} start"
    return f"gangs {min(gangs)} to {max(gangs)} start"
