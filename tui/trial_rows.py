"""Trials as rows of a table: which columns, what they say, and which name of the filter language each sorts by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from textual.content import Content

from hvdsweep.repeats import trial_name
from hvdsweep.states import Status, StopReason
from hvdsweep.store.rows import TrialRow
from hvdsweep.visible import visible
from tui.widgets.columns import Cell, Column, Row
from tui.words import STATUSES, count, duration, number, sign

FIRST = (
    Column("id", "trial", 6, right=True, fixed=True, sort="id"),
    Column("workload", "workload", 10, grow=True, fixed=True, sort="workload"),
    Column("batch_size", "batch", 6, right=True, fixed=True, sort="batch_size"),
    Column("status", "status", 12, fixed=True, sort="status"),
    Column("steps", "steps", 8, right=True, sort="steps"),
    Column("best", "best", 8, right=True, sort="best"),
    Column("goal_step", "goal at", 8, right=True, sort="goal_step"),
)
LAST = (
    Column("seconds", "time", 12, right=True, sort="seconds"),
    Column("number", "number", 6, right=True, sort="number"),
    Column("attempts", "failures", 8, right=True, sort="attempts"),
)

SHORT = {
    "learning_rate": "rate",
    "learning_rate_decay_steps": "decay steps",
    "end_learning_rate_factor": "end factor",
}
"""Metaparameters with long names -> titles."""


def columns_of(parameters: Sequence[str]) -> tuple[Column, ...]:
    """The columns where trials have these metaparameters."""
    middle = [
        Column(
            f"parameters.{name}",
            SHORT.get(name, name.replace("_", " ")),
            max(9, len(SHORT.get(name, name)) + 2),
            right=True,
            sort=f"parameters.{name}",
        )
        for name in parameters
    ]
    return (*FIRST, *middle, *LAST)


def parameters_of(trials: Iterable[TrialRow]) -> tuple[str, ...]:
    """The metaparameters that some of the trials have: the learning rate first, momentum next, then by name."""
    names = {name for trial in trials for name in trial.parameters}
    order = {"learning_rate": 0, "momentum": 1}
    return tuple(sorted(names, key=lambda name: (order.get(name, 2), name)))


def row_of(trial: TrialRow, parameters: Sequence[str], names: Mapping[str, str]) -> Row:
    """A trial's row; `names` shortens workloads."""
    seconds = trial.ended - trial.started if trial.started is not None and trial.ended is not None else None
    cells: tuple[Cell, ...] = (
        str(trial.id),
        names.get(trial.workload, trial.workload),
        str(trial.batch_size),
        outcome(trial),
        count(trial.steps) if trial.steps else "",
        number(trial.best) if trial.best is not None else "",
        count(trial.goal_step) if trial.goal_step is not None else "",
        *(number(trial.parameters[name]) if name in trial.parameters else "" for name in parameters),
        duration(seconds) if seconds is not None else "",
        trial_name(trial.number).replace(" repeat ", "·"),
        str(trial.attempts or ""),
    )
    return Row(str(trial.id), cells)


class TrialRows:
    """Rows of the trials in view, made again only for trials that have changed: most have long ended."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[TrialRow, Row]] = {}
        self._how: tuple[tuple[str, ...], dict[str, str]] = ((), {})

    def of(
        self, trials: Sequence[TrialRow], parameters: Sequence[str], names: Mapping[str, str]
    ) -> list[Row]:
        """The rows of `trials`, as `row_of` makes them."""
        how = (tuple(parameters), dict(names))
        known = self._said if how == self._how else {}
        said = {}
        for trial in trials:
            before = known.get(trial.id)
            row = before[1] if before and before[0] == trial else row_of(trial, parameters, names)
            said[trial.id] = (trial, row)
        self._said, self._how = said, how
        return [row for _, row in said.values()]


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
