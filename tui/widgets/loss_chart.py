"""The losses of trials in training, or of the selected one, fetched bit by bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hvdsweep.charts import Axis, Chart, Series
from hvdsweep.store.stages import start_words
from tui.questions import questions_of
from tui.widgets.chart import ChartView

if TYPE_CHECKING:
    from hvdsweep.store.rows import GangRow
    from hvdsweep.store.store import Store

CURVES = 6
"""Trials whose losses are drawn together, at most."""

LossCurve = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""(steps [n], losses [n])."""


class LossChart(ChartView):
    """Follows the gangs of a sweep; only the losses of what is shown are kept."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._known: dict[int, LossCurve] = {}
        self._gangs: Sequence[GangRow] = ()
        self._sweep = self._drawn_sweep = -1
        """The sweep, and the one whose losses were drawn last."""
        self._trials: dict[int, int | None] = {}
        """Trials that are shown, with the updates of those in training."""
        self._now = 0.0
        self._pending: str | None = None

    def follow(self, sweep: int, gangs: Sequence[GangRow], now: float, pending: str | None) -> None:
        """The gangs of a sweep at `now` (unix seconds); `pending`: the text for a launch that has none yet."""
        self._sweep, self._gangs, self._now, self._pending = sweep, gangs, now, pending

    def ask_losses(self, selected: int | None, *, always: bool) -> None:
        """Ask for the losses of the trials in training, and of the selected one: `always`, or where none is trained."""
        at_work = ((gang.trial_id, gang.steps) for gang in self._gangs if gang.workload is not None)
        self._trials = dict(islice(((trial, steps) for trial, steps in at_work if trial is not None), CURVES))
        if selected is not None and (always or not self._trials):
            self._trials.setdefault(selected, None)
        known = {trial: self._last_step(trial, steps) for trial, steps in self._trials.items()}
        questions_of(self).ask(self.answer_losses, tuple(known), partial(_read, known))

    def _last_step(self, trial: int, steps: int | None) -> int:
        """The last step whose loss is known. Fewer updates than that mean that the trial started again."""
        last = int(self._known[trial][0][-1]) if trial in self._known else 0
        if steps is not None and steps < last:
            del self._known[trial]
            return 0
        return last

    def answer_losses(self, about: object, value: dict[int, LossCurve]) -> None:
        self._known = {trial: known for trial, known in self._known.items() if trial in value}
        for trial, (steps, losses) in value.items():
            if trial in self._known:
                before = self._known[trial]
                new = steps > before[0][-1]
                steps, losses = np.append(before[0], steps[new]), np.append(before[1], losses[new])
            if len(steps):
                self._known[trial] = steps, losses
        running = sum(steps is not None for steps in self._trials.values())
        if self._shown():
            self._drawn_sweep = self._sweep
        elif running and self._sweep == self._drawn_sweep and self.chart is not None:
            # Short trials would else be seen for a moment only, between empty pictures.
            self.chart = replace(self.chart, title="Losses of the previous trials")
            return
        starts = [words for gang in self._gangs if (words := start_words(gang, self._now)) is not None]
        empty = starts[0] if starts else None if self._gangs else self._pending
        self.chart = Chart(
            tuple(self._shown()),
            x=Axis("linear", title="step"),
            y=Axis("log10", title="loss"),
            title="Loss of trials in training" if running else "Loss of the selected trial",
            legend=True if self._shown() else None,
            empty=empty or "no losses yet",
        )

    def _shown(self) -> list[Series]:
        """All that have begun."""
        return [
            Series(f"trial {trial}", *self._known[trial]) for trial in self._trials if trial in self._known
        ]


def _read(known: Mapping[int, int], store: Store) -> dict[int, LossCurve]:
    """The losses of each trial beyond the step known of it."""
    with store.snapshot():
        return {trial: store.losses(trial, after) for trial, after in known.items()}
