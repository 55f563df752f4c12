"""The result of every trial of a sweep at its goal: the input for planning the next round of trials."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hvdsweep.store.schema import REACHED, SEARCH_TRIAL


@dataclass(frozen=True)
class TrialOutcome:
    """One trial, ended or not."""

    number: int
    status: str
    parameters_json: str
    steps: int | None
    """To the goal; None if it was not reached."""
    best: float | None
    """The best measurement of the goal's metric."""
    before: int | None = None
    """The step of the record before the goal."""

    @cached_property
    def parameters(self) -> Mapping[str, float]:
        """Metaparameter -> value."""
        parsed: dict[str, float] = json.loads(self.parameters_json)
        return parsed


StudyName = tuple[str, int]
"""Workload and batch size."""


def trial_outcomes(conn: sqlite3.Connection, sweep_id: int) -> dict[StudyName, list[TrialOutcome]]:
    """The trials of every study of the sweep, by number, without repeats."""
    record = "(SELECT r.{} FROM best_records r WHERE r.metric_id = m.id AND r.trial_id = t.id{} ORDER BY r.step {} LIMIT 1)"
    beyond = f" AND{{}} {REACHED}"
    found: dict[StudyName, list[TrialOutcome]] = {}
    for name, batch_size, *row in conn.execute(
        f"SELECT w.name, s.batch_size, t.number, t.status, t.parameters, {record.format('step', beyond.format(''), 'ASC')},"
        f" {record.format('value', '', 'DESC')}, {record.format('step', beyond.format(' NOT'), 'DESC')}"
        " FROM workloads w JOIN studies s ON s.workload_id = w.id JOIN trials t ON t.study_id = s.id"
        " LEFT JOIN metrics m ON m.name = w.metric AND m.maximize = w.maximize"
        f" WHERE w.sweep_id = ? AND {SEARCH_TRIAL} ORDER BY w.id, s.batch_size, t.number",
        (sweep_id,),
    ):
        found.setdefault((name, batch_size), []).append(TrialOutcome(*row))
    return found


def stored_rounds(conn: sqlite3.Connection, sweep_id: int) -> dict[StudyName, tuple[int, Mapping[str, Any]]]:
    """The number of trials and the search of every study of the sweep, as stored."""
    return {
        (name, batch_size): (target, json.loads(search))
        for name, batch_size, target, search in conn.execute(
            "SELECT w.name, s.batch_size, s.target_trials, s.search FROM workloads w JOIN studies s ON s.workload_id = w.id"
            " WHERE w.sweep_id = ?",
            (sweep_id,),
        )
    }
