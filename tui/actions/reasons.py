"""Why an action of the footer cannot be done now."""

from __future__ import annotations

NO_DATA = "no database can be read yet"
"""Of every action of a screen that needs one."""

REASONS = {
    "can_cancel_job": "select a job of a batch folder that is queued or running",
    "can_delete": "select a sweep that is not being trained",
    "can_demo": "only while the database has no sweep",
    "can_extend": "only a sweep of `launch` that is not being trained",
    "can_extend_all": "there is no warning that a wider range, a longer budget or more trials would answer",
    "can_fill": "there is no pane to enlarge",
    "can_run": "the sweep is complete, imported or in training",
    "can_stop": "the sweep is not being trained",
    "chart": "there is no chart yet",
    "has_curve": "there is no curve yet",
    "has_logs": "there is no log",
    "has_mistake": "there is no mistake",
    "has_search": "there are no trials with a learning rate yet",
    "sweep": "there is no sweep yet",
    "trial": "no trial is selected",
    "has_workloads": "there is no other workload",
    "is_changed": "nothing is changed",
    "is_live": "the sweep is not being trained",
    "is_zoomed": "the whole chart is shown",
    "shown": "there is no chart yet",
    "metaparameters.can_extend": "select a warning that a wider range, a longer budget or more trials would answer, of a "
    "sweep of `launch` that is not being trained",
}
"""Condition, or screen and condition -> the words that follow the action's name."""


CANCELLING = ("can_cancel_job", "can_stop")
"""Conditions that a whole batch folder may not meet."""


def reason(place: str, when: str) -> str:
    """Why a condition is not met on a screen; an action without a condition lacks only data."""
    return REASONS.get(f"{place}.{when}") or REASONS.get(when) or NO_DATA
