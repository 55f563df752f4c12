"""hvdsweep: how far does data parallelism pay for your workload?

    import hvdsweep
    store = hvdsweep.open_store("digits.db")            # read-only, also while a sweep is training into it
    store.trials_frame("digits/fc_128/sgd")             # a pandas frame; store.losses(trial_id) gives numpy arrays
    table = store.workload_table("digits/fc_128/sgd")   # everything a curve may ask, as flat arrays
    curve = hvdsweep.curve(table, goal=0.05)            # the object that `hvdsweep curve` prints
    [(point.batch_size, point.steps) for point in curve.points]

Names are imported when they are first used, so that importing hvdsweep loads neither TensorFlow nor Textual.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvdsweep.curves import Curve, WorkloadTable, curve
    from hvdsweep.errors import HvdsweepError, RunFailed, UserError
    from hvdsweep.plan import Plan, make_plan
    from hvdsweep.store.reader import Reader as Store
    from hvdsweep.store.reader import open_reader as open_store
    from hvdsweep.sweep import load_sweep

__all__ = [
    "Curve",
    "HvdsweepError",
    "Plan",
    "RunFailed",
    "Store",
    "UserError",
    "WorkloadTable",
    "curve",
    "load_sweep",
    "make_plan",
    "open_store",
]

_HOME = {
    "Curve": ("hvdsweep.curves", "Curve"),
    "HvdsweepError": ("hvdsweep.errors", "HvdsweepError"),
    "Plan": ("hvdsweep.plan", "Plan"),
    "RunFailed": ("hvdsweep.errors", "RunFailed"),
    "Store": ("hvdsweep.store.reader", "Reader"),
    "UserError": ("hvdsweep.errors", "UserError"),
    "WorkloadTable": ("hvdsweep.curves", "WorkloadTable"),
    "curve": ("hvdsweep.curves", "curve"),
    "load_sweep": ("hvdsweep.sweep", "load_sweep"),
    "make_plan": ("hvdsweep.plan", "make_plan"),
    "open_store": ("hvdsweep.store.reader", "open_reader"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hvdsweep' has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
