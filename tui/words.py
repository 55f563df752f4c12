"""Times, numbers and states as short words, symbols and colours; the same on every screen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from textual.content import Content

from hvdsweep import words
from hvdsweep.words import short_value

CONDITIONS: Mapping[str, tuple[str, str, str]] = {
    "RUNNING": ("●", "running", "$success"),
    "STOPPING": ("◐", "stopping", "$warning"),
    "LOST": ("✗", "killed", "$error"),
    "IDLE": ("○", "stopped", "$foreground-muted"),
    "DONE": ("✓", "done", "$primary"),
    "FAILED": ("✗", "failed", "$error"),
    "IMPORTED": ("▣", "imported", "$secondary"),
}
"""State of a sweep -> symbol, word, colour."""

STATUSES: Mapping[str, tuple[str, str, str]] = {
    "PENDING": ("·", "pending", "$foreground-muted"),
    "RUNNING": ("●", "running", "$success"),
    "COMPLETE": ("✓", "complete", "$primary"),
    "INFEASIBLE": ("▲", "infeasible", "$warning"),
    "INCOMPLETE": ("✗", "incomplete", "$error"),
}
"""Status of a trial -> symbol, word, colour."""

GANGS: Mapping[str, tuple[str, str, str]] = {
    "STARTING": ("◌", "starting", "$warning"),
    "IDLE": ("○", "idle", "$foreground-muted"),
    "TRAINING": ("●", "training", "$success"),
    "STOPPED": ("■", "stopped", "$foreground-muted"),
    "DEAD": ("✗", "dead", "$error"),
}
"""State of a gang -> symbol, word, colour."""

JOBS: Mapping[str, tuple[str, str, str]] = {
    "PENDING": ("·", "waits", "$foreground-muted"),
    "CONFIGURING": ("◌", "starting", "$warning"),
    "RUNNING": ("●", "running", "$success"),
    "COMPLETING": ("◐", "ending", "$warning"),
    "SUSPENDED": ("◐", "suspended", "$warning"),
    "REQUEUED": ("◌", "requeued", "$warning"),
    "DONE": ("✓", "done", "$primary"),
    "STOPPED": ("○", "stopped", "$foreground-muted"),
    "CANCELLED": ("■", "cancelled", "$foreground-muted"),
    "NOT SUBMITTED": ("·", "no job", "$foreground-muted"),
    "UNKNOWN": ("?", "unknown", "$foreground-muted"),
    "GONE": ("✗", "gone", "$error"),
    "KILLED": ("✗", "killed", "$error"),
    "FAILED": ("✗", "failed", "$error"),
    "NODE_FAIL": ("✗", "node down", "$error"),
    "OUT_OF_MEMORY": ("✗", "no memory", "$error"),
    "PREEMPTED": ("◐", "preempted", "$warning"),
    "TIMEOUT": ("✗", "time is up", "$error"),
}
"""State of a shard's job -> symbol, word, colour."""


def sign(states: Mapping[str, tuple[str, str, str]], state: str) -> Content:
    """Symbol and word of a state, in its colour."""
    symbol, word, colour = states.get(state, ("?", state.lower(), ""))
    return Content.styled(f"{symbol} {word}", colour)


def bar(fraction: float, width: int, colour: str = "$success") -> Content:
    """A bar of `width` cells, filled to an eighth of a cell."""
    filled = max(0.0, min(1.0, fraction)) * width
    whole = int(filled)
    part = "▏▎▍▌▋▊▉"[int((filled - whole) * 8) - 1] if whole < width and int((filled - whole) * 8) else ""
    return Content.assemble(
        ("█" * whole + part, colour), ("·" * (width - whole - len(part)), "$foreground-muted 60%")
    )


duration = partial(words.duration, unknown="–")
"""A length of time; a dash for None."""

short = partial(words.short, unknown="–")
"""Three digits and a suffix; a dash for None."""


def number(value: object, digits: int = 4) -> str:
    """A number with so many significant digits, as short as possible; other values of a metaparameter as they are."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return short_value(value)
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    return f"{value:.{digits}g}" if isinstance(value, float) or abs(value) < 1e300 else short_value(value)


def count(value: int) -> str:
    """A whole number in groups of three: 1,234."""
    return f"{value:,}"


plural = words.counted


def clock(when: float, *, day: bool = False) -> str:
    """A unix time as the wall clock here says it."""
    return time.strftime("%Y-%m-%d %H:%M" if day else "%H:%M:%S", time.localtime(when))
