"""What screens about workloads share: the current workload, its table, and its goal."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on

from hvdsweep.states import Status
from hvdsweep.visible import visible
from tui.screens.base import AppScreen, Words
from tui.snapshot import Snapshot
from tui.widgets.chart import DrawnChart

if TYPE_CHECKING:
    from hvdsweep.curves.question import Question
    from hvdsweep.store.rows import ThroughputRow, WorkloadRow
    from tui.curve_cache import CurveCache, Loaded


class WorkloadScreen(AppScreen):
    """A screen that draws curves of workloads; `redraw` draws once for all changes made at the same time."""

    NOTHING: ClassVar[tuple[str, str]] = ("", "")
    """What to say where the database has no workload, and what to do about it."""

    def __init__(self) -> None:
        super().__init__()
        self.current: int | None = None
        """The workload (its row in the store) that keys and the side pane are about."""
        self.names: dict[int, str] = {}
        """Workload -> a short name that no other has."""
        self._chosen_from: object = None
        self._dirty = False

    @property
    def cache(self) -> CurveCache:
        """Tables, curves and what the user asks of them; shared by all screens."""
        if self.interface.curve_cache is None:
            # Not with the app: the first screen is drawn without numpy.
            from tui.curve_cache import CurveCache

            self.interface.curve_cache = CurveCache()
        return self.interface.curve_cache

    @property
    def awaits_data(self) -> bool:
        return self._dirty or super().awaits_data

    @property
    def has_workloads(self) -> bool:
        return bool(self.snapshot is not None and len(self.snapshot.workloads) > 1)

    @property
    def is_live(self) -> bool:
        """Whether the current workload's sweep is being trained."""
        row = self.row(self.current)
        sweep = None if self.snapshot is None or row is None else self.snapshot.sweep(row.sweep_id)
        return sweep is not None and sweep.live

    @property
    def absence(self) -> Words | None:
        if self.snapshot is None or self.snapshot.workloads:
            return super().absence
        heading, hint = self.NOTHING
        return heading, f"{self.snapshot.database} holds no workload.", hint

    def row(self, workload: int | None) -> WorkloadRow | None:
        if self.snapshot is None:
            return None
        return next((row for row in self.snapshot.workloads if row.id == workload), None)

    def listed(self) -> list[WorkloadRow]:
        """All workloads: those of the newest sweep first."""
        if self.snapshot is None:
            return []
        return sorted(self.snapshot.workloads, key=lambda row: (-row.sweep_id, row.id))

    def wanted(self) -> set[int]:
        """The workloads whose tables are needed."""
        return set() if self.current is None else {self.current}

    def redraw(self) -> None:
        """Draw what is asked, from what is known."""

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.workloads:
            self._choose(snapshot)
            self.names = _names(snapshot)
            self.read_tables()
            self.redraw_soon()

    def _choose(self, snapshot: Snapshot) -> None:
        """The one looked at before; what was selected elsewhere since; else that of the newest sweep with a finished trial."""
        if self.current not in {row.id for row in snapshot.workloads}:
            self.current = None
        selection = self.interface.selection
        changed = selection != self._chosen_from
        self._chosen_from = selection
        if self.current is not None and not changed:
            return
        before = self.row(self.current)
        known = snapshot.sweep(selection.sweep) is not None
        mine = snapshot.workloads_of(selection.sweep) if known and selection.sweep is not None else ()
        if not mine:
            held = {row.sweep_id for row in snapshot.workloads}
            with_answer = [sweep.id for sweep in snapshot.sweeps if sweep.done and sweep.id in held]
            mine = snapshot.workloads_of(max(with_answer or held))
        named = next((row for row in mine if row.name == selection.workload), None)
        if before is not None and named is None and before in mine:
            return
        self.current = (named or mine[0]).id
        self.chosen(before, list(mine))

    @property
    def which_sweep(self) -> str:
        """Which sweep of how many is shown; "" if there is only one."""
        row = self.row(self.current)
        if row is None or self.snapshot is None or len(self.snapshot.sweeps) < 2:
            return ""
        ids = [sweep.id for sweep in self.snapshot.sweeps]
        sweep = self.snapshot.sweep(row.sweep_id)
        name = "" if sweep is None else f" ({visible(sweep.name)})"
        return f"Sweep {ids.index(row.sweep_id) + 1} of {len(ids)}{name}"

    def chosen(self, before: WorkloadRow | None, sweep: list[WorkloadRow]) -> None:
        """Another workload became the current one because of what the store or another screen says."""

    def read_tables(self) -> None:
        """Ask for the tables that are missing or have changed."""
        if self.snapshot is None:
            return
        from tui.curve_cache import read, wanted_of

        missing = self.cache.missing(wanted_of(self.snapshot, self.wanted()))
        known = [one for one in missing if self.cache.has(one.workload)]
        if len(known) == len(missing) and self.questions.rest_of(self.answer_tables) > 0:
            return
        if missing:
            self.questions.ask(self.answer_tables, tuple(missing), partial(read, missing))

    def answer_tables(self, about: object, value: tuple[dict[int, Loaded], list[ThroughputRow]]) -> None:
        self.cache.take(*value)
        self.redraw_soon()

    def question(self, row: WorkloadRow) -> Question:
        """What is asked of a workload's curve; of a sweep in training running trials count as far as they are."""
        from hvdsweep.curves.question import Question

        sweep = None if self.snapshot is None else self.snapshot.sweep(row.sweep_id)
        counted: tuple[Status, ...] = (Status.COMPLETE,)
        if self.cache.count_running and sweep is not None and sweep.live:
            counted = (Status.COMPLETE, Status.RUNNING)
        return Question(
            step_budget=self.cache.step_budget, example_budget=self.cache.example_budget, statuses=counted
        )

    def goal(self, row: WorkloadRow) -> float | None:
        """The goal that a workload is asked about: chosen by the user, else its own, else one from what it measured."""
        asked = self.cache.chosen.get(group_of(row))
        if asked is not None or row.goal is not None:
            return row.goal if asked is None else asked
        ladder = self.cache.goals([row.id], None) if self.cache.has(row.id) else ()
        return ladder[len(ladder) // 2] if ladder else None

    @on(DrawnChart.Changed)
    def redraw_soon(self) -> None:
        """Draw once for all that is asked until then."""
        if not self._dirty:
            self._dirty = True
            self.call_later(self._redraw)

    def _redraw(self) -> None:
        self._dirty = False
        if self.snapshot is not None and self.is_mounted and self.snapshot.workloads:
            with self.app.batch_update():
                self.redraw()
            self.keys.refresh()

    def make_current(self, workload: int) -> None:
        """The user goes to another workload."""
        row = self.row(workload)
        if workload == self.current or row is None:
            return
        self.current = workload
        selection = dataclasses.replace(
            self.interface.selection, sweep=row.sweep_id, workload=row.name, trial=None
        )
        self._chosen_from = selection
        self.interface.select(selection)
        self.read_tables()
        self.redraw_soon()

    def action_workload(self, way: int) -> None:
        ids = [row.id for row in self.listed()]
        if ids:
            place = ids.index(self.current) if self.current in ids else 0
            self.make_current(ids[(place + way) % len(ids)])


def group_of(row: WorkloadRow) -> tuple[Any, ...]:
    """Workloads with the same metric and the same goal of their own are asked about one goal."""
    if row.goal is None:
        return (row.metric, row.maximize, row.name)
    return (row.metric, row.maximize, row.goal)


def _names(snapshot: Snapshot) -> dict[int, str]:
    from tui.trial_rows import short_names

    short = short_names(list(dict.fromkeys(row.name for row in snapshot.workloads)))
    sweeps: dict[str, int] = {}
    for row in snapshot.workloads:
        sweeps[row.name] = sweeps.get(row.name, 0) + 1
    return {
        row.id: short[row.name] if sweeps[row.name] == 1 else f"{short[row.name]} ({row.sweep_id})"
        for row in snapshot.workloads
    }
