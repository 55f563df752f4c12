"""Best error against batch size under budgets, against the slow oracle of PAPER section 8.8."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import NEVER, best_measurements, best_under_budgets
from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason

from . import oracle
from .oracle import Study, Trial

LINES = st.lists(st.integers(0, 14), min_size=1, max_size=4)


def expected_lines(studies, budgets, maximize, enters, question):
    lines = []
    for budget in budgets:
        line = []
        for study in sorted(studies, key=lambda study: study.batch_size):
            found = oracle.best_measurement([study], maximize, **question(budget))[study.batch_size]
            line.append(found[0] if found is not None and enters(study, budget) else math.nan)
        lines.append(line)
    return lines


@given(oracle.workloads(), LINES, st.booleans())
def test_step_budgets(studies, budgets, maximize):
    """A batch size enters a line only if trained for at least that many steps; then its best within them counts."""
    curves = best_under_budgets(oracle.table(studies, maximize=maximize), steps=budgets)
    expected = expected_lines(
        studies, budgets, maximize, lambda study, k: study.train_steps >= k, lambda k: {"step_budget": k}
    )
    np.testing.assert_array_equal(curves.value, expected)
    assert curves.unit == "steps"


@given(oracle.workloads(), LINES, st.booleans(), st.sampled_from([1, 5, 16]))
def test_epoch_budgets(studies, epochs, maximize, examples):
    """A batch size enters if trained for at least epochs N / B steps; batch size * step <= epochs * N counts."""
    table = oracle.table(studies, maximize=maximize, train_examples=examples)
    curves = best_under_budgets(table, epochs=epochs)
    expected = expected_lines(
        studies,
        epochs,
        maximize,
        lambda study, k: study.train_steps * study.batch_size >= k * examples,
        lambda k: {"example_budget": k * examples},
    )
    np.testing.assert_array_equal(curves.value, expected)
    assert ((curves.trial == NEVER) == np.isnan(curves.value)).all()


def test_budgets_without_sense_are_refused():
    """One kind of budget, numbers, and epochs only where the training set's size is known."""
    table = oracle.table([Study(1, [])], train_examples=None)
    for question in (
        {},
        {"steps": [1], "epochs": [1]},
        {"epochs": [1]},
        {"steps": [-1]},
        {"steps": [math.nan]},
    ):
        with pytest.raises(UserError):
            best_under_budgets(table, **question)


def test_best_error_leans_on_stopped_trials():
    """A trial stopped at the sweep's goal might have gone lower: it is counted, unless the budget ends before."""
    trials = [Trial(0, [(5, 0.4)], stop_reason=StopReason.GOAL, steps=5), Trial(1, [(5, 0.3)])]
    table = oracle.table([Study(1, trials)])
    assert best_measurements(table).trials_undecided.tolist() == [1]
    assert best_measurements(table, step_budget=5).trials_undecided.tolist() == [0]
    assert best_measurements(table, statuses=(Status.RUNNING,)).trial.tolist() == [NEVER]
