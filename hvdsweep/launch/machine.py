"""The resources of this machine: cores this process may use, memory it may take, GPUs it may see."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from hvdsweep.errors import UserError

_CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = _CGROUP) -> int:
    """Cores this process may use: its CPU affinity (Slurm, taskset), limited by a container's quota. At least 1."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, count)


def memory(cgroup: Path = _CGROUP) -> tuple[int, int]:
    """(total bytes, available bytes), within the container's limit."""
    known = {}
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        known[name] = int(value.split()[0]) * 1024
    total, available = known["MemTotal"], known["MemAvailable"]
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        if limit != "max":
            total = min(total, int(limit))
            available = min(available, total - int((cgroup / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return total, max(0, available)


@dataclass(frozen=True)
class Gpu:
    """A GPU that ranks may use."""

    index: str
    """Its name for CUDA_VISIBLE_DEVICES: a number, or a UUID if the environment uses UUIDs."""
    name: str = ""
    memory_mib: int = 0
    driver: str = ""
    """Version of the driver; empty if nvidia-smi does not report it."""
    capability: str = ""
    """Compute capability: `9.0`; empty if nvidia-smi is too old to report it."""


QUERIES = ("index,uuid,name,memory.total,driver_version,compute_cap", "index,uuid,name,memory.total")
"""Fields to ask nvidia-smi for; the second list if its version does not know the first."""


LEAST_FILES = 64
"""Least open files for a supervisor and a rank, with TensorFlow and SQLite."""


def allow_files() -> None:
    """Raise this process's limit of open files, which gangs inherit, as needed. UserError if not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < LEAST_FILES <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST_FILES, hard))
    elif soft < LEAST_FILES:
        raise UserError(
            f"The limit of open files is {hard}; training needs at least {LEAST_FILES}. Raise it: `ulimit -n 1024`."
        )


def gpus(environment: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """The GPUs that nvidia-smi shows and CUDA_VISIBLE_DEVICES allows; empty without nvidia-smi."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    program = shutil.which("nvidia-smi")
    if program is None or (visible is not None and visible.strip() in ("", "-1", "NoDevFiles")):
        return ()
    for query in QUERIES:
        try:
            listing = subprocess.run(
                [program, f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        return seen(listing, visible)
    return ()


def seen(listing: str, visible: str | None) -> tuple[Gpu, ...]:
    """The GPUs of nvidia-smi's `listing` (one of QUERIES), in the order and choice of CUDA_VISIBLE_DEVICES."""
    known: dict[str, Gpu] = {}
    every = []
    for line in listing.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) not in (4, 6):
            continue
        index, uuid, name, mib, *more = parts
        gpu = Gpu(index, name, int(mib) if mib.isdigit() else 0, *more)
        every.append(gpu)
        known[index] = gpu
        known[uuid] = replace(gpu, index=uuid)
    if visible is None:
        return tuple(every)
    chosen = []
    for entry in (part.strip() for part in visible.split(",")):
        matches = [
            gpu
            for key, gpu in known.items()
            if key == entry or (entry.startswith("GPU-") and key.startswith(entry))
        ]
        if not matches:
            # CUDA itself stops at the first device it does not know.
            break
        chosen.append(replace(matches[0], index=entry))
    return tuple(chosen)


def versions() -> dict[str, str]:
    """Versions of the packages that training depends on, if installed."""
    versions = {}
    for package in ("hvdsweep", "tensorflow", "keras", "horovod", "numpy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
