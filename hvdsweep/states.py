"""The states of a trial, as words (in the store) and as small integers (in arrays), and those of sweeps and gangs."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Status(IntEnum):
    """State of a trial: PENDING, RUNNING, then one of three final states (the paper's words)."""

    PENDING = 0
    RUNNING = 1
    COMPLETE = 2
    """Trained to its budget, or to its goal if it was to stop there."""
    INFEASIBLE = 3
    """Diverged: its loss or weights became infinite or NaN. Never retried; replaced by another trial."""
    INCOMPLETE = 4
    """Killed or failed more often than allowed."""


OPEN = (Status.PENDING.name, Status.RUNNING.name)
"""Words of the states in which a trial has steps left."""

ENDED = (Status.COMPLETE.name, Status.INFEASIBLE.name, Status.INCOMPLETE.name)
"""Words of the final states."""

BEGUN = (Status.RUNNING.name, *ENDED)
"""Words of the states of a trial that a gang has started, and that does not wait for another."""


class StopReason(IntEnum):
    """Why a trial stopped."""

    NONE = 0
    BUDGET = 1
    GOAL = 2
    BEATEN = 3
    """Another trial of its study had reached the goal in fewer steps."""
    DIVERGED = 4
    FAILED = 5

    @property
    def word(self) -> str | None:
        """The word in the store; None (NULL) until the trial has ended."""
        return None if self is StopReason.NONE else self.name.lower()

    @classmethod
    def of(cls, word: str | None) -> StopReason:
        """The reason for `word`, a value in the store."""
        return cls.NONE if word is None else cls[word.upper()]


class SweepState(StrEnum):
    """State of a sweep, as its supervisor last wrote it."""

    IDLE = "IDLE"
    """No supervisor trains it, and trials are left."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    """Asked to stop."""
    DONE = "DONE"
    FAILED = "FAILED"


class GangState(StrEnum):
    """State of a gang. STOPPED and DEAD are final."""

    STARTING = "STARTING"
    IDLE = "IDLE"
    TRAINING = "TRAINING"
    STOPPED = "STOPPED"
    DEAD = "DEAD"


GANG_ENDS = (GangState.STOPPED.value, GangState.DEAD.value)
"""Words of the final states."""
