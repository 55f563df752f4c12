"""Defaults for an imported workload: its goal, its training examples, its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hvdsweep.archive.layout import OURS, SPECIAL_ROOTS, StudyFile
from hvdsweep.figures import paper


@dataclass(frozen=True)
class Defaults:
    """The columns of `workloads` that are not in the layout."""

    metric: str | None
    goal: float | None
    maximize: bool
    train_examples: int | None
    parameters: int | None


def defaults_of(file: StudyFile) -> Defaults:
    """The values that our export wrote into study.json, else those of the paper, else those of the catalogue."""
    noted = file.document.get(OURS)
    examples, parameters = _known(file.dataset, file.model)
    goal = paper.goals().get(file.workload)
    metric, value, maximize = (goal.metric, goal.value, goal.maximize) if goal else (None, None, False)
    if isinstance(noted, Mapping):
        value = _number(noted.get("goal"))
        metric = noted["metric"] if isinstance(noted.get("metric"), str) else metric
        maximize = noted.get("maximize") is True
        examples = _count(noted.get("train_examples"))
        parameters = _count(noted.get("parameters"))
    return Defaults(metric, value, maximize, examples, parameters)


@lru_cache(maxsize=256)
def _known(dataset: str, model: str) -> tuple[int | None, int | None]:
    """(training examples, weights); None if the catalogue has no such data set or model."""
    from workloads import catalogue

    root, _, rest = dataset.partition("/")
    special = root in SPECIAL_ROOTS and bool(rest)
    name = rest if special else dataset
    subset = paper.train_examples(dataset)
    # A subset trains the same network, unless it has fewer classes.
    base = next((known for known in ("imagenet", "mnist") if special and name.startswith(f"{known}_")), name)
    try:
        info = catalogue.dataset_info(base)
        parameters = None if "classes" in name else catalogue.parameter_count(model, info, {})
    except (KeyError, ValueError):
        return subset, None
    return (info.train if base == name else None) if subset is None else subset, parameters


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return float(value)
    return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else None
