"""Whether two stores have the same result for a trial, and if not, how they differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hvdsweep.store.schema import quoted

ROUNDING = 1e-3
"""Losses within this share of each other at every step are equal up to rounding, as with another number of ranks."""


@dataclass(frozen=True)
class Difference:
    """How two results differ."""

    words: str
    rounding: bool = False
    """Whether the difference is only rounding."""


def compared(conn: sqlite3.Connection, there: int, here: int, metrics: Sequence[str]) -> Difference | None:
    """How trial `there` of the attached store `src` differs from trial `here` of `main`; None if it does not.

    A trial stopped because it was beaten must equal the beginning of the same trial trained longer.
    """
    ends = {}
    for schema, trial in (("src", there), ("main", here)):
        ends[schema] = conn.execute(
            f"SELECT status, stop_reason, steps FROM {schema}.trials WHERE id = ?", (trial,)
        ).fetchone()
    (status, reason, steps), (status_here, reason_here, steps_here) = ends["src"], ends["main"]
    shorter = steps < steps_here and reason == "beaten"
    longer = steps > steps_here and reason_here == "beaten"
    if not (shorter or longer):
        if status != status_here:
            return Difference(f"{status_here} after {steps_here:,} steps, and {status} after {steps:,}")
        if steps != steps_here:
            return Difference(f"{steps_here:,} and {steps:,} steps")
    common = min(steps, steps_here)
    columns = [("losses", "loss")] + [("measurements", name) for name in metrics]
    rounding = False
    for table, column in columns:
        one, other = (
            _series(conn, schema, trial, table, column, common)
            for schema, trial in (("main", here), ("src", there))
        )
        if not np.array_equal(one[:, 0], other[:, 0]):
            return Difference(f"{column} of other steps")
        if np.array_equal(one[:, 1], other[:, 1], equal_nan=True):
            continue
        differing = ~((one[:, 1] == other[:, 1]) | (np.isnan(one[:, 1]) & np.isnan(other[:, 1])))
        with np.errstate(all="ignore"):
            largest = np.maximum(np.abs(one[differing, 1]), np.abs(other[differing, 1]))
            share = np.abs(one[differing, 1] - other[differing, 1]) / largest
        step = int(one[differing, 0][0])
        if table == "losses" and np.all(share <= ROUNDING):
            rounding = True
        elif not rounding:
            # If losses differ only by rounding, an error may differ by a few examples.
            worst = (
                f"by up to {np.nanmax(share):.2g} of the larger"
                if np.isfinite(share).any()
                else "in what is finite"
            )
            return Difference(f"{column} differs from step {step:,} on, {worst}")
    return Difference("rounding", rounding=True) if rounding else None


def _series(
    conn: sqlite3.Connection, schema: str, trial: int, table: str, column: str, last: int
) -> npt.NDArray[np.float64]:
    """[n, 2]: step and value up to step `last`; NaN if it is not a number."""
    rows = conn.execute(
        f"SELECT step, {quoted(column)} FROM {schema}.{table} WHERE trial_id = ? AND step <= ? ORDER BY step",
        (trial, last),
    ).fetchall()
    return np.array(rows, np.float64).reshape(-1, 2)
