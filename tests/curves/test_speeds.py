"""Speeds: which of several measurements counts, and efficiency against the fewest ranks."""

from __future__ import annotations

import pytest

from hvdsweep.charts import frame_of, render
from hvdsweep.curves.speeds import speed_chart, speeds, throughputs
from hvdsweep.store.rows import ThroughputRow


def row(size, np, examples, *, source="scale", gangs=1, time=0.0, workload="a/b/c") -> ThroughputRow:
    """A measured speed."""
    return ThroughputRow(
        0, time, workload, size, np, gangs, "here", 100, 1.0, examples / size, float(examples), source
    )


def test_measured_on_purpose_then_alone_then_latest():
    """The row to believe: source before gangs before time."""
    rows = [
        row(8, 1, 100, time=1),
        row(8, 1, 110, time=2),
        row(8, 1, 999, source="trial", time=3),
        row(16, 1, 50, source="trial", gangs=4, time=9),
        row(16, 1, 60, source="trial", gangs=1, time=1),
    ]
    assert [(s.batch_size, s.examples_per_second) for s in speeds(rows)] == [(8, 110), (16, 60)]
    assert [(s.batch_size, s.examples_per_second) for s in speeds(reversed(rows))] == [(8, 110), (16, 60)]


def test_efficiency_is_speed_per_rank_over_that_of_the_fewest():
    """None for the fewest; 1 is ideal."""
    found = speeds([row(8, 2, 200), row(8, 4, 300), row(8, 8, 800)])
    assert [s.efficiency for s in found] == [None, pytest.approx(0.75), pytest.approx(1.0)]
    assert [s.times for s in found] == [None, pytest.approx(1.5), pytest.approx(4.0)]
    assert {s.base for s in found} == {2}


def test_trials_are_no_measure_of_what_was_timed_on_purpose():
    """A speed seen in trials includes compilation: neither is the other's base."""
    found = speeds([row(8, 1, 10, source="trial"), row(8, 2, 100), row(8, 4, 200)])
    assert [s.efficiency for s in found] == [None, None, pytest.approx(1.0)]


def test_one_workload_of_several():
    """By name; what costs are computed from are steps per second."""
    rows = [row(8, 1, 80), row(8, 1, 160, workload="other")]
    assert [s.workload for s in speeds(rows, "other")] == ["other"]
    (one,) = throughputs(speeds(rows), "a/b/c")
    assert (one.batch_size, one.np, one.steps_per_second) == (8, 1, 10)


def test_the_chart_has_a_series_per_batch_size_and_ideal_lines():
    """The chart has the measured points, the ideal line of every batch size or of the one in focus, and ticks at
    whole ranks only."""
    found = speeds([row(8, 1, 100), row(8, 2, 150), row(32, 1, 400), row(32, 2, 800)])
    chart = speed_chart(found)
    assert {s.name: s.y.tolist() for s in chart.series} == {"B=8": [100, 150], "B=32": [400, 800]}
    assert [line.points[0] for line in chart.references] == [(1, 100), (1, 400)]
    (line,) = speed_chart(found, focus=32).references
    (x0, y0), (x1, y1) = line.points
    assert y1 / x1 == pytest.approx(y0 / x0) == 400
    labels = [tick.label for tick in chart.x.ticks(frame_of(chart, 80, 24).x_limits)]
    assert labels == ["1", "2", "4"]
    assert [tick.label for tick in speed_chart(speeds([row(8, 2, 1)])).x.ticks()] == ["2", "4", "8"]


def test_efficiency_as_a_chart():
    """The fewest ranks are 1 by definition, and 1 is marked."""
    chart = speed_chart(speeds([row(8, 1, 100), row(8, 4, 200)]), measure="efficiency")
    assert chart.series[0].y.tolist() == [1.0, 0.5]
    assert [line.horizontal for line in chart.references] == [1.0]
    assert "no speed was measured yet" in render(speed_chart([]), 60, 12).plain()
