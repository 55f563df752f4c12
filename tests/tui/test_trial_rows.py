"""Trials as rows of a table."""

from __future__ import annotations

from dataclasses import replace

from hvdsweep.states import Status, StopReason
from hvdsweep.store.rows import TrialRow
from tui.trial_rows import TrialRows, row_of, short_names

TRIAL = TrialRow(
    id=1, sweep_id=1, workload="digits/fc/sgd", study_id=1, batch_size=8, number=0, status=Status.RUNNING,
    stop_reason=StopReason.NONE, steps=10, train_steps=100, attempts=0, seed=7, parameters={"learning_rate": 0.1},
    gang_id=1, started=0.0, ended=None, message=None, best=0.5, best_step=10, goal_step=None,
)  # fmt: skip
PARAMETERS = ("learning_rate",)
NAMES = {TRIAL.workload: "fc"}


def test_only_trials_that_changed_get_new_rows():
    """An unchanged trial keeps its row object, a changed one gets a new row, one out of view has none."""
    rows = TrialRows()
    other = replace(TRIAL, id=2)
    first = rows.of([TRIAL, other], PARAMETERS, NAMES)
    assert first == [row_of(TRIAL, PARAMETERS, NAMES), row_of(other, PARAMETERS, NAMES)]
    further = replace(other, steps=20, best=0.25)
    second = rows.of([TRIAL, further], PARAMETERS, NAMES)
    assert second[0] is first[0]
    assert second[1] == row_of(further, PARAMETERS, NAMES)
    assert second[1] != first[1]
    assert rows.of([further, TRIAL], PARAMETERS, NAMES) == [second[1], second[0]]
    assert rows.of([], PARAMETERS, NAMES) == []
    assert rows.of([TRIAL], PARAMETERS, NAMES)[0] is not first[0]


def test_all_get_new_rows_if_the_columns_or_the_names_changed():
    """The cells follow the metaparameters in view and the workloads' short names."""
    rows = TrialRows()
    rows.of([TRIAL], PARAMETERS, NAMES)
    assert rows.of([TRIAL], (), NAMES) == [row_of(TRIAL, (), NAMES)]
    assert rows.of([TRIAL], (), {}) == [row_of(TRIAL, (), {})]


def test_short_names_keep_what_differs():
    """Parts that all workloads share are left out; one workload keeps its last part."""
    assert short_names(["a/b/c"]) == {"a/b/c": "c"}
    assert short_names(["d/fc/sgd", "d/fc/momentum"]) == {"d/fc/sgd": "sgd", "d/fc/momentum": "momentum"}
