"""Reads the logs of a gang's ranks in parts while they are written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.visible import visible

FIRST_BYTES = 64 * 1024
"""How much of the end of a log is read at first."""

MOST_BYTES = 1024 * 1024
"""Most that is read at a time; of more, only the end."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class LogPart:
    """The part of a log written since it was last read."""

    lines: tuple[str, ...]
    """Whole lines, without control sequences; of a line that was overwritten (progress bars), its final text."""
    offset: int
    """Where to continue reading."""
    restarted: bool
    """Whether these lines do not follow those read before: first part, log replaced, or part too long."""


def log_files(log_dir: str | os.PathLike[str] | None) -> list[Path]:
    """The logs of a gang: rank 0, rank 1, ..., then the output of horovodrun. Empty if they are not on this machine."""
    if log_dir is None:
        return []
    folder = Path(log_dir)
    ranks = sorted(folder.glob("rank-*.log"), key=lambda path: (len(path.name), path.name))
    launcher = folder / "horovodrun.log"
    return [*ranks, launcher] if launcher.exists() else ranks


def latest_run(log_dir: str | os.PathLike[str] | None) -> list[Path]:
    """The debug log of the latest run of a gang's sweep; empty if it is not on this machine."""
    return [] if log_dir is None else sorted(Path(log_dir).parent.glob("run-*.log"))[-1:]


def read_log(path: Path, offset: int | None = None) -> LogPart:
    """The lines of `path` from byte `offset` on; None: its last FIRST_BYTES. OSError if it cannot be read."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        restarted = offset is None or offset > size or size - offset > MOST_BYTES
        # One byte more, to know whether the part begins a line.
        start = offset if offset is not None and not restarted else max(0, size - FIRST_BYTES - 1)
        file.seek(start)
        data = file.read(size - start)
    if restarted and start > 0:
        cut = data.find(b"\n") + 1
        start, data = start + cut, data[cut:]
    whole = data.rfind(b"\n") + 1
    text = data[:whole].decode("utf-8", "replace")
    lines = tuple(plain(line) for line in text.split("\n")[:-1])
    return LogPart(lines, start + whole, restarted)


def plain(line: str) -> str:
    shown = line.rstrip("\r").rpartition("\r")[2]
    return visible(_CONTROL.sub("", shown.expandtabs(8))).rstrip()
