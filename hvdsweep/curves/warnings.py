"""Why a point of a curve may not be the final answer: search too narrow, budget too short, too few successes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from hvdsweep.curves.measurements import BestMeasurements
from hvdsweep.curves.outcomes import NEVER, StepsToResult
from hvdsweep.curves.table import WorkloadTable
from hvdsweep.search import Space
from hvdsweep.states import Status


class WarningKind(StrEnum):
    """The subject of a warning."""

    BOUNDARY = "boundary"
    """The best trial lies at the edge of the search space; a better one may lie beyond."""
    BUDGET = "budget"
    """The best trial was cut short by the budget."""
    FEW_REACHED = "few_reached"
    """Too few trials reached the goal to trust their minimum, even if all trials stopped early had reached it."""
    AT_START = "at_start"
    """The goal is reached before any training, so it does not measure training."""
    UNFINISHED = "unfinished"
    """The study does not have all its trials yet."""
    STOPPED = "stopped"
    """Trials stopped early because of the sweep's own goal might have changed the answer at this goal."""


@dataclass(frozen=True)
class CurveWarning:
    """One reason to doubt a point: a word for programs and a sentence for people."""

    kind: WarningKind
    message: str

    def to_json(self) -> dict[str, str]:
        return {"kind": str(self.kind), "message": self.message}


@dataclass(frozen=True)
class Limits:
    """When to warn. The paper gives no numbers; these are documented options."""

    boundary: float = 0.05
    """Share of the scaled range that counts as its edge."""
    last_steps: float = 0.05
    """Share of the budget that counts as its end."""
    min_reached: int = 3
    """Warn if fewer trials than this reached the goal,"""
    min_share_reached: float = 0.10
    """or a smaller share of the study's trials."""


def space_from(search: Mapping[str, Any] | Space | None) -> Space | None:
    """A study's search space from the JSON of the store; None if there is none or it describes no space."""
    if search is None or isinstance(search, Space):
        return search
    try:
        return Space.from_json(search)
    except (TypeError, ValueError, AttributeError):
        return None


def warnings_for(
    result: StepsToResult,
    best: BestMeasurements,
    searches: Mapping[int, Mapping[str, Any] | Space] | None = None,
    limits: Limits | None = None,
) -> list[tuple[CurveWarning, ...]]:
    """The reasons to doubt each of the S points. `searches`: batch size -> the study's search space."""
    limits = limits or Limits()
    table = result.table
    counted, reached, leaning = result.trials_counted, result.trials_reached, result.trials_undecided
    censored = result.trials_censored
    studies = len(table.batch_sizes)
    held = np.bincount(table.study[table.status == Status.COMPLETE], minlength=studies)
    going_on = (table.status == Status.PENDING) | (table.status == Status.RUNNING)
    left = np.bincount(table.study[going_on], minlength=studies)
    found: list[tuple[CurveWarning, ...]] = []
    for index, size in enumerate(table.batch_sizes.tolist()):
        here: list[CurveWarning] = []
        trial = int(result.trial[index] if result.steps[index] != NEVER else best.trial[index])
        if trial != NEVER:
            space = space_from((searches or {}).get(size))
            here += [] if space is None else _boundary(table, trial, space, limits)
            here += _budget(result, best, index, trial, limits)
        # A trial stopped because another one was ahead has not failed to reach the goal.
        possible = int(reached[index] + censored[index])
        if counted[index] and (
            possible < limits.min_reached or possible < limits.min_share_reached * counted[index]
        ):
            text = _few(int(reached[index]), int(censored[index]), int(counted[index]))
            here.append(CurveWarning(WarningKind.FEW_REACHED, text))
        if result.steps[index] == 0:
            here.append(
                CurveWarning(
                    WarningKind.AT_START,
                    "the initial weights reach the goal, at step 0: use a stricter goal",
                )
            )
        target = int(table.target_trials[index])
        if left[index] or held[index] < target:
            of = f" of {target}" if target else ""
            more = f", {left[index]} to come" if left[index] else ""
            here.append(CurveWarning(WarningKind.UNFINISHED, f"{held[index]}{of} trials complete{more}"))
        if leaning[index]:
            here.append(
                CurveWarning(
                    WarningKind.STOPPED,
                    f"{leaning[index]} {'trial was' if leaning[index] == 1 else 'trials were'} stopped before this answer, "
                    "because of the sweep's own goal: it may be better than shown",
                )
            )
        found.append(tuple(here))
    return found


def _few(reached: int, censored: int, counted: int) -> str:
    if reached + censored < counted:
        were = "was" if censored == 1 else "were"
        stopped = f", and {censored} {were} stopped before reaching it" if censored else ""
        return f"{f'only {reached}' if reached else 'none'} of {counted} trials reached the goal{stopped}"
    return (
        f"only {counted} {'trial counts' if counted == 1 else 'trials count'}: the best of more may be better"
    )


def _boundary(table: WorkloadTable, trial: int, space: Space, limits: Limits) -> list[CurveWarning]:
    found = []
    for name, value in table.parameters_of(trial).items():
        if space.boundary_distance(name, value) >= limits.boundary:
            continue
        dimension = space.dimensions[name]
        low, high = getattr(dimension, "min", value), getattr(dimension, "max", value)
        end = "lower" if abs(float(dimension.to_unit(value))) < 0.5 else "upper"
        found.append(
            CurveWarning(
                WarningKind.BOUNDARY,
                f"best {name} {value:.4g} is within {limits.boundary:.0%} of the {end} end of its range "
                f"({low:g} to {high:g})",
            )
        )
    return found


def _budget(
    result: StepsToResult, best: BestMeasurements, index: int, trial: int, limits: Limits
) -> list[CurveWarning]:
    table = result.table
    # A trial stopped at its goal has made few steps, but was allowed the study's budget; some run longer.
    planned = max(int(table.train_steps[index]), int(table.steps[trial]))
    limit = int(result.limit[index])
    end = min(planned, limit)
    if result.steps[index] != NEVER:
        steps = int(result.steps[index])
        if end > 0 and steps > (1 - limits.last_steps) * end:
            return [
                CurveWarning(
                    WarningKind.BUDGET,
                    f"goal reached at step {steps} of {end}: a longer budget may do better",
                )
            ]
        return []
    if int(best.step[index]) >= max((1 - limits.last_steps) * end, 1):
        return [
            CurveWarning(
                WarningKind.BUDGET,
                f"goal not reached, and the best trial was still improving in the last {limits.last_steps:.0%} of its "
                f"{end} steps",
            )
        ]
    return []
