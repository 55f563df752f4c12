"""Tables of workloads as they were read, the user's goals and budgets, and the curves: every part is computed once.

Knows no Textual. All screens share one cache, so that a goal chosen on one holds on the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hvdsweep.curves.curve_data import Curve
from hvdsweep.curves.ladders import budget_ladder, goal_ladder
from hvdsweep.curves.measurements import BestMeasurements, best_measurements
from hvdsweep.curves.outcomes import steps_to_result
from hvdsweep.curves.scaling_curve import curve_of
from hvdsweep.curves.table import WorkloadTable
from hvdsweep.curves.warnings import space_from
from hvdsweep.errors import UserError
from hvdsweep.store.noise import noise_of_workload
from hvdsweep.store.workload_tables import repeats_table
from hvdsweep.tokens import tokens_per_example

if TYPE_CHECKING:
    from hvdsweep.curves.noise import Estimates
    from hvdsweep.curves.question import Question
    from hvdsweep.search import Space
    from hvdsweep.store.rows import ThroughputRow
    from hvdsweep.store.store import Store
    from tui.snapshot import Snapshot

KEPT = 200
"""Curves that are remembered."""


@dataclass(frozen=True)
class TableWanted:
    """A workload's table as it should be."""

    workload: int
    """Row of the store."""
    name: str
    sweep: int
    stamp: object
    """Differs where the table may have changed."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A workload's table as it was read."""

    table: WorkloadTable
    searches: Mapping[int, Space]
    """Batch size -> search space, if there is one."""
    stamp: object
    repeats: WorkloadTable | None = None
    """The repeats of its best trials."""
    noise: Mapping[int, Estimates] = field(default_factory=dict)
    """Estimates of the gradient noise scale, by row of the trial."""
    tokens_per_example: int | None = None
    """Of a language workload whose sequences' length is known."""


def wanted_of(snapshot: Snapshot, workloads: Iterable[int]) -> list[TableWanted]:
    """The workloads with their stamps: the states of their trials, and of a sweep in training every snapshot."""
    found = []
    chosen = set(workloads)
    for row in snapshot.workloads:
        sweep = snapshot.sweep(row.sweep_id)
        if row.id not in chosen or sweep is None:
            continue
        trials = tuple(
            (study.id, *study.trials.values(), *study.repeat_trials.values())
            for study in sweep.studies
            if study.workload == row.name
        )
        found.append(
            TableWanted(row.id, row.name, row.sweep_id, (trials, snapshot.number if sweep.live else None))
        )
    return found


def read(wanted: Sequence[TableWanted], store: Store) -> tuple[dict[int, Loaded], list[ThroughputRow]]:
    """(workload -> its table, all measured speeds). Workloads that are gone meanwhile are left out."""
    loaded: dict[int, Loaded] = {}
    with store.snapshot():
        present = {row.id: row for row in store.workloads()}
        searches: dict[int, dict[int, Space]] = {}
        for sweep in {one.sweep for one in wanted}:
            for study in store.studies(sweep):
                space = space_from(study.search)
                if space is not None:
                    searches.setdefault(study.workload_id, {})[study.batch_size] = space
        for one in wanted:
            if one.workload in present:
                table = store.workload_table(one.name, None, one.sweep)
                noise = noise_of_workload(store, one.workload)
                repeats = repeats_table(store, present[one.workload])
                tokens = tokens_per_example(store, present[one.workload])
                search = searches.get(one.workload, {})
                loaded[one.workload] = Loaded(table, search, one.stamp, repeats, noise, tokens)
        return loaded, store.throughput()


class CurveCache:
    """Answers at once from what was loaded."""

    def __init__(self) -> None:
        self.chosen: dict[tuple[Any, ...], float] = {}
        """Goals that the user has chosen, by `workload_screen.group_of`."""
        self.speeds: Sequence[ThroughputRow] = ()
        self.step_budget: int | None = None
        self.example_budget: int | None = None
        self.count_running = True
        """Whether running trials of a sweep in training count as far as they are."""
        self._loaded: dict[int, Loaded] = {}
        self._best: dict[tuple[int, Question], BestMeasurements] = {}
        self._curves: OrderedDict[tuple[Any, ...], Curve] = OrderedDict()
        self._ladders: dict[tuple[Any, ...], tuple[float, ...]] = {}

    def take(self, loaded: Mapping[int, Loaded], speeds: Sequence[ThroughputRow]) -> None:
        """Keep these; what was computed of their predecessors is forgotten."""
        self.speeds = speeds
        for workload, one in loaded.items():
            self._loaded[workload] = one
            self._best = {key: best for key, best in self._best.items() if key[0] != workload}
            for key in [key for key in self._curves if key[0] == workload]:
                del self._curves[key]
        if loaded:
            self._ladders.clear()

    def missing(self, wanted: Iterable[TableWanted]) -> list[TableWanted]:
        """Those that are not loaded, or no longer as they are in the store."""
        return [
            one
            for one in wanted
            if one.workload not in self._loaded or self._loaded[one.workload].stamp != one.stamp
        ]

    def has(self, workload: int) -> bool:
        return workload in self._loaded

    def table(self, workload: int) -> WorkloadTable:
        return self._loaded[workload].table

    def has_tokens(self, workload: int) -> bool:
        """Whether its examples are sequences of a known length."""
        return self._loaded[workload].tokens_per_example is not None

    def spaces(self, workload: int) -> Mapping[int, Space]:
        """Batch size -> the search space of its study, where there is one."""
        return self._loaded[workload].searches

    def goals(self, workloads: Sequence[int], own: float | None) -> tuple[float, ...]:
        """Goals worth stepping through for workloads that share a metric."""
        return self._ladder(
            ("goals", tuple(workloads), own),
            lambda tables: goal_ladder(tables, () if own is None else (own,)),
            workloads,
        )

    def budgets(self, workloads: Sequence[int], *, examples: bool) -> tuple[float, ...]:
        """Budgets worth stepping through."""
        key = ("examples" if examples else "steps", tuple(workloads))
        return self._ladder(key, lambda tables: budget_ladder(tables, examples=examples), workloads)

    def _ladder(self, key: tuple[Any, ...], made: Any, workloads: Sequence[int]) -> tuple[float, ...]:
        if key not in self._ladders:
            self._ladders[key] = tuple(made([self.table(workload) for workload in workloads]))
        return self._ladders[key]

    def curve(
        self,
        workload: int,
        goal: float,
        question: Question,
        *,
        normalise: int | None = None,
        whole: bool = True,
        intervals: bool = True,
        tokens: bool = False,
    ) -> Curve:
        """The curve at a goal; without `whole` it lacks hyperbola, warnings and the interval of the maximum useful batch
        size, without `intervals` those of its points. `tokens`: it counts data in tokens, where `has_tokens`.

        A batch size that did not reach the goal cannot be divided by: the curve is then as it is.
        """
        key = (workload, goal, question, normalise, whole, intervals, tokens)
        if key in self._curves:
            self._curves.move_to_end(key)
            return self._curves[key]
        loaded = self._loaded[workload]
        result = steps_to_result(loaded.table, goal, **question.limits)
        best = self._best.get((workload, question))
        if best is None:
            best = self._best[workload, question] = best_measurements(loaded.table, **question.limits)
        more: dict[str, Any] = {"searches": loaded.searches} if whole else {"resamples": 0, "whole": False}
        more["intervals"] = intervals
        more["repeats"] = loaded.repeats
        try:
            found = curve_of(result, best, normalise=normalise, **more)
        except UserError:
            found = curve_of(result, best, **more)
        per_example = loaded.tokens_per_example if tokens else None
        found = self._curves[key] = replace(found.with_noise(loaded.noise), tokens_per_example=per_example)
        if len(self._curves) > KEPT:
            self._curves.popitem(last=False)
        return found
