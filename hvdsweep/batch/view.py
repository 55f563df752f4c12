"""A batch folder as one store: all its shards mirrored in memory, and updated whenever a shard has changed.

Everything except losses and measurements is mirrored: they are most of the bytes, and are read from their shard when
needed. Trial 12 of shard 3 has the id 300012 here, so no table is needed to find it again. Shards are only read.
"""

from __future__ import annotations

import dataclasses
import itertools
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.mirror import BASE, STATE, TABLES, Mirror
from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.store.liveness import lives_here
from hvdsweep.store.reader import WAIT_SECONDS, file_traces
from hvdsweep.store.rows import RECORD, SHIFT, Measurements, SweepRow
from hvdsweep.store.schema import STATEMENTS
from hvdsweep.store.store import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

REFRESH_SECONDS = 0.5
"""Least time between two checks of the shards."""

KEPT_READERS = 4
"""Shards that a reader keeps open to read losses from."""

OPEN = (
    "SELECT 1 FROM workloads w JOIN studies s ON s.workload_id = w.id JOIN trials t ON t.study_id = s.id"
    " WHERE w.sweep_id = ? AND t.status = 'PENDING' LIMIT 1"
)

_numbers = itertools.count(1)
_views: dict[Path, FolderMirror] = {}
_views_lock = threading.Lock()


class FolderMirror:
    """The mirror of one folder, shared by all readers of this process."""

    def __init__(self, path: Path) -> None:
        self.folder = BatchFolder(path)
        self.uri = f"file:/hvdsweep-view-{next(_numbers)}?vfs=memdb"
        self._conn = self.connect()
        self._conn.execute("BEGIN")
        for statement in (*STATEMENTS, *TABLES):
            self._conn.execute(statement)
        self._conn.execute("COMMIT")
        self._mirror = Mirror(self._conn)
        self._lock = threading.Lock()
        self._seen: dict[int, Any] = {}
        """Shard (0: the plan) -> its file's identity when it was read."""
        self._again: set[int] = set()
        """Shards that still have to be mirrored completely."""
        self._looked = float("-inf")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )

    def refresh(self) -> None:
        """Mirror the shards that have changed. While another thread does so, the present state is used."""
        if not self._lock.acquire(blocking=not self._seen):
            return
        try:
            if time.monotonic() - self._looked < REFRESH_SECONDS:
                return
            self._refresh()
            self._looked = time.monotonic()
        finally:
            self._lock.release()

    @property
    def records(self) -> bool:
        """Whether records are mirrored."""
        return self._mirror.records

    def need_records(self) -> None:
        """Mirror the records too, from now on. Slow the first time: do not call it on a thread that draws."""
        if self._mirror.records:
            return
        with self._lock:
            if not self._mirror.records:
                self._mirror.records = True
                self._bring(
                    [
                        (index, path, seen)
                        for (index, path) in self._there()
                        if (seen := self._seen.get(index))
                    ],
                    True,
                )

    def _there(self) -> list[tuple[int, Path]]:
        return [(0, self.folder.plan), *self.folder.shards()]

    def _refresh(self) -> None:
        changed = []
        for index, path in self._there():
            traces = file_traces(path)
            if traces[0] is not None and traces != self._seen.get(index):
                changed.append((index, path, traces))
        if not changed and self._seen:
            return
        if not changed:
            raise UserError(f"{self.folder.path}: holds nothing yet: none of its jobs has begun.")
        self._bring(changed, False)

    def _bring(self, changed: list[tuple[int, Path, Any]], everything: bool) -> None:
        # Attaching is not possible inside a transaction: each shard is one transaction.
        for index, path, traces in changed:
            try:
                self._mirror.bring(index, path, everything or index in self._again)
                self._again.discard(index)
            except sqlite3.OperationalError as error:
                # A long query of another thread holds this state; the next refresh tries again.
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                self._seen.pop(index, None)
                self._again |= {index} if everything else set()
                continue
            except HvdsweepError as error:
                self._mirror.note(f"{path}", str(error))
            self._seen[index] = traces
        self._mirror.add_events()


def view_of(path: Path) -> FolderMirror:
    """The only view of a folder in this process."""
    path = path.resolve()
    with _views_lock:
        if path not in _views:
            _views[path] = FolderMirror(path)
        return _views[path]


class FolderStore(Store):
    """Reads all shards of a batch folder as one store."""

    def _connect(self) -> None:
        self._view = view_of(self.path)
        self._view.refresh()
        self._conn = self._view.connect()
        self._conn.execute("PRAGMA query_only = 1")
        self._at_rest = None
        self._shards: OrderedDict[int, tuple[Any, Store]] = OrderedDict()

    def _renew(self) -> None:
        if not self._conn.in_transaction:
            self._view.refresh()

    def need_records(self) -> None:
        """See `Store.need_records`."""
        if not self._conn.in_transaction:
            self._view.need_records()
            return
        # A snapshot would hide them. It is taken again with them, once per process.
        self._conn.rollback()
        self._view.need_records()
        self._conn.execute("BEGIN")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """See `Store.rows`."""
        self._look_for_records(sql)
        return super().rows(sql, values)

    def array(self, dtype: npt.DTypeLike, sql: str, values: Sequence[Any] = ()) -> npt.NDArray[Any]:
        """See `Store.array`."""
        self._look_for_records(sql)
        return super().array(dtype, sql, values)

    def _look_for_records(self, sql: str) -> None:
        if not self._view.records and ("best_records" in sql or "running_best" in sql):
            self.need_records()

    def close(self) -> None:
        for _, reader in self._shards.values():
            reader.close()
        self._shards.clear()
        super().close()

    def explain(self, error: Exception) -> None:
        """Shards are checked when they are mirrored."""

    def check_measurements(self) -> None:
        raise UserError(
            f"{self.path}: only a merged database has every measurement at hand. "
            f"`hvdsweep merge {self.path}` writes {self.path}/merged.db; name that with --db."
        )

    def sweeps(self) -> list[SweepRow]:
        """All sweeps: active if one of their shards is."""
        names = ("sweep_id", "shard", *STATE.split(", "))
        rows = self.rows(f"SELECT sweep_id, shard, {STATE} FROM shard_sweeps ORDER BY shard")
        shards = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in rows]
        now = time.time()
        found = []
        for sweep in super().sweeps():
            mine = [shard for shard in shards if shard.sweep_id == sweep.id]
            found.append(self._together(sweep, mine, now) if mine else sweep)
        return found

    def _lives(self, shard: SimpleNamespace, now: float) -> bool:
        here = lives_here(shard.supervisor, shard.supervisor_pid, shard.supervisor_host)
        if here is not None:
            return here
        return self._heartbeats.lives(shard.shard * BASE + shard.sweep_id, shard.heartbeat, now)

    def _together(self, sweep: SweepRow, shards: list[SimpleNamespace], now: float) -> SweepRow:
        at_work = [one for one in shards if one.state in ("RUNNING", "STOPPING") and self._lives(one, now)]
        order = ("RUNNING", "STOPPING", "FAILED", "IDLE", "DONE")
        state = min((one.state for one in at_work or shards), key=order.index)
        if state == "DONE" and self.rows(OPEN, (sweep.id,)):
            # Some shards have not begun.
            state = "IDLE"
        alike = {(one.np, one.slots) for one in at_work or shards}
        np, slots = alike.pop() if len(alike) == 1 else (None, None)
        gangs = [one.gangs for one in at_work]
        return dataclasses.replace(
            sweep,
            state=state,
            live=bool(at_work),
            request="stop" if at_work and all(one.request == "stop" for one in at_work) else None,
            started=min((one.started for one in shards if one.started is not None), default=None),
            ended=None
            if at_work
            else max((one.ended for one in shards if one.ended is not None), default=None),
            heartbeat=max((one.heartbeat for one in shards if one.heartbeat is not None), default=None),
            np=np,
            slots=slots,
            gangs=sum(gangs) if gangs and None not in gangs else None,
        )

    @contextmanager
    def _shard(self, trial_id: int) -> Iterator[tuple[Store, int] | None]:
        """(reader of the trial's shard, the trial's id there); None if the trial's shard has not begun."""
        index, there = divmod(trial_id, BASE)
        path = self._view.folder.shard(index)
        if index == 0 or not path.exists():
            yield None
            return
        stat = path.stat()
        identity = (stat.st_dev, stat.st_ino)
        kept = self._shards.pop(index, None)
        if kept is not None and kept[0] != identity:
            # Replaced by a newer copy.
            kept[1].close()
            kept = None
        kept = kept or (identity, Store(path))
        self._shards[index] = kept
        while len(self._shards) > KEPT_READERS:
            self._shards.popitem(last=False)[1][1].close()
        yield kept[1], there

    def losses(self, trial_id: int, after: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """See `Store.losses`."""
        with self._shard(trial_id) as found:
            if found is None:
                return super().losses(trial_id, after)
            return found[0].losses(found[1], after)

    def measurements(self, trial_id: int) -> Measurements:
        """See `Store.measurements`."""
        with self._shard(trial_id) as found:
            return super().measurements(trial_id) if found is None else found[0].measurements(found[1])

    def measured(self, ids: Sequence[int], metric: str) -> npt.NDArray[np.void]:
        """See `Store.measured`: from the shards, trial by trial."""
        import numpy as np

        found = [np.empty(0, RECORD)]
        for trial in ids:
            one = self.measurements(trial)
            values = one.values.get(metric, np.empty(0))
            rows = np.empty(len(values), RECORD)
            rows["key"], rows["value"] = (trial << SHIFT) | one.steps[: len(values)], values
            found.append(rows[np.isfinite(values)])
        return np.concatenate(found)
