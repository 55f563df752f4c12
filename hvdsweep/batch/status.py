"""The state of a batch folder: its jobs according to the scheduler, the content of its shards, and the hours used."""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.scripts import numbers
from hvdsweep.batch.slurm import Slurm, SlurmJob
from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.launch.allocation import repeated
from hvdsweep.launch.failure_report import tail
from hvdsweep.launch.logs import plain
from hvdsweep.store.lifecycle import LOST
from hvdsweep.store.schema import REACHED

WATCH_SECONDS = 15.0
"""Time between two reads of a watched folder: schedulers should be queried rarely."""

JITTER = 0.2
"""Reads come earlier or later by this share, so that many watchers do not query at the same moment."""

READERS = 8
"""Shards that are read at the same time."""

STOPPED_CODES = (130, 143)
"""Exit codes of a job that was asked to stop, which is no failure."""


@dataclass(frozen=True)
class Run:
    """One run of a job, from the job's own record."""

    job: str
    node: str
    cores: int
    gpus: int
    start: float
    """Unix seconds."""
    end: float | None = None
    """None: it is running, or was killed."""
    code: int | None = None


@dataclass(frozen=True)
class Lost:
    """Training lost by a kill: that of one gang, since its trial's last checkpoint."""

    gang_started: float
    """Unix seconds."""
    share: float
    """The gang's share of the job's ranks."""
    seconds: float


@dataclass(frozen=True)
class Content:
    """The content of a shard's database."""

    trials: dict[str, int]
    """Status -> number; empty if there is no database yet."""
    finished: bool = False
    """Whether its sweep has ended, with nothing left to train."""
    trains: str = ""
    """What its gangs are training."""
    heartbeat: float = 0.0
    """The last sign of life, unix seconds."""
    signs: tuple[tuple[float, float], ...] = ()
    """Start and last sign of life of each gang, unix seconds."""
    lost: tuple[Lost, ...] = ()
    """Lost to kills; if its job was killed, includes the trials in training."""
    goals: frozenset[tuple[str, int]] = frozenset()
    """(workload, batch size) in which a trial has reached the goal."""
    problem: str = ""
    """Why the database cannot be read; empty if it can."""


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
    runs = {shard: _runs(folder.logs / f"{shard:04d}.jobs") for shard in range(1, count + 1)}
    latest = latest_jobs(record, runs)
    jobs: dict[str, SlurmJob] = {}
    problem = ""
    # Reading waits for a disk that is often on a network, and SQLite releases Python's lock meanwhile.
    with ThreadPoolExecutor(READERS) as readers:
        places = [folder.shard(shard) for shard in range(1, count + 1)]
        content = dict(enumerate(readers.map(_content, places), start=1))
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
    cores = gpus = lost_cores = lost_gpus = 0.0
    kills = 0
    for state in shards:
        made, held = runs[state.shard][0], content[state.shard]
        for number, run in enumerate(made):
            latest_run = number == len(made) - 1
            running = latest_run and state.active and state.state != "PENDING" and run.job == state.job
            end = run.end
            if end is None:
                after = math.inf if latest_run else made[number + 1].start
                # The next run may have waited for hours: a killed one lasted to its own last sign of life.
                signs = [sign for started, sign in held.signs if run.start <= started < after]
                if latest_run:
                    signs += [held.heartbeat, _changed(folder.logs / f"{state.shard:04d}.log")]
                end = now if running else max(run.start, min(now, after, max(signs, default=0.0)))
                if not running:
                    kills += 1
                    mine = [one for one in held.lost if run.start <= one.gang_started < after]
                    seconds = sum(one.seconds * one.share for one in mine)
                    lost_cores += seconds * run.cores
                    lost_gpus += seconds * run.gpus
            cores += (end - run.start) * run.cores
            gpus += (end - run.start) * run.gpus
    reached = frozenset[tuple[str, int]]().union(*(one.goals for one in content.values()))
    return BatchState(
        str(record.get("name", folder.path.name)),
        shards,
        cores / 3600,
        gpus / 3600,
        lost_cores / 3600,
        lost_gpus / 3600,
        kills,
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


def _runs(path: Path) -> tuple[list[Run], str]:
    """The runs recorded by a shard's jobs, and the follow-up of the last one, if any."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [], ""
    made: list[Run] = []
    follower = ""
    for line in lines:
        # A full disk or a kill may leave half a line.
        match line.split():
            case [moment, job, "start", node, cores, nodes, gpus] if moment.isdigit() and nodes.isdigit():
                made.append(
                    Run(
                        job,
                        node,
                        sum(repeated(cores)),
                        int(gpus) * int(nodes) if gpus.isdigit() else 0,
                        float(moment),
                    )
                )
                follower = ""
            case [moment, job, "end", code] if made and made[-1].job == job and moment.isdigit():
                last = made[-1]
                made[-1] = Run(
                    last.job,
                    last.node,
                    last.cores,
                    last.gpus,
                    last.start,
                    float(moment),
                    int(code) if code.isdigit() else 1,
                )
            case [_, _, "follow", job] if job.partition(";")[0].isdigit():
                follower = job.partition(";")[0]
    return made, follower


def _content(path: Path) -> Content:
    if not path.exists():
        return Content({})
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as conn:
            trials = dict(conn.execute("SELECT status, count(*) FROM trials GROUP BY status"))
            states = conn.execute("SELECT state, heartbeat FROM sweeps").fetchall()
            training, goals, lost = [], [], _lost(conn)
            signs = conn.execute(
                "SELECT started, heartbeat FROM gangs WHERE heartbeat IS NOT NULL"
            ).fetchall()
            if "RUNNING" in trials:
                training = conn.execute(
                    "SELECT w.name, s.batch_size, t.number FROM trials t JOIN studies s ON s.id = t.study_id"
                    " JOIN workloads w ON w.id = s.workload_id WHERE t.status = 'RUNNING' ORDER BY t.id"
                ).fetchall()
            if "COMPLETE" in trials or "RUNNING" in trials:
                goals = conn.execute(
                    "SELECT DISTINCT w.name, s.batch_size FROM best_records r JOIN metrics m ON m.id = r.metric_id"
                    " JOIN trials t ON t.id = r.trial_id JOIN studies s ON s.id = t.study_id"
                    " JOIN workloads w ON w.id = s.workload_id AND w.metric = m.name AND w.maximize = m.maximize"
                    f" WHERE {REACHED}"
                ).fetchall()
    except sqlite3.Error as error:
        return Content({}, problem=f"{path}: {error}")
    pending = trials.get("PENDING", 0) + trials.get("RUNNING", 0)
    return Content(
        trials,
        finished=bool(states) and not pending and all(state in ("DONE", "FAILED") for state, _ in states),
        trains="; ".join(f"{name} batch size {size:,}, trial {number}" for name, size, number in training),
        heartbeat=max((beat or 0.0 for _, beat in states), default=0.0),
        signs=tuple(signs),
        lost=lost,
        goals=frozenset((name, size) for name, size in goals),
    )


def _lost(conn: sqlite3.Connection) -> tuple[Lost, ...]:
    """Lost training, as far as the store's version records it."""
    ranks = "max(1, coalesce(w.slots, w.np * w.gangs, g.np))"
    if "lost_seconds" not in {row[1] for row in conn.execute("PRAGMA table_info(gangs)")}:
        return ()
    questions = (
        f"SELECT g.started, g.np * 1.0 / {ranks}, g.lost_seconds FROM gangs g JOIN sweeps w ON w.id = g.sweep_id"
        " WHERE g.lost_seconds IS NOT NULL",
        f"SELECT g.started, g.np * 1.0 / {ranks}, {LOST} FROM trials t JOIN gangs g ON g.id = t.gang_id"
        " JOIN sweeps w ON w.id = g.sweep_id WHERE t.status = 'RUNNING' AND g.heartbeat IS NOT NULL",
    )
    return tuple(
        Lost(started, min(1.0, share), seconds)
        for question in questions
        for started, share, seconds in conn.execute(question)
    )


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
    node = job.node if job is not None and job.node else runs[-1].node if runs else ""
    if job is not None and job.active:
        return ShardState(
            shard,
            job.state,
            name,
            job.reason if job.state == "PENDING" else "",
            job.node,
            job.seconds_left if job.state != "PENDING" else None,
            True,
            held.trials,
            held.trains if job.state == "RUNNING" else "",
            held.problem,
        )
    last = runs[-1] if runs else None
    if held.finished:
        return ShardState(shard, "DONE", name, node=node, trials=held.trials, words=held.problem)
    if unknown:
        # Whether it is running is unknown, so nothing may be submitted a second time.
        return ShardState(
            shard, "UNKNOWN", name, node=node, active=True, trials=held.trials, words=held.problem
        )
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
    return ShardState(shard, state, name, node=node, trials=held.trials, words=words)


def _last_line(logs: Iterable[Path]) -> str:
    """The last line with text, of the first log that has one."""
    for log in logs:
        lines = [plain(line) for line in tail(log, 4096).decode("utf-8", "replace").split("\n")]
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return said[-1][:300]
    return ""
