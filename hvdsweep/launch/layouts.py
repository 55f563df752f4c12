"""`--np auto` in a run: which gangs train, and when gangs of another size replace them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hvdsweep.launch.first_timing import FirstTiming, speeds_of, wanted
from hvdsweep.launch.stored_sweep import StoredSweep, SweepView
from hvdsweep.layout import START_SECONDS, Shape, choose
from hvdsweep.plan_layout import Study, described, forecast
from hvdsweep.store.claims import assign

if TYPE_CHECKING:
    from hvdsweep.plan import Plan


log = logging.getLogger(__name__)


class Layouts:
    """Chooses a shape for every study, and again whenever the current gangs have no trial left to begin.

    Every choice uses the speeds known by then, including those of trials so far. Running gangs cost no start, so they
    also train the last few trials instead of gangs of another size.
    """

    def __init__(self, stored: StoredSweep, plan: Plan, shapes: tuple[Shape, ...]) -> None:
        self._stored = stored
        self._plan = plan
        self._shapes = shapes
        self._ids: dict[Study, int] = {
            (study.workload, study.batch_size): study.id for study in stored.studies.values()
        }
        self._shape_of: dict[int, Shape] = {}
        self._seconds = 0.0
        self._guessed = False
        """Whether the first choice was based on times that were not measured."""
        self.current = shapes[0]
        """The shape whose gangs are started."""
        self.words = ""
        """The last choice in words: `2 gangs of 1 rank for batch sizes 8 and 16, then 1 gang of 2 ranks for ...`."""

    def choose(self, view: SweepView, *, warm: Shape | None = None, starts: Sequence[float] = ()) -> None:
        """Lay out what is left, and store the layout.

        `warm`: the shape of running gangs; `starts`: seconds that starts of gangs took in this run.
        """
        waiting = {study: float(view.count_of(id, "PENDING")) for study, id in self._ids.items()}
        expected = forecast(self._plan, self._shapes, speeds_of(self._stored.conn), waiting)
        start = sum(starts) / len(starts) if starts else START_SECONDS
        layout = choose(expected.jobs, self._shapes, start=start, warm=warm)
        used = [(study, shape.np) for study, shape in layout.shapes.items() if waiting[study]]
        self._guessed = warm is None and expected.basis(used) != "measured"
        self._seconds = layout.seconds
        for study, shape in layout.shapes.items():
            # A study without waiting trials keeps its shape: those gangs train its last trials and replacements.
            if waiting[study] or self._shape_of.get(self._ids[study]) not in self._shapes:
                self._shape_of[self._ids[study]] = shape
        assign(
            self._stored.conn,
            self._stored.sweep,
            {id: (shape.np, shape.gangs) for id, shape in self._shape_of.items()},
        )
        phases = [(phase.shape, [study for study in phase.keys if waiting[study]]) for phase in layout.phases]
        phases = [(shape, studies) for shape, studies in phases if studies]
        self.current = phases[0][0] if phases else layout.phases[0].shape
        self.words = described(phases) if phases else ""
        log.info("layout: %s, about %.0f s", self.words or "nothing is left", layout.seconds)

    def untimed(self) -> list[FirstTiming]:
        """What to time before the choice just made is used."""
        return wanted(self._plan, self._shapes, speeds_of(self._stored.conn), self._seconds)

    def is_outdated(self, view: SweepView) -> bool:
        """Whether the first choice was a guess and by now a trial of every study has shown how long its steps take."""
        return self._guessed and all(
            counts.get("COMPLETE", 0) for counts in view.counts.values() if counts.get("PENDING", 0)
        )

    def give_up_current(self) -> None:
        """Gangs of the current shape do not start: choose among the other shapes from now on."""
        self._shapes = tuple(shape for shape in self._shapes if shape != self.current)

    def gangs_of(self, study: int) -> int | None:
        """How many gangs of the study's shape train side by side."""
        shape = self._shape_of.get(study)
        return None if shape is None else shape.gangs

    def pending(self, view: SweepView) -> Mapping[int, int]:
        """Ranks -> trials waiting for gangs of that size."""
        found: dict[int, int] = {}
        for study in view.counts:
            np = self._shape_of[study].np
            found[np] = found.get(np, 0) + view.count_of(study, "PENDING")
        return found

    def is_over(self, view: SweepView) -> bool:
        """Whether gangs of the current shape have nothing left to begin while trials wait for gangs of another size."""
        pending = self.pending(view)
        return not pending.get(self.current.np) and any(pending.values())
