"""The store: one SQLite file that holds sweeps, trials, every loss and every measurement.

Names are imported on first use: code that only reads loads neither numpy nor the writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvdsweep.lazy import on_first_use

if TYPE_CHECKING:
    from hvdsweep.store.connection import connect, transaction
    from hvdsweep.store.events import event
    from hvdsweep.store.lifecycle import (
        Recovered,
        begin_run,
        end_run,
        gang_state,
        heartbeat,
        new_gang,
        recover,
        request_stop,
        requeue,
    )
    from hvdsweep.store.plans import SavedSweep, save_plan, top_up
    from hvdsweep.store.rows import TrialFilter
    from hvdsweep.store.store import Store
    from hvdsweep.store.throughput import record_throughput
    from hvdsweep.store.writer import Claim, Final, Reply, TrialUpdate, TrialWriter

__all__ = [
    "Claim",
    "Final",
    "Recovered",
    "Reply",
    "SavedSweep",
    "Store",
    "TrialFilter",
    "TrialUpdate",
    "TrialWriter",
    "begin_run",
    "connect",
    "end_run",
    "event",
    "gang_state",
    "heartbeat",
    "new_gang",
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
    "plans": ("SavedSweep", "save_plan", "top_up"),
    "rows": ("TrialFilter",),
    "events": ("event",),
    "lifecycle": (
        "Recovered",
        "heartbeat",
        "begin_run",
        "end_run",
        "gang_state",
        "new_gang",
        "recover",
        "request_stop",
        "requeue",
    ),
    "store": ("Store",),
    "throughput": ("record_throughput",),
    "writer": ("Claim", "Final", "Reply", "TrialUpdate", "TrialWriter"),
}
"""Module -> the public names it holds."""

__getattr__, __dir__ = on_first_use(__name__, _HOME)
