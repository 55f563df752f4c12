"""A gang's processes: found by a mark that all of them carry, and ended together."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import re
import resource
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hvdsweep.process_id import ProcessId, stat_of

log = logging.getLogger(__name__)

MARK = "HVDSWEEP_GANG"
"""The environment variable that all processes of a gang inherit: horovodrun, its helpers, ranks, and their children."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

_RLIMIT_LOCKS = 10
"""A limit on file locks that Linux no longer enforces. It holds a mark's tag, which children inherit even with an emptied
environment in a session of their own."""

_GANG_BITS = 24
_known: dict[int, Mark] = {}
"""A mark of every supervisor that this process knows, by the supervisor's part of its tag."""


@dataclass(frozen=True)
class Mark:
    """The value of `MARK`: the owner of a process."""

    supervisor: ProcessId
    sweep: int
    gang: int
    store: str
    """Absolute path of the database, without symbolic links."""

    def __post_init__(self) -> None:
        _known[self.tag >> _GANG_BITS] = self

    @property
    def tag(self) -> int:
        """A number for supervisor and gang."""
        owner = hashlib.sha256(str(self.supervisor).encode()).digest()[:4]
        return int.from_bytes(owner) << _GANG_BITS | self.gang % (1 << _GANG_BITS)

    def put_on(self) -> None:
        """Tag the current process, and so all that it starts."""
        # A lower hard limit is an administrator's.
        with suppress(OSError, ValueError):
            resource.setrlimit(_RLIMIT_LOCKS, (self.tag, resource.getrlimit(_RLIMIT_LOCKS)[1]))

    def __str__(self) -> str:
        return f"{self.supervisor} {self.sweep} {self.gang} {self.store}"

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Parse the result of `str`. ValueError if it is something else."""
        supervisor, sweep, gang, store = text.split(" ", 3)
        return cls(ProcessId.parse(supervisor), int(sweep), int(gang), store)


def marked(wanted: Callable[[Mark], bool]) -> list[int]:
    """Pids of the living processes that carry a wanted mark, and of their descendants."""
    parents: dict[int, int] = {}
    roots: set[int] = set()
    for pid in _pids():
        stat = stat_of(pid)
        if stat is None or stat.state in "ZX":
            continue
        parents[pid] = stat.parent
        mark = _mark_of(pid)
        if mark is not None and wanted(mark):
            roots.add(pid)
    if not roots:
        return []
    family = set(roots)
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    family.discard(os.getpid())
    return sorted(family)


def _pids() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def _mark_of(pid: int) -> Mark | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        prefix = f"{MARK}=".encode()
        for entry in environment.split(b"\0"):
            if entry.startswith(prefix):
                try:
                    return Mark.parse(os.fsdecode(entry[len(prefix) :]))
                except ValueError:
                    return None
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None
    found = re.search(r"^Max file locks +(\d+) ", limits, re.MULTILINE)
    tag = int(found[1]) if found else 0
    known = _known.get(tag >> _GANG_BITS)
    return known and replace(known, gang=tag % (1 << _GANG_BITS))


def send(pids: Iterable[int], what: signal.Signals) -> None:
    """Send a signal to each process; processes that are gone already are ignored."""
    for pid in pids:
        try:
            os.kill(pid, what)
        except (ProcessLookupError, PermissionError):
            continue


def catches(pid: int, what: signal.Signals) -> bool:
    """Whether a process has a handler for the signal, which may kill any other process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    for line in status.splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (int(what) - 1) & 1)
    return False


def kill_once(wanted: Callable[[Mark], bool]) -> list[int]:
    """SIGKILL the processes that carry a wanted mark and their descendants; returns the pids found.

    Then kills marked processes once more, newest first and each as soon as it is seen: in a chain of processes that
    start the next one and end, the living link would be gone after one pass over all processes of a busy machine.
    """
    found = marked(wanted)
    send(found, signal.SIGKILL)
    for pid in sorted(_pids(), reverse=True):
        mark = _mark_of(pid) if pid != os.getpid() else None
        if mark is not None and wanted(mark) and pid not in found:
            send([pid], signal.SIGKILL)
            found.append(pid)
    return found


def kill_marked(wanted: Callable[[Mark], bool], *, within: float = 5.0) -> list[int]:
    """SIGKILL every process that carries a wanted mark, repeatedly until none is left.

    Returns the pids still alive after `within` seconds (only processes stuck in the kernel).
    """
    deadline = time.monotonic() + within
    # Two empty passes in a row: a process may start another and end between the listing of pids and its inspection.
    clear = 0
    while clear < 2:
        found = kill_once(wanted)
        clear = 0 if found else clear + 1
        if found:
            log.info("killed processes %s", found)
            if time.monotonic() > deadline:
                return found
            time.sleep(0.01)
    return []


def start(command: Sequence[str], environment: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """Start a process of ours; what it prints is appended to `output`. OSError where it cannot be started.

    It has a session of its own, so that a terminal's Ctrl-C reaches this process alone, and ends when the thread that started it
    does, even by SIGKILL.
    """
    log.debug("start: %s", shlex.join(command))
    mark = Mark.parse(environment[MARK]) if MARK in environment else None
    with output.open("ab") as file:
        return subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent(os.getpid(), mark=mark),
        )


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process (`start`) that carries a mark; at the end of the block, everything that carries it is ended."""
    mark = Mark.parse(environment[MARK])
    process = start(command, environment, output)
    try:
        yield process
    finally:
        kill_marked(lambda found: found == mark)
        process.wait()


def exit_code(process: subprocess.Popen[bytes], within: float) -> int | None:
    """Wait for a process to end; None if it has not ended within so many seconds."""
    try:
        return process.wait(timeout=within)
    except subprocess.TimeoutExpired:
        return None


def end_with_parent(parent: int, mark: Mark | None = None) -> Callable[[], None]:
    """For `Popen(preexec_fn=...)`: the child is killed when the thread that started it ends, for any reason; and `mark`."""

    def prepare() -> None:
        if mark is not None:
            mark.put_on()
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # The parent may have ended before the call above took effect.
        if os.getppid() != parent:
            os._exit(1)

    return prepare
