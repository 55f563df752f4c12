"""The result of a merge, and the trials on which two stores disagree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Conflict:
    """One trial, two different results."""

    trial: str
    """For display: workload, batch size and number."""
    kept: str
    """The store whose result stays."""
    other: str
    """The store whose result is ignored."""
    difference: str

    def __str__(self) -> str:
        return f"{self.trial}: {self.kept} and {self.other} differ: {self.difference}. The result of {self.kept} stays."


@dataclass
class MergeReport:
    """The result of merging so far."""

    database: str
    sources: int = 0
    copied: int = 0
    """Finished trials copied."""
    present: int = 0
    """Finished trials of the sources that existed already."""
    rounded: int = 0
    """How many of those were trained twice, equal up to rounding (another number of ranks)."""
    repeats: int = 0
    """Repeats of the best trials that launching the merged sweep adds."""
    planned: int = 0
    """Trials added that have not ended."""
    losses: int = 0
    measurements: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Trials left out because their data are incomplete."""

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "conflicts": [vars(one) for one in self.conflicts]}
