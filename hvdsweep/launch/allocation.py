"""The resources that the scheduler gave to a job: hosts with their slots, and the end of the job."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.errors import UserError
from hvdsweep.launch.hosts import Host, named_hosts, parse_hostfile

MPI_HOSTFILE = Path("/etc/mpi/hostfile")
"""The file in which Kubernetes' MPI operator lists a launcher's workers."""

END_VARIABLE = "HVDSWEEP_JOB_END"
"""Unix seconds at which the job ends, for job scripts of schedulers that do not publish it themselves."""


@dataclass(frozen=True)
class Allocation:
    """Hosts that the scheduler gave to this job."""

    source: str
    """Where that was read, for messages: `SLURM_JOB_NODELIST`, or a file."""
    hosts: tuple[Host, ...]


def allocation(environment: Mapping[str, str] = os.environ) -> Allocation | None:
    """The hosts of this job in the scheduler's order; None outside a job. UserError if they cannot be read.

    The slots of a Slurm node are its tasks if the job asked for tasks, else its GPUs, else its CPUs divided by CPUs per
    task. With other schedulers a host has as many slots as the scheduler's file has lines for it, or the number written
    there.
    """
    if "SLURM_JOB_NODELIST" in environment:
        return _slurm(environment)
    for variable in ("PBS_NODEFILE", "LSB_DJOB_HOSTFILE", "PE_HOSTFILE"):
        if variable in environment:
            path = Path(environment[variable])
            source = f"{variable} ({path})"
            lines = [line.split() for line in _text(path, source).splitlines() if line.strip()]
            if variable == "PE_HOSTFILE":
                # Grid Engine: host, slots, queue, processors.
                counted = [(words[0], words[1] if len(words) > 1 else None) for words in lines]
            else:
                counted = [
                    (name, str(number)) for name, number in Counter(words[0] for words in lines).items()
                ]
            return Allocation(source, named_hosts(counted, source))
    if MPI_HOSTFILE.is_file():
        return Allocation(str(MPI_HOSTFILE), parse_hostfile(MPI_HOSTFILE, source=str(MPI_HOSTFILE)))
    return None


def _text(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{source}: the scheduler's list of hosts cannot be read ({error}). Name the hosts with -H."
        ) from None


def _slurm(environment: Mapping[str, str]) -> Allocation:
    source = f"SLURM_JOB_NODELIST ({environment['SLURM_JOB_NODELIST']})"
    names = expand(environment["SLURM_JOB_NODELIST"])
    if "SLURM_NTASKS" in environment and "SLURM_TASKS_PER_NODE" in environment:
        slots = repeated(environment["SLURM_TASKS_PER_NODE"])
    elif environment.get("SLURM_GPUS_ON_NODE", "").isdigit():
        slots = [int(environment["SLURM_GPUS_ON_NODE"])] * len(names)
    else:
        each = int(environment.get("SLURM_CPUS_PER_TASK", "1"))
        slots = [
            max(1, cpus // each)
            for cpus in repeated(environment.get("SLURM_JOB_CPUS_PER_NODE", f"1(x{len(names)})"))
        ]
    if len(slots) != len(names):
        raise UserError(
            f"{source}: {len(names)} hosts, but Slurm gives tasks for {len(slots)}. Name the hosts with -H."
        )
    pairs = [(name, str(number)) for name, number in zip(names, slots, strict=True)]
    return Allocation(source, named_hosts(pairs, source))


def expand(nodes: str) -> list[str]:
    """All names in Slurm's short form of host names, `n[1-3,07],gpu-a[1-2]-ib`. UserError if it is something else."""
    names: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", nodes):
        stems = [""]
        for text, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", part):
            choices = (
                [text] if text else [number for one in ranges.split(",") for number in _range(one, nodes)]
            )
            stems = [stem + choice for stem in stems for choice in choices]
        names += stems
    return names


def _range(text: str, nodes: str) -> list[str]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if found is None:
        raise UserError(
            f"SLURM_JOB_NODELIST: {nodes}: {text!r} is no range of numbers. Name the hosts with -H."
        )
    first, last = found[1], found[2] or found[1]
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def repeated(counts: str) -> list[int]:
    """The numbers in Slurm's short form of a number per node: [4, 4, 1] for `4(x2),1`."""
    return [
        int(number)
        for number, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", counts)
        for _ in range(int(times or 1))
    ]


def in_job(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a job of Slurm, PBS, LSF, Grid Engine or Kubernetes."""
    names = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "PE_HOSTFILE", "KUBERNETES_SERVICE_HOST")
    return any(name in environment for name in names)


def end_of_job(environment: Mapping[str, str] = os.environ) -> float | None:
    """When (unix seconds) the scheduler ends this job; None outside a job, without a limit, or if it is unknown."""
    for variable in (END_VARIABLE, "SLURM_JOB_END_TIME"):
        if environment.get(variable, "").isdigit():
            return float(environment[variable])
    job = environment.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in environment:
        # The number of an array's last task is that of the whole array.
        job = f"{environment['SLURM_ARRAY_JOB_ID']}_{environment.get('SLURM_ARRAY_TASK_ID', '')}"
    if job is None or shutil.which("squeue", path=environment.get("PATH")) is None:
        return None
    try:
        answer = subprocess.run(
            ["squeue", "--noheader", f"--jobs={job}", "--format=%e"],
            env={**environment, "SLURM_TIME_FORMAT": "standard"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout.split()
        return time.mktime(time.strptime(answer[0], "%Y-%m-%dT%H:%M:%S"))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        # NONE or N/A without a limit; a controller that does not answer is not asked again.
        return None
