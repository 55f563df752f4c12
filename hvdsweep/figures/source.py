"""The store's data for figures: each workload's curve, table and counts, read once; a sentence if there are none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from hvdsweep.curves import curve_of
from hvdsweep.states import Status
from hvdsweep.store.goal_answers import answered
from hvdsweep.store.noise import noise_of_trials
from hvdsweep.store.workload_tables import repeats_table

if TYPE_CHECKING:
    from hvdsweep.curves import Curve, WorkloadTable
    from hvdsweep.curves.question import Question
    from hvdsweep.store.rows import WorkloadRow
    from hvdsweep.store.store import Store


class Absent(Exception):
    """There is nothing to show; the text gives the reason, as a clause."""


class FigureSource:
    """A store as input for figures: the newest sweep that has a workload, or one given sweep."""

    def __init__(self, reader: Store, sweep: int | None = None) -> None:
        self.reader = reader
        self.sweep = sweep
        self._tables: dict[tuple[int, str | None, bool | None], WorkloadTable] = {}

    @cached_property
    def _rows(self) -> dict[str, WorkloadRow]:
        return {row.name: row for row in self.reader.workloads(self.sweep)}

    @cached_property
    def _complete(self) -> dict[int, int]:
        """Workload id -> the fewest COMPLETE trials of any of its studies."""
        counts = self.reader.counts()
        fewest: dict[int, int] = {}
        for study, workload in self.reader.rows("SELECT id, workload_id FROM studies"):
            complete = counts.get(study, {}).get(Status.COMPLETE, 0)
            fewest[workload] = min(complete, fewest.get(workload, complete))
        return fewest

    @cached_property
    def _searches(self) -> dict[int, dict[int, Mapping[str, Any]]]:
        return self.reader.searches(self.sweep)

    def row(self, workload: str) -> WorkloadRow:
        """Absent if the store does not have it."""
        found = self._rows.get(workload)
        if found is None:
            raise Absent(f"no data of {workload}")
        return found

    def enough(self, row: WorkloadRow, trials: int | None) -> int | None:
        """`trials` if every study has that many COMPLETE ones; else None, and all of them count."""
        return trials if trials is not None and self._complete.get(row.id, 0) >= trials else None

    def table(
        self, row: WorkloadRow, metric: str | None = None, maximize: bool | None = None
    ) -> WorkloadTable:
        """Every trial and record of a workload."""
        key = (row.id, metric, maximize)
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = self.reader.workload_table(row.name, metric, row.sweep_id, maximize)
        return found

    def curve(
        self,
        row: WorkloadRow,
        goal: float | None,
        question: Question,
        *,
        normalise: int | None = None,
        reference_batch_size: int | None = None,
        cautious: bool = False,
    ) -> Curve:
        """Steps to `goal` (None: the workload's) against batch size. UserError: see `curves.curve`.

        `cautious`: also warn about metaparameters at the edge of their space.
        """
        table = partial(self.table, row, question.metric, question.maximize)
        result, best = answered(self.reader, row, goal, question, table)
        drawn = curve_of(
            result,
            best,
            normalise=normalise,
            reference_batch_size=reference_batch_size,
            searches=self._searches.get(row.id, {}) if cautious else None,
            repeats=repeats_table(self.reader, row, question.metric, question.maximize),
        )
        trials = [point.trial_id for point in drawn.points if point.trial_id is not None]
        return drawn.with_noise(noise_of_trials(self.reader, trials))
