"""PAPER section 8 written out slowly in pandas and plain loops, on every measurement, and random workloads to try it on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from hvdsweep.curves import WorkloadTable
from hvdsweep.states import Status, StopReason


@dataclass
class Trial:
    """One trial with all its measurements, best or not."""

    number: int
    measurements: list[tuple[int, float]]
    status: Status = Status.COMPLETE
    stop_reason: StopReason = StopReason.BUDGET
    steps: int = 100
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass
class Study:
    """The trials of one batch size."""

    batch_size: int
    trials: list[Trial]
    train_steps: int = 100
    target_trials: int = 0


def table(
    studies: Sequence[Study],
    *,
    maximize: bool = False,
    goal: float | None = 0.5,
    train_examples: int | None = 1000,
    workload: str = "data/model/sgd",
) -> WorkloadTable:
    """The table of running-best records, found by a loop over every measurement."""
    studies = sorted(studies, key=lambda study: study.batch_size)
    trials = [
        (index, trial)
        for index, study in enumerate(studies)
        for trial in sorted(study.trials, key=lambda trial: trial.number)
    ]
    names = sorted({name for _, trial in trials for name in trial.parameters})
    offsets, steps, values = [0], [], []
    for _, trial in trials:
        best = -math.inf if maximize else math.inf
        for step, value in sorted(trial.measurements):
            if math.isfinite(value) and (value > best if maximize else value < best):
                best = value
                steps.append(step)
                values.append(value)
        offsets.append(len(steps))
    return WorkloadTable(
        workload=workload,
        metric="val/classification_error",
        maximize=maximize,
        goal=goal,
        train_examples=train_examples,
        batch_sizes=np.array([study.batch_size for study in studies], np.int64),
        train_steps=np.array([study.train_steps for study in studies], np.int64),
        target_trials=np.array([study.target_trials for study in studies], np.int64),
        study=np.array([index for index, _ in trials], np.int64),
        trial_id=np.array([1000 + place for place in range(len(trials))], np.int64),
        number=np.array([trial.number for _, trial in trials], np.int64),
        status=np.array([trial.status for _, trial in trials], np.uint8),
        stop_reason=np.array([trial.stop_reason for _, trial in trials], np.uint8),
        steps=np.array([trial.steps for _, trial in trials], np.int64),
        parameters={
            name: np.array([trial.parameters.get(name, math.nan) for _, trial in trials]) for name in names
        },
        offsets=np.array(offsets, np.int64),
        record_step=np.array(steps, np.int64),
        record_value=np.array(values, np.float64),
    )


def frame(studies: Sequence[Study]) -> pd.DataFrame:
    """Every measurement of every trial, one row each, in an order that means nothing."""
    rows = [
        (study.batch_size, trial.number, trial.status.name, step, value)
        for study in reversed(studies)
        for trial in reversed(study.trials)
        for step, value in reversed(trial.measurements)
    ]
    columns = {
        "batch_size": "int64",
        "trial": "int64",
        "status": "object",
        "step": "int64",
        "value": "float64",
    }
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def first_trials(study: Study, statuses: Sequence[Status], num_trials: int | None) -> list[int]:
    """Section 8.1: the first N counted trials by integer number; ValueError where there are fewer."""
    numbers = sorted(trial.number for trial in study.trials if trial.status in statuses)
    if num_trials is not None and len(numbers) < num_trials:
        raise ValueError(f"only {len(numbers)}")
    return numbers[:num_trials]


def within_budgets(
    rows: pd.DataFrame, batch_size: int, step_budget: float | None, example_budget: float | None
) -> pd.DataFrame:
    """Section 8.3."""
    if step_budget is not None:
        rows = rows[rows["step"] <= step_budget]
    if example_budget is not None:
        rows = rows[batch_size * rows["step"] <= example_budget]
    return rows


def steps_to_result(
    studies: Sequence[Study],
    goal: float,
    maximize: bool = False,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = (Status.COMPLETE,),
) -> dict[int, tuple[int, int] | None]:
    """Section 8.2: batch size -> (step, trial number), None where the goal was not reached."""
    everything = frame(studies)
    found: dict[int, tuple[int, int] | None] = {}
    for study in studies:
        numbers = first_trials(study, statuses, num_trials)
        rows = everything[(everything["batch_size"] == study.batch_size) & everything["trial"].isin(numbers)]
        rows = within_budgets(rows, study.batch_size, step_budget, example_budget)
        rows = rows[np.isfinite(rows["value"])]
        rows = rows[rows["value"] > goal] if maximize else rows[rows["value"] < goal]
        rows = rows.sort_values(["step", "trial"])
        found[study.batch_size] = (
            None if rows.empty else (int(rows.iloc[0]["step"]), int(rows.iloc[0]["trial"]))
        )
    return found


def best_measurement(
    studies: Sequence[Study],
    maximize: bool = False,
    step_budget: float | None = None,
    example_budget: float | None = None,
    num_trials: int | None = None,
    statuses: Sequence[Status] = (Status.COMPLETE,),
) -> dict[int, tuple[float, int, int] | None]:
    """Section 8.4: batch size -> (value, step, trial number), None without any measurement."""
    everything = frame(studies)
    found: dict[int, tuple[float, int, int] | None] = {}
    for study in studies:
        numbers = first_trials(study, statuses, num_trials)
        rows = everything[(everything["batch_size"] == study.batch_size) & everything["trial"].isin(numbers)]
        rows = within_budgets(rows, study.batch_size, step_budget, example_budget)
        rows = rows[np.isfinite(rows["value"])]
        rows = rows.sort_values(["value", "step", "trial"], ascending=[not maximize, True, True])
        if rows.empty:
            found[study.batch_size] = None
        else:
            top = rows.iloc[0]
            found[study.batch_size] = (float(top["value"]), int(top["step"]), int(top["trial"]))
    return found


VALUES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, math.nan, math.inf, -math.inf)
"""Few, so that ties are common."""


@st.composite
def trials(draw: st.DrawFn, number: int) -> Trial:
    """A trial evaluated at uneven steps, with ties, NaN and infinities."""
    steps = sorted(draw(st.sets(st.integers(0, 12), max_size=8)))
    measurements = [(step, draw(st.sampled_from(VALUES))) for step in steps]
    return Trial(
        number,
        measurements,
        status=draw(st.sampled_from([Status.COMPLETE] * 4 + list(Status))),
        stop_reason=draw(st.sampled_from([StopReason.BUDGET, StopReason.GOAL, StopReason.BEATEN])),
        steps=max(steps, default=0) + draw(st.integers(0, 2)),
        parameters=draw(
            st.fixed_dictionaries(
                {"learning_rate": st.sampled_from([0.01, 0.1, 1.0])},
                optional={"momentum": st.sampled_from([0.0, 0.9, 0.99])},
            )
        ),
    )


@st.composite
def workloads(draw: st.DrawFn, max_trials: int = 6) -> list[Study]:
    """One to four studies, some without trials."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 8, 64]), min_size=1, max_size=4, unique=True))
    studies = []
    for size in sizes:
        numbers = draw(st.lists(st.integers(0, 20), max_size=max_trials, unique=True))
        studies.append(
            Study(
                size,
                [draw(trials(number)) for number in numbers],
                train_steps=draw(st.sampled_from([0, 4, 8, 12])),
                target_trials=draw(st.integers(0, 4)),
            )
        )
    return studies


goals = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.3, 0.5, 0.65, 1.0, -math.inf, math.inf])
budgets = st.none() | st.integers(0, 14) | st.sampled_from([2.5, 11.999, 24.0, math.inf])
