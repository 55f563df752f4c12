"""The contents of a report, collected once as plain data, which the page only formats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hvdsweep.curves import fit_exponent, steps_to_result
from hvdsweep.curves.metaparameters import best_parameter, times_off
from hvdsweep.curves.question import Question
from hvdsweep.curves.speeds import costs_of
from hvdsweep.curves.speeds import speeds as speeds_of
from hvdsweep.errors import UserError
from hvdsweep.figures import panels, search_panels
from hvdsweep.figures.figure import Figure, Panel
from hvdsweep.figures.source import FigureSource
from hvdsweep.states import Status
from hvdsweep.tokens import tokens_per_example

if TYPE_CHECKING:
    from hvdsweep.curves import Costs, Curve, WorkloadTable
    from hvdsweep.curves.speeds import MeasuredSpeed
    from hvdsweep.store.rows import EventRow, StudyRow, SweepRow, ThroughputRow, WorkloadRow
    from hvdsweep.store.store import Store

EVENTS = 40
"""Number of last events in a report."""


@dataclass(frozen=True)
class WorkloadPart:
    """One workload."""

    row: WorkloadRow
    studies: tuple[StudyRow, ...]
    counts: Mapping[int, Mapping[Status, int]]
    """Study id -> status -> trials."""
    curve: Curve | None
    """None if there is no goal or nothing was measured."""
    problem: str | None
    """Why there is no curve."""
    exponents: tuple[str, ...]
    """How learning rates grow with batch size, one sentence each."""
    costs: Costs | None
    """Time to the goal by measured speeds; None without a curve."""
    figure: Figure | None


@dataclass(frozen=True)
class Contents:
    """The whole report."""

    sweep: SweepRow
    database: str
    definition: Mapping[str, Any]
    workloads: tuple[WorkloadPart, ...]
    hosts: tuple[str, ...]
    """Hosts of gangs and of measured speeds."""
    gangs: int
    """Number of gangs that worked on it."""
    throughput: tuple[ThroughputRow, ...]
    events: tuple[EventRow, ...]
    trials: Mapping[Status, int]
    """Trials of the sweep's searches by status."""
    repeats: Mapping[Status, int]
    """Repeats of the best trials by status."""


def gather(reader: Store, sweep: SweepRow) -> Contents:
    """Everything about `sweep`. A workload without a curve gives the reason; missing data are never an error."""
    source = FigureSource(reader, sweep.id)
    studies = reader.studies(sweep.id)
    counts = reader.counts()
    rows = reader.workloads(sweep.id)
    names = {row.name for row in rows}
    speeds = [speed for speed in reader.throughput() if speed.workload in names]
    gangs = reader.gangs(sweep.id)
    hosts = {gang.host for gang in gangs} | {speed.host for speed in speeds}
    definition = reader.rows("SELECT definition FROM sweeps WHERE id = ?", (sweep.id,))[0][0]
    measured = speeds_of(speeds)
    parts = []
    for row in rows:
        mine = tuple(study for study in studies if study.workload_id == row.id)
        parts.append(
            _part(source, row, mine, {study.id: counts.get(study.id, {}) for study in mine}, measured)
        )
    return Contents(
        sweep=sweep,
        database=str(reader.path),
        definition=json.loads(definition),
        workloads=tuple(parts),
        hosts=tuple(sorted(host for host in hosts if host)),
        gangs=len(gangs),
        throughput=tuple(speeds),
        events=tuple(reader.events(sweep_id=sweep.id, latest=EVENTS)),
        trials=_by_status(studies, counts),
        repeats=_by_status(studies, reader.counts(repeats=True)),
    )


def _by_status(
    studies: Sequence[StudyRow], counts: Mapping[int, Mapping[Status, int]]
) -> Mapping[Status, int]:
    found = dict.fromkeys(Status, 0)
    for study in studies:
        for status, count in counts.get(study.id, {}).items():
            found[status] += count
    return found


def _part(
    source: FigureSource,
    row: WorkloadRow,
    studies: tuple[StudyRow, ...],
    counts: Mapping[int, Mapping[Status, int]],
    measured: list[MeasuredSpeed],
) -> WorkloadPart:
    try:
        curve = source.curve(row, None, Question(), cautious=True)
        curve = replace(curve, tokens_per_example=tokens_per_example(source.reader, row))
    except UserError as error:
        return WorkloadPart(row, studies, counts, None, str(error), (), None, None)
    table = source.table(row)
    return WorkloadPart(
        row,
        studies,
        counts,
        curve,
        None,
        _exponents(table),
        costs_of(curve, measured),
        Figure(row.name, "", 2, _panels(curve, table)),
    )


def _panels(curve: Curve, table: WorkloadTable) -> tuple[Panel, ...]:
    """The curve, the best learning rates, where trials diverged, and whether the search was long enough."""
    steps = panels.own_steps_panel([curve], ["fewest steps"])
    # The page lists the warnings itself.
    made = [replace(steps, chart=replace(steps.chart, warnings=()))]
    result = steps_to_result(table)
    have = set(table.parameters)
    if "learning_rate" in have:
        name = search_panels.EFFECTIVE if "momentum" in have else "learning_rate"
        made.append(search_panels.metaparameter_panel(result, name, "Best learning rate"))
    if "learning_rate" in have and bool((table.status == Status.INFEASIBLE).any()):
        made.append(search_panels.stability_panel(table, "learning_rate", "Where trials diverge"))
    made.append(search_panels.best_of_panel(result, "Whether the search was long enough"))
    return tuple(made)


def _exponents(table: WorkloadTable) -> tuple[str, ...]:
    """The fitted growth of learning rates with batch size, compared with the two heuristics (paper, section 8.6)."""
    found = []
    result = steps_to_result(table)
    for name in ("learning_rate", search_panels.EFFECTIVE):
        if "learning_rate" not in table.parameters or (
            name == search_panels.EFFECTIVE and "momentum" not in table.parameters
        ):
            continue
        law = fit_exponent(table.batch_sizes, best_parameter(result, name))
        if law is None:
            continue
        interval = "" if law.low is None else f" (95 %: {law.low:.2f} to {law.high:.2f})"
        found.append(
            f"The best {search_panels.NAMES.get(name, 'learning rate')} grows as batch size to the power {law.exponent:.2f}"
            f"{interval}; linear scaling is off by a factor of {times_off(law.linear_misfit)}, square-root scaling by "
            f"{times_off(law.square_root_misfit)} (rms)."
        )
    return tuple(found)
