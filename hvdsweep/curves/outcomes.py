"""Steps to result: the first step at which a study's trials are strictly beyond a goal, within budgets, with censoring.

Exactly as in the paper's released analysis (section 8 of the protocol): ties go to the smallest trial number, values
that are not finite never pass, nothing is interpolated, budgets are inclusive. A batch size that never reaches the goal
is kept, as not reached within its budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hvdsweep.curves.table import COMPLETE_ONLY, Bools, Floats, Ints, WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status
from hvdsweep.stopping import beaten_at

NEVER = -1
"""In arrays of steps and of trial indices: the goal was not reached."""

NO_LIMIT = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, eq=False)
class StepsToResult:
    """The result of every study and trial of a table at one goal: S studies, T trials."""

    table: WorkloadTable
    goal: float
    counted: Bools
    """[T], the trials that counted."""
    limit: Ints
    """[S], last step that the requested budgets allow; the largest integer if none was requested."""
    trial_steps: Ints
    """[T], the step at which a counted trial reached the goal, or NEVER."""
    steps: Ints
    """[S], the least of them, or NEVER."""
    trial: Ints
    """[S], index of that trial, the smallest number on ties, or NEVER."""
    step_budget: float | None = None
    """As requested, like the next two."""
    example_budget: float | None = None
    num_trials: int | None = None
    before: Ints | None = None
    """[F], the last record before the goal of `spread.fastest_trials`; None: the table's records have it."""

    @cached_property
    def reached(self) -> Bools:
        """[S], whether any counted trial reached the goal."""
        reached: Bools = self.steps != NEVER
        return reached

    @cached_property
    def trials_reached(self) -> Ints:
        """[S], how many counted trials reached the goal."""
        return _per_study(self.table, self.trial_steps != NEVER)

    @cached_property
    def trials_counted(self) -> Ints:
        """[S], how many trials counted."""
        return _per_study(self.table, self.counted)

    @cached_property
    def budget(self) -> Ints:
        """[S], the steps within which a study that did not reach the goal failed to.

        The study's own budget, or the requested one if that is less. For a study with a wall-time budget, or of which
        only running trials count, the most steps of any of its counted trials.
        """
        table = self.table
        longest = np.zeros(len(table.batch_sizes), np.int64)
        np.maximum.at(longest, table.study[self.counted], table.steps[self.counted])
        ended = self.counted & (table.status != Status.RUNNING)
        only_running = (_per_study(table, ended) == 0) & (self.trials_counted > 0)
        known = (table.train_steps > 0) & ~only_running
        return np.minimum(self.limit, np.where(known, table.train_steps, longest))

    @cached_property
    def ranked(self) -> tuple[Ints, Ints]:
        """Steps of all trials that reached the goal, ascending within each study, and each study's start [S + 1]."""
        trials = self.fastest_first
        starts = np.searchsorted(self.table.study[trials], np.arange(len(self.steps) + 1))
        return self.trial_steps[trials], starts.astype(np.int64)

    @cached_property
    def fastest_first(self) -> Ints:
        """Indices of the trials that reached the goal, see `fastest_first`."""
        return fastest_first(self.table, self.trial_steps)

    @cached_property
    def horizon(self) -> Floats:
        """[S], steps up to which those of every trial are known, whichever trials ran at the same time; inf if all are.

        If beaten trials are trained up to a margin, how far beyond they came is chance: a study's scatter must not depend on it.
        """
        table = self.table
        found = np.full(len(self.steps), np.inf)
        if table.margin and self.goal == table.goal:
            limits = [beaten_at(steps, table.margin) for steps in self.steps[self.reached].tolist()]
            found[self.reached] = limits
        return found

    def unanswered(self, until: Ints) -> Bools:
        """[T], counted trials stopped because of the sweep's own goal that might have answered before `until` [S].

        Such a trial stopped before it reached this goal, and at a step below both the requested budget and `until`
        (NEVER: no bound): with more steps, it could have changed the answer.
        """
        table = self.table
        stopped = table.stopped & self.counted & (self.trial_steps == NEVER)
        horizon = np.minimum(np.where(until == NEVER, NO_LIMIT, until), self.limit)
        early: Bools = stopped & (table.steps < horizon[table.study])
        return early

    @cached_property
    def trials_undecided(self) -> Ints:
        """[S], how many such trials could have changed the answer; 0 if stopping lost nothing."""
        return _per_study(self.table, self.unanswered(self.steps))

    @cached_property
    def trials_censored(self) -> Ints:
        """[S], how many counted trials were stopped because of the sweep's own goal before they reached this one.

        They need more steps than they made; how many is unknown. A trial that used up a requested budget has answered,
        and is not counted here.
        """
        table = self.table
        unknown = table.stopped & self.counted & (self.trial_steps == NEVER)
        return _per_study(table, unknown & (table.steps < self.limit[table.study]))

    @cached_property
    def trials_stopped_early(self) -> Ints:
        """[S], how many counted trials ended before their study's budget because of the sweep's own goal, reached or
        not.

        With the full budget they might have diverged later; then they would not count, and others would replace them.
        """
        table = self.table
        early = table.stopped & self.counted & (table.steps < table.train_steps[table.study])
        return _per_study(table, early)


def steps_to_result(
    table: WorkloadTable,
    goal: float | None = None,
    *,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = COMPLETE_ONLY,
) -> StepsToResult:
    """The first step strictly beyond `goal` (default: the table's own) of every study.

    A measurement counts if step <= `step_budget` and batch size * step <= `example_budget`, in a trial of
    `statuses`, among the first `num_trials` of its study. UserError: no goal, a goal or budget that is not a number,
    or fewer trials than asked for.
    """
    goal = resolve_goal(table, goal)
    counted = table.counted(statuses, num_trials)
    limit = step_limits(table, step_budget, example_budget)
    # Records improve strictly, so a trial crosses the goal at most once: at the first record beyond it.
    if table.maximize:
        crossing = np.flatnonzero((table.record_value > goal) & (table.previous_value <= goal))
    else:
        crossing = np.flatnonzero((table.record_value < goal) & (table.previous_value >= goal))
    trial, step = table.record_trial[crossing], table.record_step[crossing]
    valid = counted[trial] & (step <= limit[table.study[trial]])
    trial, step = trial[valid], step[valid]
    trial_steps = np.full(len(table.study), NEVER)
    trial_steps[trial] = step
    steps, best = first_of_each(table, trial, step)
    return StepsToResult(
        table, goal, counted, limit, trial_steps, steps, best, step_budget, example_budget, num_trials
    )


def resolve_goal(table: WorkloadTable, goal: float | None) -> float:
    """The goal to use: the given one, else the sweep's own. UserError if there is none, or NaN."""
    value = table.goal if goal is None else goal
    if value is None:
        raise UserError(f"{table.workload}: {table.metric}: the sweep names no goal; give one (--goal X)")
    if math.isnan(value):
        raise UserError(f"{table.workload}: goal: {value}: is not a number")
    return float(value)


def step_limits(table: WorkloadTable, step_budget: float | None, example_budget: float | None) -> Ints:
    """[S], the last step inside both budgets, inclusive (paper, section 8.3). UserError below 0 or NaN."""
    limit = np.full(len(table.batch_sizes), NO_LIMIT)
    for name, budget in (("step budget", step_budget), ("example budget", example_budget)):
        if budget is None or budget == math.inf:
            continue
        if not budget >= 0:
            raise UserError(f"{table.workload}: {name}: {budget}: must be a number not below 0")
        # Steps and batch sizes are whole, so batch_size * step <= budget is step <= floor(budget) // batch_size.
        whole = math.floor(budget)
        per_step = table.batch_sizes.tolist() if name == "example budget" else [1] * len(limit)
        limit = np.minimum(limit, np.array([min(whole // size, NO_LIMIT) for size in per_step], np.int64))
    return limit


def fastest_first(table: WorkloadTable, trial_steps: Ints) -> Ints:
    """Indices of the trials that reached the goal, ordered by study, steps, and number."""
    trials = np.flatnonzero(trial_steps != NEVER)
    order: Ints = trials[np.lexsort((trial_steps[trials], table.study[trials]))]
    return order


def first_of_each(table: WorkloadTable, trial: Ints, step: Ints) -> tuple[Ints, Ints]:
    """Per study: the least step and the first trial that has it, NEVER if none; `trial` ascends, so that is the
    smallest number."""
    studies = len(table.batch_sizes)
    steps, best = np.full(studies, NEVER), np.full(studies, NEVER)
    if len(trial):
        study = table.study[trial]
        starts = np.flatnonzero(np.concatenate(([True], study[1:] != study[:-1])))
        least = np.minimum.reduceat(step, starts)
        present = study[starts]
        steps[present] = least
        ties = np.flatnonzero(step == steps[study])[::-1]
        best[study[ties]] = trial[ties]  # written backwards: the first tie of a study stays
    return steps, best


def _per_study(table: WorkloadTable, flags: Bools) -> Ints:
    return np.bincount(table.study[flags], minlength=len(table.batch_sizes)).astype(np.int64)
