"""Sweeps and studies as rows, and a sweep in one line."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from textual.content import Content

from hvdsweep.states import ENDED
from hvdsweep.store.status import StudyStatus, SweepStatus
from tui.snapshot import Snapshot
from tui.widgets.columns import Column
from tui.words import CONDITIONS, bar, clock, count, duration, plural, sign


def sweep_columns(bar_width: int) -> tuple[Column[SweepStatus], ...]:
    """The columns of sweeps, with bars of so many cells."""

    def progress(sweep: SweepStatus) -> Content:
        return _progress(sweep.fraction, bar_width, CONDITIONS[sweep.condition][2])

    def trials(sweep: SweepStatus) -> str:
        target = sum(study.target_trials for study in sweep.studies)
        return _done(sweep.done, target, sum(study.most_trials for study in sweep.studies)) + _repeats(sweep)

    def left(sweep: SweepStatus) -> str:
        return duration(sweep.eta_seconds) if sweep.live and sweep.eta_seconds != 0 else ""

    def gangs(sweep: SweepStatus) -> str:
        return (
            f"auto on {sweep.slots}" if sweep.slots else f"{sweep.gangs} × {sweep.np}" if sweep.gangs else ""
        )

    return (
        Column("#", 3, lambda sweep: str(sweep.id), right=True, fixed=True),
        Column("sweep", 8, lambda sweep: sweep.name, grow=True, fixed=True),
        Column("state", 10, lambda sweep: sign(CONDITIONS, sweep.condition), fixed=True),
        Column("progress", bar_width + 5, progress, fixed=True),
        Column("trials", 15, trials, right=True, fixed=True),
        Column("left", 12, left, right=True),
        Column("gangs × ranks", 13, gangs, right=True),
        Column(
            "workloads", 9, lambda sweep: str(len({study.workload for study in sweep.studies})), right=True
        ),
        Column("studies", 7, lambda sweep: str(len(sweep.studies)), right=True),
        Column("started", 16, lambda sweep: "" if sweep.started is None else clock(sweep.started, day=True)),
    )


def study_columns(
    bar_width: int, names: Mapping[str, str], longest: int = 12, *, auto: bool = False
) -> tuple[Column[StudyStatus], ...]:
    """The columns of studies: `names` shortens workloads, the longest of which has so many cells; `auto`: with gangs and
    ranks."""

    def progress(study: StudyStatus) -> Content:
        return _progress(study.fraction, bar_width, "$success" if running(study) else "$primary")

    def running(study: StudyStatus) -> str:
        return str(study.trials["RUNNING"] + study.repeat_trials["RUNNING"] or "")

    def done(study: StudyStatus) -> str:
        return _done(study.done, study.target_trials, study.most_trials) + _repeats(study)

    def ended(status: str, colour: str) -> Callable[[StudyStatus], Content]:
        return lambda study: Content.styled(str(study.trials[status] or ""), colour)

    columns: tuple[Column[StudyStatus], ...] = (
        Column(
            "workload",
            max(8, min(longest, 30)),
            lambda study: names.get(study.workload, study.workload),
            grow=True,
            fixed=True,
        ),
        Column("batch", 7, lambda study: count(study.batch_size), right=True, fixed=True),
        Column("progress", bar_width + 5, progress, fixed=True),
        Column("complete", 9, done, right=True),
        Column("running", 7, running, right=True),
        Column("diverged", 8, ended("INFEASIBLE", "$warning"), right=True),
        Column("time each", 11, lambda study: duration(study.seconds_per_trial, unknown=""), right=True),
        Column("work left", 11, lambda study: duration(study.work_seconds or None, unknown=""), right=True),
        Column(
            "steps each",
            10,
            lambda study: count(study.train_steps) if study.train_steps else "by time",
            right=True,
        ),
        Column("failed", 6, ended("INCOMPLETE", "$error"), right=True),
    )
    layout: Column[StudyStatus] = Column(
        "gangs × ranks", 13, lambda study: f"{study.gangs} × {study.np}" if study.np else "any", right=True
    )
    return (*columns, layout) if auto else columns


def _done(done: int, target: int, most: int) -> str:
    """`9/12`; `9/12 ≤64` where rounds may bring up to 64."""
    if not target:
        return count(done)
    return f"{count(done)}/{count(target)}" + (f" ≤{count(most)}" if most > target else "")


def _repeats(view: SweepStatus | StudyStatus) -> str:
    """` +3/5` repeats of best trials."""
    ended = sum(view.repeat_trials[status] for status in ENDED)
    return f" +{count(ended)}/{count(view.repeats)}" if view.repeats else ""


def _progress(fraction: float, width: int, colour: str) -> Content:
    return Content.assemble(bar(fraction, width, colour), f" {int(fraction * 100):3d}%")


def sweep_facts(sweep: SweepStatus, snapshot: Snapshot) -> Content:
    """One line about the selected sweep: what to do with it where something is wrong, else where it comes from."""
    words = [plural(len(sweep.studies), "study", "studies")]
    gangs = snapshot.gangs_of(sweep.id)
    if sweep.condition == "LOST":
        words.append("its supervisor was killed; r resumes it")
    elif sweep.condition == "FAILED":
        last = next(
            (
                event
                for event in reversed(snapshot.events)
                if event.sweep_id == sweep.id and event.kind == "run"
            ),
            None,
        )
        words.append(last.message.split("\n")[0] if last is not None else "see its events")
    elif sweep.live:
        training = sum(gang.state == "TRAINING" for gang in gangs)
        words.append(f"{training} of {plural(len(gangs), 'gang')} training")
    if sweep.repeats:
        words.append(f"{plural(sweep.repeats, 'repeat')} of best trials")
    if sweep.trials["INCOMPLETE"]:
        words.append(f"{plural(sweep.trials['INCOMPLETE'], 'trial')} failed")
    if sweep.file:
        words.append(Path(sweep.file).name)
    elapsed = (sweep.ended or time.time()) - sweep.started if sweep.started and sweep.ended else None
    if elapsed is not None and sweep.source == "launch" and not sweep.live:
        words.append(f"last run took {duration(elapsed)}")
    return Content.assemble(
        (sweep.name, "bold"), " · ", sign(CONDITIONS, sweep.condition), " · ", " · ".join(words)
    )
