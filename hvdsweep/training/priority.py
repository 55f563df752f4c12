"""Horovod's threads give way to training where both share a core.

Gloo's loop thread polls a level-triggered epoll: while a message waits for a receive that this rank has not posted yet, it
returns at once, over and over, and robs the rank that is behind of its core. Under SCHED_BATCH a thread that wakes up no longer
interrupts the one that runs, so training keeps the core until it waits itself. Any user may set it. Measured on two cores, two
ranks, `fc_128` at batch size 64: 1.2 to 1.8 ms a step instead of 2.5 to 3.9 (`benchmarks/two_ranks.py`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def threads_give_way() -> Iterator[None]:
    """Put every thread that is started inside the block under SCHED_BATCH."""
    before = _threads()
    yield
    for thread in _threads() - before:
        # A thread that has ended meanwhile, or a kernel that refuses, costs speed alone.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))


def _threads() -> set[int]:
    """The kernel's ids of this process's threads."""
    return {int(name) for name in os.listdir("/proc/self/task")}
