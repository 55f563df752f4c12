"""Whether the process that registered for a sweep is still alive.

On its own machine its identity decides. On another machine only its heartbeat can: two readings are compared, by the
viewer's clock. Clocks of two machines are never compared, so setting a clock changes nothing.
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
"""A viewer shows a process on another machine as gone if its heartbeat has not changed for so long."""

WATCH_SECONDS = 30.0
"""Before a sweep is taken over from a process on another machine, its heartbeat must stand still so long. It is written
every 2 s."""

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Occupant:
    """The process registered for a sweep, and its last heartbeat (a number of which only changes have a meaning)."""

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
        """Whether it is running; None if this machine cannot know."""
        return lives_here(self.process, self.pid, self.host)


def lives_here(process: str | None, pid: int | None, host: str | None) -> bool | None:
    """Whether a process is running; None if it is not of this machine, this boot and this PID namespace."""
    if pid is None:
        return None
    if process is None:
        # A row of an older version has only a pid: any process that has it now counts.
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
    """The process registered for the sweep; None if there is none, or it has left."""
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
    """Whether a process works on the sweep. Takes up to WATCH_SECONDS if only a heartbeat can tell; `watch` is called
    first.

    Call it outside any transaction, which would hide changes of the heartbeat.
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
    """The heartbeats that one viewer has seen, of processes it cannot check otherwise."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[int, tuple[float | None, float]] = field(default_factory=dict)
    """Sweep -> its heartbeat, and when (on this viewer's clock) that was last seen to change."""

    def lives(self, sweep_id: int, heartbeat: float | None, now: float) -> bool:
        """Whether the heartbeat changed less than SILENT_SECONDS ago; the first time, compared with `now`."""
        before = self._seen.get(sweep_id)
        if before is None:
            age = SILENT_SECONDS if heartbeat is None else min(max(now - heartbeat, 0.0), SILENT_SECONDS)
            before = self._seen[sweep_id] = heartbeat, self.clock() - age
        elif before[0] != heartbeat:
            before = self._seen[sweep_id] = heartbeat, self.clock()
        return self.clock() - before[1] < SILENT_SECONDS


class TakenOver(RunFailed):
    """Another process has registered for the sweep meanwhile."""


@contextmanager
def vacant(
    conn: sqlite3.Connection, sweep_id: int, watch: Callable[[Occupant], None] | None = None
) -> Iterator[None]:
    """A write transaction while nobody works on the sweep. TakenOver, naming the process, if one does.

    May take `liveness.WATCH_SECONDS`; then calls `watch` first.
    """
    while True:
        seen = occupant(conn, sweep_id)
        if seen is not None and is_at_work(conn, sweep_id, watch=watch):
            raise TakenOver(str(occupant(conn, sweep_id) or seen))
        with transaction(conn):
            # Another process may have registered between the check and the lock.
            if occupant(conn, sweep_id) == seen:
                yield
                return
