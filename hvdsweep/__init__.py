"""hvdsweep: how far does data parallelism pay for your workload?

    import hvdsweep
    store = hvdsweep.open_store("digits.db")            # read-only, also while a sweep is training into it
    store.trials_frame("digits/fc_128/sgd")             # a pandas frame; store.losses(trial_id) gives numpy arrays
    table = store.workload_table("digits/fc_128/sgd")   # everything a curve may ask, as flat arrays
    curve = hvdsweep.curve(table, goal=0.05)            # the object that `hvdsweep curve` prints
    [(point.batch_size, point.steps) for point in curve.points]
    hvdsweep.save_figure(hvdsweep.own_figure(store, "curve", store.workloads()), "curve.svg")

`hvdsweep.curves` holds the parts of a curve and further questions; docs/python.md shows the rest. Names are imported
when they are first used, so that importing hvdsweep loads neither TensorFlow nor Textual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvdsweep.lazy import on_first_use

if TYPE_CHECKING:
    from hvdsweep.archive import export_studies, import_archive, study_counts
    from hvdsweep.curves import Curve, WorkloadTable, curve
    from hvdsweep.errors import HvdsweepError, RunFailed, UserError
    from hvdsweep.figures import own_figure, paper_figure
    from hvdsweep.figures import save as save_figure
    from hvdsweep.opening import open_store
    from hvdsweep.plan import Plan, make_plan
    from hvdsweep.report import report_page
    from hvdsweep.store.store import Store
    from hvdsweep.sweep.load import load_sweep

__all__ = [
    "Curve",
    "HvdsweepError",
    "Plan",
    "RunFailed",
    "Store",
    "UserError",
    "WorkloadTable",
    "curve",
    "export_studies",
    "import_archive",
    "load_sweep",
    "make_plan",
    "open_store",
    "own_figure",
    "paper_figure",
    "report_page",
    "save_figure",
    "study_counts",
]

_HOME = {
    "archive": ("export_studies", "import_archive", "study_counts"),
    "curves": ("Curve", "WorkloadTable", "curve"),
    "errors": ("HvdsweepError", "RunFailed", "UserError"),
    "figures": ("own_figure", "paper_figure", "save"),
    "opening": ("open_store",),
    "plan": ("Plan", "make_plan"),
    "report": ("report_page",),
    "store.store": ("Store",),
    "sweep.load": ("load_sweep",),
}
"""Module -> the public names it holds."""

__getattr__, __dir__ = on_first_use(__name__, _HOME, {"save_figure": "save"})
