"""The progress of every sweep: counts, active gangs, and the time left. `status --json` prints `to_json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from hvdsweep.states import ENDED, Status
from hvdsweep.store.checkpoints import sizes
from hvdsweep.store.paces import paces_of
from hvdsweep.store.rows import EventRow, GangRow, SweepRow
from hvdsweep.time_left import Pace, Work, remaining

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader

Counts = Mapping[int, Mapping[Status, int]]
"""Study -> status -> number of trials."""


class TrialProgress:
    """What a study and a sweep say about their trials."""

    trials: Mapping[str, int]
    repeats: int
    repeat_trials: Mapping[str, int]

    @property
    def done(self) -> int:
        """COMPLETE trials."""
        return self.trials["COMPLETE"]

    @property
    def fraction(self) -> float:
        """Share of its trials and repeats that have ended, 0 to 1; 0 if there are none."""
        total = sum(self.trials.values()) + self.repeats
        ended = sum(self.trials[status] + self.repeat_trials[status] for status in ENDED)
        return ended / total if total else 0.0


@dataclass(frozen=True)
class StudyStatus(TrialProgress):
    """One batch size of a workload, and its progress."""

    id: int
    workload: str
    batch_size: int
    train_steps: int
    """Budget in steps; 0 = a wall-time budget."""
    target_trials: int
    """Trials wanted that did not diverge; if trained in rounds, those wanted by now."""
    least_trials: int
    """`target_trials` before the first round."""
    most_trials: int
    """Most trials; equal to `target_trials` if their number is fixed."""
    np: int | None
    """Ranks of the gangs that train it under `--np auto`, else None."""
    gangs: int | None
    """How many of those gangs train side by side."""
    trials: Mapping[str, int]
    """State (its word) -> number of trials of the search, for every state."""
    repeats: int
    """Repeats of its best trial: stored, or to come when its search is finished."""
    repeat_trials: Mapping[str, int]
    """As `trials`, for repeats."""
    seconds_per_trial: float | None
    work_seconds: float | None
    """Seconds of one gang that are still needed; None if nothing is known."""


@dataclass(frozen=True)
class SweepStatus(TrialProgress):
    """One sweep, and its progress. Times are unix seconds."""

    id: int
    name: str
    source: str
    """"launch" or "import"."""
    file: str | None
    state: str
    """IDLE, RUNNING, STOPPING, DONE or FAILED, as its supervisor last wrote it."""
    live: bool
    """Whether its supervisor is alive."""
    request: str | None
    created: float
    started: float | None
    ended: float | None
    np: int | None
    gangs: int | None
    slots: int | None
    """Of `--np auto`; then np and gangs are None, and every study has its own."""
    trials: Mapping[str, int]
    """State (its word) -> number of trials of the searches, for every state."""
    repeats: int
    """Repeats of best trials: stored, or to come when a search is finished."""
    repeat_trials: Mapping[str, int]
    """As `trials`, for repeats."""
    work_seconds: float | None
    eta_seconds: float | None
    studies: tuple[StudyStatus, ...]
    checkpoint_bytes: int
    """Size on disk of the checkpoints of its open trials."""

    @property
    def condition(self) -> str:
        """The state to show: RUNNING without a living supervisor is LOST; imported data are IMPORTED."""
        if self.source == "import":
            return "IMPORTED"
        if self.state in ("RUNNING", "STOPPING"):
            if not self.live:
                return "LOST"
            return "STOPPING" if self.request == "stop" else self.state
        return self.state

    @property
    def total(self) -> int:
        """All trials, replacements of diverged ones included."""
        return sum(self.trials.values())


@dataclass(frozen=True)
class StoreStatus:
    """The status of a store."""

    database: str
    time: float
    """When it was read, unix seconds."""
    sweeps: tuple[SweepStatus, ...]
    gangs: tuple[GangRow, ...]
    """The gangs that have not ended."""
    events: tuple[EventRow, ...]
    """The last ones, oldest first."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def sweep_status(
    reader: Reader, sweeps: Sequence[SweepRow], counts: tuple[Counts, Counts], gangs: Sequence[GangRow]
) -> tuple[SweepStatus, ...]:
    """The status of these sweeps. `counts`: trials of the searches, and repeats of best trials; `gangs`: active."""
    kept = _checkpoint_bytes(reader)
    return tuple(
        _sweep(reader, sweep, counts, sum(gang.sweep_id == sweep.id for gang in gangs), kept.get(sweep.id, 0))
        for sweep in sweeps
    )


def _checkpoint_bytes(reader: Reader) -> dict[int, int]:
    """Sweep -> bytes of its checkpoints, for sweeps that have any."""
    found = sizes(reader.path)
    if not found:
        return {}
    rows = reader.rows(
        "SELECT w.sweep_id, t.id FROM json_each(?) AS wanted JOIN trials t ON t.id = wanted.value"
        " JOIN studies s ON s.id = t.study_id JOIN workloads w ON w.id = s.workload_id",
        (json.dumps(list(found)),),
    )
    total: dict[int, int] = {}
    for sweep_id, trial_id in rows:
        total[sweep_id] = total.get(sweep_id, 0) + found[trial_id]
    return total


def _sweep(
    reader: Reader, sweep: SweepRow, counts: tuple[Counts, Counts], gangs: int, checkpoint_bytes: int
) -> SweepStatus:
    """`gangs`: how many work on it.

    The time left is that of the trials planned so far (`target_trials`; a study trained in rounds may get up to
    `most_trials`). It is None if no similar trial has finished yet, or no gang works on the sweep.
    """
    rows = reader.rows(
        "SELECT s.id, w.name, s.batch_size, s.train_steps, s.target_trials,"
        f" {reader.column('studies', 'np')}, {reader.column('studies', 'gangs')},"
        f" {reader.column('studies', 'repeats')} FROM workloads w"
        " JOIN studies s ON s.workload_id = w.id WHERE w.sweep_id = ? ORDER BY w.id, s.batch_size",
        (sweep.id,),
    )
    launched = sweep.source == "launch"
    bounds = _bounds(reader, sweep.id) if launched else None
    paces = paces_of(reader.rows, [row[0] for row in rows]) if launched else {}
    begun = _begun(reader, sweep.id) if launched else {}
    studies, works = [], []
    for study, workload, batch_size, train_steps, target, np, side, repeats in rows:
        trials, again = ({state.name: one.get(study, {}).get(state, 0) for state in Status} for one in counts)
        if any(again.values()) or not (trials["PENDING"] or trials["RUNNING"]):
            repeats = sum(again.values())
        repeats = repeats or 0
        to_come = repeats - sum(again.values()) + again["PENDING"] + again["RUNNING"]
        left = trials["PENDING"] + trials["RUNNING"] + to_come - begun.get(study, 0.0)
        busy = trials["RUNNING"] + again["RUNNING"]
        works.append(Work(study, workload, batch_size, train_steps, left if launched else 0.0, busy, side))
        studies.append(
            StudyStatus(
                id=study,
                workload=workload,
                batch_size=batch_size,
                train_steps=train_steps,
                target_trials=target,
                np=np,
                gangs=side,
                least_trials=bounds[0] if bounds else target,
                most_trials=bounds[1] if bounds else target,
                trials=trials,
                repeats=repeats,
                repeat_trials=again,
                seconds_per_trial=paces.get(study, Pace()).usual,
                work_seconds=None,
            )
        )
    each, eta = remaining(works, paces, gangs or sweep.gangs or 1)
    work = [one.work for one in each]
    # What the row of a sweep holds too.
    shared = {field.name for field in fields(SweepStatus)} & vars(sweep).keys()
    return SweepStatus(
        **{name: getattr(sweep, name) for name in shared},
        trials={state.name: sum(study.trials[state.name] for study in studies) for state in Status},
        repeats=sum(study.repeats for study in studies),
        repeat_trials={
            state.name: sum(study.repeat_trials[state.name] for study in studies) for state in Status
        },
        work_seconds=None if None in work else math.fsum(filter(None, work)),
        eta_seconds=eta if sweep.live else None,
        studies=tuple(
            replace(study, work_seconds=one if launched else None)
            for study, one in zip(studies, work, strict=True)
        ),
        checkpoint_bytes=checkpoint_bytes,
    )


def _bounds(reader: Reader, sweep_id: int) -> tuple[int, int] | None:
    """Least and most trials of a batch size; None if their number is fixed."""
    ((definition,),) = reader.rows("SELECT definition FROM sweeps WHERE id = ?", (sweep_id,))
    trials = json.loads(definition).get("studies", {}).get("trials")
    if not isinstance(trials, dict) or "until" not in trials:
        return None
    return int(trials["least"]), int(trials["most"])


def _begun(reader: Reader, sweep_id: int) -> dict[int, float]:
    """Study -> sum of the finished shares of its running trials."""
    return dict(
        reader.rows(
            "SELECT t.study_id, total(min(1.0, t.steps * 1.0 / max(s.train_steps, 1))) FROM workloads w"
            " CROSS JOIN studies s ON s.workload_id = w.id"
            " CROSS JOIN trials t ON t.study_id = s.id AND t.status = 'RUNNING' WHERE w.sweep_id = ? GROUP BY 1",
            (sweep_id,),
        )
    )
