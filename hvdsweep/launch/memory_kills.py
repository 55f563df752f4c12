"""Whether the kernel has killed processes of this job for lack of memory, from its counters, without its log.

Kills by user space (systemd-oomd, a scheduler that polls, Kubernetes' eviction) are not in the kernel's counters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MemoryKills:
    """Kills counted since the control group, or the machine, started."""

    mine: int | None
    """Processes of this process's control group; None if it counts none."""
    machine: int | None
    """Processes of the whole machine; None if the kernel does not say."""

    @classmethod
    def now(cls, root: Path = Path("/")) -> MemoryKills:
        """The kernel's counters now."""
        return cls(_of_control_group(root), _count(root / "proc/vmstat"))

    def since(self, before: MemoryKills) -> str:
        """What is known about the cause when a process was ended by SIGKILL since `before`."""
        if self.mine is not None and before.mine is not None:
            killed = self.mine > before.mine
            return "out of memory: the kernel has killed a process of this job" if killed else NOT_MEMORY
        if self.machine is not None and self.machine == before.machine:
            return NOT_MEMORY
        return UNKNOWN


NOT_MEMORY = "not by the kernel for lack of memory"
UNKNOWN = "out of memory?"


def _of_control_group(root: Path) -> int | None:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    groups = {line.split(":", 2)[1]: line.split(":", 2)[2].lstrip("/") for line in lines}
    folder = root / "sys/fs/cgroup"
    for controllers, path in groups.items():
        if "memory" in controllers.split(","):
            # Control groups version 1.
            return _count(folder / "memory" / path / "memory.oom_control")
    return _count(folder / groups[""] / "memory.events") if "" in groups else None


def _count(path: Path) -> int | None:
    try:
        found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
