"""Plans made by hand, as simple as the store allows; what a study is, each room of tests says itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hvdsweep.plan import StudyPlan

GOAL = {"metric": "val/error", "value": 0.2, "maximize": False}


@dataclass(frozen=True)
class Trial:
    number: int
    key: str
    seed: int
    metaparameters: Mapping[str, float]


class FixedStudy:
    """A study that is trained neither in rounds nor by shards."""

    until = None
    widen = False
    next_numbers = StudyPlan.next_numbers


@dataclass(frozen=True)
class Workload:
    studies: Sequence[Any]
    name: str = "set/net/sgd"
    dataset: str = "set"
    model: str = "net"
    algorithm: str = "sgd"
    metric: str = GOAL["metric"]
    goal: float | None = GOAL["value"]
    maximize: bool = GOAL["maximize"]
    train_examples: int | None = 1000
    parameters: int | None = 10


@dataclass(frozen=True)
class Plan:
    workloads: Sequence[Workload]
    key: str = "key"
    name: str = "sweep"
    file: str | None = "sweep.toml"
    definition: Mapping[str, Any] = field(default_factory=lambda: {"seed": 1})
    # Nothing that a launch could time beforehand.
    studies = ()
