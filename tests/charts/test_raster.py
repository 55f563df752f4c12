"""Dots: decimation loses nothing that can be seen, and lines are the lines that were asked for."""

import unicodedata
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.charts import Axis, Chart, Frame, Series, View, raster, render
from hvdsweep.charts.lines import line_dots, scattered_dots
from hvdsweep.charts.raster import ASCII, BRAILLE, clip, decimate, draw_segments, fold, segment_dots, snap

coordinates = st.integers(0, 30)
corners = st.tuples(coordinates, coordinates, coordinates, coordinates)
values = st.one_of(
    st.floats(-3, 13),
    st.integers(0, 10).map(float),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e300, -1e300]),
)


def slow_line(column0, row0, column1, row1):
    """Dots of a line, one at a time, in exact fractions, halves rounded up."""
    length = max(abs(column1 - column0), abs(row1 - row0))
    share = [Fraction(step, length) if length else Fraction(0) for step in range(length + 1)]
    half = Fraction(1, 2)
    return [
        (
            (column0 + s * (column1 - column0) + half).__floor__(),
            (row0 + s * (row1 - row0) + half).__floor__(),
        )
        for s in share
    ]


@given(st.lists(corners, min_size=1, max_size=8))
def test_segments_are_bresenhams_lines(segments):
    """Many segments at once give, one after another, the dots of each drawn alone in exact arithmetic."""
    dots = segment_dots(*np.array(segments).T)
    expected = [(number, dot) for number, ends in enumerate(segments) for dot in slow_line(*ends)]
    found = zip(dots.segment.tolist(), zip(dots.column.tolist(), dots.row.tolist(), strict=True), strict=True)
    assert list(found) == expected


@given(corners)
def test_a_segment_is_connected_and_reaches_both_ends(ends):
    """Neighbouring dots touch, and the first and last are the given ones."""
    dots = segment_dots(*np.array([ends]).T)
    assert (dots.column[0], dots.row[0]) == ends[:2]
    assert (dots.column[-1], dots.row[-1]) == ends[2:]
    assert (np.abs(np.diff(dots.column)) <= 1).all()
    assert (np.abs(np.diff(dots.row)) <= 1).all()


@given(st.lists(st.tuples(*[st.floats(-20, 40)] * 4), min_size=1, max_size=8))
def test_clipping_keeps_what_is_inside_and_nothing_else(segments):
    """Points along each segment are inside the box exactly where they lie on its clipped part."""
    width, height = 20.0, 12.0
    x0, y0, x1, y1 = np.array(segments).T
    ax, ay, bx, by, kept = clip(x0, y0, x1, y1, width, height)
    parts = {int(k): (ax[i], ay[i], bx[i], by[i]) for i, k in enumerate(kept)}
    for number, (p, q, r, s) in enumerate(segments):
        share = np.linspace(0, 1, 201)
        xs, ys = p + share * (r - p), q + share * (s - q)
        inside = (xs > 1e-6) & (xs < width - 1e-6) & (ys > 1e-6) & (ys < height - 1e-6)
        if number not in parts:
            assert not inside.any()
            continue
        a, b, c, d = parts[number]
        assert 0 <= min(a, c) <= max(a, c) <= width
        assert 0 <= min(b, d) <= max(b, d) <= height
        within = (xs >= min(a, c) - 1e-6) & (xs <= max(a, c) + 1e-6)
        within &= (ys >= min(b, d) - 1e-6) & (ys <= max(b, d) + 1e-6)
        assert within[inside].all()


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 12)), min_size=2, max_size=8))
def test_clipping_leaves_segments_inside_the_box_alone(points):
    """Ends inside the box stay bit for bit."""
    x, y = np.array(points).T
    clipped = clip(x[:-1], y[:-1], x[1:], y[1:], 20.0, 12.0)
    for given_ends, ends in zip((x[:-1], y[:-1], x[1:], y[1:]), clipped, strict=False):
        assert np.array_equal(given_ends, ends)


@given(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 23)), min_size=2, max_size=10))
def test_dashes_continue_along_the_whole_path(corners):
    """With 3 dots on and 2 off, exactly the dots whose distance along the path falls on a dash are drawn."""
    grid = np.zeros((24, 40), bool)
    x, y = np.array(corners, float).T + 0.5
    draw_segments(grid, x[:-1], y[:-1], x[1:], y[1:], dash=(3, 2))
    expected, travelled = set(), 0
    for start, end in pairwise(corners):
        line = slow_line(*start, *end)
        expected |= {dot for step, dot in enumerate(line) if (travelled + step) % 5 < 3}
        travelled += len(line) - 1
    assert {(c, r) for r, c in np.argwhere(grid).tolist()} == expected


def test_long_paths_are_drawn_in_parts(monkeypatch):
    """A path that must be cut up to bound memory gets the same dots and the same dashes."""
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 40, 50), rng.uniform(0, 24, 50)
    for dash in (None, (3, 2)):
        whole, parts = np.zeros((24, 40), bool), np.zeros((24, 40), bool)
        draw_segments(whole, x[:-1], y[:-1], x[1:], y[1:], dash=dash)
        with monkeypatch.context() as patch:
            patch.setattr(raster, "_DOTS_AT_ONCE", 200)
            draw_segments(parts, x[:-1], y[:-1], x[1:], y[1:], dash=dash)
        assert np.array_equal(whole, parts)


@given(st.binary(min_size=24, max_size=24))
def test_a_cell_shows_exactly_its_dots(raw):
    """The Unicode name of each folded character lists the dots that were set, and no others."""
    grid = (np.frombuffer(raw, np.uint8).reshape(4, 6) & 1).astype(bool)
    order = {(0, 0): 1, (1, 0): 2, (2, 0): 3, (0, 1): 4, (1, 1): 5, (2, 1): 6, (3, 0): 7, (3, 1): 8}
    for column, char in enumerate(BRAILLE[fold(grid)][0]):
        cell = grid[:, 2 * column : 2 * column + 2]
        dots = sorted(order[row, side] for row, side in map(tuple, np.argwhere(cell).tolist()))
        named = unicodedata.name(char).removeprefix("BRAILLE PATTERN DOTS-")
        assert named == ("".join(map(str, dots)) or "SPACE")


def test_ascii_shapes_lean_the_way_the_dots_do():
    """Every pattern has a printable ASCII character; only an empty cell is blank; plain strokes look as they should."""
    assert all(len(char) == 1 and "!" <= char <= "~" for char in ASCII[1:])
    assert ASCII[0] == " "
    shapes = {
        "|": 0x47,
        "_": 0xC0,
        "-": 0x12,
        "'": 0x09,
        "\\": 0x01 | 0x10 | 0x20 | 0x02 | 0x80,
        "/": 0x40 | 0x04 | 0x10 | 0x08,
    }
    for char, code in shapes.items():
        assert ASCII[code] == char


def slow_runs(columns, y, breaks):
    """Decimation as its definition says it, point by point."""
    runs = []
    for index, (column, value) in enumerate(zip(columns, y, strict=True)):
        gap = index in breaks
        if index == 0 or gap or columns[index - 1] != column:
            runs.append([column, value, value, value, value, index > 0 and not gap])
        run = runs[-1]
        run[2:5] = [min(run[2], value), max(run[3], value), value]
    return runs


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(-1e6, 1e6)), min_size=1, max_size=60),
    st.integers(1, 12),
    st.booleans(),
    st.data(),
)
def test_decimation_keeps_first_lowest_highest_and_last_of_every_run(points, width, ascending, data):
    """Against the definition in plain Python, for ascending and jumping x, with and without gaps."""
    x, y = np.array(points).T
    if ascending:
        x = np.sort(x)
    breaks = sorted(
        data.draw(st.sets(st.integers(1, max(1, len(x) - 1)), max_size=5)) & set(range(1, len(x)))
    )

    def column_of(some):
        return snap(some * width, width)

    found = decimate(x, y, column_of, ascending=ascending, breaks=np.array(breaks, np.int64))
    expected = slow_runs(column_of(x).tolist(), y.tolist(), set(breaks))
    parts = (found.column, found.first, found.low, found.high, found.last, found.joined)
    assert [list(run) for run in zip(*(part.tolist() for part in parts), strict=True)] == expected


def slow_grid(x, y, frame):
    """Every segment between neighbouring places, clipped and drawn alone; every point in the window as a dot."""
    grid = np.zeros((frame.dot_rows, frame.dot_columns), bool)
    fine = np.isfinite(x) & np.isfinite(y)
    fine &= (x > 0) | (not frame.x_axis.log)
    fine &= (y > 0) | (not frame.y_axis.log)
    across, down = np.full(len(x), np.nan), np.full(len(x), np.nan)
    across[fine], down[fine] = frame.across(x[fine]), frame.down(y[fine])
    for i in range(len(x)):
        if fine[i] and 0 <= across[i] <= frame.dot_columns and 0 <= down[i] <= frame.dot_rows:
            grid[min(int(down[i]), frame.dot_rows - 1), min(int(across[i]), frame.dot_columns - 1)] = True
        if i and fine[i] and fine[i - 1]:
            ends = [np.array([part]) for part in (across[i - 1], down[i - 1], across[i], down[i])]
            a, b, c, d, kept = clip(*ends, frame.dot_columns, frame.dot_rows)
            if len(kept):
                ends = (
                    snap(a, frame.dot_columns),
                    snap(b, frame.dot_rows),
                    snap(c, frame.dot_columns),
                    snap(d, frame.dot_rows),
                )
                for column, row in slow_line(*(int(end[0]) for end in ends)):
                    grid[row, column] = True
    return grid


axes = st.sampled_from([Axis("linear"), Axis("log10"), Axis("log2")])
points = st.lists(st.tuples(values, values), min_size=0, max_size=40)


@given(points, st.booleans(), axes, axes, st.integers(1, 12), st.integers(1, 8))
def test_a_decimated_line_covers_the_same_dots_as_drawing_every_segment(
    raw, ascending, x_axis, y_axis, columns, rows
):
    """Dot for dot, with gaps, infinities, points outside the window and x that jumps: decimation is invisible."""
    x, y = np.array([p for p, _ in raw], float), np.array([q for _, q in raw], float)
    if ascending:
        x = np.sort(x)
    frame = Frame(0, 0, columns, rows, x_axis, y_axis, (0.5, 9.5), (0.75, 8.0))
    grid, _ = line_dots(Series("a", x, y), frame)
    assert np.array_equal(grid, slow_grid(x, y, frame))


@given(st.integers(0, 2**32), st.integers(1, 3000), axes, axes)
def test_a_long_line_covers_the_same_dots_as_drawing_every_segment(seed, count, x_axis, y_axis):
    """The same for thousands of points, where every dot column decimates many."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.1, 10, count))
    y = np.where(rng.random(count) < 0.01, np.nan, rng.lognormal(1, 1, count))
    frame = Frame(0, 0, 10, 5, x_axis, y_axis, (0.5, 9.5), (0.75, 8.0))
    assert np.array_equal(line_dots(Series("a", x, y), frame)[0], slow_grid(x, y, frame))


@given(points, st.booleans(), axes, axes)
def test_scattered_dots_are_the_points_in_the_window(raw, ascending, x_axis, y_axis):
    """One dot for every point that lies in the window, none else; those at its very edges included."""
    x, y = (
        np.array([p for p, _ in raw] + [0.5, 9.5], float),
        np.array([q for _, q in raw] + [0.75, 8.0], float),
    )
    if ascending:
        x = np.sort(x)
    frame = Frame(0, 0, 8, 4, x_axis, y_axis, (0.5, 9.5), (0.75, 8.0))
    expected = set()
    for p, q in zip(x, y, strict=True):
        if 0.5 <= p <= 9.5 and 0.75 <= q <= 8.0:
            expected.add((int(frame.dot_row(np.array([q]))[0]), int(frame.dot_column(np.array([p]))[0])))
    assert set(map(tuple, np.argwhere(scattered_dots(Series("a", x, y), frame)).tolist())) == expected


@given(points)
def test_steps_hold_a_value_until_the_next(raw):
    """A stepped series is the line through its points and the corners between them."""
    x, y = np.array([p for p, _ in raw], float), np.array([q for _, q in raw], float)
    corners = [(x[0], y[0])] if len(x) else []
    for i in range(1, len(x)):
        corners += [(x[i], y[i - 1]), (x[i], y[i])]
    frame = Frame(0, 0, 8, 4, Axis(), Axis(), (0.5, 9.5), (0.75, 8.0))
    plain = Series("a", [p for p, _ in corners], [q for _, q in corners])
    assert np.array_equal(line_dots(Series("a", x, y, steps=True), frame)[0], line_dots(plain, frame)[0])


@pytest.mark.parametrize("scale", ["log2", "log10", "linear"])
def test_a_long_line_costs_transforms_by_the_width_of_the_chart(monkeypatch, scale):
    """A million ascending points take fewer transforms than a hundred for each dot column."""
    transformed = 0
    forward = Axis.forward

    def counting(self, values):
        nonlocal transformed
        transformed += np.size(values)
        return forward(self, values)

    monkeypatch.setattr(Axis, "forward", counting)
    x = np.arange(1.0, 1e6 + 1)
    canvas = render(Chart((Series("a", x, np.sqrt(x)),), x=Axis(scale), y=Axis(scale)), 120, 40)
    assert 0 < transformed < 100 * 240
    assert (canvas.chars > "⠀").sum() > 100


def test_a_view_far_inside_the_data_still_draws_the_line_through_it():
    """Between two points a million windows apart, the zoomed line crosses the window from edge to edge."""
    frame = Frame(0, 0, 10, 5, Axis(), Axis(), (499.9995, 500.0005), (499.9995, 500.0005))
    grid, _ = line_dots(Series("a", [0.0, 1000.0], [0.0, 1000.0]), frame)
    assert grid.any(axis=0).all()
    assert View().follows
