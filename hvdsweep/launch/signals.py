"""Signals that ask a run to stop: the first one cleanly, another one a moment later at once."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

log = logging.getLogger(__name__)

ONE_GESTURE_SECONDS = 0.5
"""Signals this close together are one Ctrl-C: `uv run` and `make` forward what all processes got already."""


class StopSignals:
    """Inside the block, counts SIGINT, SIGTERM and SIGHUP, which end no process then. Under nohup ignores SIGHUP."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.gestures = 0
        """How often the user (or a scheduler) has asked to stop."""
        self.name = ""
        """Name of the latest signal."""
        self._clock = clock
        self._latest = float("-inf")
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        # Python delivers signals to the main thread only; elsewhere the caller's own handlers decide.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._handle)
        return self

    def again(self, heard: int, *, in_job: bool) -> bool:
        """Whether the user has asked again since `heard` gestures, so that nothing is waited for any longer.

        In a job only SIGINT counts: a scheduler and its script each send SIGTERM, and this process may notice the second
        one late, when it waits for the disk of a busy machine.
        """
        return self.gestures > heard and (self.name == "SIGINT" or not in_job)

    def rest(self, seconds: float) -> None:
        """Sleep, but not long beyond a signal: `time.sleep` alone ignores it."""
        before, end = self.gestures, self._clock() + seconds
        while self.gestures == before and (left := end - self._clock()) > 0:
            time.sleep(min(left, 0.1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = self._clock()
        if now - self._latest > ONE_GESTURE_SECONDS:
            self.gestures += 1
        self._latest = now
        self.name = signal.Signals(number).name
        log.info("%s (%d of them)", self.name, self.gestures)
