"""Curves of several workloads side by side: which ones, by which measure, and the chart of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from tui.screens.asking import Asking
from tui.screens.workload_place import group_of

if TYPE_CHECKING:
    from hvdsweep.charts import Chart
    from hvdsweep.curves.costs import Costs
    from hvdsweep.curves.scaling_curve import Curve
    from hvdsweep.store.rows import WorkloadRow
    from tui.field_views import FieldJob, View

Measure = Literal["steps", "examples", "time", "cost"]
MEASURES: tuple[Measure, ...] = ("steps", "examples", "time", "cost")

AT_FIRST = 4
"""Workloads of a sweep that are shown together at first; where it has more, only one."""


class CurvesPlace(Asking):
    """A place that compares curves: the current workload's and those that are kept beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[int] = set()
        """Workloads (their rows in the store) that are in the chart beside the current one."""
        self.measure: Measure = "steps"
        self.view: View = "curve"
        self.normalised = False
        self.curves: list[Curve] = []
        self.order: list[int] = []
        """Workloads of the curves in the chart."""

    def chosen(self, before: WorkloadRow | None, sweep: list[WorkloadRow]) -> None:
        if not self.kept or before is None or before.sweep_id != sweep[0].sweep_id:
            self.kept = {row.id for row in sweep} if len(sweep) <= AT_FIRST else set()

    def wanted(self) -> set[int]:
        return self.kept | super().wanted()

    def drawn(self) -> list[WorkloadRow]:
        """The workloads in the chart whose tables are there, in the order of the list."""
        wanted = self.wanted()
        return [row for row in self.listed() if row.id in wanted and self.desk.has(row.id)]

    @property
    def shows_points(self) -> bool:
        """Whether the chart's points are those of the curves, in their order."""
        return self.view == "curve" and self.measure not in ("time", "cost")

    def field_job(self, row: WorkloadRow) -> FieldJob:
        """What the current view shows of a workload in place of its curve."""
        from hvdsweep.curves.speeds import speeds, throughputs
        from tui.field_views import FieldJob, budgets_chart, ranks_chart, spread

        table, name, question = self.desk.table(row.id), self.names[row.id], self.question(row)
        about: tuple[object, ...] = (self.view, row.id, id(table), question)
        if self.view in ("steps", "examples"):
            examples = self.view == "examples"
            upto = question.example_budget if examples else question.step_budget
            lines = spread(self.desk.budgets([row.id], examples=examples), upto)
            return FieldJob((*about, *lines), partial(budgets_chart, table, name, self.view, lines), lines)
        own = self.goal(row)
        ladder = sorted(self.desk.goals([row.id], row.goal), reverse=not table.maximize)
        # The goal asked for is the hardest of them.
        easier = [goal for goal in ladder if own is None or (goal < own if table.maximize else goal > own)]
        lines = [*spread(easier)[1:], *([] if own is None else [own])]
        known = throughputs(speeds(self.speeds), table.workload)
        draw = partial(ranks_chart, table, name, lines, question, known)
        return FieldJob((*about, *lines, len(self.speeds)), draw, lines)

    def alike(self, row: WorkloadRow) -> list[int]:
        """The workloads in the chart that share the goal with `row`."""
        return [other.id for other in self.drawn() if group_of(other) == group_of(row)] or [row.id]

    def computed(self, rows: Sequence[WorkloadRow]) -> list[Curve]:
        """Their curves as they are asked for."""
        from hvdsweep.curves.chart import CROWDED

        base = self.base(rows) if self.normalised else None
        # In one chart all count alike.
        tokens = all(self.desk.has_tokens(row.id) for row in rows)
        found = []
        for row in rows:
            goal = self.goal(row)
            assert goal is not None
            current = row.id == self.current
            intervals = current or len(rows) <= CROWDED
            found.append(
                self.desk.curve(
                    row.id,
                    goal,
                    self.question(row),
                    normalise=base,
                    whole=current,
                    intervals=intervals,
                    tokens=tokens,
                )
            )
        return found

    def base(self, rows: Sequence[WorkloadRow]) -> int | None:
        """The smallest batch size at which all of them reached their goals."""
        reached: set[int] | None = None
        for row in rows:
            goal = self.goal(row)
            assert goal is not None
            curve = self.desk.curve(row.id, goal, self.question(row), whole=False, intervals=False)
            here = {point.batch_size for point in curve.points if point.steps}
            reached = here if reached is None else reached & here
        return min(reached, default=None) if reached else None

    def costs(self, focus: int | None) -> list[Costs]:
        """Time and cost of every curve, where speeds are known; as long as they are not drawn, only that of one."""
        from hvdsweep.curves.costs import time_to_goal
        from hvdsweep.curves.speeds import speeds, throughputs

        known = speeds(self.speeds)
        wanted = range(len(self.curves)) if self.measure in ("time", "cost") else (focus,)
        return [
            time_to_goal(
                {point.batch_size: point.steps for point in curve.points} if place in wanted else {},
                throughputs(known, curve.workload) if place in wanted else (),
            )
            for place, curve in enumerate(self.curves)
        ]

    def chart_of(self, focus: int | None, costs: Sequence[Costs]) -> Chart:
        from hvdsweep.curves.chart import curve_chart
        from hvdsweep.curves.cost_chart import cost_chart

        names = [self.names[workload] for workload in self.order]
        if self.measure in ("time", "cost"):
            chart = cost_chart(self.curves, costs, names, cost=self.measure == "cost")
        else:
            chart = curve_chart(self.curves, names, examples=self.measure == "examples", focus=focus)
        if len(self.curves) > 1 and focus is not None:
            # Regions and fit are those of the current workload: the title says which one that is.
            from hvdsweep.curves.chart import goal_text

            current = self.curves[focus]
            others = ", ".join(name for place, name in enumerate(names) if place != focus)
            title = f"{current.workload}  {goal_text(current)}  and {others}"
            chart = dataclasses.replace(chart, title=title)
        return chart
