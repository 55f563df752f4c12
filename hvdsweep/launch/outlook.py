"""The progress of a sweep and the time left, from the ledger's views; reported at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from hvdsweep.launch.events import Event, ProgressEvent, StudyProgress
from hvdsweep.launch.stored_sweep import StoredSweep, SweepView
from hvdsweep.store.paces import paces_of
from hvdsweep.time_left import Work, remaining

REPORT_SECONDS = 1.0


class OutlookReporter:
    """Estimates the progress from the trial times in the store."""

    def __init__(self, stored: StoredSweep, most: Callable[[], int | None]) -> None:
        """`most`: how many trials there may be in the end; None if their number is fixed."""
        self._most = most
        self._stored = stored
        self._reported = float("-inf")
        self.gangs_of: Callable[[int], int | None] = lambda study: None
        """Study -> gangs side by side that may train it under `--np auto`."""

    def update(self, view: SweepView, gangs: int, report: Callable[[Event], None]) -> None:
        """Report the progress, unless that was done less than a second ago."""
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            report(self.progress(view, gangs))

    def progress(self, view: SweepView, gangs: int) -> ProgressEvent:
        """The progress of the sweep in `view`, with `gangs` living gangs."""
        studies = list(self._stored.studies.values())
        started: dict[int, float] = {study.id: 0.0 for study in studies}
        busy: dict[int, int] = {study.id: 0 for study in studies}
        for trial in view.running.values():
            if trial.study in started:
                steps = self._stored.studies[trial.study].train_steps
                started[trial.study] += min(1.0, trial.steps / steps) if steps else 0.0
                busy[trial.study] += 1
        works = []
        for study in studies:
            open_trials = view.count_of(study.id, "PENDING", "RUNNING")
            if not view.repeats.get(study.id):
                # Repeats come when the search is finished.
                open_trials += self._stored.repeats(view, study)[1]
            works.append(
                Work(
                    study.id,
                    study.workload,
                    study.batch_size,
                    study.train_steps,
                    open_trials - started[study.id],
                    busy[study.id],
                    self.gangs_of(study.id),
                )
            )
        paces = paces_of(lambda sql, values: self._stored.conn.execute(sql, values).fetchall(), started)
        each, eta = remaining(works, paces, max(1, gangs))
        rows = []
        for study, left in zip(studies, each, strict=True):
            counts = view.counts[study.id]
            repeated, repeats = self._stored.repeats(view, study)
            settled = counts.get("COMPLETE", 0) + counts.get("INCOMPLETE", 0) + repeated
            whole = settled + counts.get("PENDING", 0) + counts.get("RUNNING", 0) + repeats - repeated
            rows.append(
                StudyProgress(
                    workload=study.workload,
                    batch_size=study.batch_size,
                    target=study.target,
                    done=counts.get("COMPLETE", 0),
                    infeasible=counts.get("INFEASIBLE", 0),
                    set_aside=counts.get("INCOMPLETE", 0),
                    running=view.count_of(study.id, "RUNNING"),
                    pending=view.count_of(study.id, "PENDING"),
                    fraction=(settled + started[study.id]) / whole if whole else 1.0,
                    eta_seconds=left.seconds,
                    repeats=repeats,
                    repeats_done=repeated,
                )
            )
        # Weighted by steps, so that a study with long trials counts for more.
        weights = [max(1, study.target * max(1, study.train_steps)) for study in studies]
        total = sum(weights)
        return ProgressEvent(
            sweep=self._stored.sweep,
            done=self._stored.done(view),
            target=sum(row.target for row in rows),
            repeats=sum(row.repeats for row in rows),
            repeats_done=sum(row.repeats_done for row in rows),
            most=self._most(),
            fraction=sum(row.fraction * weight for row, weight in zip(rows, weights, strict=True)) / total
            if total
            else 1.0,
            eta_seconds=eta,
            gangs=gangs,
            studies=rows,
        )
