"""Slurm for batch folders: submit, query the state of all jobs in one call, cancel. Every call has a time limit."""

from __future__ import annotations

import logging
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.batch.scripts import numbers, seconds_of, spans
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.launch.logs import plain

log = logging.getLogger(__name__)

USUAL_TASKS = 1000
"""Of an array, where the cluster does not say: Slurm's own default."""

CALL_SECONDS = 60.0
"""A Slurm program that does not answer for so long is ended."""

ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "LAUNCH_FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "RECONFIG_FAIL",
        "REVOKED",
        "TIMEOUT",
    }
)
"""States in which a job will not run any more. A word that is not known is none of them, so that nothing is submitted twice."""


@dataclass(frozen=True)
class SlurmJob:
    """One array task, as reported by the scheduler."""

    id: str
    """ARRAY_INDEX."""
    state: str
    """Slurm's word: PENDING, RUNNING, TIMEOUT, OUT_OF_MEMORY, ..."""
    reason: str = ""
    """Why it waits, in Slurm's words; empty if it does not."""
    node: str = ""
    seconds_left: int | None = None
    """Until its time limit; None without one."""

    @property
    def active(self) -> bool:
        """Whether it waits or runs, or may."""
        return self.state not in ENDED


class Slurm:
    """The cluster of this machine's `sbatch`."""

    def __init__(self) -> None:
        """UserError if this machine has no Slurm."""
        if shutil.which("sbatch") is None:
            raise UserError(
                "sbatch: not found: this is no login node of a Slurm cluster. For another scheduler print a script to adapt:"
                " hvdsweep batch script SWEEP --scheduler pbs|lsf|kubernetes."
            )

    def most_tasks(self) -> int:
        """Tasks that one array may have (MaxArraySize, which counts from 0)."""
        try:
            answer = self._call("scontrol", "show", "config")
        except RunFailed:
            # Not for everybody at some sites; sbatch refuses what is too large.
            return USUAL_TASKS
        found = re.search(r"^\s*MaxArraySize\s*=\s*(\d+)", answer, re.MULTILINE)
        return max(1, int(found[1]) - 1) if found else USUAL_TASKS

    def test(self, text: str, first: int) -> str:
        """Slurm's answer about a script, without running it. RunFailed with its message if it refuses."""
        answer = self._call("sbatch", "--test-only", f"--array={first}", input=text, both=True)
        return answer.strip().removeprefix("sbatch: ")

    def submit(
        self,
        script: Path,
        tasks: Sequence[int],
        offset: int,
        most_running: int | None,
        after: str | None = None,
    ) -> str:
        """Submit one array of the tasks, with shard = offset + task, to begin once job `after` has ended; returns its id."""
        limit = f"%{most_running}" if most_running else ""
        answer = self._call(
            "sbatch",
            "--parsable",
            f"--array={spans(tasks)}{limit}",
            *([f"--dependency=afterany:{after}"] if after else []),
            str(script),
            str(offset),
            cwd=script.parent,
        )
        # With several clusters: ID;CLUSTER. Sites put their own words around it.
        jobs = re.findall(r"^(?:Submitted batch job )?([0-9]+)(?:;\S+)?$", answer, re.MULTILINE)
        if not jobs:
            raise RunFailed(
                f"sbatch: answered {answer.strip()[:200]!r}, not a job's number. Look with squeue whether the job exists."
            )
        return str(jobs[-1])

    def jobs(self, ids: Iterable[str]) -> dict[str, SlurmJob]:
        """Every task of these arrays that Slurm still knows, by id, in one call."""
        wanted = ",".join(sorted(set(ids)))
        if not wanted:
            return {}
        try:
            answer = self._call(
                "squeue",
                "--noheader",
                "--array",
                "--states=all",
                f"--jobs={wanted}",
                "--format=%i|%T|%L|%N|%r",
            )
        except RunFailed as error:
            # All of them ended so long ago that Slurm no longer knows them.
            if "Invalid job id" in str(error):
                return {}
            raise
        found = {}
        for line in answer.splitlines():
            names, *rest = (part.strip() for part in line.split("|", 4))
            if len(rest) != 4:
                continue
            state, left, node, reason = rest
            tasks = _tasks(names)
            if names[:1].isdigit() and not tasks:
                raise RunFailed(f"squeue: {names[:200]}: is no job's number.")
            for name in tasks:
                found[name] = SlurmJob(
                    name, state, "" if reason == "None" else reason, node, seconds_of(left)
                )
        if answer.strip() and not found:
            raise RunFailed(f"squeue: answered {answer.strip()[:200]!r}, not a list of jobs.")
        return found

    def ended(self, ids: Iterable[str]) -> dict[str, SlurmJob]:
        """The same from the accounting, for jobs no longer in the queue; empty if Slurm has no accounting."""
        wanted = ",".join(sorted(set(ids)))
        if not wanted or shutil.which("sacct") is None:
            return {}
        try:
            answer = self._call(
                "sacct", "--noheader", "--parsable2", "--allocations", "--array", f"--jobs={wanted}",
                "--format=JobID,State,NodeList",
            )  # fmt: skip
        except RunFailed:
            return {}
        found = {}
        for line in answer.splitlines():
            parts = line.split("|")
            if len(parts) == 3:
                # "CANCELLED by 1000"
                for name in _tasks(parts[0]):
                    found[name] = SlurmJob(name, parts[1].split(" ")[0], "", parts[2])
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs or tasks; those that have ended are ignored."""
        if ids:
            self._call("scancel", *ids)

    def _call(
        self, *command: str, input: str | None = None, both: bool = False, cwd: Path | None = None
    ) -> str:
        """stdout (with `both` also stderr) of a Slurm program. RunFailed with its message if it fails or hangs."""
        log.debug("%s", shlex.join(command))
        try:
            done = subprocess.run(
                command,
                input=input,
                stdin=subprocess.DEVNULL if input is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=CALL_SECONDS,
                cwd=cwd,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RunFailed(
                f"{command[0]}: no answer within {CALL_SECONDS:.0f} s. Try again when Slurm answers."
            ) from None
        except OSError as error:
            raise RunFailed(f"{command[0]}: cannot be started ({error}).") from None
        if done.returncode:
            log.warning("%s: exit code %d: %s", command[0], done.returncode, done.stderr or done.stdout)
            words = (done.stderr or done.stdout).strip().replace(f"{command[0]}: ", "")
            raise RunFailed(f"{command[0]}: {words[:1000] or f'exit code {done.returncode}'}")
        if not both and not done.stdout.strip() and "error" in done.stderr:
            raise RunFailed(f"{command[0]}: {plain(done.stderr.strip())[:1000]}")
        return "\n".join(map(plain, (done.stdout + (done.stderr if both else "")).splitlines()))


def _tasks(text: str) -> list[str]:
    """The array tasks (or the job) that a line of squeue or sacct is about: `7`, `7_2`, `7_[1-3,5%2]`, each with `;CLUSTER`."""
    found = re.fullmatch(r"([0-9]+)(?:_(?:([0-9]+)|\[([0-9]+(?:[-,][0-9]+)*)(?:%[0-9]+)?\]))?(?:;\S*)?", text)
    if found is None:
        return []
    job, task, several = found.groups()
    return (
        [f"{job}_{number}" for number in numbers(several)] if several else [f"{job}_{task}" if task else job]
    )
