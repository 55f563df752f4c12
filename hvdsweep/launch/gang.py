"""A gang as its supervisor handles it: a horovodrun, its log directory, and all processes that carry its mark."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.launch.hosts import Host
from hvdsweep.launch.processes import Mark, catches, kill_marked, marked, send, start

CommandBuilder = Callable[[Sequence[Host], str, Sequence[str]], list[str]]
"""(hosts, module, arguments) -> command line; `horovodrun.gang_command` outside tests."""

MODULE = "hvdsweep.training.gang"


@dataclass
class StartedGang:
    """A started gang; call `reap` once it has ended or is to end."""

    id: int
    mark: Mark
    logs: Path
    process: subprocess.Popen[bytes]
    started: float
    """Monotonic seconds."""

    @classmethod
    def start(
        cls,
        gang: int,
        mark: Mark,
        logs: Path,
        hosts: Sequence[Host],
        environment: Mapping[str, str],
        threads: int,
        build: CommandBuilder,
        checkpoint_every: float,
    ) -> StartedGang:
        """Start horovodrun, which ends when this thread does."""
        logs.mkdir(parents=True, exist_ok=True)
        arguments = [
            *("--db", mark.store, "--sweep", str(mark.sweep), "--gang", str(gang)),
            *("--logs", str(logs), "--supervisor", str(mark.supervisor), "--threads", str(threads)),
            *("--checkpoint-every", str(checkpoint_every)),
        ]
        process = start(build(hosts, MODULE, arguments), environment, logs / "horovodrun.log")
        return cls(gang, mark, logs, process, time.monotonic())

    def exit_code(self) -> int | None:
        """horovodrun's exit code (negative: ended by that signal); None while it runs."""
        return self.process.poll()

    def processes(self) -> list[int]:
        """Pids of all the gang's processes on this machine."""
        return marked(self._mine)

    def terminate(self) -> None:
        """Make horovodrun end its ranks, also those on other hosts."""
        self.process.send_signal(signal.SIGINT)

    def dump_stacks(self, within: float = 1.0) -> None:
        """Make the ranks write the stacks of their threads to their logs, if they have a handler for it."""
        before = {log: log.stat().st_size for log in self.logs.glob("rank-*.log")}
        asked = [pid for pid in self.processes() if catches(pid, signal.SIGUSR1)]
        send(asked, signal.SIGUSR1)
        deadline = time.monotonic() + within
        while asked and time.monotonic() < deadline:
            if all(log.stat().st_size > size for log, size in before.items()):
                break
            time.sleep(0.02)

    def reap(self) -> list[int]:
        """SIGKILL whatever is left of its tree and session; returns pids that could not be ended."""
        left = kill_marked(self._mine)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            left.append(self.process.pid)
        return left

    def _mine(self, mark: Mark) -> bool:
        return mark == self.mark
