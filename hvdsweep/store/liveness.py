"""Whether the process that signed in for a sweep still works.

On its own machine its identity decides. Elsewhere only its heartbeat can: it is compared with itself, between two looks, on
the clock of whoever looks. The clocks of two machines never meet, and a clock that is set changes nothing.
"""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hvdsweep.errors import RunFailed
from hvdsweep.process_id import ProcessId, stat_of
from hvdsweep.store.connection import transaction

SILENT_SECONDS = 120.0
"""A viewer shows a process elsewhere as gone when its heartbeat has not changed for so long."""

WATCH_SECONDS = 30.0
"""Before a sweep is taken over from a process elsewhere, its heartbeat must not change for so long. It beats every 2 s."""

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Occupant:
    """Who signed in for a sweep, and its last heartbeat (a number that only means something if it changes)."""

    process: str | None
    """A `ProcessId` as text; None in stores of an older version."""
    pid: int | None
    host: str | None
    heartbeat: float | None

    def __str__(self) -> str:
        who = "a process" if self.pid is None else f"process {self.pid}"
        return f"{who} on {self.host}"

    @property
    def lives(self) -> bool | None:
        """Whether it runs, if this machine can tell; None if not."""
        return lives_here(self.process, self.pid, self.host)


def lives_here(process: str | None, pid: int | None, host: str | None) -> bool | None:
    """Whether a process runs; None if it is not of this machine, this boot and this PID namespace."""
    if pid is None:
        return None
    if process is None:
        # A row of an older version knows no more than a pid: any process that has it now counts.
        if host != platform.node():
            return None
        found = stat_of(pid)
        return found is not None and found.state not in "ZX"
    try:
        identity = ProcessId.parse(process)
    except ValueError:
        return False
    return identity.alive() if identity.is_visible else None


def occupant(conn: sqlite3.Connection, sweep_id: int) -> Occupant | None:
    """Who signed in for the sweep and has not signed out; None if nobody has."""
    row = conn.execute(
        "SELECT supervisor, supervisor_pid, supervisor_host, heartbeat FROM sweeps WHERE id = ?"
        " AND state IN ('RUNNING', 'STOPPING')",
        (sweep_id,),
    ).fetchone()
    return None if row is None else Occupant(*row)


def is_at_work(
    conn: sqlite3.Connection,
    sweep_id: int,
    *,
    watch: Callable[[Occupant], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether somebody works on the sweep. Takes up to WATCH_SECONDS if only a heartbeat can tell; `watch` hears of it first.

    Outside any transaction, for one would keep the heartbeat from changing.
    """
    first = occupant(conn, sweep_id)
    if first is None:
        return False
    if first.lives is not None:
        return first.lives
    if watch is not None:
        watch(first)
    deadline = clock() + WATCH_SECONDS
    while clock() < deadline:
        sleep(LOOK_SECONDS)
        now = occupant(conn, sweep_id)
        if now != first:
            return now is not None
    return False


@dataclass
class Heartbeats:
    """What one viewer has seen of heartbeats it cannot check otherwise."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[int, tuple[float | None, float]] = field(default_factory=dict)
    """Sweep -> its heartbeat, and when (on this viewer's clock) that was last seen to change."""

    def lives(self, sweep_id: int, heartbeat: float | None, now: float) -> bool:
        """Whether the heartbeat changed less than SILENT_SECONDS ago; at the first look `now`, a clock of day, has to do."""
        before = self._seen.get(sweep_id)
        if before is None:
            age = SILENT_SECONDS if heartbeat is None else min(max(now - heartbeat, 0.0), SILENT_SECONDS)
            before = self._seen[sweep_id] = heartbeat, self.clock() - age
        elif before[0] != heartbeat:
            before = self._seen[sweep_id] = heartbeat, self.clock()
        return self.clock() - before[1] < SILENT_SECONDS


class TakenOver(RunFailed):
    """Another process has signed in for the sweep meanwhile."""


@contextmanager
def vacant(
    conn: sqlite3.Connection, sweep_id: int, watch: Callable[[Occupant], None] | None = None
) -> Iterator[None]:
    """A write transaction during which nobody works on the sweep. TakenOver, naming the process, if somebody does.

    May take `liveness.WATCH_SECONDS`, of which `watch` hears first.
    """
    while True:
        seen = occupant(conn, sweep_id)
        if seen is not None and is_at_work(conn, sweep_id, watch=watch):
            raise TakenOver(str(occupant(conn, sweep_id) or seen))
        with transaction(conn):
            # Between the look and the lock somebody may have signed in.
            if occupant(conn, sweep_id) == seen:
                yield
                return
