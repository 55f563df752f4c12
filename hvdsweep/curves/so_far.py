"""The width of the interval that `curve` prints for each batch size's steps to the goal, by which rounds are decided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvdsweep.curves import student
from hvdsweep.curves.fitted import fit_curve
from hvdsweep.curves.intervals import relative_width, repeat_intervals
from hvdsweep.curves.outcomes import NEVER, NO_LIMIT, StepsToResult, first_of_each
from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.spread import fastest_trials, spread_of
from hvdsweep.curves.table import WorkloadTable
from hvdsweep.states import Status, StopReason
from hvdsweep.stopping import beaten_at


@dataclass(frozen=True)
class Searched:
    """The trials of one batch size that count."""

    batch_size: int
    budget: int
    steps: Sequence[int | None]
    """Each trial's steps to the goal; None: not reached."""
    before: Sequence[int | None]
    """The step of each trial's record before that; None: not known."""
    every: int
    """Steps between evaluations; the records of few trials give only an upper bound of them."""


@dataclass(frozen=True)
class Width:
    """The width of one batch size's interval, as a share of the steps: 0.1 is "within 10 %"."""

    relative: float
    """Half the width, or the distance of the upper end if only that is known; inf if there is no interval."""
    spacing: float = 0.0
    """The same if it were due to the distance between evaluations alone; 0 if no trial has reached the goal."""


def least_margin(until: float) -> float:
    """The margin up to which trials are trained to see whether an interval is within `until`."""
    return round((1 + until) ** 3 - 1, 4)


def interval_widths(
    studies: Sequence[Searched], margin: float | None = None, level: float = LEVEL
) -> list[Width]:
    """The widths of the intervals of one workload's studies, ascending by batch size.

    `margin`: share beyond the fewest steps up to which beaten trials are trained; None: all to the goal or the budget.
    """
    result = _result(studies, margin)
    steps = np.where(result.reached, result.steps, np.nan)
    spread = spread_of(result)
    fitted = fit_curve(result.table.batch_sizes, steps, spread, level, whole=False)
    intervals = repeat_intervals(result, fitted, spread, level)
    t = fitted.residual.quantile(level) if fitted.fit_found and fitted.residual is not None else 0.0
    found = []
    for best, interval, seen, study in zip(
        result.steps.tolist(), intervals, spread.spacing.tolist(), studies, strict=True
    ):
        width = relative_width(best, interval) if best > 0 else None
        # The variance of ln S, evenly between two evaluations, is a twelfth of their distance squared.
        gap = study.every if math.isnan(seen) else min(seen, study.every)
        spacing = math.sinh(t * gap / best / math.sqrt(6)) if best > 0 else math.inf if best == 0 else 0.0
        found.append(Width(math.inf if width is None else width, spacing))
    return found


def fewest_evaluations(until: float, studies: int, level: float = LEVEL) -> int:
    """Evaluations before the goal below which their spacing alone makes an interval wider than `until`, if each of so many
    studies reaches the goal: a hyperbola is fitted, and the gap of each study counts as half a degree of freedom."""
    t = student.quantile((1 + level) / 2, max(1, studies - 2 + studies // 2))
    return math.ceil(t / (math.sqrt(6) * math.asinh(until)))


def _result(studies: Sequence[Searched], margin: float | None) -> StepsToResult:
    counts = [len(study.steps) for study in studies]
    trials = sum(counts)
    budgets = np.array([study.budget for study in studies])
    index = np.repeat(np.arange(len(studies)), counts)
    table = WorkloadTable(
        workload="",
        metric="",
        maximize=False,
        goal=0.0,
        train_examples=None,
        batch_sizes=np.array([study.batch_size for study in studies]),
        train_steps=budgets,
        target_trials=np.array(counts),
        study=index,
        trial_id=np.arange(trials),
        number=np.concatenate([np.arange(count) for count in counts]),
        status=np.full(trials, Status.COMPLETE),
        stop_reason=np.array([reason for study in studies for reason in _stops(study, margin)], np.uint8),
        steps=budgets[index],
        parameters={},
        offsets=np.zeros(trials + 1, np.int64),
        record_step=np.empty(0, np.int64),
        record_value=np.empty(0),
        margin=margin,
    )
    reached, before = (
        np.array([NEVER if step is None else step for study in column for step in study], np.int64)
        for column in ([study.steps for study in studies], [study.before for study in studies])
    )
    some = np.flatnonzero(reached != NEVER)
    fewest, first = first_of_each(table, some, reached[some])
    return StepsToResult(
        table,
        0.0,
        np.ones(trials, np.bool_),
        np.full(len(studies), NO_LIMIT),
        reached,
        fewest,
        first,
        before=before[fastest_trials(table, reached)],
    )


def _stops(study: Searched, margin: float | None) -> list[StopReason]:
    """Beaten: what did not reach the goal within the margin. How far such a trial came does not count."""
    best = min((steps for steps in study.steps if steps is not None), default=None)
    cut = best is not None and bool(margin) and beaten_at(best, margin or 0.0) < study.budget
    return [StopReason.BEATEN if cut and steps is None else StopReason.BUDGET for steps in study.steps]
