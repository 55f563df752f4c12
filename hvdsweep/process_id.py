"""A process identifier that is never reused: not after the process ends, a reboot, or a change of the clock."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """Written `PID:START:BOOT@HOST`. No part comes from the system clock, which people and NTP may set."""

    pid: int
    start: int
    """Clock ticks between boot and the start of the process (field 22 of /proc/PID/stat)."""
    boot: str
    """The boot of the machine, and the PID namespace in it (a container has its own)."""
    host: str

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}:{self.boot}@{self.host}"

    @classmethod
    def parse(cls, text: str) -> ProcessId:
        """Parse the result of `str`. ValueError for anything else."""
        numbers, at, host = text.partition("@")
        parts = numbers.split(":")
        if not (at and host and len(parts) == 3):
            raise ValueError(f"{text!r} is not PID:START:BOOT@HOST")
        return cls(int(parts[0]), int(parts[1]), parts[2], host)

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The current process with this pid. ProcessLookupError if there is none."""
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
        """Whether its pid is valid here: same machine, same boot, same PID namespace."""
        return self.boot == boot() and self.host == socket.gethostname()

    def alive(self) -> bool:
        """Whether it is running; False for a zombie. Only meaningful if `is_visible`."""
        found = stat_of(self.pid)
        return found is not None and found.start == self.start and found.state not in "ZX"


@dataclass(frozen=True)
class Stat:
    """The content of /proc/PID/stat."""

    state: str
    """One letter: R, S, D, T, Z, X, ..."""
    parent: int
    start: int
    """Clock ticks since boot."""


def stat_of(pid: int) -> Stat | None:
    """None if there is no such process. (psutil takes start times from the system clock, which may be set.)"""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command's name, in parentheses, may contain spaces and parentheses.
    fields = text[text.rindex(b")") + 2 :].split()
    return Stat(chr(fields[0][0]), int(fields[1]), int(fields[19]))


@cache
def boot() -> str:
    """This boot of this machine and this PID namespace: `1f0c2b7a93d2-4026531836`; empty parts if /proc lacks them."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        machine = ""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{machine.replace('-', '')[:12]}-{''.join(filter(str.isdigit, namespace))}"
