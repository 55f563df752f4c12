"""Per-step losses of a few trials, fetched bit by bit while they are trained, and the chart of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hvdsweep.charts import Axis, Chart, Series

if TYPE_CHECKING:
    from hvdsweep.store.store import Store

LossCurve = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""(steps [n], losses [n])."""


@dataclass(frozen=True)
class WantedLosses:
    """A trial whose losses are to be shown."""

    trial: int
    name: str
    """In the legend."""
    steps: int | None
    """Updates it has done, where known: fewer than before means that it started again."""


class LossCurves:
    """What is known so far; only what is shown is kept."""

    def __init__(self) -> None:
        self._known: dict[int, LossCurve] = {}

    def known_to(self, wanted: Sequence[WantedLosses]) -> dict[int, int]:
        """Trial -> the last step that is known of it."""
        for trial in wanted:
            known = self._known.get(trial.trial)
            if known is not None and trial.steps is not None and len(known[0]) and trial.steps < known[0][-1]:
                del self._known[trial.trial]
        return {
            trial.trial: int(self._known[trial.trial][0][-1])
            if len(self._known.get(trial.trial, ((),))[0])
            else 0
            for trial in wanted
        }

    def take(self, found: Mapping[int, LossCurve]) -> None:
        """Further losses; those of other trials are forgotten."""
        for trial in set(self._known) - set(found):
            del self._known[trial]
        for trial, (steps, losses) in found.items():
            known = self._known.get(trial)
            if known is None or not len(known[0]):
                self._known[trial] = (steps, losses)
                continue
            new = steps > known[0][-1]
            if new.any():
                self._known[trial] = (
                    np.concatenate([known[0], steps[new]]),
                    np.concatenate([known[1], losses[new]]),
                )

    def chart(self, wanted: Sequence[WantedLosses], title: str, empty: str = "no losses yet") -> Chart:
        """All that have begun together, the loss on a log axis; `empty`: the text shown if none has."""
        known = [(trial.name, *self._known.get(trial.trial, ((), ()))) for trial in wanted]
        series = [Series(name, steps, losses) for name, steps, losses in known if len(steps)]
        return Chart(
            tuple(series),
            x=Axis("linear", title="step"),
            y=Axis("log10", title="loss"),
            title=title,
            legend=True if series else None,
            empty=empty,
        )


def read_losses(known: Mapping[int, int], store: Store) -> dict[int, LossCurve]:
    """The losses of each trial beyond the step known of it."""
    with store.snapshot():
        return {trial: store.losses(trial, after) for trial, after in known.items()}
