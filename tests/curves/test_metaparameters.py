"""Heuristics, fitted exponents, the stability map and the scatter of a search."""

import math
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import (
    Outcome,
    best_parameter,
    fit_exponent,
    heuristics,
    scatter,
    stability_map,
    steps_to_result,
)
from hvdsweep.errors import UserError
from hvdsweep.states import Status

from . import oracle
from .oracle import Study, Trial

SIZES = 2 ** np.arange(3, 10)


def test_heuristics_start_at_the_smallest_batch_size_with_a_value():
    """y0 B / B0 and y0 sqrt(B / B0)."""
    linear, root = heuristics(np.array([1, 2, 8]), np.array([math.nan, 0.1, 0.7]))
    np.testing.assert_allclose(linear, [0.05, 0.1, 0.4])
    np.testing.assert_allclose(root, [0.1 / math.sqrt(2), 0.1, 0.2])


@given(st.floats(-1, 2), st.floats(1e-3, 10))
def test_an_exact_power_law_is_recovered(exponent, coefficient):
    """Without noise the exponent is the planted one; a heuristic fits exactly where its exponent was planted."""
    law = fit_exponent(SIZES, coefficient * SIZES**exponent)
    assert law.exponent == pytest.approx(exponent, abs=1e-9)
    assert law.coefficient == pytest.approx(coefficient, rel=1e-8)
    logs = np.log(SIZES / SIZES[0])
    assert law.linear_misfit == pytest.approx(abs(exponent - 1) * math.sqrt(np.mean(logs**2)), abs=1e-9)
    assert law.square_root_misfit == pytest.approx(
        abs(exponent - 0.5) * math.sqrt(np.mean(logs**2)), abs=1e-9
    )


@given(st.integers(0, 1000))
def test_noisy_exponents_and_errors_are_scipys(seed):
    """Exponent, standard error and interval agree with scipy's linear regression of the logarithms."""
    values = SIZES**0.7 * np.exp(0.3 * np.random.default_rng(seed).standard_normal(len(SIZES)))
    law = fit_exponent(SIZES, values)
    line = scipy.stats.linregress(np.log(SIZES), np.log(values))
    assert law.exponent == pytest.approx(line.slope)
    assert law.standard_error == pytest.approx(line.stderr)
    half = line.stderr * scipy.stats.t.ppf(0.975, len(SIZES) - 2)
    assert (law.low, law.high) == (pytest.approx(line.slope - half), pytest.approx(line.slope + half))


def test_exponents_need_points():
    """One point is no line; two have no error; non-positive and missing values do not enter."""
    assert fit_exponent([1, 2], [0.1, math.nan]) is None
    law = fit_exponent([1, 2, 4, 8], [0.1, 0.2, 0.0, -1.0])
    assert (law.points, law.standard_error, law.low) == (2, None, None)
    assert law.exponent == pytest.approx(1.0)


def with_rate(number, rate, status=Status.COMPLETE, momentum=None, measurements=((1, 0.9),)):
    parameters = {"learning_rate": rate} | ({} if momentum is None else {"momentum": momentum})
    return Trial(number, list(measurements), status=status, parameters=parameters)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 4]),
            st.floats(1e-4, 10),
            st.sampled_from(list(Status)),
            st.sampled_from([0.0, 0.9]),
        ),
        max_size=20,
    ),
    st.sampled_from([1, 3, [0.001, 0.1, 1.0]]),
    st.sampled_from(["learning_rate", "effective_learning_rate"]),
)
def test_stability_map_counts_by_loops(rows, bins, parameter):
    """Each cell counts the ended trials of its bin and batch size, and those that diverged; nothing else counts."""
    studies = [
        Study(
            size,
            [
                with_rate(n, rate, status, momentum)
                for n, (b, rate, status, momentum) in enumerate(rows)
                if b == size
            ],
        )
        for size in (1, 4)
    ]
    if not rows:
        with pytest.raises(UserError, match="learning_rate"):
            stability_map(oracle.table(studies), parameter, bins)
        return
    found = stability_map(oracle.table(studies), parameter, bins)
    counts = np.zeros_like(found.trials)
    diverged = np.zeros_like(found.trials)
    for size, rate, status, momentum in rows:
        value = rate / (1 - momentum) if parameter.startswith("effective") else rate
        for row in range(len(found.edges) - 1):
            last = row == len(found.edges) - 2
            above = value >= found.edges[row]
            below = value <= found.edges[row + 1] if last else value < found.edges[row + 1]
            if above and below and status in (Status.COMPLETE, Status.INFEASIBLE):
                counts[row, int(size == 4)] += 1
                diverged[row, int(size == 4)] += status is Status.INFEASIBLE
    np.testing.assert_array_equal(found.trials, counts)
    np.testing.assert_array_equal(found.infeasible, diverged)
    if isinstance(bins, int):
        ended = [row for row in rows if row[2] in (Status.COMPLETE, Status.INFEASIBLE)]
        assert counts.sum() == len(ended)
    np.testing.assert_array_equal(np.isnan(found.share), counts == 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "rates",
    [[sys.float_info.max], [1.0, sys.float_info.max], [-sys.float_info.max, 5e-324, sys.float_info.max]],
)
def test_the_map_holds_the_largest_numbers(rates):
    """Its edges are finite but for the last, which may be infinite; every trial is counted once; nothing overflows."""
    study = Study(1, [with_rate(number, rate) for number, rate in enumerate(rates)])
    found = stability_map(oracle.table([study]), bins=4)
    assert np.isfinite(found.edges[:-1]).all()
    assert (np.diff(found.edges) > 0).all()
    assert found.trials.sum() == len(rates)


@pytest.mark.parametrize("bins", [0, [1.0], [1.0, 1.0], [2.0, 1.0]])
def test_bins_without_sense_are_refused(bins):
    """At least one bin, edges ascending."""
    with pytest.raises(UserError, match="bins"):
        stability_map(oracle.table([Study(1, [with_rate(0, 0.1)])]), bins=bins)


@given(oracle.workloads(), oracle.goals, oracle.budgets)
def test_scatter_classifies_every_trial(studies, goal, step_budget):
    """INFEASIBLE is that, the steps-to-result trial the star, the others reached the goal in the budget or not."""
    table = oracle.table(studies)
    expected = oracle.steps_to_result(studies, goal, step_budget=step_budget)
    for study in studies:
        shown = sorted(
            (t for t in study.trials if t.status in (Status.COMPLETE, Status.INFEASIBLE)),
            key=lambda t: t.number,
        )
        if "learning_rate" not in table.parameters:
            continue
        found = scatter(table, study.batch_size, goal, step_budget=step_budget)
        star = expected[study.batch_size]
        outcomes = []
        for trial in shown:
            reached = any(
                math.isfinite(value)
                and value < goal
                and step <= (math.inf if step_budget is None else step_budget)
                for step, value in trial.measurements
            )
            if trial.status is Status.INFEASIBLE:
                outcomes.append(Outcome.INFEASIBLE)
            elif star is not None and star[1] == trial.number:
                outcomes.append(Outcome.BEST)
            else:
                outcomes.append(Outcome.REACHED if reached else Outcome.NOT_REACHED)
        assert found.outcome.tolist() == outcomes
        assert found.number.tolist() == [trial.number for trial in shown]
        assert found.learning_rate.tolist() == [trial.parameters["learning_rate"] for trial in shown]
        assert found.one_minus_momentum.tolist() == [
            1 - trial.parameters.get("momentum", 0.0) for trial in shown
        ]


def test_best_effective_learning_rate_is_the_best_trials():
    """Figure 8: the effective learning rate of the steps-to-result trial, none where the goal was not reached."""
    studies = [
        Study(
            1,
            [
                with_rate(0, 0.5, measurements=[(9, 0.1)]),
                with_rate(1, 0.2, momentum=0.9, measurements=[(3, 0.1)]),
            ],
        ),
        Study(2, [with_rate(0, 0.5)]),
    ]
    best = best_parameter(steps_to_result(oracle.table(studies), 0.5), "effective_learning_rate")
    np.testing.assert_allclose(best, [2.0, math.nan])
    with pytest.raises(UserError, match="no trial has it; there are learning_rate, momentum"):
        best_parameter(steps_to_result(oracle.table(studies), 0.5), "dropout")
