"""The states of a trial, as words (in the store) and as small integers (in arrays), and those of sweeps and gangs."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Status(IntEnum):
    """A trial's life: PENDING, RUNNING, then one of the three ends (paper's words)."""

    PENDING = 0
    RUNNING = 1
    COMPLETE = 2
    """Trained to its budget, or to its goal when told to stop there."""
    INFEASIBLE = 3
    """Diverged: its loss or weights left the finite numbers. Never retried, replaced by another trial."""
    INCOMPLETE = 4
    """Killed or failed more often than it may be retried."""


OPEN = (Status.PENDING.name, Status.RUNNING.name)
"""Words of the states in which a trial still has steps to take."""

ENDED = (Status.COMPLETE.name, Status.INFEASIBLE.name, Status.INCOMPLETE.name)
"""Words of those in which it has none."""


class StopReason(IntEnum):
    """Why a trial took no further step."""

    NONE = 0
    BUDGET = 1
    GOAL = 2
    BEATEN = 3
    """Another trial of its study had already reached the goal in fewer steps."""
    DIVERGED = 4
    FAILED = 5

    @property
    def word(self) -> str | None:
        """The word kept in the store; None (NULL) while the trial has not ended."""
        return None if self is StopReason.NONE else self.name.lower()

    @classmethod
    def of(cls, word: str | None) -> StopReason:
        """The reason that `word` names (a column of the store)."""
        return cls.NONE if word is None else cls[word.upper()]


class SweepState(StrEnum):
    """Of a sweep, as its supervisor last wrote it."""

    IDLE = "IDLE"
    """Nobody trains it, and trials are left."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    """Asked to stop."""
    DONE = "DONE"
    FAILED = "FAILED"


class GangState(StrEnum):
    """Of a gang. STOPPED and DEAD are final."""

    STARTING = "STARTING"
    IDLE = "IDLE"
    TRAINING = "TRAINING"
    STOPPED = "STOPPED"
    DEAD = "DEAD"


GANG_ENDS = (GangState.STOPPED.value, GangState.DEAD.value)
"""Words of the states in which a gang is history."""
