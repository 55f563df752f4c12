"""The reader's window: cells and data map both ways, zoom and pan keep what they promise, the cursor finds its point."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hvdsweep.charts import Axis, Chart, Frame, Series, View, follow, frame_of, nearest, render, sentence

scales = st.sampled_from(["log2", "log10", "linear"])
tame = st.floats(0.01, 1e6)
sizes = st.tuples(st.integers(1, 200), st.integers(1, 60))


@st.composite
def frames(draw):
    low, high = (1e-3, 1e3) if draw(st.booleans()) else (5.0, 6.0)
    left, top = draw(st.integers(0, 9)), draw(st.integers(0, 5))
    columns, rows = draw(st.integers(1, 150)), draw(st.integers(1, 60))
    return Frame(
        left, top, columns, rows, Axis(draw(scales)), Axis(draw(scales)), (low, high), (low, high * 2)
    )


def cells(draw, frame):
    column = draw(st.integers(frame.left, frame.left + frame.columns - 1))
    return column, draw(st.integers(frame.top, frame.top + frame.rows - 1))


@given(frames(), st.data())
def test_the_data_of_a_cell_lie_in_that_cell(frame, data):
    """From a cell to data units and back is the same cell."""
    cell = cells(data.draw, frame)
    assert frame.cell(*frame.data(*cell)) == cell
    assert frame.contains(*cell)


@given(frames(), st.floats(0, 1), st.floats(0, 1))
def test_a_cell_is_as_near_as_its_size(frame, across, down):
    """From data to a cell and back misses by half a cell at most, in places along the axis."""
    x_ends, y_ends = frame.x_axis.forward(frame.x_limits), frame.y_axis.forward(frame.y_limits)
    place = x_ends[0] + across * (x_ends[1] - x_ends[0]), y_ends[0] + down * (y_ends[1] - y_ends[0])
    cell = frame.cell(float(frame.x_axis.inverse(place[0])), float(frame.y_axis.inverse(place[1])))
    assume(cell is not None)
    x, y = frame.data(*cell)
    half = (x_ends[1] - x_ends[0]) / frame.columns / 2, (y_ends[1] - y_ends[0]) / frame.rows / 2
    assert abs(float(frame.x_axis.forward(x)) - place[0]) <= half[0] * (1 + 1e-6)
    assert abs(float(frame.y_axis.forward(y)) - place[1]) <= half[1] * (1 + 1e-6)


def test_what_is_outside_has_no_cell():
    """Beyond the limits, without a place, or not finite."""
    frame = Frame(3, 1, 40, 10, Axis("log10"), Axis(), (1.0, 100.0), (0.0, 1.0))
    assert frame.cell(1.0, 0.0) == (3, 10)
    assert frame.cell(100.0, 1.0) == (42, 1)
    for x, y in [
        (0.9, 0.5),
        (101.0, 0.5),
        (10.0, -0.1),
        (10.0, 1.1),
        (-1.0, 0.5),
        (math.nan, 0.5),
        (10.0, math.inf),
    ]:
        assert frame.cell(x, y) is None
    assert not frame.contains(2, 1)
    assert not frame.contains(3, 11)


@given(frames(), st.floats(0.2, 5), st.data())
def test_zooming_keeps_the_data_under_the_pointer(frame, factor, data):
    """The same data lie in the cell before and after, and the window is `factor` times closer."""
    cell = cells(data.draw, frame)
    view = View().zoom(frame, factor, cell)
    after = Frame(
        frame.left, frame.top, frame.columns, frame.rows, frame.x_axis, frame.y_axis, view.x, view.y
    )
    before = frame.data(*cell)
    assert after.data(*cell) == pytest.approx(before, rel=1e-6, abs=1e-9)
    spans = [float(np.diff(frame.x_axis.forward(limits))[0]) for limits in (frame.x_limits, view.x)]
    assert spans[0] / spans[1] == pytest.approx(factor, rel=1e-6)


@given(frames(), st.floats(0.2, 5))
def test_zooming_back_restores_the_window(frame, factor):
    """In and out again by the same factor at the same cell changes nothing but rounding."""
    there = View().zoom(frame, factor)
    middle = Frame(
        frame.left, frame.top, frame.columns, frame.rows, frame.x_axis, frame.y_axis, there.x, there.y
    )
    back = there.zoom(middle, 1 / factor)
    assert back.x == pytest.approx(frame.x_limits, rel=1e-6, abs=1e-9)
    assert back.y == pytest.approx(frame.y_limits, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("scale", ["log2", "log10", "linear"])
@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_zooming_without_end_stays_drawable(scale, factor):
    """After a hundred steps in or out, all limits are still within float64's range."""
    chart = Chart((Series("a", [1.0, 2.0, 3.0], [10.0, 20.0, 15.0]),), x=Axis(scale), y=Axis(scale))
    view = View()
    for _ in range(100):
        frame = frame_of(chart, 80, 24, view)
        view = view.zoom(frame, factor)
        low, high = view.x
        assert -math.inf < low < high < math.inf
    assert render(chart, 80, 24, view).height == 24


def test_a_zoom_by_nothing_is_refused():
    """No factor of 0: the window would have no end."""
    frame = frame_of(Chart((Series("a", [1.0, 9.0], [1.0, 9.0]),)), 80, 24)
    with pytest.raises(ValueError, match="factor"):
        View().zoom(frame, 0)


@given(frames(), st.integers(-30, 30), st.integers(-30, 30), st.data())
def test_panning_moves_the_data_by_cells(frame, columns, rows, data):
    """What was in a cell is `columns` further left and `rows` further up afterwards."""
    view = View().pan(frame, columns, rows)
    x, y = view.x or frame.x_limits, view.y or frame.y_limits
    after = Frame(frame.left, frame.top, frame.columns, frame.rows, frame.x_axis, frame.y_axis, x, y)
    column, row = cells(data.draw, frame)
    assert after.data(column - columns, row - rows) == pytest.approx(
        frame.data(column, row), rel=1e-5, abs=1e-6
    )
    assert (view.x is None) == (columns == 0)
    assert (view.y is None) == (rows == 0)


def test_the_readers_window_stays_while_data_arrive_and_the_free_one_follows():
    """A zoomed view keeps its limits as data arrive, the free view grows, and fixing x leaves y free."""
    few = Chart((Series("a", [1.0, 2.0], [1.0, 2.0]),))
    more = Chart((Series("a", [1.0, 2.0, 50.0], [1.0, 2.0, 70.0]),))
    held = View().zoom(frame_of(few, 80, 24), 2)
    assert frame_of(few, 80, 24, held).x_limits == frame_of(more, 80, 24, held).x_limits
    assert frame_of(few, 80, 24, held).y_limits == frame_of(more, 80, 24, held).y_limits
    assert View().follows
    assert not held.follows
    assert frame_of(more, 80, 24).x_limits[1] > 50 > frame_of(few, 80, 24).x_limits[1]
    half = View(x=held.x)
    assert frame_of(more, 80, 24, half).x_limits == held.x
    assert frame_of(more, 80, 24, half).y_limits[1] > 70


def slow_nearest(chart, frame, column, row):
    """Every point of every visible series, measured on the screen; the last of equals."""
    best = None
    for one in chart.series:
        for index in range(len(one) if one.visible else 0):
            x, y = one.x[index], one.y[index]
            if frame.cell(x, y) is None:
                continue
            across = float(frame.across(np.array([x]))[0]) - 2 * (column - frame.left + 0.5)
            down = float(frame.down(np.array([y]))[0]) - 4 * (row - frame.top + 0.5)
            if best is None or across**2 + down**2 <= best[0]:
                best = (across**2 + down**2, one.name, index)
    return best


values = st.one_of(
    tame, st.sampled_from([1.0, 10.0, 100.0]), st.sampled_from([math.nan, math.inf, 0.0, -1.0])
)
point_lists = st.lists(st.tuples(values, values), max_size=15)


@given(st.lists(point_lists, max_size=3), scales, scales, sizes, st.data())
def test_the_nearest_point_is_the_nearest_of_all(points, x_scale, y_scale, size, data):
    """Against measuring every point, with gaps, several series and a window on part of the data."""
    if data.draw(st.booleans()):
        points = [sorted((x, y) for x, y in some if not math.isnan(x)) for some in points]
    chart = Chart(
        tuple(Series(str(n), [x for x, _ in some], [y for _, y in some]) for n, some in enumerate(points)),
        x=Axis(x_scale),
        y=Axis(y_scale),
    )
    view = View(x=(1.0, 1e4)) if data.draw(st.booleans()) else View()
    frame = frame_of(chart, *size, view)
    column, row = data.draw(st.integers(0, size[0])), data.draw(st.integers(0, size[1]))
    found, expected = nearest(chart, frame, column, row), slow_nearest(chart, frame, column, row)
    if expected is None:
        assert found is None
        return
    assert (found.series, found.index) == expected[1:]
    assert frame.cell(found.x, found.y) == (found.column, found.row)


def test_of_points_in_one_place_the_last_is_read():
    """The one drawn on top: the later series, and within a series the later point."""
    x = [1.0, 2.0, 2.0, 3.0]
    chart = Chart((Series("under", x, x), Series("over", x, x)))
    frame = frame_of(chart, 80, 24)
    reading = nearest(chart, frame, *frame.cell(2.0, 2.0))
    assert (reading.series, reading.index) == ("over", 2)


@pytest.mark.parametrize("column", [0, 20, 40, 79])
def test_the_nearest_point_is_found_however_far(column):
    """In an ascending series with empty stretches, from cells with nothing near."""
    x = np.append(np.linspace(1.0, 2.0, 500), 100.0)
    chart = Chart((Series("a", x, x),))
    frame = frame_of(chart, 80, 24)
    for row in (0, 12, 23):
        reading = nearest(chart, frame, column, row)
        assert (reading.series, reading.index) == slow_nearest(chart, frame, column, row)[1:]


def test_the_cursor_walks_along_its_series():
    """Right visits every column with a point once, in order, left the way back, and both stop at the ends."""
    x = np.array([1.0, 2.0, math.nan, 4.0, 4.0001, 9.0])
    chart = Chart((Series("a", x, x * 0 + 2.0), Series("b", [3.0], [5.0])))
    frame = frame_of(chart, 80, 24)
    reading = nearest(chart, frame, *frame.cell(1.0, 2.0))
    seen = [reading.x]
    while (reading := follow(chart, frame, reading, 1)) is not None:
        seen.append(reading.x)
        last = reading
    assert seen == [1.0, 2.0, 4.0, 9.0]
    assert follow(chart, frame, last, -1).x in (4.0, 4.0001)
    assert follow(chart, frame, last, -1000).x == 1.0
    assert follow(chart, frame, last, 0) is None


def test_a_reading_says_the_point_in_data_units():
    """Name, both values with their axis titles, the interval, and whether it is only a bound."""
    chart = Chart((Series("resnet", [256.0], [1204.0], y_low=[1100.5], y_high=[math.nan], censored=[True]),))
    reading = nearest(chart, frame_of(chart, 80, 24), 40, 12)
    assert (
        sentence(reading, "batch size", "steps") == "resnet  batch size 256  steps at least 1204 [1100.5, ?]"
    )
