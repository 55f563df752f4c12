"""The gradient noise scale of a curve: its interval against scipy, and where it is shown."""

import json

import numpy as np
import pytest
from scipy import stats

from hvdsweep.curves.chart import curve_chart
from hvdsweep.curves.noise import curve_noise, noise_point
from hvdsweep.curves.scaling_curve import curve
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.noise import noise_of_trials, noise_of_workload

from . import database
from .oracle import Study, Trial
from .test_commands import run as run


def estimates(squares, traces, start=101):
    """One estimate after each update from `start` on."""
    return np.arange(start, start + len(squares)), np.array(squares, float), np.array(traces, float)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_is_what_a_t_test_does_not_reject(level):
    """At both ends of Fieller's interval for mean(y) / mean(x) = r, scipy's t test of y - r x has p = 1 - level."""
    random = np.random.default_rng(3)
    x = random.normal(2.0, 0.5, 12)
    y = random.normal(60.0, 9.0, 12) + 4 * x
    found = noise_point(32, 200, estimates(x, y), level)
    assert found.value == pytest.approx(y.mean() / x.mean())
    assert found.sure
    for end in found.interval:
        assert stats.ttest_1samp(y - end * x, 0.0).pvalue == pytest.approx(1 - level)
    assert found.interval[0] < found.value < found.interval[1]


def test_an_interval_whose_mean_may_be_zero_is_open():
    """Where |G|^2 may be 0, the lower end is where the t test says, and there is no upper end."""
    random = np.random.default_rng(1)
    x, y = random.normal(0.3, 2.0, 10), random.normal(60.0, 3.0, 10)
    found = noise_point(4, 200, estimates(x, y), 0.95)
    low, high = found.interval
    assert high is None
    assert not found.sure
    assert stats.ttest_1samp(y - low * x, 0.0).pvalue == pytest.approx(0.05)
    for ratio in low * np.array([2.0, 10.0, 1e4]):
        assert stats.ttest_1samp(y - ratio * x, 0.0).pvalue > 0.05


def test_only_the_second_half_of_the_steps_counts():
    """Estimates after 50 < step <= 100 are averaged; with none there, the last one before; with none at all, no answer."""
    at = np.array([16, 50, 64, 100, 101])
    squares, traces = np.array([9.0, 9.0, 1.0, 3.0, 9.0]), np.array([1.0, 1.0, 30.0, 50.0, 1.0])
    found = noise_point(8, 100, (at, squares, traces), 0.95)
    assert (found.value, found.grad_sq, found.trace_sigma, found.estimates) == (20.0, 2.0, 40.0, 2)
    assert found.interval is None
    assert noise_point(8, 49, (at[:1], squares[:1], traces[:1]), 0.95).value == pytest.approx(1 / 9)
    assert noise_point(8, 15, (at, squares, traces), 0.95) is None
    assert noise_point(8, 100, (at, np.full(5, np.nan), traces), 0.95) is None


def test_the_median_is_that_of_the_sure_batch_sizes():
    """A batch size whose interval is open does not count, unless all are; one with |G|^2 below 0 has no value."""
    sure = [estimates([1.0, 1.01, 0.99], [v, v + 0.1, v - 0.1]) for v in (10.0, 20.0, 90.0)]
    open_, drowned = estimates([1.0, -0.5], [500.0, 500.0]), estimates([-1.0], [5.0])
    found = curve_noise([(2**i, 110, one) for i, one in enumerate([open_, *sure, drowned])], 0.95)
    assert (found.batch_size, found.lowest, found.highest) == pytest.approx((20.0, 10.0, 90.0))
    assert found.counted == 3
    assert [point.value is None for point in found.points] == [False] * 4 + [True]
    assert curve_noise([(1, 110, open_), (2, 110, drowned)], 0.95).batch_size == 2000.0
    assert curve_noise([(1, 110, drowned)], 0.95).batch_size is None
    assert curve_noise([], 0.95) is None


@pytest.fixture
def db(tmp_path):
    """Two trials at each of three batch sizes; the better has the noise scale 40, the other 9,000."""
    studies = [
        Study(size, [Trial(n, [(steps + n, 0.1)], steps=1000) for n in range(2)], train_steps=1000)
        for size, steps in ((8, 800), (64, 400), (512, 300))
    ]
    path = database.write(tmp_path / "x.db", {"digits/fc_16/sgd": studies})
    conn = connect(path)
    for trial, number in conn.execute("SELECT id, number FROM trials").fetchall():
        trace = 9000.0 if number else 40.0
        for step, wave in (
            (250, -0.01),
            (290, 0.02),
            (299, 0.01),
            (390, 0.01),
            (600, 0.01),
            (700, -0.01),
            (790, 0.0),
        ):
            row = (trial, step, "", 1.0 + wave, trace * (1 + wave))
            conn.execute("INSERT INTO gradient_noise VALUES (?, ?, ?, ?, ?)", row)
            conn.execute("INSERT INTO gradient_noise VALUES (?, ?, '1 dense', 7.0, 7.0)", row[:2])
    conn.commit()
    conn.close()
    return path


def test_curve_shows_the_noise_scale_of_the_best_trials(run, db):
    """Text, JSON and chart have 40 examples; without estimates the text has no line and the JSON null."""
    code, out, err = run("curve", "--db", db)
    assert (code, err) == (0, "")
    assert "gradient noise scale       40 examples (median over 3 batch sizes, 40 to 40)" in out
    assert "noise scale 40" in out.partition("gradient noise scale")[2]
    noise = json.loads(run("curve", "--db", db, "--json")[1])[0]["noise_scale"]
    assert noise["batch_size"] == pytest.approx(40.0)
    assert [point["batch_size"] for point in noise["points"]] == [8, 64, 512]
    assert [point["estimates"] for point in noise["points"]] == [3, 4, 3]
    assert "tr(Sigma) / |G|^2" in noise["definition"]
    conn = connect(db)
    conn.execute("DELETE FROM gradient_noise")
    conn.commit()
    conn.close()
    assert "noise scale" not in run("curve", "--db", db)[1]
    assert json.loads(run("curve", "--db", db, "--json")[1])[0]["noise_scale"] is None


def test_the_line_is_drawn_where_batch_sizes_are_near(db):
    """A vertical line at 40 in a chart from 8 to 512; none where the noise scale is outside. Both readers agree."""
    with open_store(db) as reader:
        table = reader.workload_table("digits/fc_16/sgd")
        found = curve(table)
        trials = [point.trial_id for point in found.points]
        mine, all_ = noise_of_trials(reader, trials), noise_of_workload(reader, 1)
    assert sorted(mine) == sorted(trials)
    assert len(all_) == 6
    for trial, arrays in mine.items():
        for one, other in zip(arrays, all_[trial], strict=True):
            np.testing.assert_array_equal(one, other)

    def lines(estimates):
        chart = curve_chart([found.with_noise(estimates)], focus=0)
        return [
            (line.label, round(line.vertical, 6)) for line in chart.references if "noise" in str(line.label)
        ]

    assert lines(mine) == [("noise scale 40", 40.0)]
    assert lines({trial: (at, x, 1000 * y) for trial, (at, x, y) in mine.items()}) == []
    assert lines({}) == []
