"""The store: one SQLite file that holds sweeps, trials, every loss and every measurement."""

from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.plans import Recovered, SavedSweep, recover, requeue, save_plan, top_up
from hvdsweep.store.reader import Reader, open_reader
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

open_store = open_reader
"""The same under the name of the Python API: sweeps, trials, numpy arrays and pandas frames, read-only."""

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
