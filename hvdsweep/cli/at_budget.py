"""`hvdsweep curve --at-budget`: the best measurement of every batch size at equal steps, examples or epochs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hvdsweep.cli.columns import table
from hvdsweep.errors import UserError
from hvdsweep.tokens import tokens_for
from hvdsweep.visible import visible
from hvdsweep.words import short, whole

if TYPE_CHECKING:
    from hvdsweep.curves.measurements import BudgetCurves
    from hvdsweep.curves.question import Question
    from hvdsweep.curves.table import WorkloadTable
    from hvdsweep.figures.figure import Figure
    from hvdsweep.store.rows import WorkloadRow
    from hvdsweep.store.store import Store

UNITS = {
    "": "steps",
    "step": "steps",
    "example": "examples",
    "sample": "examples",
    "token": "tokens",
    "epoch": "epochs",
}


def parse_budget(text: str) -> tuple[str, float]:
    """(unit, number) of `500`, `500 steps`, `64000 examples`, `1e6 samples`, `1e9 tokens` or `20 epochs`. UserError for
    anything else."""
    found = re.fullmatch(r"\s*([0-9][0-9_,]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s*([a-z]*?)s?\s*", text)
    if found is None or found[2] not in UNITS:
        raise UserError(
            f"--at-budget: {text}: must be a number of steps, examples, tokens or epochs: 500, '64000 examples', '1e6 tokens', "
            "'20 epochs'"
        )
    value = float(found[1].replace(",", "").replace("_", ""))
    if not math.isfinite(value):
        raise UserError(f"--at-budget: {text}: is too large")
    return UNITS[found[2]], value


@dataclass(frozen=True, eq=False)
class AtBudget:
    """One workload at equal budgets."""

    sweep: int
    table: WorkloadTable
    curves: tuple[BudgetCurves, ...]
    """One per unit."""
    tokens_per_example: int | None = None
    """Set if some budgets are in tokens."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; null if the study trained less than the budget, or measured nothing."""
        return {
            "workload": self.table.workload,
            "sweep": self.sweep,
            "metric": self.table.metric,
            "maximize": self.table.maximize,
            "at_budget": [
                {
                    "budget": budget,
                    "unit": lines.unit,
                    "batch_sizes": lines.batch_sizes.tolist(),
                    "values": [None if math.isnan(value) else value for value in values],
                    "trials": [None if trial < 0 else int(self.table.number[trial]) for trial in trials],
                    "best_batch_size": self._best(lines.batch_sizes.tolist(), values),
                }
                for lines in self.curves
                for budget, values, trials in zip(
                    lines.budgets.tolist(), lines.value.tolist(), lines.trial.tolist(), strict=True
                )
            ],
        }

    def _best(self, sizes: Sequence[int], values: Sequence[float]) -> int | None:
        known = [(value, size) for size, value in zip(sizes, values, strict=True) if not math.isnan(value)]
        sign = -1 if self.table.maximize else 1
        return min(known, key=lambda one: (sign * one[0], one[1]))[1] if known else None

    def lines(self) -> list[str]:
        """A table, a row per batch size and a column per budget; the best batch size of each."""
        found = self.to_json()["at_budget"]
        titles = [f"{short(one['budget'])} {one['unit']}" for one in found]
        rows = [
            [whole(size), *(short(one["values"][index]) for one in found)]
            for index, size in enumerate(self.table.batch_sizes.tolist())
        ]
        bests = ["best batch size", *(whole(one["best_batch_size"]) for one in found)]
        head = visible(f"{self.table.workload}   best {self.table.metric} at equal budgets")
        return [head, "", *table(["batch size", *titles], [*rows, bests])]

    def figure(self) -> Figure:
        """The same as charts, one per unit."""
        from hvdsweep.figures.figure import Figure
        from hvdsweep.figures.panels import budgets_panel

        panels = [
            budgets_panel(
                self.table,
                self.table.workload,
                **_given(lines.unit, lines.budgets.tolist(), self.tokens_per_example),
            )
            for lines in self.curves
        ]
        return Figure("at-budget", "Best error against batch size", 2, tuple(panels))


def at_budgets(
    reader: Store, row: WorkloadRow, question: Question, budgets: Sequence[tuple[str, float]]
) -> AtBudget:
    """The workload at these (unit, number). UserError: epochs without a known number of training examples, or tokens
    for a workload without them."""
    from hvdsweep.curves.measurements import best_under_budgets

    found = reader.workload_table(row.name, question.metric, row.sweep_id, question.maximize)
    by_unit: dict[str, list[float]] = {}
    for unit, value in budgets:
        by_unit.setdefault(unit, []).append(value)
    tokens = tokens_for(reader, row, "tokens") if "tokens" in by_unit else None
    curves = [
        best_under_budgets(
            found,
            num_trials=question.num_trials,
            statuses=question.statuses,
            **_given(unit, values, tokens),
        )
        for unit, values in by_unit.items()
    ]
    return AtBudget(row.sweep_id, found, tuple(curves), tokens)


def _given(unit: str, values: list[float], tokens: int | None) -> dict[str, Any]:
    """Budgets as arguments of `best_under_budgets`."""
    return {"examples": values, "tokens_per_example": tokens} if unit == "tokens" else {unit: values}
