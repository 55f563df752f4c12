"""The runs of a shard's jobs, as the jobs have recorded them, and the hours that they used and lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hvdsweep.batch.shard_content import Content
from hvdsweep.launch.allocation import repeated


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


def runs_of(path: Path) -> tuple[list[Run], str]:
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
                all_gpus = int(gpus) * int(nodes) if gpus.isdigit() else 0
                made.append(Run(job, node, sum(repeated(cores)), all_gpus, float(moment)))
                follower = ""
            case [moment, job, "end", code] if made and made[-1].job == job and moment.isdigit():
                made[-1] = replace(made[-1], end=float(moment), code=int(code) if code.isdigit() else 1)
            case [_, _, "follow", job] if job.partition(";")[0].isdigit():
                follower = job.partition(";")[0]
    return made, follower


@dataclass
class Hours:
    """Cores and GPUs times seconds of the runs added so far."""

    cores: float = 0.0
    gpus: float = 0.0
    lost_cores: float = 0.0
    """Training of killed runs since the last checkpoint."""
    lost_gpus: float = 0.0
    kills: int = 0

    def add(
        self, runs: Sequence[Run], content: Content, running: str | None, logged: float, now: float
    ) -> None:
        """Add the runs of one shard.

        `running`: its job that runs now, if any; `logged`: when its log was last written to, unix seconds.
        """
        for number, run in enumerate(runs):
            latest = number == len(runs) - 1
            after = math.inf if latest else runs[number + 1].start
            end = run.end
            if end is None and latest and run.job == running:
                end = now
            elif end is None:
                # The next run may have waited for hours: a killed one lasted to its own last sign of life.
                signs = [sign for started, sign in content.signs if run.start <= started < after]
                if latest:
                    signs += [content.heartbeat, logged]
                end = max(run.start, min(now, after, max(signs, default=0.0)))
                self.kills += 1
                lost = sum(
                    one.seconds * one.share for one in content.lost if run.start <= one.gang_started < after
                )
                self.lost_cores += lost * run.cores
                self.lost_gpus += lost * run.gpus
            self.cores += (end - run.start) * run.cores
            self.gpus += (end - run.start) * run.gpus
