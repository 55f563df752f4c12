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

from hvdsweep.batch.scripts import spans
from hvdsweep.errors import RunFailed, UserError

log = logging.getLogger(__name__)

CALL_SECONDS = 60.0
"""A Slurm program that does not answer for so long is ended."""

ACTIVE = frozenset(
    {
        "PENDING",
        "RUNNING",
        "CONFIGURING",
        "COMPLETING",
        "SUSPENDED",
        "REQUEUED",
        "REQUEUE_HOLD",
        "STOPPED",
        "SIGNALING",
    }
)
"""States of a job that waits or runs."""


@dataclass(frozen=True)
class Job:
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
        """Whether it waits or runs."""
        return self.state in ACTIVE


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
        found = re.search(
            r"^MaxArraySize\s*=\s*(\d+)", self._call("scontrol", "show", "config"), re.MULTILINE
        )
        return max(1, int(found[1]) - 1) if found else 1000

    def test(self, text: str, first: int) -> str:
        """Slurm's answer about a script, without running it. RunFailed with its message if it refuses."""
        answer = self._call("sbatch", "--test-only", f"--array={first}", input=text, both=True)
        return answer.strip().removeprefix("sbatch: ")

    def submit(self, script: Path, tasks: Sequence[int], offset: int, most_running: int | None) -> str:
        """Submit one array of the tasks, with shard = offset + task; returns the job's id."""
        limit = f"%{most_running}" if most_running else ""
        answer = self._call(
            "sbatch",
            "--parsable",
            f"--array={spans(tasks)}{limit}",
            str(script),
            str(offset),
            cwd=script.parent,
        ).strip()
        # With several clusters the output is ID;CLUSTER.
        job = answer.splitlines()[-1].partition(";")[0] if answer else ""
        if not job.isdigit():
            raise RunFailed(
                f"sbatch: answered {answer[:200]!r}, not a job's number. Look with squeue whether the job exists."
            )
        return job

    def jobs(self, ids: Iterable[str]) -> dict[str, Job]:
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
            parts = line.split("|", 4)
            if len(parts) != 5 or not re.fullmatch(r"\d+(_\d+)?", parts[0]):
                continue
            name, state, left, node, reason = (part.strip() for part in parts)
            found[name] = Job(name, state, "" if reason == "None" else reason, node, _seconds(left))
        return found

    def ended(self, ids: Iterable[str]) -> dict[str, Job]:
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
            if len(parts) == 3 and re.fullmatch(r"\d+(_\d+)?", parts[0]):
                # "CANCELLED by 1000"
                found[parts[0]] = Job(parts[0], parts[1].split(" ")[0], "", parts[2])
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
        return done.stdout + done.stderr if both else done.stdout


def _seconds(text: str) -> int | None:
    """`1-02:03:04`, `5:00`; None for UNLIMITED, INVALID and the like."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds
