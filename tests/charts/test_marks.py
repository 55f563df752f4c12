"""Error bars, bounds, reference lines, bands and notes stand where they say, and never over data."""

import math

import numpy as np
import pytest

from hvdsweep.charts import (
    Annotation,
    Axis,
    Band,
    Chart,
    Reference,
    Series,
    frame_of,
    render,
)
from hvdsweep.charts.palette import marker_of, slots

from .drawn import LINEAR, LOG2, LOG10, bare, plot, plot_keys


def test_error_bars_are_asymmetric_and_reach_their_ends():
    """Caps stand in the cells of y_low and y_high; NaN draws no half; the stroke joins cap and marker."""
    one = Series(
        "a",
        [1.0, 2.0, 3.0],
        [5.0, 5.0, 5.0],
        y_low=[4.0, math.nan, 0.0],
        y_high=[9.0, 10.0, math.nan],
        line=False,
    )
    canvas = render(bare(one), 60, 30)
    frame = canvas.frame
    for x, y, char in [
        (1, 4, "┴"),
        (1, 9, "┬"),
        (2, 10, "┬"),
        (3, 0, "┴"),
        (1, 7, "│"),
        (2, 6, "│"),
        (3, 3, "│"),
    ]:
        column, row = frame.cell(float(x), float(y))
        assert canvas.chars[row, column] == char
    column, row = frame.cell(2.0, 5.0)
    assert canvas.chars[row + 1, column] in " ·"
    column, row = frame.cell(3.0, 5.0)
    assert canvas.chars[row - 1, column] in " ·"


def test_an_error_bar_without_a_lower_place_reaches_the_edge_of_a_log_axis():
    """A lower end of zero is infinitely far down: the bar leaves the chart without a cap and does not widen it."""
    one = Series("a", [1.0, 2.0], [10.0, 100.0], y_low=[0.0, 50.0], line=False)
    canvas = render(bare(one, y=LOG10), 60, 24)
    column, row = canvas.frame.cell(1.0, 10.0)
    below = canvas.chars[row + 1 : canvas.frame.top + canvas.frame.rows, column]
    assert len(below)
    assert (below == "│").all()
    assert canvas.frame.y_limits[0] > 5


def test_censored_points_are_open_under_an_arrow():
    """A point that is only a lower bound looks different from a measurement; in ASCII it is a caret."""
    one = Series("a", [1.0, 2.0], [1.0, 1.0], censored=[False, True], marker="●")
    canvas = render(bare(one), 40, 12)
    column, row = canvas.frame.cell(2.0, 1.0)
    assert canvas.chars[row, column] == "○"
    assert canvas.chars[row - 1, column] == "↑"
    column, row = canvas.frame.cell(1.0, 1.0)
    assert canvas.chars[row, column] == "●"
    canvas = render(bare(one), 40, 12, ascii=True)
    assert canvas.chars[tuple(reversed(canvas.frame.cell(2.0, 1.0)))] == "^"


def test_an_arrow_never_leaves_the_plot():
    """A bound in the topmost row has no arrow, which would overwrite what is above the plot."""
    one = Series("a", [1.0, 2.0], [1.0, 10.0], censored=[True, True])
    canvas = render(bare(one, y=Axis("linear", (0.0, 10.0)), title="a title above"), 40, 12)
    assert canvas.frame.cell(2.0, 10.0)[1] == canvas.frame.top
    assert "↑" not in canvas.chars[: canvas.frame.top].tolist()[-1]
    assert canvas.plain().count("↑") == 1


def test_censored_points_show_even_on_a_dense_line():
    """If points are too dense for markers, those that are bounds still have theirs."""
    x = np.arange(1000.0)
    canvas = render(bare(Series("a", x, x, censored=x == 500)), 80, 24)
    column, row = canvas.frame.cell(500.0, 500.0)
    assert canvas.chars[row, column] in "○◇△□✧▽✛▭"


def test_dense_lines_among_others_carry_a_few_markers():
    """Lines of many points differ without colours, with more markers if there are no colours."""
    x = np.arange(5000.0)
    chart = bare(Series("a", x, x), Series("b", x, 2 * x))
    marker = marker_of(slots(["a", "b"])["a"])
    colored, plain = (
        int((plot(render(chart, 100, 30, color=color)) == marker).sum()) for color in (True, False)
    )
    assert 1 <= colored < plain <= 12
    alone = render(bare(Series("a", x, x)), 100, 30)
    assert not (plot(alone) == marker_of(slots("a")["a"])).any()


def test_a_goal_is_a_dashed_line_in_sight():
    """A horizontal line widens the y axis to itself, runs from edge to edge, and carries its label."""
    canvas = render(
        bare(
            Series("a", [1.0, 9.0], [5.0, 6.0]),
            references=(Reference("goal 1", horizontal=1.0, color="goal"),),
        ),
        60,
        20,
    )
    frame = canvas.frame
    row = frame.cell(5.0, 1.0)[1]
    keys = plot_keys(canvas)[row - frame.top]
    assert 0.5 < (keys == "goal").mean() < 0.9
    assert (keys[:2] == "goal").all()
    assert "goal 1" in canvas.plain()
    solid = bare(
        Series("a", [1.0, 9.0], [5.0, 6.0]), references=(Reference("", horizontal=1.0, dashed=False),)
    )
    assert (plot_keys(render(solid, 60, 20))[row - frame.top] == "reference").all()


def test_a_reference_function_is_drawn_where_it_is_and_widens_nothing():
    """Perfect scaling passes the cells of its values and leaves the window to the data."""
    b = 2.0 ** np.arange(8)
    one = Series("a", b, 100 / b + 10)
    chart = bare(
        one, x=LOG2, y=LOG10, references=(Reference("perfect", function=lambda x: 100 / x, dashed=False),)
    )
    canvas = render(chart, 80, 24)
    assert canvas.frame.y_limits == frame_of(bare(one, x=LOG2, y=LOG10), 80, 24).y_limits
    keys = plot_keys(canvas)
    for x in np.geomspace(1.5, 8, 20):
        column, row = canvas.frame.cell(x, 100 / x)
        around = slice(row - canvas.frame.top - 1, row - canvas.frame.top + 2)
        assert (keys[around, column - canvas.frame.left] == "reference").any()


def test_a_reference_function_may_have_gaps_and_constants():
    """NaN lifts the pen; a plain number is a horizontal line."""
    one = Series("a", [0.0, 10.0], [0.0, 10.0], marker="")
    gap = bare(
        one, references=(Reference("f", function=lambda x: np.where(x < 5, 8.0, np.nan), dashed=False),)
    )
    found = (plot_keys(render(gap, 60, 20)) == "reference").any(axis=0)
    assert found[:20].all()
    assert not found[35:].any()
    assert (
        plot_keys(render(bare(one, references=(Reference("f", function=lambda x: 8.0),)), 60, 20))
        == "reference"
    ).any()


def test_a_reference_is_one_kind_of_line():
    """None or two descriptions of where it runs are an error."""
    with pytest.raises(ValueError, match="exactly one"):
        Reference("goal")
    with pytest.raises(ValueError, match="exactly one"):
        Reference("goal", horizontal=1.0, vertical=2.0)


def test_bands_shade_their_interval_and_are_named_above_it():
    """Backgrounds change at the edges, the names stand in the strip over them, data keep their own ink."""
    b = 2.0 ** np.arange(13)
    chart = bare(
        Series("a", b, 1 / b), x=LOG2, y=LOG10, bands=(Band(None, 64, "perfect"), Band(64, None, "beyond"))
    )
    canvas = render(chart, 80, 24)
    frame = canvas.frame
    ground = np.array(canvas.keys, object)[canvas.ground]
    edge = frame.cell(64.0, 1.0)[0]
    row = frame.top + 3
    assert (ground[row, frame.left : edge - 1] == "band0").all()
    assert (ground[row, edge + 1 : frame.left + frame.columns] == "band1").all()
    assert (ground[row, : frame.left] == "").all()
    strip = "".join(canvas.chars[frame.top - 1])
    assert strip.index("perfect") < edge < strip.index("beyond")
    assert canvas.chars[frame.top + 1, edge] == "┊"
    marked = frame.cell(1024.0, 1 / 1024)
    assert canvas.chars[marked[1], marked[0]] == marker_of(slots("a")["a"])


@pytest.mark.parametrize(("high", "word"), [(1e3, "perfect scaling"), (5, "perfect"), (2.2, "")])
def test_a_band_without_room_for_its_name_says_its_first_word_or_nothing(high, word):
    """Never a part of a word."""
    b = 2.0 ** np.arange(11)
    canvas = render(
        bare(Series("a", b, 1 / b), x=LOG2, y=LOG10, bands=(Band(None, high, "perfect scaling"),)), 60, 24
    )
    strip = "".join(canvas.chars[canvas.frame.top - 1])
    assert strip.strip() == word


def shaded(band, x=LINEAR, y=LINEAR, low=1.0):
    """Rows and columns of the plot area of 0 (or `low`) to 10 on either axis that a band colours."""
    ends = [low, 10.0]
    canvas = render(
        bare(
            Series("a", ends, ends), x=Axis(x.scale, (low, 10.0)), y=Axis(y.scale, (low, 10.0)), bands=(band,)
        ),
        60,
        24,
    )
    frame = canvas.frame
    ground = canvas.ground[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns] != 0
    return ground.any(axis=1), ground.any(axis=0)


def test_bands_of_either_axis_cover_their_interval():
    """A band of x all rows, a band of y all columns; open ends reach the edge; thin ones keep a cell."""
    rows, columns = shaded(Band(4.0, 7.0))
    assert rows.all()
    assert columns.mean() == pytest.approx(1 / 3, abs=0.03)
    rows, columns = shaded(Band(4.0, 7.0, axis="y"))
    assert columns.all()
    assert rows.mean() == pytest.approx(1 / 3, abs=0.08)
    assert rows[: len(rows) // 3 - 1].sum() == 0
    assert shaded(Band(None, 5.5, axis="y"))[0].tolist()[-1]
    assert shaded(Band(5.5, None))[1].tolist()[-1]
    assert shaded(Band(5.0, 5.0))[1].sum() == 1
    assert shaded(Band(5.0, 5.0, axis="y"))[0].sum() == 1


@pytest.mark.parametrize(
    "band", [Band(11.0, 12.0), Band(-5.0, 0.5), Band(11.0, None), Band(None, 0.5), Band(7.0, 4.0)]
)
@pytest.mark.parametrize("scale", [LINEAR, LOG10])
def test_bands_out_of_sight_colour_nothing(band, scale):
    """Bands beyond either edge, or with their ends reversed, colour nothing."""
    assert not shaded(band, x=scale)[1].any()


def test_a_band_from_zero_reaches_the_edge_of_a_log_axis():
    """Zero is infinitely far to the left; a band that ends there is empty."""
    assert shaded(Band(0.0, 3.0), x=LOG10)[1].tolist()[0]
    assert not shaded(Band(-1.0, 0.0), x=LOG10)[1].any()


def test_words_never_cover_data():
    """Notes and labels of lines stand where nothing else is drawn, or not at all."""
    rng = np.random.default_rng(0)
    cloud = Series("a", rng.random(300), rng.random(300), line=False)
    notes = tuple(
        Annotation(float(x), float(y), "a note") for x, y in zip(cloud.x[:40], cloud.y[:40], strict=True)
    )
    lines = (Reference("half", horizontal=0.5), Reference("third", vertical=0.3))
    for size in [(40, 12), (80, 24), (160, 50)]:
        plain, worded = (
            render(bare(cloud, references=lines), *size),
            render(bare(cloud, references=lines, annotations=notes), *size),
        )
        assert (
            (plot(plain) == marker_of(slots("a")["a"])) == (plot(worded) == marker_of(slots("a")["a"]))
        ).all()
    assert "a note" in worded.plain()


def test_an_annotation_is_next_to_its_point():
    """Right of it where there is room, else to its left; its marker on the point."""
    one = Series("a", [0.0, 10.0], [0.0, 10.0], line=False)
    notes = (Annotation(5.0, 5.0, "middle", "★"), Annotation(10.0, 9.0, "edge"))
    canvas = render(bare(one, annotations=notes), 60, 20)
    column, row = canvas.frame.cell(5.0, 5.0)
    assert "".join(canvas.chars[row, column : column + 8]) == "★ middle"
    column, row = canvas.frame.cell(10.0, 9.0)
    assert "".join(canvas.chars[row, column - 5 : column]) == "edge "


def test_an_empty_chart_says_so():
    """Without a point in the window the plot says what it waits for."""
    assert "no data yet" in render(Chart(title="t"), 60, 12).plain()
    assert "waiting" in render(Chart((Series("a", [math.nan], [1.0]),), empty="waiting"), 60, 12).plain()
    assert "no data yet" not in render(bare(Series("a", [1.0], [1.0])), 60, 12).plain()
