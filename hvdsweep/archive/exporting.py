"""Writes sweeps in the published layout, so that every reader of the published database can read them.

A study appears under its final name only once it is complete. Losses of every step have no place in the layout and stay
in the store.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hvdsweep.archive.layout import MEASUREMENTS, METADATA, OURS, STATUSES, STUDY, configs_of, name_problem
from hvdsweep.archive.limits import shown
from hvdsweep.errors import UserError
from hvdsweep.repeats import FIRST_REPEAT
from hvdsweep.store.rows import StudyRow, WorkloadRow
from hvdsweep.store.schema import quoted
from hvdsweep.store.store import Store

SPLITS = ("train", "val", "test")
QUANTITIES = ("cross_entropy_error", "classification_error", "average_precision")

PARTIAL = ".partial"
"""Suffix of the hidden folder in which a study is written before it is renamed."""


@dataclass
class ExportReport:
    """The result of an export."""

    path: str
    workloads: list[str] = field(default_factory=list)
    studies: int = 0
    trials: int = 0
    rows: int = 0
    repeats: int = 0
    """Repeats of best trials: included in `trials` if requested, else left out."""
    unfinished: int = 0
    """Trials not begun or still running, for which the layout has no status: left out."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


def export_studies(
    reader: Store,
    folder: str | os.PathLike[str],
    workloads: Sequence[str] = (),
    *,
    sweep: int | None = None,
    overwrite: bool = False,
    repeats: bool = False,
    watch: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write the studies of `workloads` (default: all) below `folder`.

    A workload in several sweeps is taken from the latest, or from `sweep`. `repeats`: write the repeats of best trials
    too; other readers take them for trials of the search. UserError: no such workload, a name that cannot be a path, or
    a study that exists already and `overwrite` is not set.
    """
    root = Path(folder)
    reader.check_measurements()
    chosen = _chosen(reader, workloads, sweep)
    studies = [
        study
        for study in reader.studies(sweep)
        if any(study.workload_id == workload.id for workload in chosen)
    ]
    places = {study.id: _place(root, study) for study in studies}
    taken = sorted(str(place) for place in places.values() if place.exists())
    if taken and not overwrite:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise UserError(f"{taken[0]}{more}: already there. Name another folder, or give --overwrite.")
    report = ExportReport(str(root), [workload.name for workload in chosen])
    by_id = {workload.id: workload for workload in chosen}
    for study in studies:
        with reader.snapshot():
            _write_study(reader, by_id[study.workload_id], study, places[study.id], report, repeats)
        if watch is not None:
            watch(report)
    return report


def _chosen(reader: Store, names: Sequence[str], sweep: int | None) -> list[WorkloadRow]:
    """One row per workload, the latest sweep's."""
    found = {workload.name: workload for workload in reader.workloads(sweep)}
    unknown = [name for name in names if name not in found]
    if unknown:
        from difflib import get_close_matches

        raise UserError(
            *(
                f"{reader.path}: workload: {name}: is not in the database. There is "
                f"{', '.join(get_close_matches(name, found, n=3, cutoff=0.4) or sorted(found)[:10]) or 'none'}."
                for name in unknown
            )
        )
    chosen = [found[name] for name in dict.fromkeys(names)] if names else list(found.values())
    problems = [
        f"{shown(workload.name)}: cannot be a folder: {problem}"
        for workload in chosen
        if (problem := name_problem(workload.name))
    ]
    if problems:
        raise UserError(*problems)
    return chosen


def _place(root: Path, study: StudyRow) -> Path:
    return root / study.workload / str(study.batch_size)


def _write_study(
    reader: Store,
    workload: WorkloadRow,
    study: StudyRow,
    place: Path,
    report: ExportReport,
    with_repeats: bool,
) -> None:
    partial = place.with_name(f".{place.name}{PARTIAL}")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        _write_json(partial / STUDY, study_document(workload, study))
        columns = _columns(reader, study)
        trials, unfinished, repeats = 0, 0, 0
        rows = 0
        for trial, number, status, steps, parameters in reader.rows(
            "SELECT id, number, status, steps, parameters FROM trials WHERE study_id = ? ORDER BY number",
            (study.id,),
        ):
            if status not in STATUSES:
                unfinished += 1
                continue
            if number >= FIRST_REPEAT:
                repeats += 1
                if not with_repeats:
                    continue
            own = partial / str(number)
            own.mkdir()
            _write_json(own / METADATA, trial_document(number, status, steps, json.loads(parameters)))
            rows += _write_measurements(reader, own / MEASUREMENTS, trial, columns)
            trials += 1
        if place.exists():
            shutil.rmtree(place)
        os.rename(partial, place)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(f"{error.filename or place}: cannot be written: {error.strerror}") from error
    report.studies += 1
    report.trials += trials
    report.unfinished += unfinished
    report.repeats += repeats
    report.rows += rows


def study_document(workload: WorkloadRow, study: StudyRow) -> dict[str, Any]:
    """A study.json: the imported one unchanged, or one made from our own plan."""
    imported = study.definition.get("imported")
    if imported is not None:
        return dict(imported)
    return {
        "batch_size": study.batch_size,
        "dataset": workload.dataset,
        "early_stopping": study.definition.get("stop", "budget") != "budget",
        "model": workload.model,
        "optimizer": workload.algorithm,
        "parameter_configs": configs_of(study.search),
        "train_steps": study.train_steps,
        OURS: {
            "metric": workload.metric,
            "goal": workload.goal,
            "maximize": workload.maximize,
            "train_examples": workload.train_examples,
            "parameters": workload.parameters,
            "definition": {key: value for key, value in study.definition.items() if key != "source"},
            "search": study.search,
            "seed": study.seed,
        },
    }


def trial_document(number: int, status: str, steps: int, parameters: dict[str, Any]) -> dict[str, Any]:
    """A metadata.json."""
    return {"parameters": parameters, "status": status, "steps": steps, "trial_id": number}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _columns(reader: Store, study: StudyRow) -> list[str]:
    """The metrics of the study's files: those of the imported files, or those that were measured."""
    named = study.definition.get("columns")
    present = reader.metrics()
    if named:
        return [name for name in named if name in present]
    counts = ", ".join(f"count(m.{quoted(name)})" for name in present)
    if not present:
        return []
    found = reader.rows(
        f"SELECT {counts} FROM trials t JOIN measurements m ON m.trial_id = t.id WHERE t.study_id = ?",
        (study.id,),
    )[0]
    return sorted((name for name, count in zip(present, found, strict=True) if count), key=_order)


def _order(metric: str) -> tuple[int, int, str]:
    """Sort key: train, validation, test; within each in the order of the published files; then the others."""
    split, _, quantity = metric.partition("/")
    first = SPLITS.index(split) if split in SPLITS else len(SPLITS)
    second = QUANTITIES.index(quantity) if quantity in QUANTITIES else len(QUANTITIES)
    return first, second, metric


def _write_measurements(reader: Store, path: Path, trial: int, columns: Sequence[str]) -> int:
    selected = ", ".join(["step", *map(quoted, columns)])
    rows = reader.rows(f"SELECT {selected} FROM measurements WHERE trial_id = ? ORDER BY step", (trial,))
    with path.open("w", buffering=1 << 16, encoding="utf-8", newline="") as file:
        # A number becomes the shortest text that reads back as the same, a missing one nothing.
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *columns])
        writer.writerows(rows)
    return len(rows)
