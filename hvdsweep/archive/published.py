"""The archive published by the paper's authors, and how it is recognised."""

from __future__ import annotations

import hashlib
from pathlib import Path

FILE_NAME = "batch_science_data.tar.bz2"
SHA256 = "6460ab86a6ab0f22a02e1c9b982e1ca31220bf41f669304ce86f14d19053f435"
"""Hash of the published file, as its authors give it next to the download."""

NAME = "published"
"""Name of the sweep for the published archive, or any part of it."""


def sha256_of(path: Path) -> str:
    """Hexadecimal checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
