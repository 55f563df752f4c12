"""Whether this machine, or this container, is short of memory."""

from __future__ import annotations

from pathlib import Path

import psutil

FREE_SHARE = 0.1
"""Memory is short if less than this share of it is free."""
CGROUP = Path("/sys/fs/cgroup")


def is_short(cgroup: Path = CGROUP) -> bool:
    """Whether less than `FREE_SHARE` is free of the machine's memory, or of the control group's limit if any."""
    memory = psutil.virtual_memory()
    if memory.available < FREE_SHARE * memory.total:
        return True
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):
        return False
    return limit.isdigit() and int(limit) - used < FREE_SHARE * int(limit)
