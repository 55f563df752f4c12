"""The parts of a plan that the store uses; `hvdsweep.plan` makes one from a sweep file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable


class PlannedTrial(Protocol):
    """One trial to be trained."""

    @property
    def number(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def metaparameters(self) -> Mapping[str, float]: ...


class PlannedStudy(Protocol):
    """One batch size of a workload."""

    @property
    def batch_size(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def target_trials(self) -> int: ...
    @property
    def max_trials(self) -> int: ...
    @property
    def repeats(self) -> int:
        """Trainings of its best trial with other seeds, after the search."""
        ...

    @property
    def seed(self) -> int: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...
    @property
    def search(self) -> Mapping[str, Any]: ...
    @property
    def trials(self) -> Sequence[PlannedTrial]:
        """The first `target_trials`."""
        ...

    def trial_range(self, start: int, count: int) -> Sequence[PlannedTrial]:
        """Trials start .. start + count - 1, by number."""
        ...

    def repeat(self, trial: int, index: int, metaparameters: Mapping[str, float]) -> PlannedTrial:
        """Repeat `index` (from 0) of trial `trial`, which had these metaparameters."""
        ...


@runtime_checkable
class ChoosesNumbers(Protocol):
    """A study of which this store trains only some trials."""

    def next_numbers(self, taken: Collection[int], count: int) -> Sequence[int]:
        """Up to `count` further trial numbers, ascending, that it may add to `taken`."""
        ...


class PlannedWorkload(Protocol):
    """One workload with its studies."""

    @property
    def name(self) -> str: ...
    @property
    def dataset(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def goal(self) -> float | None: ...
    @property
    def maximize(self) -> bool: ...
    @property
    def train_examples(self) -> int | None: ...
    @property
    def parameters(self) -> int | None: ...
    @property
    def studies(self) -> Sequence[PlannedStudy]: ...


class PlannedSweep(Protocol):
    """The parts of `hvdsweep.plan.Plan` that the store uses."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def file(self) -> str | None: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...
    @property
    def workloads(self) -> Sequence[PlannedWorkload]: ...
