"""The archive that the paper's authors published, and how to tell a file from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

FILE_NAME = "batch_science_data.tar.bz2"
SHA256 = "6460ab86a6ab0f22a02e1c9b982e1ca31220bf41f669304ce86f14d19053f435"
"""Of the published file, as its authors state it beside the download."""

NAME = "published"
"""The sweep that the published archive, or any part of it, becomes."""


def sha256_of(path: Path) -> str:
    """Hexadecimal checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
