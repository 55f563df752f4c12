"""What is selected, shared by all screens, so that it stays selected on another screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """The narrowest thing selected; what is None was not chosen."""

    sweep: int | None = None
    workload: str | None = None
    batch_size: int | None = None
    trial: int | None = None
