"""The repeats of a study's best trial: its steps without the luck of having been the best of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hvdsweep.curves import student
from hvdsweep.curves.outcomes import NEVER, StepsToResult, steps_to_result
from hvdsweep.curves.spread import evaluation_spacing
from hvdsweep.curves.table import Floats, WorkloadTable
from hvdsweep.repeats import repeat_of
from hvdsweep.states import Status

OF_MEAN = (
    "the mean steps of the best trial's metaparameters over seeds, by Student's t on ln(steps) of {n} repeats; "
    "the goal was reached anywhere between two evaluations"
)

ENDED = (Status.COMPLETE, Status.INFEASIBLE)


@dataclass(frozen=True)
class Repeats:
    """The repeats of one study's best trial."""

    trial: int
    """The number of the repeated trial, which determines the steps to the goal."""
    steps: tuple[int | None, ...]
    """To the goal, one per repeat that has ended, by number; None if it was not reached, or the repeat diverged."""
    trained: tuple[int, ...]
    """Steps within which each of them reached the goal or did not: those it trained; its budget if it diverged."""
    mean: float
    """Over the repeats; one that did not reach the goal counts with the steps it trained."""
    at_least: bool
    """Whether some repeat did not reach the goal: then the true mean is more than `mean`."""
    sd: float | None
    """None below two repeats, or if some did not reach the goal; the interval too."""
    interval: tuple[float, float] | None
    """Of the mean over arbitrarily many seeds."""
    luck: float
    """The share of the mean that the search's best saved: 1 - steps / mean. A lower limit if `at_least`."""

    @property
    def reached(self) -> int:
        return sum(step is not None for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "trial": self.trial,
            "repeats": len(self.steps),
            "reached": self.reached,
            "steps": list(self.steps),
            "mean": self.mean,
            "at_least": self.at_least,
            "sd": self.sd,
            "interval": None if self.interval is None else list(self.interval),
            "interval_of": None if self.interval is None else OF_MEAN.format(n=len(self.steps)),
            "luck": self.luck,
        }


def repeats_of(result: StepsToResult, table: WorkloadTable | None, level: float) -> list[Repeats | None]:
    """The repeats of each of the S studies' best trials, for the question that `result` answers; None if there are
    none. `table`: the repeats of the same workload and metric (`Store.workload_table(..., repeats=True)`)."""
    none: list[Repeats | None] = [None] * len(result.steps)
    if table is None or not len(table.study):
        return none
    answer = steps_to_result(
        table,
        result.goal,
        step_budget=result.step_budget,
        example_budget=result.example_budget,
        statuses=ENDED,
    )
    spacing = np.nan_to_num(evaluation_spacing(answer))
    place = {size: index for index, size in enumerate(table.batch_sizes.tolist())}
    repeated = np.array([(repeat_of(number) or (NEVER,))[0] for number in table.number.tolist()])
    for index, size in enumerate(result.table.batch_sizes.tolist()):
        if result.steps[index] <= 0 or size not in place:
            continue
        study = place[size]
        best = int(result.table.number[result.trial[index]])
        own = np.flatnonzero((table.study == study) & (repeated == best) & answer.counted)
        if len(own):
            # A diverged repeat would not reach the goal however long it trained.
            diverged = table.status[own] == Status.INFEASIBLE
            made = np.where(
                diverged, np.maximum(table.steps[own], table.train_steps[study]), table.steps[own]
            )
            trained = np.minimum(made, answer.limit[study])
            reached = np.where(diverged, NEVER, answer.trial_steps[own])
            none[index] = summary(
                best,
                int(result.steps[index]),
                reached.tolist(),
                trained.tolist(),
                float(spacing[study]),
                level,
            )
    return none


def summary(
    trial: int, best: int, steps: Sequence[int], trained: Sequence[int], spacing: float, level: float
) -> Repeats:
    """Mean, standard deviation, t interval and luck of n >= 1 repeats of `trial`, which took `best` steps.

    `steps` [n], NEVER if the goal was not reached after `trained` [n] steps. `spacing`: steps between evaluations.
    """
    censored = NEVER in steps
    values = np.array(
        [made if step == NEVER else step for step, made in zip(steps, trained, strict=True)], np.float64
    )
    mean = float(values.mean())
    sd = interval = None
    if len(values) > 1 and not censored:
        sd = float(values.std(ddof=1))
        interval = _interval(values, min(spacing, float(values.min())), level)
    found = tuple(None if step == NEVER else int(step) for step in steps)
    return Repeats(trial, found, tuple(trained), mean, censored, sd, interval, 1 - best / mean)


def _interval(steps: Floats, spacing: float, level: float) -> tuple[float, float] | None:
    """Of the mean, from the scatter of ln(steps) about it: step counts are positive, and scatter in proportion. None if
    nothing varies and the spacing is not known."""
    middle = steps - spacing / 2
    variance = max(float(np.log(middle).var(ddof=1)), (spacing / float(steps.mean())) ** 2 / 12)
    if variance <= 0:
        return None
    t = student.quantile((1 + level) / 2, len(steps) - 1)
    factor = math.exp(t * math.sqrt(variance / len(steps)))
    mean = float(middle.mean())
    return mean / factor, max(mean * factor, float(steps.mean()))
