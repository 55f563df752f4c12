"""A drawn chart shows every point where it belongs, invents nothing, and fits any terminal."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from hvdsweep.charts import (
    Annotation,
    Axis,
    Band,
    Chart,
    Reference,
    Series,
    View,
    frame_of,
    render,
)
from hvdsweep.charts.layout import lay_out
from hvdsweep.charts.palette import SLOTS, marker_of, slots

from .drawn import LOG2, LOG10, axes, bare, charts, plot, plot_keys, tame, value_of, wild


@given(charts(), st.integers(-1, 200), st.integers(-1, 60), st.booleans(), st.booleans())
@example(Chart(), 1, 1, False, True)
@settings(max_examples=150)
def test_any_chart_fits_any_terminal(chart, width, height, ascii, color):
    """Whatever the data, from 1x1 to 200x60: no exception, and every row is exactly as wide as asked."""
    canvas = render(chart, width, height, ascii=ascii, color=color)
    assert (canvas.width, canvas.height) == (max(1, width), max(1, height))
    for row in range(canvas.height):
        line = "".join(text for text, _ in canvas.runs(row))
        assert cell_len(line) == canvas.width
        assert not ascii or line.isascii()
    assert not ascii or canvas.plain().isascii()


def test_every_size_of_terminal_is_drawn():
    """A full chart at every small size and a selection of larger ones, in ASCII and other characters by turns."""
    b = 2.0 ** np.arange(12)
    chart = Chart(
        (Series("a", b, 1000 / b, y_low=900 / b, y_high=1200 / b), Series("b", b, 100 + b, censored=b > 500)),
        x=Axis("log2", title="batch size"),
        y=Axis("log10", title="steps"),
        title="Steps to goal",
        subtitle="val/error ≤ 0.05",
        references=(Reference("goal", horizontal=50.0), Reference("ideal", function=lambda x: 1000 / x)),
        bands=(Band(None, 16, "perfect"), Band(16, None, "diminishing")),
        annotations=(Annotation(64, 15.6, "here", "★"),),
    )
    for width in [*range(1, 45), 80, 200]:
        for height in [*range(1, 26), 60]:
            canvas = render(chart, width, height, ascii=(width + height) % 2 == 0)
            assert canvas.chars.shape == (height, width)


@given(charts(), st.integers(1, 100), st.integers(1, 40), st.tuples(wild, wild), st.tuples(wild, wild))
def test_any_window_can_be_drawn(chart, width, height, x, y):
    """Views that the data do not reach, or that cut through them, are drawn like any other."""

    def limits(axis, ends):
        low, high = sorted(abs(end) if math.isfinite(end) else 1.0 for end in ends)
        return axis.bounded(*map(float, axis.forward([low or 1e-3, high or 1e-3])))

    canvas = render(chart, width, height, View(limits(chart.x, x), limits(chart.y, y)))
    assert canvas.chars.shape == (height, width)


@given(
    st.lists(st.tuples(wild, wild), max_size=30),
    axes,
    axes,
    st.booleans(),
    st.integers(1, 100),
    st.integers(1, 40),
)
def test_every_finite_point_is_visible(points, x_axis, y_axis, line, width, height):
    """The cell of each point that the axes can place is inked; of scattered points with their marker."""
    one = Series("a", [x for x, _ in points], [y for _, y in points], line=line)
    canvas = render(bare(one, x=x_axis, y=y_axis), width, height)
    for x, y in points:
        if x_axis.holds(x) and y_axis.holds(y) and 1e-299 < abs(x) < 1e299 and 1e-299 < abs(y) < 1e299:
            column, row = canvas.frame.cell(x, y)
            char = canvas.chars[row, column]
            assert char == marker_of(slots("a")["a"]) or (line and 0x2800 < ord(char) < 0x2900)


@given(
    st.lists(st.tuples(tame, tame), min_size=1, max_size=12),
    axes,
    axes,
    st.integers(20, 90),
    st.integers(8, 30),
)
def test_no_ink_outside_the_cells_that_the_line_passes(points, x_axis, y_axis, width, height):
    """Every inked cell lies within one dot of some segment, sampled finely on the screen."""
    x, y = np.array(points).T
    canvas = render(bare(Series("a", x, y, marker=""), x=x_axis, y=y_axis), width, height)
    frame = canvas.frame
    across, down = frame.across(x), frame.down(y)
    share = np.linspace(0, 1, 400)
    passed = {(math.floor(a), math.floor(b)) for a, b in zip(across, down, strict=True)}
    for i in range(len(x) - 1):
        along = across[i] + share * (across[i + 1] - across[i])
        deep = down[i] + share * (down[i + 1] - down[i])
        passed |= set(
            zip(np.floor(along).astype(int).tolist(), np.floor(deep).astype(int).tolist(), strict=True)
        )
    near = {((a + i) // 2, (b + j) // 4) for a, b in passed for i in (-1, 0, 1) for j in (-1, 0, 1)}
    inked = np.argwhere(plot_keys(canvas) == f"s{slots('a')['a'] % SLOTS}")
    assert {(int(column), int(row)) for row, column in inked} <= near


def test_a_gap_is_not_bridged():
    """Nothing is drawn between the neighbours of a NaN; the line continues after it."""
    x = np.arange(11.0)
    y = np.where((x > 3) & (x < 7), np.nan, 1.0)
    canvas = render(bare(Series("a", x, y, marker="")), 80, 20)
    inked = (plot_keys(canvas) == "s" + str(slots("a")["a"] % SLOTS)).any(axis=0)
    left, right = (canvas.frame.cell(at, 1.0)[0] - canvas.frame.left for at in (3.0, 7.0))
    assert inked[:left].sum() >= left - 5
    assert inked[left]
    assert inked[right]
    assert not inked[left + 1 : right].any()


@pytest.mark.parametrize("hole", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_widens_an_axis(hole):
    """Adding NaN or infinite x, y or error bars leaves the window as it was."""
    clean = frame_of(bare(Series("a", [1.0, 2.0], [3.0, 4.0])), 80, 24)
    x, y = [1.0, 2.0, hole, 50.0], [3.0, 4.0, 900.0, hole]
    bars = [0.0, hole, -1e9, -1e9]
    holed = frame_of(
        bare(Series("a", x, y, y_low=[3.0, hole, -1e9, -1e9], y_high=[hole, 4.0, 1e9, 1e9])), 80, 24
    )
    assert (holed.x_limits, holed.y_limits) == (clean.x_limits, clean.y_limits)
    assert bars[1] is hole


def test_values_that_a_logarithm_loses_are_counted_in_the_subtitle():
    """Finite points at or below zero on a log axis; not the NaN, and not on linear axes."""
    points = Series("a", [1.0, 2.0, 0.0, 4.0, -5.0], [1.0, 0.0, 1.0, math.nan, -1.0])
    chart = Chart((points,), x=LOG10, y=LOG10, subtitle="losses")
    assert chart.notes == "losses · 3 non-positive values not shown"
    assert chart.notes in render(chart, 80, 24).plain()
    assert Chart((points,), y=LOG10).notes == "2 non-positive values not shown"
    assert Chart((points,)).notes == ""
    assert Chart((Series("a", [1.0], [0.0]),), y=LOG10).notes == "1 non-positive value not shown"


def test_a_later_series_replaces_cells_instead_of_mixing_dots():
    """Where two lines cross, the cells look as if the later one were alone, in its colour only."""
    x = np.arange(50.0)
    first, second = Series("a", x, x, marker=""), Series("b", x, 49 - x, marker="")
    both, alone = render(bare(first, second), 80, 24), render(bare(second), 80, 24)
    inked = plot_keys(alone) == "s" + str(slots("b")["b"] % SLOTS)
    color = "s" + str(slots(["a", "b"])["b"] % SLOTS)
    assert inked.sum() > 50
    assert (plot(both)[inked] == plot(alone)[inked]).all()
    assert (plot_keys(both)[inked] == color).all()


def test_lines_never_hide_markers():
    """A later line that passes through an earlier series' points goes under its markers."""
    x = np.arange(9.0)
    canvas = render(
        bare(Series("a", x, x * 0 + 1, line=False, marker="x"), Series("b", x, x * 0 + 1, marker="")), 60, 12
    )
    assert (plot(canvas) == "x").sum() == 9


@given(st.integers(20, 200), st.integers(8, 60), axes, axes, tame, tame, st.booleans())
@example(20, 8, LOG10, LOG2, 251786.0, 251786.0, False)
def test_tick_labels_are_whole_and_stand_at_their_ticks(width, height, x_axis, y_axis, low, high, ascii):
    """Every label is on the canvas from its first to its last character, apart from its neighbours, and its tick's cell
    is the one that the axis maps its value to."""
    ends = [min(low, high), max(low, high) * 1.5]
    chart = bare(Series("a", ends, ends), x=x_axis, y=y_axis, title="t")
    canvas = render(chart, width, height, ascii=ascii)
    frame, layout = canvas.frame, lay_out(chart, width, height, View(), ascii=ascii)
    lines = ["".join(row) for row in canvas.chars]
    assert layout.x_ticks
    assert layout.y_ticks
    for row, tick in layout.y_ticks:
        assert frame.cell(ends[0], tick.value)[1] == row
        assert lines[row][: frame.left - 1].strip() == tick.label
    assert [value_of(label, x_axis.scale) for label in lines[layout.x_labels].split()] == [
        t.value for _, _, t in layout.x_ticks
    ]
    for column, start, tick in layout.x_ticks:
        assert frame.cell(tick.value, ends[0])[0] == column
        assert lines[layout.x_labels][start : start + len(tick.label)] == tick.label
        assert start - 1 <= column <= start + len(tick.label)
