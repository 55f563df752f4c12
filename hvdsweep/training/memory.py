"""Whether this machine, or the container it is, runs short of memory."""

from __future__ import annotations

from pathlib import Path

import psutil

FREE_SHARE = 0.1
"""Less free memory than this share of the whole is short."""
CGROUP = Path("/sys/fs/cgroup")


def is_short(cgroup: Path = CGROUP) -> bool:
    """Whether less than `FREE_SHARE` of the memory is free: of the machine, or of the control group's limit where it has one."""
    memory = psutil.virtual_memory()
    if memory.available < FREE_SHARE * memory.total:
        return True
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):
        return False
    return limit.isdigit() and int(limit) - used < FREE_SHARE * int(limit)
