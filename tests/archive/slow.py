"""The published archive read and questioned slowly and obviously with pandas: sections 7 and 8 of the protocol, row by row."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

Documents = dict[int, dict[str, Any]]


def load_workload(
    folder: Path, statuses: tuple[str, ...] = ("COMPLETE",), num_trials: int | None = None
) -> tuple[Documents, pd.DataFrame]:
    """(batch size -> study.json with "trials", every measurement indexed by (batch_size, trial_id, step))."""
    documents: Documents = {}
    tables: list[pd.DataFrame] = []
    for study in sorted(
        (entry for entry in folder.iterdir() if entry.is_dir()), key=lambda entry: int(entry.name)
    ):
        document = json.loads((study / "study.json").read_text())
        size = int(document["batch_size"])
        document["trials"] = {}
        taken = 0
        for trial in sorted(
            (entry for entry in study.iterdir() if entry.is_dir()), key=lambda entry: int(entry.name)
        ):
            metadata = json.loads((trial / "metadata.json").read_text())
            if metadata["status"] not in statuses:
                continue
            if num_trials is not None and taken == num_trials:
                break
            taken += 1
            document["trials"][metadata["trial_id"]] = metadata
            # round_trip reads every digit; pandas' default may be off in the last place.
            frame = pd.read_csv(trial / "measurements.csv", float_precision="round_trip")
            frame.insert(0, "trial_id", metadata["trial_id"])
            frame.insert(0, "batch_size", size)
            if len(frame):
                tables.append(frame.dropna(axis="columns", how="all"))
        if num_trials is not None and taken < num_trials:
            raise ValueError(f"only {taken} trials in {study}")
        documents[size] = document
    return documents, pd.concat(tables, ignore_index=True)


def within(
    table: pd.DataFrame, step_budget: float | None = None, example_budget: float | None = None
) -> pd.DataFrame:
    """The rows inside both budgets, inclusive (8.3)."""
    if step_budget is not None:
        table = table[table["step"] <= step_budget]
    if example_budget is not None:
        table = table[table["batch_size"] * table["step"] <= example_budget]
    return table


def steps_to_result(
    table: pd.DataFrame, metric: str, goal: float, maximize: bool = False
) -> dict[int, tuple[int, int]]:
    """Batch size -> (step, trial) of the first row strictly beyond the goal, by step and then by trial (8.2)."""
    found: dict[int, tuple[int, int]] = {}
    for row in table.sort_values(["step", "trial_id"], kind="stable").to_dict("records"):
        value = row[metric]
        if math.isnan(value) or math.isinf(value):
            continue
        if (value > goal if maximize else value < goal) and row["batch_size"] not in found:
            found[row["batch_size"]] = (row["step"], row["trial_id"])
    return found


def best_measurement(
    table: pd.DataFrame, metric: str, maximize: bool = False
) -> dict[int, tuple[float, int, int]]:
    """Batch size -> (value, step, trial) of the best row: the earliest step, then the smallest trial, on ties (8.4)."""
    found: dict[int, tuple[float, int, int]] = {}
    for row in table.to_dict("records"):
        value = row[metric]
        if math.isnan(value) or math.isinf(value):
            continue
        key = (-value if maximize else value, row["step"], row["trial_id"])
        size = row["batch_size"]
        if size not in found or key < (-found[size][0] if maximize else found[size][0], *found[size][1:]):
            found[size] = (value, row["step"], row["trial_id"])
    return found


def running_best(
    table: pd.DataFrame, metric: str, maximize: bool = False
) -> set[tuple[int, int, int, float]]:
    """(batch size, trial, step, value) of every value that beats all earlier finite ones of its trial."""
    found = set()
    for (size, trial), rows in table.groupby(["batch_size", "trial_id"]):
        best = math.inf
        for row in rows.sort_values("step").to_dict("records"):
            value = row[metric]
            signed = -value if maximize else value
            if math.isfinite(value) and signed < best:
                best = signed
                found.add((int(size), int(trial), int(row["step"]), float(value)))
    return found
