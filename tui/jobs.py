"""The jobs of a batch folder: a thread asks the scheduler about all of them at once, about every 15 s.

Without Slurm the jobs are shown as the folder records them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from hvdsweep.errors import HvdsweepError
from hvdsweep.visible import visible
from hvdsweep.words import counted
from tui.source import LOOK_SHARE
from tui.widgets.columns import Column
from tui.words import JOBS, duration, sign

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState, ShardState


def _what(shard: ShardState) -> Content:
    """Why its job waits, what it trains, or its last words."""
    return Content.styled(visible(shard.reason or shard.trains or shard.words), "$foreground-muted")


def _trials(shard: ShardState) -> str:
    ended = sum(shard.trials.get(status, 0) for status in ("COMPLETE", "INFEASIBLE", "INCOMPLETE"))
    total = sum(shard.trials.values())
    return f"{ended}/{total}" if total else ""


JOB_COLUMNS: tuple[Column[ShardState], ...] = (
    Column("shard", 5, lambda shard: str(shard.shard), right=True, fixed=True),
    Column("state", 11, lambda shard: sign(JOBS, shard.state), fixed=True),
    Column("left", 10, lambda shard: duration(shard.seconds_left, unknown=""), right=True, fixed=True),
    Column("node", 8, lambda shard: shard.node, fixed=True),
    Column("what", 10, _what, grow=True, most=200, fixed=True),
    Column("trials", 8, _trials, right=True),
    Column("job", 9, lambda shard: shard.job),
)
"""Of a shard with its job."""


class Jobs:
    """What is known of the jobs of the batch folder that the interface shows; of a database there are none."""

    def __init__(self, path: Path, seen: Callable[[BatchState | str], object]) -> None:
        """`seen` is called from a thread with every state, or with why there is none; it passes it to `take`."""
        self._path = path
        self._seen = seen
        self.state: BatchState | None = None
        """None until the scheduler has been asked, and of what was not submitted."""
        self.watched = False
        """Whether this is a batch folder."""
        self._problem = ""
        self._foreign = False
        """Whether `hvdsweep batch` has submitted none of them."""
        self._closed = False
        self._soon = threading.Event()

    def watch(self) -> None:
        """Begin to look, once the folder's data are on the screen."""
        if not self.watched and self._path.is_dir():
            self.watched = True
            # A scheduler that does not answer must not keep the user from leaving the interface.
            threading.Thread(target=self._watch, daemon=True).start()

    def close(self) -> None:
        self._closed = True
        self._soon.set()

    @property
    def active(self) -> tuple[str, ...]:
        """Jobs that wait or run, as far as the scheduler has said."""
        shards = () if self.state is None else self.state.shards
        return tuple(shard.job for shard in shards if shard.active and shard.state != "UNKNOWN")

    @property
    def no_cancelling(self) -> str:
        """Why none of a folder's jobs can be cancelled from here, whichever is selected; empty if one can be."""
        if self._foreign:
            return "`hvdsweep batch submit` did not submit these jobs; cancel them with the scheduler's own command"
        if self.state is not None and any(shard.state == "UNKNOWN" for shard in self.state.shards):
            return "which jobs run is not known here: no Slurm on this machine, or no answer from it"
        return ""

    def cancel(self, jobs: Sequence[str]) -> str:
        """Cancel these jobs, in a thread; what to say of it."""
        from hvdsweep.batch.slurm import Slurm

        Slurm().cancel(jobs)
        self._soon.set()
        return f"{counted(len(jobs), 'job')} cancelled."

    def _watch(self) -> None:
        from hvdsweep.batch.status import look, rest_seconds

        while not self._closed:
            begun = time.monotonic()
            self._soon.clear()
            try:
                state: BatchState | str | None = look(self._path)
            except HvdsweepError as error:
                state = str(error)
            self._foreign = state is None
            if state is not None and not self._closed:
                self._seen(state)
            self._soon.wait(max(rest_seconds(), (time.monotonic() - begun) / LOOK_SHARE))

    def take(self, state: BatchState | str) -> str:
        """Keep what was seen; what is wrong since then, "" if that is nothing new."""
        before, self._problem = self._problem, state if isinstance(state, str) else state.problem
        if not isinstance(state, str):
            self.state = state
        return self._problem if self._problem != before else ""
