"""A process that no other process can be mistaken for: not after its end, not after a reboot, not when a clock is set."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """Written `PID:START:BOOT@HOST`. Nothing in it comes from the clock of day, which people and NTP may set."""

    pid: int
    start: int
    """Clock ticks between boot and the start of the process (field 22 of /proc/PID/stat)."""
    boot: str
    """Which boot of which machine, and which PID namespace in it (a container has its own)."""
    host: str

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}:{self.boot}@{self.host}"

    @classmethod
    def parse(cls, text: str) -> ProcessId:
        """Read what `str` wrote. ValueError if it is something else."""
        numbers, at, host = text.partition("@")
        parts = numbers.split(":")
        if not (at and host and len(parts) == 3):
            raise ValueError(f"{text!r} is not PID:START:BOOT@HOST")
        return cls(int(parts[0]), int(parts[1]), parts[2], host)

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has this pid now. ProcessLookupError if there is none."""
        found = stat_of(pid)
        if found is None:
            raise ProcessLookupError(pid)
        return cls(pid, found.start, boot(), socket.gethostname())

    @classmethod
    def current(cls) -> ProcessId:
        """This process."""
        return cls.of(os.getpid())

    @property
    def is_visible(self) -> bool:
        """Whether its pid means anything here: same machine, same boot, same PID namespace."""
        return self.boot == boot() and self.host == socket.gethostname()

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not. Only meaningful where `is_visible`."""
        found = stat_of(self.pid)
        return found is not None and found.start == self.start and found.state not in "ZX"


@dataclass(frozen=True)
class Stat:
    """What /proc/PID/stat says of a process."""

    state: str
    """One letter: R, S, D, T, Z, X, ..."""
    parent: int
    start: int
    """Clock ticks since boot."""


def stat_of(pid: int) -> Stat | None:
    """None if there is no such process. (psutil counts a start from the clock of day, which may be set.)"""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = text[text.rindex(b")") + 2 :].split()
    return Stat(chr(fields[0][0]), int(fields[1]), int(fields[19]))


@cache
def boot() -> str:
    """This boot of this machine and this PID namespace: `1f0c2b7a93d2-4026531836`; empty parts if /proc does not say."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        machine = ""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{machine.replace('-', '')[:12]}-{''.join(filter(str.isdigit, namespace))}"
