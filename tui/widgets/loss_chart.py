"""The losses of trials in training, or of the selected one, fetched bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hvdsweep.store.stages import start_words
from tui.widgets.chart import ChartView

if TYPE_CHECKING:
    from hvdsweep.store.rows import GangRow
    from tui.losses import LossCurve, WantedLosses
    from tui.questions import Questions

CURVES = 6
"""Trials whose losses are drawn together, at most."""


class LossChart(ChartView):
    """Follows the gangs of a sweep."""

    def __init__(self, questions: Questions, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._questions = questions
        self._curves: Any = None
        self._gangs: Sequence[GangRow] = ()
        self._sweep = self._drawn_sweep = -1
        """The sweep, and the one whose losses were drawn last."""
        self._trials: tuple[WantedLosses, ...] = ()
        self._now = 0.0
        self._pending: str | None = None

    def follow(self, sweep: int, gangs: Sequence[GangRow], now: float, pending: str | None) -> None:
        """The gangs of a sweep at `now` (unix seconds); `pending`: the text for a launch that has none yet."""
        self._sweep, self._gangs, self._now, self._pending = sweep, gangs, now, pending

    def ask_losses(self, selected: int | None, *, always: bool) -> None:
        """Ask for the losses of the trials in training, and of the selected one: `always`, or where none is trained."""
        # Here, not above: the first screen is drawn without numpy.
        from tui.losses import LossCurves, WantedLosses, read_losses

        wanted = [
            WantedLosses(gang.trial_id, f"trial {gang.trial_id}", gang.steps)
            for gang in self._gangs
            if gang.trial_id is not None and gang.workload is not None
        ][:CURVES]
        if selected is not None and (always or not wanted) and selected not in {one.trial for one in wanted}:
            wanted.append(WantedLosses(selected, f"trial {selected}", None))
        self._trials = tuple(wanted)
        if self._curves is None:
            self._curves = LossCurves()
        known = self._curves.known_to(wanted)
        self._questions.ask(self.answer_losses, tuple(known), partial(read_losses, known))

    def answer_losses(self, about: object, value: dict[int, LossCurve]) -> None:
        self._curves.take(value)
        running = sum(trial.steps is not None for trial in self._trials)
        title = "Loss of trials in training" if running else "Loss of the selected trial"
        starts = [words for gang in self._gangs if (words := start_words(gang, self._now)) is not None]
        empty = starts[0] if starts else None if self._gangs else self._pending
        chart = self._curves.chart(self._trials, title, empty or "no losses yet")
        if chart.series:
            self._drawn_sweep = self._sweep
        elif running and self._sweep == self._drawn_sweep and self.chart is not None:
            # Short trials would else be seen for a moment only, between empty pictures.
            chart = replace(self.chart, title="Losses of the previous trials")
        self.chart = chart
