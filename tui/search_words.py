"""Trials of a search, its batch sizes and what answers its warnings in words, for the Metaparameters screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from hvdsweep.states import Status
from tui.words import count, number, plural

if TYPE_CHECKING:
    from hvdsweep.curves.curve_data import Curve, CurvePoint

REMEDIES = {
    "boundary": "x widens its range",
    "budget": "x doubles the budget",
    "few_reached": "x doubles the trials",
}
"""What is wrong -> what the key does about it."""


def trial_words(curve: Curve, trial: int) -> str:
    """What became of a trial (its index in the curve's table), and its metaparameters."""
    result = curve.result
    table = result.table
    steps = int(result.trial_steps[trial])
    if table.status[trial] == Status.INFEASIBLE:
        came = f"diverged at step {count(int(table.steps[trial]))}"
    elif steps >= 0:
        came = f"reached in {plural(steps, 'step')}"
    else:
        came = f"best {number(float(table.best_value[trial]), 3)}"
        if table.stopped[trial]:
            came = f"stopped after {plural(int(table.steps[trial]), 'step')}, {came}"
    names = sorted(table.parameters_of(trial).items(), key=lambda item: item[0] != "learning_rate")
    values = [f"{name.replace('_', ' ')} {number(value)}" for name, value in names]
    return " · ".join([f"trial {int(table.number[trial])}: {came}", *values])


def best_words(point: CurvePoint, rate: float) -> str:
    values = [f"{name.replace('_', ' ')} {number(value)}" for name, value in sorted(point.parameters.items())]
    return " · ".join([f"at {count(point.batch_size)}: {number(rate)}", *values, f"trial {point.trial}"])


def size_choices(curve: Curve) -> list[tuple[str, Content]]:
    """(name, words) of each batch size: muted where no trial reached the goal, marked where a changed sweep is advised."""
    choices = []
    for point in curve.points:
        doubtful = any(str(warning.kind) in REMEDIES for warning in point.warnings)
        words = (count(point.batch_size), "" if point.reached else "$foreground-muted")
        choices.append(
            (str(point.batch_size), Content.assemble(words, ("⚠", "$warning") if doubtful else ""))
        )
    return choices
