"""What the interface remembers from one start to the next: theme and layout, one small file in the state directory."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hvdsweep.replacing import write_whole

VERSION = 1


@dataclass(frozen=True)
class Memory:
    """All that is remembered."""

    theme: str | None = None
    """Name of a theme."""
    layout: Mapping[str, str] = field(default_factory=dict)
    """Whatever screens want to find again: "live.sort" -> "-best"."""


def memory_file() -> Path:
    """Where it is kept."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "hvdsweep" / "tui.json"


def remembered(path: Path) -> Memory:
    """What `path` holds; nothing if it is missing, of another version or unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            return Memory()
        theme, layout = found["theme"], found["layout"]
        if not (theme is None or isinstance(theme, str)):
            return Memory()
        return Memory(theme, {str(name): str(value) for name, value in layout.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory()


def remember(path: Path, memory: Memory) -> None:
    """Write it, whole or not at all; if the state directory cannot be written, nothing is remembered, without an error."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"version": VERSION, **asdict(memory)}, indent=1).encode())
