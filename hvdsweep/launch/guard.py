"""A small process that ends everything a supervisor has started, if the supervisor is killed at any moment.

horovodrun forks helpers that start ranks. A signal at the parent's death (PR_SET_PDEATHSIG) reaches only the first of
them, and ranks watch their supervisor only once Python runs in them. The guard holds one end of a pipe whose other end
only the supervisor has: when the pipe closes, it kills every process that carries the supervisor's mark, until none is
left.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from hvdsweep.launch.processes import Mark, kill_once
from hvdsweep.process_id import ProcessId

QUIET_SECONDS = 1.0
"""The guard ends after so long without a marked process: a helper between fork and exec does not carry the mark yet."""

MOST_SECONDS = 60.0

_DONE = b"done\n"


@contextmanager
def guarded() -> Iterator[None]:
    """Inside the block, a guard process watches over this one. After a clean end it leaves at once; after an error it ends
    whatever is left."""
    # In its own session, so that a kill of this process's group, or a Ctrl-C, does not reach the guard. No other process
    # that this one starts inherits the pipe.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(ProcessId.current())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    assert process.stdin is not None
    last = b""
    try:
        yield
        last = _DONE
    finally:
        # A guard that was killed had nothing left to do.
        with suppress(BrokenPipeError):
            process.stdin.write(last)
            process.stdin.close()
        process.wait()


def watch(supervisor: ProcessId, pipe: BinaryIO) -> None:
    """Wait for the pipe to close; then, unless the end was clean, end what the supervisor has started."""
    if pipe.read() == _DONE:
        return
    # Making a mark makes its supervisor known, if all that is left of its gangs are processes with nothing but a tag.
    Mark(supervisor, 0, 0, "")
    begun = quiet_since = time.monotonic()
    # A process stuck in the kernel does not die of SIGKILL; the guard does not wait for it for ever.
    while (now := time.monotonic()) - quiet_since < QUIET_SECONDS and now - begun < MOST_SECONDS:
        if kill_once(lambda mark: mark.supervisor == supervisor):
            quiet_since = now
            time.sleep(0.001)  # the next link of a chain must not gain on it
        else:
            time.sleep(0.02)


if __name__ == "__main__":
    watch(ProcessId.parse(sys.argv[1]), sys.stdin.buffer)
