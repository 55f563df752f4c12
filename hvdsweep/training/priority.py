"""Make Horovod's threads yield to training when both share a core.

Gloo's loop thread polls a level-triggered epoll. While a message waits for a receive that this rank has not posted yet,
the poll returns at once, again and again, and takes the core from the rank that is behind. Under SCHED_BATCH a thread
that wakes up no longer preempts the running one, so training keeps the core until it waits. Any user may set it.
Measured on two cores, two ranks, `fc_128` at batch size 64: 1.2 to 1.8 ms a step instead of 2.5 to 3.9
(`benchmarks/two_ranks.py`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def threads_give_way() -> Iterator[None]:
    """Put every thread started inside the block under SCHED_BATCH."""
    before = _threads()
    yield
    for thread in _threads() - before:
        # If a thread has ended meanwhile, or the kernel refuses, only speed is lost.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))


def _threads() -> set[int]:
    """The kernel's ids of this process's threads."""
    return {int(name) for name in os.listdir("/proc/self/task")}
