"""The progress of a gang's start, from horovodrun to the first step: written by rank 0, read by viewers."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from hvdsweep.store.connection import connect, transaction

if TYPE_CHECKING:
    from hvdsweep.store.rows import GangRow

HOROVODRUN = "starting horovodrun"
TENSORFLOW = "loading TensorFlow"
RANKS = "joining the ranks"
BUILDING = "loading data, building the model"
COMPILING = "compiling"

USUAL_SECONDS = (10.0, 45.0)
"""From the start of a gang to its first step, if this database has no earlier one: fast machine, slow machine."""
REMEMBERED = 10
"""Earlier starts whose median `usual_seconds` takes."""


class Stages:
    """Records in the store which stage of its start a gang has reached. Does nothing except on rank 0.

    It is for display only, so a store that cannot be written is no error.
    """

    def __init__(self, db: str | os.PathLike[str], gang_id: int, *, active: bool = True) -> None:
        self._db = db
        self._gang = gang_id
        self._conn: sqlite3.Connection | None = None
        self._over = not active

    def __call__(self, stage: str) -> None:
        """Record that the gang has reached this stage."""
        if not self._over:
            self._write("UPDATE gangs SET stage = ? WHERE id = ?", stage, self._gang)

    def first_step(self) -> None:
        """Record that the gang has made its first step, which ends its start. Further calls do nothing."""
        if not self._over:
            self._write("UPDATE gangs SET stage = NULL, first_step = ? WHERE id = ?", time.time(), self._gang)
            self._over = True
            if self._conn is not None:
                self._conn.close()
                self._conn = None

    def _write(self, statement: str, *values: object) -> None:
        with contextlib.suppress(Exception):
            if self._conn is None:
                self._conn = connect(self._db)
            with transaction(self._conn) as conn:
                conn.execute(statement, values)


def usual_seconds(conn: sqlite3.Connection, np: int) -> float | None:
    """The median time from start to first step of the last gangs of `np` ranks; None if there are none."""
    import statistics

    taken = [
        seconds
        for (seconds,) in conn.execute(
            "SELECT first_step - started FROM gangs WHERE np = ? AND first_step > started ORDER BY id DESC LIMIT ?",
            (np, REMEMBERED),
        )
    ]
    return statistics.median(taken) if taken else None


def start_words(gang: GangRow, now: float) -> str | None:
    """`loading TensorFlow, 4 s so far, usually 12 s` at `now` (unix seconds); None after the gang's first step."""
    if gang.stage is None or gang.first_step is not None or gang.steps:
        return None
    return f"{gang.stage}, {max(0.0, now - gang.started):.0f} s so far, {usually(gang.usual_start_seconds)}"


def usually(seconds: float | None) -> str:
    """`usually 12 s`, or the documented range if nothing is known."""
    if seconds is None:
        return f"usually {USUAL_SECONDS[0]:.0f} to {USUAL_SECONDS[1]:.0f} s"
    return f"usually {max(1, round(seconds))} s"
