"""The store: one SQLite file that holds sweeps, trials, every loss and every measurement."""

from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.plans import Recovered, SavedSweep, recover, requeue, save_plan, top_up
from hvdsweep.store.writer import Claim, Final, Reply, TrialUpdate, TrialWriter

__all__ = [
    "Claim",
    "Final",
    "Recovered",
    "Reply",
    "SavedSweep",
    "TrialUpdate",
    "TrialWriter",
    "connect",
    "recover",
    "requeue",
    "save_plan",
    "top_up",
    "transaction",
]
