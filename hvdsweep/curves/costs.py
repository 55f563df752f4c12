"""Time and cost to the goal on N workers: S(B) divided by the measured steps per second at (N, B), and N times that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Throughput:
    """One measured speed: a row of the store's `throughput`."""

    batch_size: int
    np: int
    """Ranks that trained one trial together."""
    steps_per_second: float


@dataclass(frozen=True)
class TimeToGoal:
    """What it takes to reach the goal with one batch size on a number of workers."""

    batch_size: int
    np: int
    steps: int
    steps_per_second: float

    @property
    def seconds(self) -> float:
        """Time to the goal."""
        return self.steps / self.steps_per_second

    @property
    def worker_seconds(self) -> float:
        """Cost: workers times time."""
        return self.np * self.seconds


@dataclass(frozen=True)
class Costs:
    """Every measured choice of (batch size, workers), and the best of them."""

    choices: tuple[TimeToGoal, ...]
    """Ascending by batch size, then workers."""
    fastest: TimeToGoal | None
    cheapest: TimeToGoal | None
    frontier: tuple[TimeToGoal, ...]
    """Choices that no other beats in both time and cost, fastest first."""


def time_to_goal(steps: Mapping[int, int | None], throughput: Iterable[Throughput]) -> Costs:
    """Combine steps to the goal (batch size -> steps, None: not reached) with measured speeds.

    If several rows have the same (batch size, workers) the last counts: pass them in order of time. Rows of batch sizes
    that did not reach the goal, and rows that are not a positive finite speed, are left out.
    """
    speeds = {
        (row.batch_size, row.np): row.steps_per_second
        for row in throughput
        if 0 < row.steps_per_second < float("inf") and steps.get(row.batch_size) is not None
    }
    choices = tuple(
        TimeToGoal(size, workers, int(steps[size] or 0), speed)
        for (size, workers), speed in sorted(speeds.items())
    )
    fastest = min(choices, key=lambda choice: (choice.seconds, choice.worker_seconds), default=None)
    cheapest = min(choices, key=lambda choice: (choice.worker_seconds, choice.seconds), default=None)
    frontier: list[TimeToGoal] = []
    for choice in sorted(choices, key=lambda choice: (choice.seconds, choice.worker_seconds)):
        if not frontier or choice.worker_seconds < frontier[-1].worker_seconds:
            frontier.append(choice)
    return Costs(choices, fastest, cheapest, tuple(frontier))
