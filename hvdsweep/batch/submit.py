"""Creates a batch folder and submits what is left of it. Every file is complete or missing, also after a kill."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.plans import write_plan
from hvdsweep.batch.scripts import JobRequest, script, spans
from hvdsweep.batch.slurm import Slurm
from hvdsweep.errors import HvdsweepError, RunFailed, UserError
from hvdsweep.layout import Shape
from hvdsweep.plan import Plan, make_plan
from hvdsweep.plan_layout import forecast
from hvdsweep.replacing import write_whole
from hvdsweep.step_time import Speed, StepTimes
from hvdsweep.sweep.load import LoadedSweep, load_sweep
from hvdsweep.sweep.user_code import files_of
from hvdsweep.sweep.write import sweep_toml, toml_value

UNLIMITED_JOB_SECONDS = 4 * 3600
"""Assumed length of a job without --time."""


def expected_hours(plan: Plan, np: int, speeds: Iterable[Speed] = ()) -> float:
    """Hours of training steps of the plan, one trial of `np` ranks at a time; rough without measured speeds."""
    jobs = forecast(plan, [Shape(np, 1)], StepTimes(speeds)).jobs
    trials = zip(jobs, plan.studies, strict=True)
    return sum(job.seconds[np] * study.target_trials for job, study in trials) / 3600


def shards_for(plan: Plan, hours: float, gangs: int, job_seconds: int | None) -> int:
    """How many shards fill half of each job's time, so that most need one job; each has every batch size."""
    length = (job_seconds or UNLIMITED_JOB_SECONDS) / 2 / 3600
    return max(1, min(math.ceil(hours / gangs / length), min(study.target_trials for study in plan.studies)))


def make_folder(folder: BatchFolder, loaded: LoadedSweep, plan: Plan, wanted: JobRequest) -> None:
    """Write sweep, the user's modules, script and record. UserError if the folder exists or cannot be written."""
    if folder.path.exists():
        raise UserError(
            f"--dir: {folder.path}: exists. Continue it with `hvdsweep batch resubmit`, or give another folder."
        )
    partial = folder.path.with_name(f".{folder.path.name}.{os.getpid()}.partial")
    try:
        made = BatchFolder(partial)
        for place in (made.path, made.logs, made.shards_folder):
            place.mkdir(parents=True)
        name = f"name = {toml_value(loaded.name)}\n\n" if loaded.sweep.name is None else ""
        text = (
            Path(loaded.file).read_text(encoding="utf-8-sig")
            if loaded.file is not None
            else sweep_toml(loaded.sweep)
        )
        made.sweep.write_text(name + text, encoding="utf-8")
        for path, file in files_of(loaded.sweep, loaded.source).items():
            copy = made.path / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        # Hashes of what the user's code returned here are known for the original only, not for its copy.
        copied = make_plan(load_sweep(str(made.sweep)), plan.definition.get("content", {}))
        if copied.key != plan.key:
            raise UserError(f"{loaded.file}: changed while it was read. Submit it again.")
        # Readers show the sweep while all its jobs still wait.
        write_plan(made, [copied])
        made.script.write_text(script(wanted), encoding="utf-8")
        made.script.chmod(0o755)
        record: dict[str, Any] = {
            "name": loaded.name,
            "file": loaded.file,
            "key": plan.key,
            "scheduler": "slurm",
            "shards": wanted.shards,
            "np": wanted.np,
            "gangs": wanted.gangs,
            "nodes": wanted.nodes,
            "most_running": wanted.most_running,
            "created": time.time(),
            "jobs": [],
        }
        made.record.write_bytes(_json(record))
        os.rename(partial, folder.path)
    except OSError as error:
        raise UserError(
            f"--dir: {folder.path}: cannot be written ({error}). Give another folder with --dir."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def submit(
    folder: BatchFolder,
    shards: Sequence[int],
    scheduler: Slurm,
    submitted_job: Callable[[str], None] = lambda job: None,
) -> list[str]:
    """Submit these shards in as few arrays as the cluster allows; returns the jobs' ids, each recorded as soon as it is
    known.

    RunFailed if Slurm refuses; what was submitted before stays.
    """
    record = folder.submitted()
    most = record.get("most_running")
    size = scheduler.most_tasks()
    groups: dict[int, list[int]] = {}
    for shard in sorted(shards):
        groups.setdefault((shard - 1) // size * size, []).append(shard)
    ids: list[str] = []
    for offset, members in groups.items():
        # Together the arrays run at most the requested number of jobs: of more arrays than that, the later ones wait.
        limit = None if most is None else max(1, most // len(groups))
        after = ids[-most] if most is not None and len(ids) >= most else None
        try:
            tasks = [shard - offset for shard in members]
            job = scheduler.submit(folder.script, tasks, offset, limit, after)
        except HvdsweepError as error:
            if not ids:
                raise
            raise RunFailed(
                f"{error}\nSubmitted: {', '.join(ids)}. Not submitted: shards from {members[0]}. When Slurm takes more jobs:"
                f" hvdsweep batch resubmit {folder.path}"
            ) from error
        ids.append(job)
        record["jobs"] = [
            *record.get("jobs", []),
            {"id": job, "shards": spans(members), "offset": offset, "submitted": time.time()},
        ]
        write_whole(folder.record, _json(record))
        submitted_job(job)
    return ids


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
