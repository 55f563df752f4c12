"""How long the trials of each study have taken so far: the only input of the estimates of `hvdsweep.time_left`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hvdsweep.time_left import Pace

SAMPLE = 32
"""Finished trials of a study that are used: the last ones, of each outcome."""

_LAST = (
    "SELECT max(0.0, ended - started) FROM trials WHERE study_id = ? AND status = ? AND gang_id IS NOT NULL"
    f" AND ended IS NOT NULL ORDER BY number DESC LIMIT {SAMPLE}"
)

_FIRST = (
    "SELECT id, max(0.0, ended - started) FROM trials WHERE study_id = ? AND status = 'COMPLETE' AND gang_id IS NOT NULL"
    " AND ended IS NOT NULL ORDER BY number LIMIT 1"
)

_COUNT = "SELECT count(*) FROM trials WHERE study_id = ? AND status = ?"

_TRAINED = (
    "SELECT t.steps / h.steps_per_second FROM trials t JOIN gangs g ON g.id = t.gang_id"
    " JOIN studies s ON s.id = t.study_id JOIN workloads w ON w.id = s.workload_id"
    " JOIN throughput h ON h.workload = w.name AND h.batch_size = s.batch_size AND h.np = g.np"
    " AND h.host IS g.host AND h.source = 'trial' WHERE t.id = ? ORDER BY h.time DESC LIMIT 1"
)
"""Seconds of a trial's steps at its gang's speed, without compiling."""

Rows = Callable[[str, Sequence[Any]], Sequence[Any]]
"""Runs a SELECT."""


def paces_of(rows: Rows, studies: Iterable[int]) -> dict[int, Pace]:
    """Study -> its pace, if some of its trials have finished. Copied results do not count: they took no time here."""
    found = {}
    for study in studies:
        recent = [seconds for (seconds,) in rows(_LAST, (study, "COMPLETE"))]
        lost = 0.0
        for status in ("INFEASIBLE", "INCOMPLETE"):
            sample = [seconds for (seconds,) in rows(_LAST, (study, status))]
            if len(sample) == SAMPLE:
                lost += math.fsum(sample) / SAMPLE * rows(_COUNT, (study, status))[0][0]
            else:
                lost += math.fsum(sample)
        if not recent:
            continue
        complete = len(recent) if len(recent) < SAMPLE else rows(_COUNT, (study, "COMPLETE"))[0][0]
        ((trial, first),) = rows(_FIRST, (study,))
        trained = rows(_TRAINED, (trial,))
        found[study] = Pace(complete, first, trained[0][0] if trained else None, lost, tuple(recent))
    return found
