"""The search as a chart: every trial once, by its outcome, over the searched ranges; the best rates beside the heuristics."""

from __future__ import annotations

import numpy as np
import pytest

from hvdsweep.charts import frame_of, render
from hvdsweep.curves import Outcome, curve, scatter
from hvdsweep.curves.search_chart import (
    BEST,
    MOMENTUM,
    OUTCOMES,
    STEPS,
    best_rates,
    rate_chart,
    search_chart,
    search_points,
    y_names,
)
from hvdsweep.errors import UserError
from hvdsweep.states import Status

from . import oracle
from .oracle import Study, Trial

SPACE = {
    "learning_rate": {"scale": "log", "min": 0.01, "max": 1.0},
    "momentum": {"scale": "reverse_log", "min": 0.9, "max": 0.99},
}


def trial(number, rate, momentum, reached=None, status=Status.COMPLETE, steps=100, **more) -> Trial:
    measurements = [(0, 0.9)] + ([(reached, 0.1)] if reached else [(50, 0.6)])
    return Trial(
        number,
        measurements,
        status=status,
        steps=steps,
        parameters={"learning_rate": rate, "momentum": momentum, **more},
    )


TRIALS = [
    trial(0, 0.1, 0.9, reached=40),
    trial(1, 0.2, 0.95, reached=20),
    trial(2, 0.02, 0.92),
    trial(3, 0.9, 0.98, status=Status.INFEASIBLE, steps=7),
    trial(5, 0.3, 0.91, status=Status.RUNNING),
]
TABLE = oracle.table([Study(8, [trial(0, 0.5, 0.9, reached=70)]), Study(32, TRIALS)])


def test_every_ended_trial_is_one_point_with_its_outcome():
    """As `scatter` classifies them; indices lead back to the table's trials."""
    found = search_points(TABLE, 32)
    expected = scatter(TABLE, 32)
    assert found.outcome.tolist() == expected.outcome.tolist()
    assert TABLE.number[found.trial].tolist() == expected.number.tolist() == [0, 1, 2, 3]
    assert found.x.tolist() == [0.1, 0.2, 0.02, 0.9]
    assert found.y == pytest.approx([0.1, 0.05, 0.08, 0.02])
    assert found.of(Outcome.BEST).tolist() == [1]


def test_what_lies_against_the_learning_rate():
    """The best measurement; steps to the goal, or those done where it was not reached; any metaparameter."""
    assert search_points(TABLE, 32, y_name=BEST).y.tolist() == [0.1, 0.1, 0.6, 0.6]
    assert search_points(TABLE, 32, y_name=STEPS).y.tolist() == [40, 20, 100, 7]
    assert search_points(TABLE, 32, y_name="momentum").y.tolist() == [0.9, 0.95, 0.92, 0.98]
    assert search_points(TABLE, 32, step_budget=30, y_name=STEPS).outcome.tolist()[0] == Outcome.NOT_REACHED


def test_names_of_what_varies():
    """1 - momentum first where it varies; fixed metaparameters are not offered."""
    assert y_names(TABLE) == [MOMENTUM, BEST, STEPS]
    fixed = oracle.table([Study(8, [trial(n, 0.1 * (n + 1), 0.9, dropout=0.1 * n) for n in range(3)])])
    assert y_names(fixed) == [BEST, STEPS, "dropout"]


def test_the_chart_has_a_series_per_outcome_and_the_ends_of_the_ranges():
    """Axes over the whole searched space for any points; four dashed lines at its ends."""
    chart = search_chart(TABLE, search_points(TABLE, 32), SPACE)
    assert [series.name for series in chart.series] == [word for _, word, _, _ in OUTCOMES]
    assert sum(len(series) for series in chart.series) == 4
    vertical = sorted(line.vertical for line in chart.references if line.vertical is not None)
    horizontal = sorted(line.horizontal for line in chart.references if line.horizontal is not None)
    assert vertical == [0.01, 1.0]
    assert horizontal == pytest.approx([0.01, 0.1])
    frame = frame_of(chart, 80, 24)
    assert frame.x_limits[0] < 0.01
    assert frame.x_limits[1] > 1.0
    assert chart.subtitle == "2 of 3 trials reached the goal, 1 diverged"


def test_without_a_space_the_axes_follow_the_trials():
    """Imported data have no search space: no lines, limits by the points."""
    chart = search_chart(TABLE, search_points(TABLE, 32), None)
    assert chart.references == ()
    assert frame_of(chart, 80, 24).x_limits[0] == pytest.approx(0.02, rel=0.5)


def test_trials_without_a_measurement_are_counted():
    """A trial that diverged before any evaluation has no best value: it is listed, not drawn."""
    table = oracle.table(
        [
            Study(
                8,
                [
                    trial(0, 0.1, 0.9, reached=5),
                    Trial(1, [], status=Status.INFEASIBLE, parameters={"learning_rate": 1.0}),
                ],
            )
        ]
    )
    chart = search_chart(table, search_points(table, 8, y_name=BEST))
    assert "1 without best measurement" in chart.subtitle


def test_no_learning_rate_and_no_such_study():
    """Each has its message."""
    bare = oracle.table([Study(8, [Trial(0, [(1, 0.1)])])])
    with pytest.raises(UserError, match="learning_rate"):
        search_points(bare, 8)
    with pytest.raises(UserError, match="batch size 9"):
        search_points(TABLE, 9)
    assert best_rates(curve(bare)) is None
    assert "no learning rates" in render(rate_chart(curve(bare)), 60, 14).plain()


def test_best_rates_and_heuristics():
    """Effective learning rates of the best trials; lines from the smallest batch size, slopes 1 and 1/2."""
    studies = [Study(8 * 4**n, [trial(0, 0.1 * 4**n, 0.9, reached=10)]) for n in range(3)]
    chart = rate_chart(curve(oracle.table(studies)))
    assert chart.series[0].y == pytest.approx([1.0, 4.0, 16.0])
    linear, root = (dict(line.points) for line in chart.references)
    assert linear == pytest.approx({8.0: 1.0, 128.0: 16.0})
    assert root == pytest.approx({8.0: 1.0, 128.0: 4.0})
    assert chart.subtitle.startswith("as B^1.00")


def test_without_momentum_the_learning_rate_itself():
    """Plain SGD has no effective learning rate in addition."""
    studies = [Study(8, [Trial(0, [(5, 0.1)], parameters={"learning_rate": 0.3})])]
    rates = best_rates(curve(oracle.table(studies)))
    assert rates.name == "learning_rate"
    assert rates.value.tolist() == [0.3]
    assert np.isnan(best_rates(curve(oracle.table(studies), 0.01)).value).all()


def test_rates_at_the_ends_of_floats():
    """A heuristic that is off by more than a float can hold is shown as such, without an error."""
    studies = [
        Study(size, [Trial(0, [(5, 0.1)], parameters={"learning_rate": rate})])
        for size, rate in ((1, 1e300), (2, 1e-300))
    ]
    assert rate_chart(curve(oracle.table(studies))).subtitle.count("more than 1e304") == 2
