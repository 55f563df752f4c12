"""Sweeps and studies as rows, and a sweep in one line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from textual.content import Content

from hvdsweep.states import ENDED
from hvdsweep.store.status import StudyStatus, SweepStatus
from tui.snapshot import Snapshot
from tui.widgets.columns import Column, Row
from tui.words import CONDITIONS, bar, clock, count, duration, plural, sign


def sweep_columns(bar_width: int) -> tuple[Column, ...]:
    """The columns of sweeps, with bars of so many cells."""
    return (
        Column("id", "#", 3, right=True, fixed=True),
        Column("name", "sweep", 8, grow=True, fixed=True),
        Column("state", "state", 10, fixed=True),
        Column("progress", "progress", bar_width + 5, fixed=True),
        Column("trials", "trials", 15, right=True, fixed=True),
        Column("eta", "left", 12, right=True),
        Column("gangs", "gangs × ranks", 13, right=True),
        Column("workloads", "workloads", 9, right=True),
        Column("studies", "studies", 7, right=True),
        Column("started", "started", 16),
    )


def study_columns(bar_width: int, longest: int = 12, *, auto: bool = False) -> tuple[Column, ...]:
    """The columns of studies, of which the longest name of a workload has so many cells; `auto`: with gangs and ranks."""
    columns = (
        Column("workload", "workload", max(8, min(longest, 30)), grow=True, fixed=True),
        Column("batch_size", "batch", 7, right=True, fixed=True),
        Column("progress", "progress", bar_width + 5, fixed=True),
        Column("done", "complete", 9, right=True),
        Column("running", "running", 7, right=True),
        Column("infeasible", "diverged", 8, right=True),
        Column("seconds", "time each", 11, right=True),
        Column("left", "work left", 11, right=True),
        Column("steps", "steps each", 10, right=True),
        Column("incomplete", "failed", 6, right=True),
    )
    return (*columns, Column("layout", "gangs × ranks", 13, right=True)) if auto else columns


def sweep_row(sweep: SweepStatus, bar_width: int) -> Row:
    """A sweep."""
    target = sum(study.target_trials for study in sweep.studies)
    most = sum(study.most_trials for study in sweep.studies)
    colour = CONDITIONS[sweep.condition][2]
    return Row(
        str(sweep.id),
        (
            str(sweep.id),
            sweep.name,
            sign(CONDITIONS, sweep.condition),
            _progress(sweep.fraction, bar_width, colour),
            _done(sweep.done, target, most) + _repeats(sweep),
            duration(sweep.eta_seconds) if sweep.live and sweep.eta_seconds != 0 else "",
            f"auto on {sweep.slots}" if sweep.slots else f"{sweep.gangs} × {sweep.np}" if sweep.gangs else "",
            str(len({study.workload for study in sweep.studies})),
            str(len(sweep.studies)),
            "" if sweep.started is None else clock(sweep.started, day=True),
        ),
    )


def study_row(study: StudyStatus, names: Mapping[str, str], bar_width: int, *, auto: bool = False) -> Row:
    """A study; `names`: workload -> a short name."""
    trials = study.trials
    running = trials["RUNNING"] + study.repeat_trials["RUNNING"]
    return Row(
        str(study.id),
        (
            names.get(study.workload, study.workload),
            count(study.batch_size),
            _progress(
                study.fraction,
                bar_width,
                "$success" if running else "$primary",
            ),
            _done(study.done, study.target_trials, study.most_trials) + _repeats(study),
            str(running or ""),
            Content.styled(str(trials["INFEASIBLE"] or ""), "$warning"),
            duration(study.seconds_per_trial) if study.seconds_per_trial is not None else "",
            duration(study.work_seconds) if study.work_seconds else "",
            count(study.train_steps) if study.train_steps else "by time",
            Content.styled(str(trials["INCOMPLETE"] or ""), "$error"),
            *([f"{study.gangs} × {study.np}" if study.np else "any"] if auto else []),
        ),
        study,
    )


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
