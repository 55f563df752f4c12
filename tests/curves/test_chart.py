"""What a curve's chart shows, in data units; and numbers as people read them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.charts import render
from hvdsweep.cli.columns import table
from hvdsweep.curves import curve
from hvdsweep.curves.chart import curve_chart, curve_names, region_bands
from hvdsweep.words import between, short, whole

from . import oracle
from .oracle import Study, Trial


def made(steps, *, goal=0.5, workload="digits/fc_128/sgd", train_steps=1000, **question):
    """A curve whose study at 2^i has trials that reach the goal at these steps (none: never)."""
    studies = [
        Study(
            2**i,
            [Trial(n, [(s, 0.1)], steps=train_steps) for n, s in enumerate(here)],
            train_steps=train_steps,
        )
        for i, here in enumerate(steps)
    ]
    return curve(oracle.table(studies, workload=workload), goal, **question)


def test_points_intervals_and_bounds():
    """Steps with their interval; a batch size that did not reach is a bound at its budget; without trials it is none."""
    chart = curve_chart([made([[800, 900, 990], [400], [5000], []], step_budget=1000)])
    (series,) = chart.series
    assert series.x.tolist() == [1, 2, 4, 8]
    assert series.y.tolist()[:3] == [800, 400, 1000]
    assert np.isnan(series.y[3])
    # Three trials and no fit: only the upper end is known, the slowest of the three. A single trial shows nothing.
    assert np.isnan(series.y_low).all()
    assert series.y_high[0] == 990
    assert np.isnan(series.y_high[1:]).all()
    assert series.censored.tolist() == [False, False, True, True]
    assert (chart.x.scale, chart.y.scale) == ("log2", "log10")
    assert chart.title == "digits/fc_128/sgd  val/classification_error < 0.5"


@pytest.mark.parametrize(("count", "focus", "shown"), [(8, None, range(8)), (9, 4, [4]), (9, None, [])])
def test_intervals_of_a_crowd_are_those_of_the_one_looked_at(count, focus, shown):
    """Up to eight curves show their intervals; of more, only the one in focus."""
    curves = [made([[800, 900], [400]], workload=f"digits/fc_{i}/sgd") for i in range(count)]
    series = curve_chart(curves, focus=focus).series
    assert [index for index, one in enumerate(series) if one.y_low is not None] == list(shown)


def test_an_interval_about_the_fit_is_drawn_in_full():
    """With a fit, both ends are drawn, about the point."""
    (series,) = curve_chart(
        [made([[800, 810, 850], [500, 520, 530], [330, 340, 345], [255, 260, 270]])]
    ).series
    assert (series.y_low < series.y).all()
    assert (series.y_high > series.y).all()


def test_a_study_without_a_step_is_no_point():
    """Nothing trained, nothing drawn, and the chart says so."""
    table = oracle.table([Study(8, [], train_steps=0)])
    chart = curve_chart([curve(table)])
    assert np.isnan(chart.series[0].y).all()
    assert "no trial has been measured yet" in render(chart, 60, 12).plain()


def test_perfect_scaling_is_a_line_through_the_first_point():
    """From (B0, S0) to (B, S0 B0 / B); level where examples are shown; divided where normalised."""
    one = made([[800], [500], [300]])
    (line,) = curve_chart([one]).references[:1]
    assert line.points == ((1.0, 800.0), (4.0, 200.0))
    assert curve_chart([one], examples=True).references[0].points == ((1.0, 800.0), (4.0, 800.0))
    normalised = made([[800], [500], [300]], normalise=2)
    assert curve_chart([normalised]).references[0].points == ((1.0, 1.6), (4.0, 0.4))
    assert curve_chart([normalised]).series[0].y.tolist() == [1.6, 1.0, 0.6]
    assert curve_chart([normalised]).y.title == "steps to the goal / those at 2"


def test_the_fit_is_drawn_with_its_lack_of_fit():
    """The fitted hyperbola in the chart's own measure, labelled by how far it is off."""
    one = made([[round(100 * (1 + 8 / 2**i))] for i in range(7)])
    fit = curve_chart([one]).references[1]
    sizes, steps = np.array(fit.points).T
    np.testing.assert_allclose(steps, one.fit.steps(sizes))
    assert fit.label.startswith("fit, off by")
    examples = np.array(curve_chart([one], examples=True).references[1].points)[:, 1]
    np.testing.assert_allclose(examples, one.fit.steps(sizes) * sizes)


def test_regions_meet_halfway_between_batch_sizes():
    """Perfect, diminishing and maximal, each from a known batch size on: bands end at the geometric means."""
    best = [round(200 * math.sqrt(1 + (32 / 2**i) ** 2)) for i in range(11)]
    one = made([[steps, round(steps * 1.01), round(steps * 1.03)] for steps in best])
    assert [(band.low, band.high, band.label) for band in region_bands(one)] == [
        (None, pytest.approx(math.sqrt(16 * 32)), "perfect scaling"),
        (pytest.approx(math.sqrt(16 * 32)), pytest.approx(math.sqrt(64 * 128)), "diminishing returns"),
        (pytest.approx(math.sqrt(64 * 128)), None, "maximal parallelism"),
    ]
    (note,) = curve_chart([one]).annotations
    assert (note.x, note.text) == (128, "max useful 128")


def test_several_curves_are_named_by_what_differs():
    """By workload, by goal, by both; regions and fits only where there is one curve."""
    one, other = made([[8], [4]]), made([[6], [4]], workload="digits/fc_128/momentum")
    hard = made([[8], [4]], goal=0.2)
    assert curve_names([one, other]) == ["digits/fc_128/sgd", "digits/fc_128/momentum"]
    assert curve_names([one, hard]) == ["val/classification_error < 0.5", "val/classification_error < 0.2"]
    assert curve_names([one, made([[6]], workload="w", goal=0.2)])[1] == "w, val/classification_error < 0.2"
    chart = curve_chart([one, other])
    assert (len(chart.series), len(chart.references), chart.bands, chart.annotations) == (2, 2, (), ())
    assert chart.title == "val/classification_error < 0.5"


@given(st.floats(min_value=1e-5, max_value=9e17))
def test_short_numbers_read_back(value):
    """Three digits and a suffix read back to the value within half of the last digit."""
    text = short(value)
    number = float(text.rstrip("kMGTP")) * 1000 ** "_kMGTP".index(text[-1] if text[-1] in "kMGTP" else "_")
    assert number == pytest.approx(value, rel=0.0051)
    assert len(text.rstrip("kMGTP")) <= 5 or value < 1


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (short(None), ""),
        (short(999.4), "999"),
        (short(1000), "1k"),
        (short(999_499), "999k"),
        (short(999_500), "1M"),
        (short(99_950), "100k"),
        (short(-12_345), "-12.3k"),
        (whole(1234567.4), "1,234,567"),
        (whole(None), ""),
        (between(10, 20), "10 to 20"),
        (between(10, None), "10 or more"),
        (between(None, 2000, whole), "up to 2,000"),
        (between(None, None), "anything"),
    ],
)
def test_numbers_in_words(found, expected):
    """Suffixes step at their rounded edges; open intervals say which end is open."""
    assert found == expected


def test_columns_align_and_empty_ones_are_left_out():
    """Numbers to the right, words to the left, nothing for a column that says nothing."""
    assert table(("n", "word", "none"), [("1", "long one", ""), ("1,000", "b", "")], left=("word",)) == [
        "    n  word",
        "    1  long one",
        "1,000  b",
    ]
