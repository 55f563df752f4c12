"""Where the interface gets its data: one thread watches the store, and single questions are answered on demand.

Nothing here knows Textual, so that the first look at the store happens while Textual is still being imported.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hvdsweep.errors import HvdsweepError

if TYPE_CHECKING:
    from hvdsweep.store.store import Store
    from tui.snapshot import Snapshot

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LOOK_SECONDS = 0.25
"""Least time between two looks at the store: at most four repaints a second."""

LOOK_SHARE = 0.025
"""Largest share of a core for reading the store: a read of t seconds is followed by a pause of 40 t."""

MACHINE_SHARE = 0.00125
"""The part of the machine's processors that the whole interface, painting included, takes while it watches."""

REST_SECONDS = 2.0
"""Longest pause between two reads, whatever `MACHINE_SHARE` asks for; a key or a click ends it."""

SPARE = 2
"""Readers kept open between questions, at most."""

LIFE_SECONDS = 3.0
"""While a sweep runs it is read so often even if nothing was written: a killed supervisor writes nothing."""


@dataclass(frozen=True)
class Trouble:
    """Why nothing can be read now, and what to do about it."""

    heading: str
    text: str
    """A sentence or two, with the remedy."""
    gone: bool = False
    """Whether there is nothing (any more), so that what was shown before must go as well."""


class StoreSource:
    """The source over a store file, which may be missing, locked, replaced or deleted at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """The database, whether it exists or not."""
        self._tell: Callable[[Snapshot | Trouble], None] | None = None
        self._latest: Snapshot | Trouble | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._resting = False
        self._attended = False
        self._watch = Watch(path)
        self._spare = SpareReaders(path)
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> StoreSource:
        """Begin to watch; returns at once."""
        self._thread.start()
        return self

    def listen(self, tell: Callable[[Snapshot | Trouble], None]) -> None:
        """Call `tell`, from any thread, with the latest snapshot or trouble now (if any) and with every later one."""
        with self._lock:
            self._tell = tell
            if self._latest is not None:
                tell(self._latest)

    def ask(self, question: Callable[[Store], Answer]) -> Answer:
        """The answer to one question; blocks, so never on the interface's thread. UserError as the store raises it."""
        with self._spare.reader() as reader:
            return question(reader)

    def nudge(self) -> None:
        """Look at once: something was just changed from here."""
        self._wake.set()

    def attend(self) -> None:
        """Read as soon as `LOOK_SECONDS` allow, since the user is at the keyboard."""
        self._attended = True
        if self._resting:
            self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        self._spare.close()

    def _run(self) -> None:
        processors: int | None = None
        while not self._closed:
            begun, used = time.monotonic(), time.process_time()
            self._attended = False
            update = self._watch.look()
            looked = time.monotonic() - begun
            if update is not None:
                with self._lock:
                    self._latest = update
                    if self._tell is not None and not self._closed:
                        self._tell(update)
            self._wake.wait(max(LOOK_SECONDS, looked / LOOK_SHARE))
            if processors is None:
                from hvdsweep.launch.machine import cores

                processors = cores()
            # The update is painted by now, so its cost is known.
            rest = rest_after(time.process_time() - used, processors) - (time.monotonic() - begun)
            if rest > 0:
                self._resting = True
                if not self._attended:  # asked after `_resting` is set: a key just before it is not lost
                    self._wake.wait(rest)
                self._resting = False
            self._wake.clear()
        self._watch.close()


def rest_after(used: float, processors: int) -> float:
    """Seconds from one look to the next where looking and painting used so many seconds of processor time."""
    return min(used / (MACHINE_SHARE * processors), REST_SECONDS)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Which file lies at `path`. A connection keeps reading a file that was deleted or replaced, without an error."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


class SpareReaders:
    """Readers that wait for the next question: opening one and preparing its statements takes longer than most answers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._spare: list[tuple[tuple[int, int] | None, Store]] = []
        self._closed = False

    @contextmanager
    def reader(self) -> Iterator[Store]:
        """A reader of the file that lies there now, for the one thread that asked. UserError as `open_store` says."""
        identity = identity_of(self._path)
        reader = self._taken(identity)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        with self._lock:
            keep = not self._closed and len(self._spare) < SPARE
            if keep:
                self._spare.append((identity, reader))
        if not keep:
            reader.close()

    def _taken(self, identity: tuple[int, int] | None) -> Store:
        from hvdsweep.opening import open_store

        with self._lock:
            while self._spare:
                known, reader = self._spare.pop()
                if identity is not None and known == identity:
                    return reader
                reader.close()
        return open_store(self._path)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            while self._spare:
                self._spare.pop()[1].close()


class Watch:
    """One look after another at a store file: what is new since the last one."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._reader: Store | None = None
        self._identity: tuple[int, int] | None = None
        self._version: int | None = None
        self._read_at = float("-inf")
        self._running = False
        self._number = 0
        self._trouble: Trouble | None = None

    def look(self) -> Snapshot | Trouble | None:
        """A new snapshot, a new trouble, or None if all is as it was at the last look."""
        try:
            snapshot = self._snapshot()
        except (HvdsweepError, sqlite3.Error, OSError, ValueError, KeyError) as error:
            self.close()
            trouble = trouble_of(self._path, error)
            log.debug("%s cannot be read", self._path, exc_info=True)
            if trouble == self._trouble:
                return None
            self._trouble = trouble
            return trouble
        if snapshot is not None:
            self._trouble = None
        return snapshot

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._version = None

    def _snapshot(self) -> Snapshot | None:
        from tui.snapshot import read_snapshot

        identity = identity_of(self._path)
        if identity != self._identity:
            self.close()
            self._identity = identity
        if self._reader is None:
            from hvdsweep.opening import open_store

            self._reader = open_store(self._path)
        version = self._reader.data_version()
        now = self._clock()
        if version == self._version and not (self._running and now - self._read_at >= LIFE_SECONDS):
            return None
        self._number += 1
        snapshot = read_snapshot(self._reader, self._number)
        self._version, self._read_at = version, now
        self._running = any(sweep.live for sweep in snapshot.sweeps)
        return snapshot


def trouble_of(path: Path, error: Exception) -> Trouble:
    """An error of reading `path` as people should see it."""
    text = str(error).removeprefix(f"{path}: ")
    try:
        missing, empty = not path.exists(), path.is_file() and path.stat().st_size == 0
    except OSError:
        missing = empty = False
    if missing:
        return Trouble(
            "No database yet", f"{path} does not exist. It is made when a sweep is launched.", gone=True
        )
    if empty or "holds nothing yet" in text:
        return Trouble(
            "The database is empty",
            f"{path} holds nothing yet. It fills when a sweep is launched.",
            gone=True,
        )
    if not isinstance(error, HvdsweepError):
        text = f"cannot be read: {type(error).__name__}: {text}"
    return Trouble("The database cannot be read", f"{path} {text}")
