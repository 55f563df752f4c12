"""Trials as rows of a table: which columns, what they say, and which name of the filter language each sorts by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from textual.content import Content

from hvdsweep.repeats import trial_name
from hvdsweep.states import Status, StopReason
from hvdsweep.store.rows import TrialRow
from hvdsweep.visible import visible
from tui.widgets.columns import Column
from tui.words import STATUSES, count, duration, number, sign

SHORT = {
    "learning_rate": "rate",
    "learning_rate_decay_steps": "decay steps",
    "end_learning_rate_factor": "end factor",
}
"""Metaparameters with long names -> titles."""


def columns_of(parameters: Sequence[str], names: Mapping[str, str]) -> list[Column[TrialRow]]:
    """The columns where trials have these metaparameters, each with the name by which the filter language sorts;
    `names` shortens workloads."""

    def value_of(name: str) -> Callable[[TrialRow], str]:
        return lambda trial: number(trial.parameters[name]) if name in trial.parameters else ""

    values: list[Column[TrialRow]] = [
        Column(
            SHORT.get(name, name.replace("_", " ")),
            max(9, len(SHORT.get(name, name)) + 2),
            value_of(name),
            right=True,
            sort=f"parameters.{name}",
        )
        for name in parameters
    ]
    return [
        Column("trial", 6, lambda trial: str(trial.id), right=True, fixed=True, sort="id"),
        Column(
            "workload",
            10,
            lambda trial: names.get(trial.workload, trial.workload),
            grow=True,
            fixed=True,
            sort="workload",
        ),
        Column("batch", 6, lambda trial: str(trial.batch_size), right=True, fixed=True, sort="batch_size"),
        Column("status", 12, outcome, fixed=True, sort="status"),
        Column("steps", 8, lambda trial: count(trial.steps) if trial.steps else "", right=True, sort="steps"),
        Column(
            "best", 8, lambda trial: "" if trial.best is None else number(trial.best), right=True, sort="best"
        ),
        Column("goal at", 8, _goal_at, right=True, sort="goal_step"),
        *values,
        Column("time", 12, _took, right=True, sort="seconds"),
        Column(
            "number",
            6,
            lambda trial: trial_name(trial.number).replace(" repeat ", "·"),
            right=True,
            sort="number",
        ),
        Column("failures", 8, lambda trial: str(trial.attempts or ""), right=True, sort="attempts"),
    ]


def _goal_at(trial: TrialRow) -> str:
    return "" if trial.goal_step is None else count(trial.goal_step)


def _took(trial: TrialRow) -> str:
    return "" if trial.started is None or trial.ended is None else duration(trial.ended - trial.started)


def parameters_of(trials: Iterable[TrialRow]) -> tuple[str, ...]:
    """The metaparameters that some of the trials have: the learning rate first, momentum next, then by name."""
    names = {name for trial in trials for name in trial.parameters}
    order = {"learning_rate": 0, "momentum": 1}
    return tuple(sorted(names, key=lambda name: (order.get(name, 2), name)))


def outcome(trial: TrialRow) -> Content:
    """The status, or what ended the trial where that says more."""
    if trial.status is Status.COMPLETE and trial.stop_reason in (StopReason.GOAL, StopReason.BEATEN):
        symbol, _, colour = STATUSES["COMPLETE"]
        return Content.styled(f"{symbol} {trial.stop_reason.name.lower()}", colour)
    return sign(STATUSES, trial.status.name)


def short_names(workloads: Sequence[str]) -> dict[str, str]:
    """Workload -> the parts of its name that differ from the others'; all of the last part if there is but one."""
    parts = [name.split("/") for name in workloads]
    if len(parts) < 2:
        return {name: visible(name.rpartition("/")[2]) for name in workloads}
    depth = min(map(len, parts))
    same = [place for place in range(depth) if len({part[place] for part in parts}) == 1]
    return {
        name: visible("/".join(word for place, word in enumerate(part) if place not in same) or name)
        for name, part in zip(workloads, parts, strict=True)
    }
