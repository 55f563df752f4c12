"""Curves of a sweep in training: what running trials have shown so far is true, and no more is claimed."""

from __future__ import annotations

import math

from hvdsweep.curves import LIVE, curve, steps_to_result
from hvdsweep.curves.chart import curve_chart
from hvdsweep.states import Status, StopReason

from . import oracle
from .oracle import Study, Trial

RUNNING = {"status": Status.RUNNING, "stop_reason": StopReason.NONE}


def test_running_trials_alone_bound_the_steps_they_have_done():
    """Not reached within 30 steps, not within the budget of 100; with a complete trial next to it, not within the budget."""
    running = Trial(0, [(10, 0.9)], steps=30, **RUNNING)
    alone = oracle.table([Study(8, [running])])
    assert steps_to_result(alone, statuses=LIVE).budget.tolist() == [30]
    beside = oracle.table([Study(8, [running, Trial(1, [(10, 0.9)])])])
    assert steps_to_result(beside, statuses=LIVE).budget.tolist() == [100]
    asked = steps_to_result(alone, statuses=LIVE, step_budget=20)
    assert asked.budget.tolist() == [20]


def test_a_running_trial_that_is_there_already_counts():
    """Its steps are steps to the goal; without LIVE nothing was tried yet."""
    table = oracle.table([Study(8, [Trial(0, [(10, 0.1)], steps=30, **RUNNING)])])
    assert curve(table, statuses=LIVE).points[0].steps == 10
    (series,) = curve_chart([curve(table)]).series
    assert math.isnan(series.y[0])


def test_less_than_whole_is_the_same_curve_without_fit_and_warnings():
    """What many curves are drawn from agrees with the whole one, point for point."""
    from dataclasses import replace

    from hvdsweep.curves import best_measurements
    from hvdsweep.curves.scaling_curve import curve_of

    studies = [
        Study(2**n, [Trial(0, [(100 + 2 ** (12 - n), 0.1)]), Trial(1, [(110 + 2 ** (12 - n), 0.4)])])
        for n in range(3, 9)
    ]
    table = oracle.table(studies)
    whole = curve(table)
    less = curve_of(steps_to_result(table), best_measurements(table), resamples=0, whole=False)
    assert less.fit is None
    # Regions hang on the intervals of a whole fit.
    assert [replace(point, region=None) for point in less.points] == [
        replace(point, warnings=(), region=None) for point in whole.points
    ]
    assert (less.useful.batch_size, less.critical.batch_size) == (
        whole.useful.batch_size,
        whole.critical.batch_size,
    )
    least = curve_of(
        steps_to_result(table), best_measurements(table), resamples=0, whole=False, intervals=False
    )
    assert any(point.interval for point in less.points)
    assert [replace(point, region=None) for point in least.points] == [
        replace(point, interval=None, region=None) for point in less.points
    ]
