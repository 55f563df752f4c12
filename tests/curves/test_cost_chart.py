"""Time and cost to the goal as charts: steps over measured speeds, per number of ranks or at the best of them."""

from __future__ import annotations

import pytest

from hvdsweep.charts import render
from hvdsweep.curves import Throughput, curve, time_to_goal
from hvdsweep.curves.cost_chart import cost_chart

from . import oracle
from .oracle import Study, Trial

SPEEDS = [Throughput(8, 1, 10.0), Throughput(8, 2, 16.0), Throughput(32, 1, 4.0), Throughput(32, 2, 10.0)]


def one(workload="a/b/c", steps=(100, 60), goal=0.5):
    studies = [
        Study(size, [Trial(0, [(s, 0.1)], steps=200)], train_steps=200)
        for size, s in zip((8, 32), steps, strict=True)
    ]
    return curve(oracle.table(studies, workload=workload), goal)


def costs_of(found, speeds=SPEEDS):
    return time_to_goal({point.batch_size: point.steps for point in found.points}, speeds)


def test_one_curve_is_a_series_per_number_of_ranks():
    """Seconds are steps over steps per second; cost is that times the ranks; the least is noted."""
    found = one()
    chart = cost_chart([found], [costs_of(found)])
    assert {s.name: s.y.tolist() for s in chart.series} == {"1 rank": [10, 15], "2 ranks": [6.25, 6]}
    assert chart.annotations[0].text == "fastest: 32 on 2 ranks"
    cost = cost_chart([found], [costs_of(found)], cost=True)
    assert {s.name: s.y.tolist() for s in cost.series} == {"1 rank": [10, 15], "2 ranks": [12.5, 12]}
    assert cost.annotations[0].text == "cheapest: 8 on 1 rank"


def test_several_curves_are_shown_at_their_best():
    """At every batch size the number of ranks that is fastest, or cheapest, for that workload."""
    first, second = one(), one("x/y/z", (200, 20))
    chart = cost_chart([first, second], [costs_of(first), costs_of(second)], ["one", "two"])
    assert {s.name: s.y.tolist() for s in chart.series} == {"one": [6.25, 6], "two": [12.5, 2]}
    cost = cost_chart([first, second], [costs_of(first), costs_of(second)], ["one", "two"], cost=True)
    assert {s.name: s.y.tolist() for s in cost.series} == {"one": [10, 12], "two": [20, 4]}
    assert cost.y.title == "rank-seconds to the goal"


@pytest.mark.parametrize(("goal", "told"), [(0.5, "no speed is known"), (0.01, "the goal was not reached")])
def test_what_is_missing_is_said(goal, told):
    """Without speeds, and without the goal: two different sentences."""
    found = one(goal=goal)
    speeds = [] if goal == 0.5 else SPEEDS
    assert told in render(cost_chart([found], [costs_of(found, speeds)]), 70, 16).plain()
