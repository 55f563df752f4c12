"""What the interface knows at one instant: a frozen picture of the whole store except trials, losses and measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hvdsweep.store.rows import EventRow, GangRow, WorkloadRow
from hvdsweep.store.status import SweepStatus

if TYPE_CHECKING:
    from hvdsweep.store.store import Store

EVENTS = 200
"""How many of the last events a snapshot holds."""


@dataclass(frozen=True)
class Snapshot:
    """One state of the store."""

    database: str
    time: float
    """Unix seconds at which it was read."""
    sweeps: tuple[SweepStatus, ...]
    workloads: tuple[WorkloadRow, ...]
    gangs: tuple[GangRow, ...]
    """Those that have not ended."""
    events: tuple[EventRow, ...]
    """The last EVENTS, oldest first."""
    number: int = field(default=0, compare=False)
    """Rises with every snapshot of a source: what was asked at one number may be asked again at the next."""

    def sweep(self, sweep_id: int | None) -> SweepStatus | None:
        return next((sweep for sweep in self.sweeps if sweep.id == sweep_id), None)

    def gangs_of(self, sweep_id: int) -> tuple[GangRow, ...]:
        return tuple(gang for gang in self.gangs if gang.sweep_id == sweep_id)

    def workloads_of(self, sweep_id: int) -> tuple[WorkloadRow, ...]:
        return tuple(workload for workload in self.workloads if workload.sweep_id == sweep_id)


def read_snapshot(store: Store, number: int = 0) -> Snapshot:
    """The store as it is now, in one transaction. UserError as the store says."""
    with store.snapshot():
        status = store.status(events=EVENTS)
        return Snapshot(
            database=status.database,
            time=status.time,
            sweeps=status.sweeps,
            workloads=tuple(store.workloads()),
            gangs=status.gangs,
            events=status.events,
            number=number,
        )
