"""The search at one batch size, a point for every trial; or how much worse each batch size is off the best values; and how the
best learning rate grows with the batch size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hvdsweep.charts import Axis, Chart
from hvdsweep.curves.chart import goal_text
from hvdsweep.curves.search_chart import (
    OUTCOMES,
    SearchPlot,
    rate_chart,
    search_chart,
    search_points,
    y_names,
)
from tui.field_views import sensitivity_chart
from tui.search_words import best_words, trial_words
from tui.widgets.chart import ChartView, DrawnChart
from tui.words import count

if TYPE_CHECKING:
    from hvdsweep.charts import Reading
    from hvdsweep.curves.curve_data import Curve, CurvePoint
    from hvdsweep.curves.question import Question
    from hvdsweep.curves.table import WorkloadTable
    from hvdsweep.search import Space


class SearchView(DrawnChart):
    """Draws what `put_search` gives it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, describe=self._describe)
        self.plot: SearchPlot | None = None
        """The trials of the search; None if there are none with a learning rate."""
        self._curve: Curve | None = None
        self._best: CurvePoint | None = None
        """What the search found."""
        self._y_name: str | None = None
        self._sensitive: str | None = None
        """The metaparameter whose sensitivity is drawn in place of the search."""

    def clear(self, words: str) -> None:
        """There is no search; `words` say why."""
        self._curve = self.plot = None
        self.put(Chart(x=Axis("log10"), y=Axis("log10"), empty=words))

    def put_search(
        self,
        name: str,
        table: WorkloadTable,
        curve: Curve,
        batch_size: int,
        goal: float,
        question: Question,
        space: Space | None,
    ) -> None:
        """Show the search of the workload `name` at a batch size; its trials have learning rates."""
        names = y_names(table)
        self._curve = curve
        self._best = next((point for point in curve.points if point.batch_size == batch_size), None)
        self.plot = search_points(
            table,
            batch_size,
            goal,
            y_name=self._y_name if self._y_name in names else names[0],
            step_budget=question.step_budget,
            example_budget=question.example_budget,
        )
        varied = self._sensitive
        if varied is not None and varied in table.parameters:
            title = f"{name}: {varied.replace('_', ' ')}"
            return self.draw((name, id(table), varied), partial(sensitivity_chart, table, varied, title))
        self._sensitive = None
        title = f"{name} at {count(batch_size)}  {goal_text(curve)}"
        doubts = () if self._best is None else self._best.warnings
        warnings = tuple(f"warning: {doubt.message}" for doubt in doubts)
        self.put(dataclasses.replace(search_chart(table, self.plot, space, title=title), warnings=warnings))

    def action_axis(self) -> None:
        if self._curve is not None and self.plot is not None:
            self._sensitive = None
            names = y_names(self._curve.result.table)
            self._y_name = names[(names.index(self.plot.y_name) + 1) % len(names)]
            self.fit()
            self.post_message(self.Changed())

    def action_sensitivity(self) -> None:
        """The next metaparameter; after the last one the search."""
        if self._curve is not None:
            names: list[str | None] = [*sorted(self._curve.result.table.parameters), None]
            place = -1 if self._sensitive is None else names.index(self._sensitive)
            self._sensitive = names[place + 1]
            self.forget()
            self.unread()
            self.fit()
            self.post_message(self.Changed())

    # Points

    @property
    def trial(self) -> int | None:
        """Row of the store of the trial that is read out, else of the best one."""
        if self._curve is None or self.plot is None:
            return None
        place = None if self.reading is None else self._place_of(self.reading)
        if place is not None:
            return int(self._curve.result.table.trial_id[place])
        return None if self._best is None else self._best.trial_id

    def _place_of(self, reading: Reading) -> int | None:
        """Index of the trial in the table that a point of the search stands for."""
        if self.plot is None or self._sensitive is not None:
            return None
        outcome = next((one for one, word, _, _ in OUTCOMES if word == reading.series), None)
        if outcome is None:
            return None
        points = self.plot.of(outcome)
        return int(self.plot.trial[points[reading.index]]) if reading.index < len(points) else None

    def _describe(self, reading: Reading) -> str | None:
        if self._sensitive is not None:
            return None
        place = self._place_of(reading)
        return "" if place is None or self._curve is None else trial_words(self._curve, place)


class RateView(ChartView):
    """Draws the best trials of the curve that `put_curve` gives it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, describe=self._describe)
        self._points: Sequence[CurvePoint] = ()

    def put_curve(self, name: str, curve: Curve) -> None:
        """Show the best learning rates of the workload `name`."""
        self._points = curve.points
        self.chart = dataclasses.replace(rate_chart(curve), title=f"{name}: the best trials")

    @property
    def point(self) -> CurvePoint | None:
        """The batch size that is read out."""
        return None if self.reading is None else self._points[self.reading.index]

    def _describe(self, reading: Reading) -> str:
        return best_words(self._points[reading.index], reading.y)
