"""The current scaling curve while `launch` trains: steps to the goal against batch size, small, from the store."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvdsweep.charts import Canvas, Chart
    from hvdsweep.store.store import Store

LEAST_SECONDS = 1.0
"""Least time between two reads of the store."""
SHARE = 0.02
"""Reading and drawing take at most this share of a core."""
LEAST_ROWS, MOST_ROWS = 7, 14
LEAST_COLUMNS, MOST_COLUMNS = 30, 100


class LiveCurve:
    """Reads at most once a second and keeps the last chart in between. If anything fails, there is no chart."""

    def __init__(
        self, store: str | os.PathLike[str], sweep: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._sweep = sweep
        self._clock = clock
        self._reader: Store | None = None
        self._chart: Chart | None = None
        self._next = float("-inf")
        self.points = 0
        """Batch sizes in the chart that have reached the goal."""

    def canvas(self, columns: int, rows: int, *, ascii: bool = False, color: bool = True) -> Canvas | None:
        """The current curve, at most this large; None if no batch size has reached the goal, or without room."""
        if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
            return None
        began = self._clock()
        if began >= self._next:
            with contextlib.suppress(Exception):
                self._chart = self._read()
            taken = self._clock() - began
            self._next = began + max(LEAST_SECONDS, taken / SHARE)
        if self._chart is None:
            return None
        from hvdsweep.charts import render

        return render(self._chart, min(columns, MOST_COLUMNS), min(rows, MOST_ROWS), ascii=ascii, color=color)

    def close(self) -> None:
        """Close the store."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _read(self) -> Chart | None:
        from hvdsweep.charts import Axis, Chart, Series
        from hvdsweep.opening import open_store
        from hvdsweep.states import Status
        from hvdsweep.store.goal_answers import answer_at_goal

        if self._reader is None:
            self._reader = open_store(self._store)
        with self._reader.snapshot() as reader:
            workloads = [workload for workload in reader.workloads() if workload.sweep_id == self._sweep]
            # A running trial that has reached the goal counts: it cannot need more steps for it.
            counted = (Status.COMPLETE, Status.RUNNING)
            answers = [answer_at_goal(reader, workload, statuses=counted) for workload in workloads]
        series = []
        self.points = 0
        names = short_names([workload.name for workload in workloads])
        for name, found in zip(names, answers, strict=True):
            if found is not None and found[0].reached.any():
                outcome = found[0]
                self.points += int(outcome.reached.sum())
                sizes, steps = outcome.table.batch_sizes[outcome.reached], outcome.steps[outcome.reached]
                series.append(Series(name, sizes, steps))
        if not series:
            return None
        goals = {
            f"{w.metric} {'>' if w.maximize else '<'} {w.goal:g}" for w in workloads if w.goal is not None
        }
        return Chart(
            series=tuple(series),
            x=Axis("log2", title="batch size"),
            y=Axis("log10", title="steps to the goal"),
            title=f"Curve so far  {goals.pop()}" if len(goals) == 1 else "Curve so far",
        )


def short_names(workloads: Sequence[str]) -> list[str]:
    """Workloads' names without the parts that all of them share; unchanged if nothing would be left."""
    parts = [name.split("/") for name in workloads]
    if len(parts) < 2:
        return list(workloads)
    shared = next((at for at, words in enumerate(zip(*parts, strict=False)) if len(set(words)) > 1), 0)
    return ["/".join(words[shared:]) or name for words, name in zip(parts, workloads, strict=True)]
