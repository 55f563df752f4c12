"""The largest size of an archive's files (larger ones are taken for damage), and how paths are shown."""

from __future__ import annotations

LARGEST_JSON = 4 << 20
"""Bytes of a study.json or metadata.json; the published ones have about a thousand."""

LARGEST_CSV = 64 << 20
"""Bytes of a measurements.csv: half a million evaluations of six metrics."""


def shown(path: str) -> str:
    """A path that any terminal and any database accepts: bytes that are not text are escaped."""
    if path.isprintable():  # which also rules out what is no text
        return path
    text = path.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
