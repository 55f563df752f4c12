"""The state of a batch folder: its jobs according to the scheduler, the content of its shards, and the hours used."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.runs import Hours, Run, runs_of
from hvdsweep.batch.scripts import numbers
from hvdsweep.batch.shard_content import Content, content_of
from hvdsweep.batch.slurm import Slurm, SlurmJob
from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.launch.failure_report import tail
from hvdsweep.launch.logs import plain

WATCH_SECONDS = 15.0
"""Time between two reads of a watched folder: schedulers should be queried rarely."""

JITTER = 0.2
"""Reads come earlier or later by this share, so that many watchers do not query at the same moment."""

READERS = 8
"""Shards that are read at the same time."""

STOPPED_CODES = (130, 143)
"""Exit codes of a job that was asked to stop, which is no failure."""


@dataclass(frozen=True)
class ShardState:
    """A shard, its job and its trials."""

    shard: int
    state: str
    """While the job waits or runs, the scheduler's word. Then DONE, STOPPED, FAILED, KILLED, or the scheduler's word
    for its end (TIMEOUT, OUT_OF_MEMORY, ...); NOT SUBMITTED, GONE or UNKNOWN if there is no job or no answer."""
    job: str = ""
    """The latest job."""
    reason: str = ""
    """Why the job waits."""
    node: str = ""
    seconds_left: int | None = None
    active: bool = False
    """Whether its job waits or runs."""
    trials: dict[str, int] = field(default_factory=dict)
    trains: str = ""
    words: str = ""
    """The last log line of a job that failed or was killed."""

    @property
    def left(self) -> bool:
        """Whether something is left to train and there is no job for it."""
        return not self.active and self.state != "DONE"


@dataclass(frozen=True)
class BatchState:
    """The whole folder."""

    name: str
    shards: tuple[ShardState, ...]
    core_hours: float
    """Of all jobs until now."""
    gpu_hours: float
    lost_core_hours: float
    """Training of killed jobs since the last checkpoint, which has to be repeated."""
    lost_gpu_hours: float
    kills: int
    goals: int
    """Number of (workload, batch size) that have reached their goal."""
    problem: str = ""
    """Why the scheduler does not answer; empty if it does."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, nested as above."""
        return asdict(self)


def look(path: Path) -> BatchState | None:
    """The folder's state from this machine; None if made without `batch submit`. UserError as `batch_state`."""
    folder = BatchFolder(path.absolute())
    if folder.count is None:
        return None
    try:
        scheduler: Slurm | None = Slurm()
    except UserError:
        # Without a scheduler the shards and the jobs' records can still be read.
        scheduler = None
    return batch_state(folder, scheduler)


def rest_seconds() -> float:
    """Seconds to wait until the next read."""
    return WATCH_SECONDS * random.uniform(1 - JITTER, 1 + JITTER)


def batch_state(folder: BatchFolder, scheduler: Slurm | None, now: float | None = None) -> BatchState:
    """Read the whole state once. UserError if this is no batch folder. A scheduler that fails is reported as `problem`;
    without one nothing is known of jobs."""
    now = time.time() if now is None else now
    record = folder.submitted()
    count = folder.count
    if count is None:
        raise UserError(f"{folder.path}: is no batch folder. `hvdsweep batch submit` makes one.")
    runs = {shard: runs_of(folder.logs / f"{shard:04d}.jobs") for shard in range(1, count + 1)}
    latest = latest_jobs(record, runs)
    jobs: dict[str, SlurmJob] = {}
    problem = ""
    # Reading waits for a disk that is often on a network, and SQLite releases Python's lock meanwhile.
    with ThreadPoolExecutor(READERS) as readers:
        places = [folder.shard(shard) for shard in range(1, count + 1)]
        content = dict(enumerate(readers.map(content_of, places), start=1))
    try:
        if scheduler is not None:
            jobs = scheduler.jobs(job.partition("_")[0] for job in latest.values())
            forgotten = [
                job for shard, job in latest.items() if job not in jobs and not content[shard].finished
            ]
            jobs |= scheduler.ended(job.partition("_")[0] for job in forgotten)
    except HvdsweepError as error:
        problem = str(error)
    shards = tuple(
        _state(
            folder,
            shard,
            latest.get(shard, ""),
            jobs,
            runs[shard][0],
            content[shard],
            unknown=bool(problem) or scheduler is None,
        )
        for shard in range(1, count + 1)
    )
    used = Hours()
    for state in shards:
        running = state.job if state.active and state.state != "PENDING" else None
        logged = _changed(folder.logs / f"{state.shard:04d}.log")
        used.add(runs[state.shard][0], content[state.shard], running, logged, now)
    reached = frozenset[tuple[str, int]]().union(*(one.goals for one in content.values()))
    return BatchState(
        str(record.get("name", folder.path.name)),
        shards,
        used.cores / 3600,
        used.gpus / 3600,
        used.lost_cores / 3600,
        used.lost_gpus / 3600,
        used.kills,
        len(reached),
        problem,
    )


def latest_jobs(record: dict[str, Any], runs: dict[int, tuple[list[Run], str]]) -> dict[int, str]:
    """Shard -> its latest job: the last one submitted, or its follow-up."""
    found: dict[int, str] = {}
    for job in record.get("jobs", []):
        for shard in numbers(job["shards"]):
            found[shard] = f"{job['id']}_{shard - job['offset']}"
    for shard, (made, follower) in runs.items():
        if follower and made and made[-1].job == found.get(shard):
            found[shard] = f"{follower}_{found[shard].partition('_')[2]}"
        elif made and _number(made[-1].job) > _number(found.get(shard, "")):
            found[shard] = made[-1].job
    return found


def _changed(path: Path) -> float:
    """When the file was last written to, unix seconds; 0 if there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _number(job: str) -> int:
    head = job.partition("_")[0]
    return int(head) if head.isdigit() else 0


def _state(
    folder: BatchFolder,
    shard: int,
    name: str,
    jobs: dict[str, SlurmJob],
    runs: list[Run],
    held: Content,
    *,
    unknown: bool,
) -> ShardState:
    job = jobs.get(name)
    last = runs[-1] if runs else None
    node = job.node if job is not None and job.node else last.node if last is not None else ""
    ended = ShardState(shard, "DONE", name, node=node, trials=held.trials, words=held.problem)
    if job is not None and job.active:
        waits = job.state == "PENDING"
        return replace(
            ended,
            state=job.state,
            active=True,
            node=job.node,
            reason=job.reason if waits else "",
            seconds_left=None if waits else job.seconds_left,
            trains=held.trains if job.state == "RUNNING" else "",
        )
    if held.finished:
        return ended
    if unknown:
        # Whether it is running is unknown, so nothing may be submitted a second time.
        return replace(ended, state="UNKNOWN", active=True)
    if last is not None and last.end is not None and last.job == name:
        state = "STOPPED" if last.code in STOPPED_CODES else "FAILED"
    elif job is not None:
        state = job.state
    else:
        killed = last is not None and last.end is None and last.job == name
        state = "KILLED" if killed else "GONE" if name else "NOT SUBMITTED"
    words = held.problem
    if not words and state not in ("STOPPED", "NOT SUBMITTED"):
        words = _last_line((folder.logs / f"{shard:04d}.log", folder.logs / "scheduler.log"))
    return replace(ended, state=state, words=words)


def _last_line(logs: Iterable[Path]) -> str:
    """The last line with text, of the first log that has one."""
    for log in logs:
        lines = [plain(line) for line in tail(log, 4096).decode("utf-8", "replace").split("\n")]
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return said[-1][:300]
    return ""
