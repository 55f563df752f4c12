"""The store: one SQLite file that holds sweeps, trials, every loss and every measurement.

Names are imported when they are first used: what only reads loads neither numpy nor the writer.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvdsweep.store.connection import connect, transaction
    from hvdsweep.store.plans import Recovered, SavedSweep, recover, requeue, save_plan, top_up
    from hvdsweep.store.reader import Reader, open_reader
    from hvdsweep.store.reader import open_reader as open_store
    from hvdsweep.store.rows import TrialFilter
    from hvdsweep.store.runs import (
        beat,
        begin_run,
        end_run,
        event,
        gang_state,
        is_live,
        new_gang,
        request_stop,
    )
    from hvdsweep.store.throughput import record_throughput
    from hvdsweep.store.writer import Claim, Final, Reply, TrialUpdate, TrialWriter

__all__ = [
    "Claim",
    "Final",
    "Reader",
    "Recovered",
    "Reply",
    "SavedSweep",
    "TrialFilter",
    "TrialUpdate",
    "TrialWriter",
    "beat",
    "begin_run",
    "connect",
    "end_run",
    "event",
    "gang_state",
    "is_live",
    "new_gang",
    "open_reader",
    "open_store",
    "record_throughput",
    "recover",
    "request_stop",
    "requeue",
    "save_plan",
    "top_up",
    "transaction",
]

_HOME = {
    "connection": ("connect", "transaction"),
    "plans": ("Recovered", "SavedSweep", "recover", "requeue", "save_plan", "top_up"),
    "reader": ("Reader", "open_reader"),
    "rows": ("TrialFilter",),
    "runs": (
        "beat",
        "begin_run",
        "end_run",
        "event",
        "gang_state",
        "is_live",
        "new_gang",
        "request_stop",
    ),
    "throughput": ("record_throughput",),
    "writer": ("Claim", "Final", "Reply", "TrialUpdate", "TrialWriter"),
}
"""Module -> the public names it holds. `open_store` is `open_reader` under the name of the Python API."""


def __getattr__(name: str) -> Any:
    wanted = "open_reader" if name == "open_store" else name
    for module, names in _HOME.items():
        if wanted in names:
            value = getattr(importlib.import_module(f"hvdsweep.store.{module}"), wanted)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'hvdsweep.store' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
