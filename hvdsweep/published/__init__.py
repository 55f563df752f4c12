"""Curves published by others, to compare with: sets of (model, goal, steps to the goal by batch size), with their
source.

A set is a small CSV file of facts in this folder. `lay_out` writes it in the layout that `hvdsweep import` reads, so
that it becomes a normal sweep.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hvdsweep.errors import UserError

FOLDER = "published"
"""Prefix of a set's name on the command line: `published/zhang_2024`."""

METRIC = "val/cross_entropy_error"


@dataclass(frozen=True)
class PublishedSet:
    """The source of a set, and the workloads that it becomes."""

    name: str
    source: str
    dataset: str
    """First part of the workloads' names."""
    model: str
    """Second part, before the size of each row's model."""
    algorithm: str
    """Last part."""


SETS = {
    one.name: one
    for one in (
        PublishedSet(
            "zhang_2024",
            "Zhang et al. 2024, How Does Critical Batch Size Scale in Pre-training? (arXiv 2410.21676); steps as in "
            "plots/chinchilla.ipynb of github.com/hlzhang109/critical-batch-size",
            "c4",
            "transformer",
            "adam",
        ),
    )
}
"""The built-in sets, by name."""


@dataclass(frozen=True)
class PublishedCurve:
    """One row of a set."""

    model: str
    """Its size, as printed: `85M`."""
    goal: float
    """Validation loss."""
    steps: dict[int, int]
    """Batch size -> steps to the goal."""
    a: float
    """Least squares of log S = log(a + b / B), as printed there; S_min of the hyperbola."""
    b: float
    """E_min of the hyperbola."""
    critical_batch_size: float
    """1.2 x 256 + b / (5 a), as printed there."""


def curves(name: str) -> list[PublishedCurve]:
    """The curves of a set. UserError: there is no such set."""
    published_set(name)
    text = (resources.files(__package__) / f"{name}.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [
        PublishedCurve(
            model=row["model"],
            goal=float(row["goal"]),
            steps={int(key): int(value) for key, value in row.items() if key.isdigit()},
            a=float(row["a"]),
            b=float(row["b"]),
            critical_batch_size=float(row["critical_batch_size"]),
        )
        for row in rows
    ]


def published_set(name: str) -> PublishedSet:
    """The set with this name. UserError: there is none."""
    if name not in SETS:
        known = ", ".join(f"{FOLDER}/{known}" for known in SETS)
        raise UserError(f"{FOLDER}/{name}: no such published set; there are {known}")
    return SETS[name]


def lay_out(name: str, folder: Path) -> Path:
    """Write a set in the published layout below `folder`: one study per batch size, with a single trial measured once,
    just below the goal, at its steps to the goal. UserError: there is no such set."""
    one = published_set(name)
    for curve in curves(name):
        model = f"{one.model}_{curve.model.lower()}"
        # Reached means strictly below, and only the steps were published.
        value = math.nextafter(curve.goal, -math.inf)
        for batch_size, steps in curve.steps.items():
            study = folder / one.dataset / model / one.algorithm / str(batch_size)
            trial = study / "1"
            trial.mkdir(parents=True)
            document = {
                "batch_size": batch_size,
                "dataset": one.dataset,
                "model": model,
                "optimizer": one.algorithm,
                "early_stopping": False,
                "train_steps": steps,
                "parameter_configs": {},
                "_hvdsweep": {"goal": curve.goal, "metric": METRIC, "maximize": False},
            }
            (study / "study.json").write_text(json.dumps(document))
            metadata = {"parameters": {}, "status": "COMPLETE", "steps": steps, "trial_id": 1}
            (trial / "metadata.json").write_text(json.dumps(metadata))
            (trial / "measurements.csv").write_text(f"step,{METRIC}\n{steps},{value!r}\n")
    return folder
