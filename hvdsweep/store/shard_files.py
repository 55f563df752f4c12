"""What shards share while they train, in small files that are replaced whole or created once.

`best-0003.json`: the fewest steps in which a finished trial of shard 3 reached the goal, by workload and batch size.
`replacements/STUDY/12`: the shard that trains trial 12 of a study in place of one that diverged.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from hvdsweep.replacing import write_whole

LOOK_SECONDS = 1.0
"""Least time between two reads of the other shards' files."""


class Exchange:
    """The files of one sweep, as seen by one shard. Missing or unreadable files of other shards count as empty."""

    def __init__(self, folder: Path, shard: int) -> None:
        self.folder = folder
        self.shard = shard
        self._looked = float("-inf")
        self._read: dict[str, tuple[tuple[int, int, int], dict[tuple[str, int], int]]] = {}
        """File name -> its identity when it was read, and its content."""
        self._mine: dict[tuple[str, int], int] | None = None

    @classmethod
    def of(cls, conn: sqlite3.Connection, sweep_id: int) -> Exchange | None:
        """The exchange of a sweep in an open store; None if the store trains all of the sweep."""
        row = conn.execute("SELECT shard FROM sweeps WHERE id = ?", (sweep_id,)).fetchone()
        note = json.loads(row[0]) if row is not None and row[0] else {}
        return cls(Path(note["exchange"]), int(note["index"])) if "exchange" in note else None

    def best(self, workload: str, batch_size: int) -> int | None:
        """The fewest steps to the goal that any other shard has published for this study; None if none has."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        found = [
            said[workload, batch_size] for _, said in self._read.values() if (workload, batch_size) in said
        ]
        return min(found, default=None)

    def _look(self) -> None:
        seen = {}
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.folder):
                if not entry.name.startswith("best-") or entry.name == self._name:
                    continue
                with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                    stat = entry.stat()
                    traces = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                    known = self._read.get(entry.name)
                    seen[entry.name] = (
                        known
                        if known is not None and known[0] == traces
                        else (traces, _said(Path(entry.path)))
                    )
            self._read = seen

    @property
    def _name(self) -> str:
        return f"best-{self.shard:04d}.json"

    def publish(self, workload: str, batch_size: int, steps: int) -> None:
        """Publish that a finished trial of this shard reached the goal in so many steps. A full disk or a missing
        folder is no error: other shards then train some trials longer."""
        path = self.folder / self._name
        if self._mine is None:
            self._mine = {}
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                self._mine = _said(path)
        if self._mine.get((workload, batch_size), steps + 1) <= steps:
            return
        self._mine[workload, batch_size] = steps
        rows = [[name, size, best] for (name, size), best in sorted(self._mine.items())]
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps({"best": rows}).encode())

    def claim(self, study: str, numbers: Iterable[int], taken: Collection[int], count: int) -> list[int]:
        """Up to `count` of `numbers`, ascending, reserved for this shard: no other shard gets them.

        Numbers that it reserved before and has not `taken` come first: it may have been killed in between.
        """
        folder = self.folder / "replacements" / study[:32]
        folder.mkdir(parents=True, exist_ok=True)
        claimed = {
            int(name): folder / name for name in os.listdir(folder) if name.isascii() and name.isdigit()
        }
        found: list[int] = []
        for number in numbers:
            if len(found) == count:
                break
            if number in taken:
                continue
            path = claimed.get(number)
            new = path is None and _make_once(folder / str(number), str(self.shard))
            if new or (path is not None and path.read_text() == str(self.shard)):
                found.append(number)
        return found


def _said(path: Path) -> dict[tuple[str, int], int]:
    return {(str(row[0]), int(row[1])): int(row[2]) for row in json.loads(path.read_bytes())["best"]}


def _make_once(path: Path, content: str) -> bool:
    """Create a file with this content; False if another process has created it. Works on shared file systems too."""
    partial = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    partial.write_text(content)
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # No hard links here. If killed between the two steps, the number is left to the merged sweep.
        try:
            with open(path, "x") as file:
                file.write(content)
        except FileExistsError:
            return False
    finally:
        partial.unlink(missing_ok=True)
    return True
