"""The paper's catalogue: the content of each panel of Figures 1 to 11, each workload's goal, the counts of its studies.

Facts of Shallue et al. (2019) and of the notebook released with it, in `paper.json`. Two of the 35 published workloads
are in no figure and two only in Figure 11, which has no goal: they get the goal of the most similar workloads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

CLASSIFICATION_ERROR = "val/classification_error"


@dataclass(frozen=True)
class PaperGoal:
    """A metric and the value to reach."""

    metric: str
    value: float
    maximize: bool = False


@dataclass(frozen=True)
class PaperSeries:
    """One line of a panel, or the workload of a panel."""

    workload: str
    metric: str
    maximize: bool
    goal: float | None
    trials: int | None
    """Only the first so many COMPLETE trials of each study count; None: all."""
    label: str


@dataclass(frozen=True)
class PaperPanel:
    """One panel."""

    kind: str
    """`steps`, `goals`, `split best`, `split steps`, `metaparameter`, `scatter` or `budgets`."""
    title: str
    series: tuple[PaperSeries, ...]
    row: str
    """The part of a figure with several parts ("(a) one epoch"); else empty."""
    options: Mapping[str, Any]
    """Further parameters of the kind: goals, normalise, scaling, split, batch_size, budgets, limits."""


@dataclass(frozen=True)
class PaperFigure:
    """One figure."""

    name: str
    title: str
    columns: int
    panels: tuple[PaperPanel, ...]


@dataclass(frozen=True)
class StudyCounts:
    """Number of trials per outcome in a published study."""

    batch_size: int
    complete: int
    incomplete: int
    infeasible: int


@cache
def _document() -> dict[str, Any]:
    text = resources.files("hvdsweep.figures").joinpath("paper.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def figures() -> dict[str, PaperFigure]:
    """Figures 1 to 11 by name ("1")."""
    return {entry["name"]: _figure(entry) for entry in _document()["figures"]}


def _figure(entry: Mapping[str, Any]) -> PaperFigure:
    own = {"kind", "title", "series", "row"}
    panels = tuple(
        PaperPanel(
            panel.get("kind", entry["kind"]),
            panel["title"],
            tuple(_series(series) for series in panel["series"]),
            panel.get("row", ""),
            {key: value for key, value in panel.items() if key not in own},
        )
        for panel in entry["panels"]
    )
    return PaperFigure(entry["name"], entry["title"], entry["columns"], panels)


def _series(entry: Mapping[str, Any]) -> PaperSeries:
    return PaperSeries(
        entry["workload"],
        entry.get("metric", CLASSIFICATION_ERROR),
        entry.get("maximize", False),
        entry.get("goal"),
        entry.get("trials"),
        entry.get("label") or label_of(entry["workload"]),
    )


@cache
def goals() -> dict[str, PaperGoal]:
    """Workload -> its goal: that of Figure 1, else the hardest in any other figure."""
    found: dict[str, PaperGoal] = {}
    for figure in figures().values():
        for panel in figure.panels:
            for series in panel.series:
                if series.goal is None:
                    continue
                goal = PaperGoal(series.metric, series.goal, series.maximize)
                known = found.get(series.workload)
                harder = known is not None and (
                    goal.value > known.value if goal.maximize else goal.value < known.value
                )
                if known is None or (harder and series.workload not in _of_figure_1()):
                    found[series.workload] = goal
    for workload, value in _document()["goals"].items():
        found.setdefault(workload, PaperGoal(CLASSIFICATION_ERROR, value))
    return found


@cache
def _of_figure_1() -> frozenset[str]:
    return frozenset(series.workload for panel in figures()["1"].panels for series in panel.series)


@cache
def published_studies() -> dict[str, tuple[StudyCounts, ...]]:
    """Workload -> its published studies, ascending by batch size: 35 workloads, 454 studies, 194,399
    trials. (The abstract counts 168,160 trained models; the released table has more.)"""
    return {
        workload: tuple(StudyCounts(*row) for row in rows)
        for workload, rows in _document()["studies"].items()
    }


def train_examples(dataset: str) -> int | None:
    """Training images of a published subset; None for any other data set."""
    entry = _document()["datasets"].get(dataset, {})
    found: int | None = entry.get("train_examples")
    return found


def label_of(workload: str) -> str:
    """A workload's name in the paper: "Simple CNN on MNIST"; other names are unchanged."""
    dataset, model, algorithm = split_name(workload)
    document = _document()
    words = f"{document['models'].get(model, model)} on {document['datasets'].get(dataset, {}).get('label', dataset)}"
    return words if algorithm == "nesterov_momentum" else f"{words}, {algorithm_label(algorithm)}"


def algorithm_label(algorithm: str) -> str:
    """A training algorithm's name in the paper."""
    label: str = _document()["algorithms"].get(algorithm, algorithm)
    return label


def split_name(workload: str) -> tuple[str, str, str]:
    """(dataset, model, algorithm) from a workload's name; a data set may contain a slash."""
    dataset, model, algorithm = ("/" * 2 + workload).rsplit("/", 2)
    return dataset.lstrip("/"), model, algorithm
