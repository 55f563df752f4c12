"""Turns what happens in a run into events for its reporter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from hvdsweep.launch.events import (
    EndEvent,
    Event,
    GangEvent,
    NoteEvent,
    PlanEvent,
    ProgressEvent,
    StageEvent,
)
from hvdsweep.launch.gang import StartedGang
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.stored_sweep import StoredSweep, SweepView
from hvdsweep.store.lifecycle import Recovered
from hvdsweep.words import counted

log = logging.getLogger(__name__)


class Announcer:
    """Creates the events of a run, with the names of its studies."""

    def __init__(self, stored: StoredSweep, report: Callable[[Event], None]) -> None:
        self._stored = stored
        self._report = report

    def report(self, event: Event) -> None:
        """Pass an event on; all events except the progress every second also go to the run's log."""
        if not isinstance(event, ProgressEvent):
            log.info("%s", event)
        self._report(event)

    def note(self, message: str) -> None:
        """Report an informative message."""
        self.report(NoteEvent(level="info", message=message))

    def warn(self, message: str) -> None:
        """Report a warning."""
        self.report(NoteEvent(level="warning", message=message))

    def recovered(self, found: Recovered) -> None:
        """Report what an earlier run left to be trained."""
        if found.requeued:
            begin = found.requeued - found.resumed
            self.note(
                f"{counted(found.requeued, 'trial')} left unfinished by an earlier run: {found.resumed} resume from a "
                f"checkpoint, {begin} begin at the first step."
            )
        if found.retried:
            self.note(f"{counted(found.retried, 'trial')} given up by earlier runs will be trained again.")

    def gang(
        self, gang: StartedGang, state: str, seconds: float | None = None, message: str | None = None
    ) -> None:
        """Report a gang's new state."""
        self.report(
            GangEvent(
                sweep=self._stored.sweep,
                gang=gang.id,
                state=state,
                pid=gang.process.pid,
                logs=str(gang.logs),
                seconds=seconds,
                message=message,
            )
        )

    def plan(self, settings: Settings, hosts: Sequence[str], threads: int, view: SweepView) -> None:
        """Report what is trained, and on what; `hosts` of each gang that starts now."""
        self.report(
            PlanEvent(
                sweep=self._stored.sweep,
                np=None if settings.slots else settings.np,
                gangs=None if settings.slots else settings.gangs,
                slots=settings.slots,
                hosts=[*hosts],
                threads=threads,
                studies=[
                    {
                        "workload": study.workload,
                        "batch_size": study.batch_size,
                        "steps": study.train_steps,
                        "target": study.target,
                        "done": view.counts[study.id].get("COMPLETE", 0),
                        "repeats": self._stored.repeats(view, study)[1],
                        "repeats_done": self._stored.repeats(view, study)[0],
                    }
                    for study in self._stored.studies.values()
                ],
            )
        )

    def stage(self, gang: StartedGang, stage: str | None, seconds: float, usual: float | None) -> None:
        """Report a new stage of a gang's start; None: it has made its first step."""
        self.report(
            StageEvent(
                sweep=self._stored.sweep, gang=gang.id, stage=stage, seconds=seconds, usual_seconds=usual
            )
        )

    def end(self, state: str, exit_code: int, message: str, seconds: float) -> None:
        """Report the end of the run."""
        view = self._stored.view(())
        studies = self._stored.studies
        repeats = [self._stored.repeats(view, study) for study in studies.values()]
        self.report(
            EndEvent(
                sweep=self._stored.sweep,
                state=state,
                exit_code=exit_code,
                message=message,
                seconds=seconds,
                done=self._stored.done(view),
                target=sum(study.target for study in studies.values()),
                infeasible=view.count("INFEASIBLE"),
                repeats=sum(wanted for _, wanted in repeats),
                repeats_done=sum(ended for ended, _ in repeats),
                set_aside=[
                    {
                        "trial": trial.trial,
                        "workload": trial.workload,
                        "batch_size": trial.batch_size,
                        "number": trial.number,
                        "message": trial.message,
                    }
                    for trial in self._stored.set_aside()
                ],
            )
        )
