"""Why a gang died: which rank failed first, how, and the last lines it wrote."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.launch.logs import plain
from hvdsweep.launch.memory_kills import UNKNOWN

_FIRST = re.compile(rb"Process name: (\d+)\s+Exit code: (\d+)")
_TAIL_BYTES = 16 * 1024
_MOST_LINES = 20
_MOST_CHARACTERS = 2000
_NOISE = re.compile(
    r"^(WARNING: All log messages before absl::InitializeLog|[IWE]0000 |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    r"|To enable the following instructions|rank \d+ of \d+ on |Extension modules: )"
)
_FATAL = "Fatal Python error"
"""The first words of the interpreter's fatal message; the stack follows, its innermost call first."""


@dataclass(frozen=True)
class Death:
    """How a gang ended."""

    how: str
    """"rank 1: exit code 1", "killed by SIGKILL", ...: with the rank that failed first, if horovodrun names one."""
    words: str
    """The end of its log; empty if it wrote nothing."""

    def __str__(self) -> str:
        return f"{self.how}\n{self.words}" if self.words else self.how

    @property
    def line(self) -> str:
        """One line: how it ended, and the line of its log that names the error."""
        said = self.words.splitlines() or [""]
        last = (said[0] if said[0].startswith(_FATAL) else said[-1]).strip()
        return f"{self.how}: {last}" if last else self.how


def death_of(logs: Path, exit_code: int | None, memory: str = UNKNOWN) -> Death:
    """How the gang that logged to `logs` ended; `exit_code` is horovodrun's (negative: ended by that signal).

    `memory`: what is known about a SIGKILL, see `memory_kills`.
    """
    launcher = tail(logs / "horovodrun.log")
    named = _FIRST.search(launcher)
    if named is None:
        how = f"horovodrun: {_how(exit_code, memory)}" if exit_code is not None else "horovodrun did not end"
        return Death(how, _words(launcher) or _words(tail(logs / "rank-0.log")))
    rank = int(named[1])
    words = _words(tail(logs / f"rank-{rank}.log")) or _words(launcher)
    return Death(f"rank {rank}: {_how(int(named[2]), memory)}", words)


def death_of_process(log: Path, exit_code: int) -> Death:
    """How a single process that logged to `log` ended (negative exit code: by that signal)."""
    return Death(_how(exit_code), _words(tail(log)))


def hang_of(logs: Path, seconds: float) -> Death:
    """The state of a gang that has been silent for `seconds`: each rank's position, as far as its log shows it."""
    parts = []
    for log in sorted(logs.glob("rank-*.log"), key=lambda path: (len(path.name), path.name)):
        words = _words(tail(log), lines=8)
        if words:
            parts.append(f"{log.stem}:\n{words}")
    return Death(f"no sign of life for {seconds:.0f} s", "\n".join(parts)[-_MOST_CHARACTERS:])


def tail(path: Path, size: int = _TAIL_BYTES) -> bytes:
    """The last `size` bytes of a file; empty if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read()
    except OSError:
        return b""


def _how(code: int, memory: str = UNKNOWN) -> str:
    # A shell reports 128 + n for a process ended by signal n, Popen reports -n.
    number = -code if code < 0 else code - 128
    if 0 < number < signal.NSIG:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"killed by {name}" + (f" ({memory})" if name == "SIGKILL" else "")
    return f"exit code {code}"


def _words(log: bytes, lines: int = _MOST_LINES) -> str:
    """The last traceback in a log, else its last lines; without the messages of every TensorFlow start."""
    text = log.decode("utf-8", errors="replace")
    shown = [plain(line) for line in text.split("\n")]
    said = [line for line in shown if line and not _NOISE.match(line)]
    starts = [i for i, line in enumerate(said) if line.startswith(("Traceback (most recent", _FATAL))]
    if starts:
        said = said[starts[-1] :]
        if said[0].startswith(_FATAL):
            return "\n".join(said[:lines])[:_MOST_CHARACTERS]
        if len(said) > lines:
            # The first line names the kind, the end holds the error.
            said = [said[0], "  ...", *said[-(lines - 2) :]]
    words = "\n".join(said[-lines:])
    return words[-_MOST_CHARACTERS:]
