"""How a sweep is trained: each field is an option of `hvdsweep launch`."""

from __future__ import annotations

from dataclasses import dataclass

from hvdsweep.launch.hosts import Host


@dataclass(frozen=True)
class Settings:
    """Numbers that people may want to change, with their defaults."""

    np: int = 1
    """Ranks per gang."""
    gangs: int = 1
    """Gangs side by side."""
    slots: int | None = None
    """Ranks at once under `--np auto`, which sees to ranks and gangs itself; None: `np` and `gangs` as given."""
    hosts: tuple[Host, ...] | None = None
    """Machines with their slots, this one first; None: this one, with as many slots as ranks."""
    threads: int | None = None
    """Threads per rank; None: the cores of this machine shared out evenly."""
    hang_timeout: float = 300.0
    """Seconds without a sign of life after which a training gang counts as hung."""
    start_timeout: float = 600.0
    """The same before a gang's first sign of life and before a trial's first recorded step: start-up and compilation."""
    max_attempts: int = 3
    """A trial that has crashed so many gangs is given up."""
    max_set_aside: int = 5
    """The run ends after giving up on so many trials in a row; 0: never."""
    order: str | None = None
    """In which trials are trained: plain, breadth or merit; None: merit where trials stop when beaten, else breadth."""
    checkpoint_every: float = 300.0
    """Seconds of training between two checkpoints of a trial; 0: no checkpoints."""
    retry_incomplete: bool = False
    """Train the trials that earlier runs gave up on once more."""
    in_job: bool = False
    """Whether this is a job of a scheduler: gangs then have longer to save their trials."""
    stops_at: float | None = None
    """When (unix seconds) the run stops by itself, before its scheduler ends the job; None: never."""
