"""Values to step through: goals from what was measured, budgets from what was trained. Each step changes the answer."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np

from hvdsweep.curves.table import WorkloadTable

NOTCHES = 64
"""Approximate number of goals between the best measurement and the usual start of training."""

FINEST = 1e-3
"""Least distance of a notch from the best measurement, as a share of the whole range. The first notch is also no closer
than two trials' bests can be, if few examples make them coarse."""

_ROUND = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)


def goal_ladder(
    tables: Sequence[WorkloadTable], own: Iterable[float] = (), notches: int = NOTCHES
) -> list[float]:
    """Goals, ascending, for tables of one metric: from just beyond the best measurement of any trial to where trials
    usually begin. Dense near the best and sparser away from it; round numbers, and the given `own` goals.

    Empty if nothing was measured and no goal is given.
    """
    found = {float(goal) for goal in own if math.isfinite(goal)}
    best, start, gap = _range(tables)
    span = start - best
    # Also if measurements at both ends of the floats are further apart than the largest float.
    if not math.isfinite(span) or not span:
        return sorted(found)
    finest = min(max(FINEST, gap / abs(span)), 0.5)
    distances = np.geomspace(finest, 1.0, notches)
    for distance, apart in zip(distances, np.diff(distances, append=2.0), strict=True):
        # Enough decimals that rounding moves a notch by at most half its distance to the next.
        decimals = -math.floor(math.log10(abs(span) * float(apart)))
        goal = round(best + span * float(distance), decimals)
        if (goal > best) if span > 0 else (goal < best):
            found.add(goal)
    return sorted(found)


def _range(tables: Sequence[WorkloadTable]) -> tuple[float, float, float]:
    """(best measurement, median of the trials' first ones, least difference of two trials' bests); NaN if there are
    none."""
    bests, firsts = [], []
    for table in tables:
        some = np.diff(table.offsets) > 0
        if some.any():
            bests.append(table.best_value[some])
            firsts.append(table.record_value[table.offsets[:-1][some]])
    if not bests:
        return math.nan, math.nan, math.nan
    distinct = np.unique(np.concatenate(bests))
    best = float(distinct[-1] if tables[0].maximize else distinct[0])
    gap = float(np.diff(distinct).min(initial=math.inf))
    return best, float(np.median(np.concatenate(firsts))), gap if math.isfinite(gap) else 0.0


def budget_ladder(tables: Sequence[WorkloadTable], *, examples: bool = False) -> list[int]:
    """Budgets in steps (or in training examples), ascending: round numbers from the earliest improvement on the initial
    weights in any trial to the longest training."""
    low, high = math.inf, 0
    for table in tables:
        unit = table.batch_sizes if examples else np.ones_like(table.batch_sizes)
        done = np.zeros(len(table.batch_sizes), np.int64)
        np.maximum.at(done, table.study, table.steps)
        longest = np.where(table.train_steps > 0, table.train_steps, done) * unit
        high = max(high, int(longest.max(initial=0)))
        moved = table.record_step > 0
        if moved.any():
            scaled = table.record_step[moved] * unit[table.study[table.record_trial[moved]]]
            low = min(low, int(scaled.min()))
    if high <= 0 or low > high:
        return []
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = {round(digit * 10.0**power) for power in decades for digit in _ROUND}
    return sorted(number for number in numbers if low <= number < high)


def neighbour(ladder: Sequence[float], value: float, steps: int) -> float:
    """The value `steps` rungs above (negative: below) `value`, which may lie between rungs; at most the last rung."""
    if not ladder:
        return value
    place = bisect_right(ladder, value) - 1 + steps if steps > 0 else bisect_left(ladder, value) + steps
    return ladder[max(0, min(place, len(ladder) - 1))]
