"""How far every sweep is: counts, the gangs at work, and when it will be done. The object behind `status --json`."""

from __future__ import annotations

import json
import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import UserError
from hvdsweep.states import Status
from hvdsweep.step_time import Timing, step_seconds, tells_too_little
from hvdsweep.store.checkpoints import sizes
from hvdsweep.store.rows import SweepRow

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader

SAMPLE = 32
"""Finished trials of a study (the last ones, of each outcome) that its seconds per trial are a mean of."""

EVENTS = 10
"""How many of the last events a status holds."""


def status(reader: Reader, sweep_id: int | None = None) -> dict[str, Any]:
    """`{"sweeps": [{..., "studies": [...]}], "gangs": [...], "events": [...]}`, of one sweep or of all.

    Times are unix seconds. `eta_seconds` is for the trials planned so far (`target_trials`; a study trained in rounds may get
    up to `most_trials`), and None where nothing of the kind has finished yet (or a single short trial, which
    also compiled), or nobody is at work.
    """
    with reader.snapshot():
        sweeps = [sweep for sweep in reader.sweeps() if sweep_id in (None, sweep.id)]
        if sweep_id is not None and not sweeps:
            there = ", ".join(f"{sweep.id} ({sweep.name})" for sweep in reader.sweeps()) or "none"
            raise UserError(f"{reader.path}: sweep {sweep_id}: is not in the database. There is {there}.")
        counts = (reader.counts(), reader.counts(repeats=True))
        gangs = [gang for gang in reader.gangs(sweep_id) if gang.state not in ("STOPPED", "DEAD")]
        alive = {sweep.id: 0 for sweep in sweeps}
        for gang in gangs:
            alive[gang.sweep_id] = alive.get(gang.sweep_id, 0) + 1
        kept = _checkpoint_bytes(reader)
        return {
            "database": str(reader.path),
            "time": time.time(),
            "sweeps": [
                {**_sweep(reader, sweep, counts, alive[sweep.id]), "checkpoint_bytes": kept.get(sweep.id, 0)}
                for sweep in sweeps
            ],
            "gangs": [vars(gang) for gang in gangs],
            "events": [vars(event) for event in reader.events(sweep_id=sweep_id, latest=EVENTS)],
        }


def _checkpoint_bytes(reader: Reader) -> dict[int, int]:
    """Bytes of the checkpoints of each sweep that has any."""
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


@dataclass
class _Study:
    """One study on its way into the JSON."""

    id: int
    workload: str
    batch_size: int
    train_steps: int
    target_trials: int
    np: int | None
    """Ranks of the gangs that train it, where a layout says so."""
    gangs: int | None
    """Of them side by side."""
    repeats: int
    """Of its best trial: those in the store, or to come when its search is finished."""
    trials: dict[str, int]
    repeat_trials: dict[str, int]
    bounds: tuple[int, int] | None = None
    """Trials at least and at most, where they come in rounds."""
    left: float = 0.0
    """Trials still to train, the rest of the running ones included as fractions."""
    seconds: float | None = None
    """Seconds per trial, of its own finished trials."""
    timed: int = 0
    """How many of them there are."""
    setup: float | None = None
    """Seconds that its first trial took longer than the others: the network was traced and the study compiled."""
    work: float | None = None
    """Seconds of one gang that are still needed."""


def _sweep(
    reader: Reader, sweep: SweepRow, counts: tuple[dict[int, dict[Status, int]], ...], gangs: int
) -> dict[str, Any]:
    studies = [
        _Study(*row, *({state.name: one.get(row[0], {}).get(state, 0) for state in Status} for one in counts))
        for row in reader.rows(
            "SELECT s.id, w.name, s.batch_size, s.train_steps, s.target_trials,"
            f" {reader.column('studies', 'np')}, {reader.column('studies', 'gangs')},"
            f" coalesce({reader.column('studies', 'repeats')}, 0) FROM workloads w"
            " JOIN studies s ON s.workload_id = w.id WHERE w.sweep_id = ? ORDER BY w.id, s.batch_size",
            (sweep.id,),
        )
    ]
    for study in studies:
        if any(study.repeat_trials.values()) or not (study.trials["PENDING"] or study.trials["RUNNING"]):
            study.repeats = sum(study.repeat_trials.values())
    if sweep.source == "launch":
        bounds = _bounds(reader, sweep.id)
        for study in studies:
            study.bounds = bounds
        _estimate(reader, sweep.id, studies)
    works = [study.work for study in studies if study.left]
    work = None if None in works else math.fsum(filter(None, works))
    workers = gangs or sweep.gangs or 1
    return {
        "id": sweep.id,
        "name": sweep.name,
        "source": sweep.source,
        "file": sweep.file,
        "state": sweep.state,
        "live": sweep.live,
        "request": sweep.request,
        "created": sweep.created,
        "started": sweep.started,
        "ended": sweep.ended,
        "np": sweep.np,
        "gangs": sweep.gangs,
        "slots": sweep.slots,
        "trials": {state.name: sum(study.trials[state.name] for study in studies) for state in Status},
        "repeats": sum(study.repeats for study in studies),
        "repeat_trials": {
            state.name: sum(study.repeat_trials[state.name] for study in studies) for state in Status
        },
        "work_seconds": work,
        "eta_seconds": _eta(studies, workers) if sweep.live and work is not None else None,
        "studies": [
            {
                "id": study.id,
                "workload": study.workload,
                "batch_size": study.batch_size,
                "train_steps": study.train_steps,
                "target_trials": study.target_trials,
                "np": study.np,
                "gangs": study.gangs,
                "least_trials": study.bounds[0] if study.bounds else study.target_trials,
                "most_trials": study.bounds[1] if study.bounds else study.target_trials,
                "trials": study.trials,
                "repeats": study.repeats,
                "repeat_trials": study.repeat_trials,
                "seconds_per_trial": study.seconds,
                "work_seconds": study.work,
            }
            for study in studies
        ],
    }


def _eta(studies: list[_Study], workers: int) -> float:
    """Seconds of all studies, each shared by the gangs that train it: those of its layout, else `workers`."""
    return math.fsum((study.work or 0.0) / (study.gangs or workers) for study in studies)


def _bounds(reader: Reader, sweep_id: int) -> tuple[int, int] | None:
    """Trials of a batch size at least and at most; None where their number is fixed."""
    ((definition,),) = reader.rows("SELECT definition FROM sweeps WHERE id = ?", (sweep_id,))
    trials = json.loads(definition).get("studies", {}).get("trials")
    if not isinstance(trials, dict) or "until" not in trials:
        return None
    return int(trials["least"]), int(trials["most"])


def _estimate(reader: Reader, sweep_id: int, studies: list[_Study]) -> None:
    """Fill in `left`, `seconds` and `work` from trials that gangs of this file have finished."""
    running = dict(
        reader.rows(
            "SELECT t.study_id, total(min(1.0, t.steps * 1.0 / max(s.train_steps, 1))) FROM workloads w"
            " CROSS JOIN studies s ON s.workload_id = w.id"
            " CROSS JOIN trials t ON t.study_id = s.id AND t.status = 'RUNNING' WHERE w.sweep_id = ? GROUP BY 1",
            (sweep_id,),
        )
    )
    for study in studies:
        again = study.repeat_trials
        to_come = study.repeats - sum(again.values()) + again["PENDING"] + again["RUNNING"]
        study.left = study.trials["PENDING"] + study.trials["RUNNING"] + to_come - running.get(study.id, 0.0)
        study.seconds, study.timed = _seconds_per_trial(reader, study)
        if study.timed > 1 and study.seconds is not None:
            study.setup = _setup(reader, study.id, study.seconds)
    known = [study for study in studies if study.seconds is not None]
    if len(known) == 1 and tells_too_little(known[0].timed, known[0].seconds or 0.0):
        for study in studies:
            study.work = None if study.left else 0.0
        return
    setups = [study.setup for study in studies if study.setup is not None]
    setup = statistics.median(setups) if setups else 0.0
    for study in studies:
        seconds = study.seconds if study.seconds is not None else _from_kin(study, studies)
        study.work = 0.0 if not study.left else None if seconds is None else seconds * study.left
        if study.work and not study.timed:
            # Studies to come are prepared as those before them were.
            study.work += setup


def _seconds_per_trial(reader: Reader, study: _Study) -> tuple[float | None, int]:
    """Mean over its last finished trials, diverged ones weighted by their share, and how many trials there are; copied
    results took no time here.

    The earliest trial counts only as long as there is no other: it also compiled.
    """
    sampled = {
        state: reader.rows(
            "SELECT number, ended - started FROM trials WHERE study_id = ? AND status = ? AND gang_id IS NOT NULL"
            " AND ended IS NOT NULL ORDER BY number DESC LIMIT ?",
            (study.id, state, SAMPLE),
        )
        for state in ("COMPLETE", "INFEASIBLE")
        if study.trials[state]
    }
    numbers = sorted(number for rows in sampled.values() for number, _ in rows)
    skip = numbers[0] if len(numbers) > 1 else None
    weighted = finished = 0.0
    for state, rows in sampled.items():
        seconds = [seconds for number, seconds in rows if number != skip]
        if seconds:
            weighted += math.fsum(seconds) / len(seconds) * study.trials[state]
            finished += study.trials[state]
    return weighted / finished if finished else None, len(numbers)


def _setup(reader: Reader, study: int, usual: float) -> float | None:
    """What the first of its trials took more than is usual; None where that one did not run to its end."""
    first = reader.rows(
        "SELECT status, ended - started FROM trials WHERE study_id = ? AND gang_id IS NOT NULL AND ended IS NOT NULL"
        " ORDER BY number LIMIT 1",
        (study,),
    )
    return max(0.0, first[0][1] - usual) if first and first[0][0] == Status.COMPLETE.name else None


def _from_kin(study: _Study, studies: list[_Study]) -> float | None:
    """By what steps of the studies that have finished trials take (`step_seconds`)."""
    timings = [
        Timing(other.workload, other.batch_size, other.seconds / other.train_steps)
        for other in studies
        if other.seconds and other.train_steps
    ]
    step = step_seconds(timings, study.workload, study.batch_size)
    return None if step is None or not study.train_steps else step * study.train_steps
