"""The demo: a small real sweep in two parts for a first run; `hvdsweep demo` and the interface start the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hvdsweep.errors import RunFailed

TRIALS = 4
"""Trials per batch size: enough for a curve, and half of the file's number, so that the second part can improve it."""


@dataclass(frozen=True)
class Part:
    """One launch of the demo's sweep."""

    title: str
    np: int
    gangs: int
    batch_sizes: str | None
    """Batch sizes as text; None: all of the file's."""


PARTS = (
    Part("Small and middle batches: two trials side by side, on one rank each.", 1, 2, "2^2..2^8"),
    Part("The largest batches: each trial on two ranks, synchronised by Horovod.", 2, 1, None),
)


def sweep_file() -> Path:
    """The demo's sweep: `examples/digits.toml` of a clone, or the package's copy. RunFailed if there is neither."""
    package = Path(__file__).parent
    for file in (package / "demo.toml", package.parent / "examples" / "digits.toml"):
        if file.is_file():
            return file
    raise RunFailed(
        f"{package / 'demo.toml'}: not found; the installation is incomplete. Install hvdsweep again."
    )


def launch_arguments(part: Part) -> dict[str, object]:
    """The options of `hvdsweep launch` for one part, by their Python names."""
    return {
        "workloads": (str(sweep_file()),),
        "np": part.np,
        "gangs": part.gangs,
        "batch_sizes": part.batch_sizes,
        "trials": str(TRIALS),
        "stop": "beaten",
    }
