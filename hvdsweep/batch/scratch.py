"""A database on this machine's disk, copied whole, with its checkpoints, to its place on a shared file system during
training."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from types import TracebackType

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.store import checkpoints
from hvdsweep.store.connection import error_for
from hvdsweep.store.reader import open_connection

COPY_SECONDS = 60.0
"""Least time between two copies."""

ATTEMPTS = 3
"""How often the database is copied until all its checkpoints are there."""

COPY_SHARE = 0.05
"""Largest share of the time for copying: a large database is copied less often."""


class Scratch:
    """A context manager: inside, `local` is the database to use; `final` is replaced by whole copies of it.

    The shared file system sees no lock of SQLite: a copy is made on the local disk, written next to `final` under
    another name, and renamed last.
    """

    def __init__(self, folder: Path, final: Path, keys: Iterable[str] = ()) -> None:
        """`keys`: of the sweeps to train. UserError if `folder` does not exist."""
        if not folder.is_dir():
            raise UserError(f"--scratch: {folder}: is not a folder. Make it, or name another.")
        # Shards of several sweeps share a scratch folder, and a batch folder may be made again for another sweep.
        whose = hashlib.sha256("\n".join([str(final.absolute()), *keys]).encode()).hexdigest()[:8]
        self.local = folder / "-".join(
            [*final.absolute().parts[-3:-1], f"{final.stem}-{whose}{final.suffix}"]
        )
        self.final = final
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="copy to the shared disk", daemon=True)
        self._version: object = None

    def __enter__(self) -> Path:
        self._fetch()
        self._thread.start()
        return self.local

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        if not self.local.exists():
            return
        try:
            self.copy()
        except (OSError, sqlite3.Error) as failure:
            raise RunFailed(
                f"{self.final}: cannot be written: {failure}. What was trained is in {self.local}: copy that file."
            ) from failure

    def _fetch(self) -> None:
        """Start from the latest state: that of `final`, unless a run has taken the local one further."""
        if not self.final.exists() or _trained(self.local) >= _trained(self.final):
            return
        for ending in ("-wal", "-shm", "-journal"):
            Path(f"{self.local}{ending}").unlink(missing_ok=True)
        partial = self.local.with_name(f".{self.local.name}.partial")
        shutil.copyfile(self.final, partial)
        os.replace(partial, self.local)
        with contextlib.suppress(OSError), closing(open_connection(self.local)[0]) as conn:
            # Without its checkpoint a trial begins at its first step.
            checkpoints.carry(self.final, self.local, checkpoints.named(conn))

    def _run(self) -> None:
        pause = COPY_SECONDS
        while not self._end.wait(pause):
            begun = time.monotonic()
            # The disk behind it may come back; the last copy raises an error if it does not.
            with contextlib.suppress(OSError, sqlite3.Error):
                self.copy()
            pause = max(COPY_SECONDS, (time.monotonic() - begun) / COPY_SHARE)

    def copy(self) -> None:
        """Make `final` equal to `local`. Raises OSError and sqlite3.Error."""
        if not self.local.exists():
            return
        whole = self.local.with_name(f".{self.local.name}.copy")
        partial = self.final.with_name(f".{self.final.name}.{os.uname().nodename}.partial")
        try:
            kept = self._snapshot(whole)
            with whole.open("rb") as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            os.replace(partial, self.final)
            checkpoints.keep_only(self.final, kept)
        finally:
            whole.unlink(missing_ok=True)
            partial.unlink(missing_ok=True)

    def _snapshot(self, whole: Path) -> set[tuple[int, int]]:
        """Copy the database to `whole`, and the checkpoints that it names next to `final`; returns their names."""
        kept: set[tuple[int, int]] = set()
        for _ in range(ATTEMPTS):
            whole.unlink(missing_ok=True)
            with closing(sqlite3.connect(self.local)) as conn:
                conn.execute("VACUUM INTO ?", (str(whole),))
            with closing(sqlite3.connect(whole)) as copied:
                kept = checkpoints.named(copied)
            try:
                checkpoints.carry(self.local, self.final, kept)
                break
            except FileNotFoundError:
                # A newer checkpoint has replaced it meanwhile: the next copy of the database names that one.
                continue
        return kept


def _trained(path: Path) -> tuple[int, int]:
    """How far the trials of this store are: their steps, and events; no times, since clocks of two machines differ."""
    if not path.exists():
        return (-1, -1)
    try:
        with closing(open_connection(path)[0]) as conn:
            steps, events = conn.execute(
                "SELECT (SELECT coalesce(sum(steps), 0) FROM trials), (SELECT coalesce(max(id), 0) FROM events)"
            ).fetchone()
            return int(steps), int(events)
    except sqlite3.Error as error:
        raise error_for(path, error) from error
