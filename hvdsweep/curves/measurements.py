"""Best measurements: of every trial within a step limit, of a study, and against batch size for several budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvdsweep.curves.outcomes import NEVER, NO_LIMIT, step_limits
from hvdsweep.curves.table import COMPLETE_ONLY, Bools, Floats, Ints, WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status


@dataclass(frozen=True, eq=False)
class BestMeasurements:
    """The best objective of every study; ties: the earliest step, then the smallest trial number (section 8.4)."""

    table: WorkloadTable
    value: Floats
    """[S], NaN if no counted trial has a measurement in the budget."""
    step: Ints
    """[S], or NEVER."""
    trial: Ints
    """[S], index of the trial, or NEVER."""
    trials_undecided: Ints
    """[S], counted trials stopped before the budget because of the sweep's own goal: they might have gone lower."""


def best_measurements(
    table: WorkloadTable,
    *,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = COMPLETE_ONLY,
) -> BestMeasurements:
    """The best measurement of every study within inclusive budgets. UserError: see `steps_to_result`."""
    counted = table.counted(statuses, num_trials)
    return _best(table, counted, step_limits(table, step_budget, example_budget))


def trial_best(table: WorkloadTable, limit: Ints | None = None) -> tuple[Floats, Ints]:
    """Each trial's best measurement [T] and its step [T], up to `limit` [S] steps; NaN and NEVER if it has none."""
    if limit is None or bool((limit == NO_LIMIT).all()):
        last = table.offsets[1:][np.diff(table.offsets) > 0] - 1
    else:
        # The last record of a trial has no next step, which is then the largest integer.
        allowed = np.minimum(limit, NO_LIMIT - 1)[table.study]
        per_record = np.repeat(allowed, np.diff(table.offsets))
        last = np.flatnonzero((table.record_step <= per_record) & (table.next_step > per_record))
    value, step = np.full(len(table.study), np.nan), np.full(len(table.study), NEVER)
    trial = table.record_trial[last]
    value[trial], step[trial] = table.record_value[last], table.record_step[last]
    return value, step


def _best(table: WorkloadTable, counted: Bools, limit: Ints) -> BestMeasurements:
    value, step = trial_best(table, limit)
    usable = np.flatnonzero(counted & ~np.isnan(value))
    studies = len(table.batch_sizes)
    best = np.full(studies, NEVER)
    for worse in (-value if table.maximize else value, step):
        # The least of the remaining trials, study by study; after value and step only ties remain.
        least = np.full(studies, np.inf)
        np.minimum.at(least, table.study[usable], worse[usable])
        usable = usable[worse[usable] == least[table.study[usable]]]
    present, first = np.unique(table.study[usable], return_index=True)
    best[present] = usable[first]
    found = best != NEVER
    return BestMeasurements(
        table,
        np.where(found, value[best], np.nan) if len(value) else np.full(studies, np.nan),
        np.where(found, step[best], NEVER) if len(step) else np.full(studies, NEVER),
        best,
        stopped_below(table, counted, limit),
    )


def stopped_below(table: WorkloadTable, counted: Bools, limit: Ints) -> Ints:
    """[S], counted trials that stopped because of the sweep's own goal before `limit` [S] steps."""
    stopped = counted & table.stopped & (table.steps < limit[table.study])
    return np.bincount(table.study[stopped], minlength=len(limit)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class BudgetCurves:
    """Best error against batch size, one line per budget: K budgets, S batch sizes (the paper's Figure 11)."""

    unit: str
    """`steps`, `examples`, `tokens` or `epochs`."""
    budgets: Floats
    """[K]"""
    batch_sizes: Ints
    """[S]"""
    value: Floats
    """[K, S], NaN if the batch size does not enter the line or has no measurement."""
    trial: Ints
    """[K, S], index of the trial, or NEVER."""


def best_under_budgets(
    table: WorkloadTable,
    *,
    steps: Sequence[float] | None = None,
    epochs: Sequence[float] | None = None,
    examples: Sequence[float] | None = None,
    tokens_per_example: int | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = COMPLETE_ONLY,
) -> BudgetCurves:
    """Best error against batch size for budgets in steps, training examples or epochs (exactly one of them).

    A batch size is part of a line only if its study's training steps are at least the budget (examples / B; epochs N /
    B, with N training examples): section 8.8. So studies with a wall-time budget (0 steps) are in none. With
    `tokens_per_example`, `examples` are budgets in tokens. UserError if none or several are given, or epochs without a
    known number of training examples.
    """
    given = {"steps": steps, "examples": examples, "epochs": epochs}
    named = [name for name, values in given.items() if values is not None]
    if len(named) != 1:
        raise UserError(f"{table.workload}: budgets: give steps, examples or epochs, one of them")
    unit = named[0]
    budgets = np.asarray(given[unit], np.float64)
    if bool((~(budgets >= 0)).any()):
        raise UserError(f"{table.workload}: budgets: {budgets.tolist()}: must be numbers not below 0")
    if epochs is not None and table.train_examples is None:
        raise UserError(f"{table.workload}: epochs: the number of training examples is not known; give steps")
    counted = table.counted(statuses, num_trials)
    per_example = tokens_per_example or 1
    rows = []
    for budget in budgets.tolist():
        if unit == "steps":
            enough, limit = table.train_steps >= budget, step_limits(table, budget, None)
        else:
            allowed = budget * int(table.train_examples or 0) if unit == "epochs" else budget / per_example
            enough = table.train_steps * table.batch_sizes >= allowed
            limit = step_limits(table, None, allowed)
        found = _best(table, counted & enough[table.study], limit)
        rows.append((found.value, found.trial))
    shape = (len(budgets), len(table.batch_sizes))
    return BudgetCurves(
        "tokens" if unit == "examples" and tokens_per_example is not None else unit,
        budgets,
        table.batch_sizes,
        np.array([value for value, _ in rows]).reshape(shape),
        np.array([trial for _, trial in rows], np.int64).reshape(shape),
    )
