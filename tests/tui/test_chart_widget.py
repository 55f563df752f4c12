"""The chart widget: reading points out, zoom and pan that stay while data arrive, and drawing only where something differs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult

from hvdsweep.charts import Axis, Chart, Series, View, frame_of, render
from tests.tui.conftest import screen_text
from tui.widgets.chart import ChartView
from tui.widgets.chart_cursor import first_reading, moved, reading_of, same_reading

LINES = Chart(
    series=(
        Series("low", [1, 2, 4, 8, 16], [10, 8, 6, 5, 4.5]),
        Series("high", [1, 2, 4, 8, 16], [100, 60, 40, 30, 25]),
    ),
    x=Axis("log2", title="batch size"),
    y=Axis("log10", title="steps"),
    title="Two lines",
)
CLOUD = Chart(
    series=(
        Series("left", [0.1, 0.2], [1.0, 5.0], line=False),
        Series("right", [0.8, 0.9], [2.0, 4.0], line=False),
    )
)


class Host(App[None]):
    """An app that is a chart."""

    plain_charts = False

    def __init__(self, chart: Chart | None = LINES) -> None:
        super().__init__()
        self._chart = chart

    def compose(self) -> ComposeResult:
        yield ChartView(id="view")

    def on_mount(self) -> None:
        self.view.chart = self._chart
        self.view.focus()

    @property
    def view(self) -> ChartView:
        return self.query_one(ChartView)


def cell_of(view: ChartView, x: float, y: float) -> tuple[int, int]:
    frame = view.frame()
    assert frame is not None
    cell = frame.cell(x, y)
    assert cell is not None
    return cell


def wheel(view: ChartView, kind: type[events.MouseEvent], cell: tuple[int, int]) -> None:
    """One notch of the wheel over a cell."""
    none = {"delta_x": 0, "delta_y": 0, "button": 0, "shift": False, "meta": False, "ctrl": False}
    view.post_message(kind(view, *cell, screen_x=cell[0], screen_y=cell[1], **none))


async def test_arrows_walk_along_a_line_and_to_the_other():
    """Right and left follow the line, up and down go to the line above or below at the same place; each is read out."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("right")
        assert (app.view.reading.series, app.view.reading.x) == ("high", 1)
        await pilot.press("right", "l")
        assert app.view.reading.x == 4
        assert "high  batch size 4  steps 40" in screen_text(pilot)
        await pilot.press("down")
        assert (app.view.reading.series, app.view.reading.x) == ("low", 4)
        await pilot.press("h", "k")
        assert (app.view.reading.series, app.view.reading.x) == ("high", 2)
        await pilot.press("left", "left", "left")
        assert app.view.reading.x == 1


async def test_the_point_under_the_mouse_is_read_out():
    """Near a point it is; far from all, and outside the chart, nothing is."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.hover("#view", offset=cell_of(app.view, 8, 30))
        assert (app.view.reading.series, app.view.reading.x) == ("high", 8)
        column, row = cell_of(app.view, 8, 30)
        await pilot.hover("#view", offset=(column, row + 6))
        assert app.view.reading is None


async def test_a_preferred_series_is_read_first():
    """The cursor begins where the screen says that the user looks."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.preferred = "low"
        await pilot.press("right")
        assert app.view.reading.series == "low"


async def test_a_view_once_held_stays_while_data_arrive_and_follows_again_after_fit():
    """New points do not move the window; 0 lets it follow."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.zoom(2.0)
        await pilot.pause()
        held = app.view.frame()
        longer = Series("high", [1, 2, 4, 8, 16, 1024], [100, 60, 40, 30, 25, 1])
        app.view.chart = dataclasses.replace(LINES, series=(LINES.series[0], longer))
        await pilot.pause()
        assert (app.view.frame().x_limits, app.view.frame().y_limits) == (held.x_limits, held.y_limits)
        app.view.fit()
        assert app.view.view.follows
        assert app.view.frame().x_limits[1] > 1024


async def test_the_wheel_zooms_around_the_mouse():
    """What is under the mouse stays under it; the other way round brings the whole window back."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        cell = cell_of(app.view, 4, 40)
        before = app.view.frame()
        wheel(app.view, events.MouseScrollUp, cell)
        await pilot.pause()
        after = app.view.frame()
        assert after.x_limits[0] > before.x_limits[0]
        assert after.x_limits[1] < before.x_limits[1]
        assert after.cell(4, 40) == before.cell(4, 40)
        wheel(app.view, events.MouseScrollDown, cell)
        await pilot.pause()
        assert app.view.frame().x_limits == pytest.approx(before.x_limits, rel=0.02)


async def test_dragging_moves_what_lies_under_the_mouse():
    """The point that was taken hold of is under the mouse when it is let go; the drag is no click."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        start = cell_of(app.view, 4, 40)
        end = (start[0] + 9, start[1] + 3)
        await pilot.mouse_down("#view", offset=start)
        await pilot.hover("#view", offset=end)
        await pilot.mouse_up("#view", offset=end)
        column, row = app.view.frame().cell(4, 40)
        # Other labels on the y axis may move the plot itself by a cell.
        assert abs(column - end[0]) <= 1
        assert row == end[1]


@pytest.mark.parametrize(
    ("key", "axis", "sign"), [("L", 0, 1), ("H", 0, -1), ("K", 1, 1), ("J", 1, -1), ("shift+right", 0, 1)]
)
async def test_keys_pan(key, axis, sign):
    """Each moves the window by a fifth of the plot, on the axis's own scale."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        before = app.view.frame()
        await pilot.press(key)
        after = app.view.frame()
        ours = [(f.x_axis, f.x_limits) if axis == 0 else (f.y_axis, f.y_limits) for f in (before, after)]
        low, high = ours[0][0].forward(ours[0][1])
        moved_low, _ = ours[1][0].forward(ours[1][1])
        assert (moved_low - low) / (high - low) == pytest.approx(0.2 * sign, rel=0.1)


async def test_hidden_series_come_back_and_one_always_stays():
    """Space hides the series under the cursor, a click in the legend shows it again; the last one cannot be hidden."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("right", "space")
        assert [series.visible for series in app.view.shown.series] == [True, False]
        assert app.view.reading is None
        await pilot.press("right", "space")
        assert [series.visible for series in app.view.shown.series] == [True, False]
        canvas = render(app.view.shown, 80, 24, app.view.view)
        name, row, start, _ = next(entry for entry in canvas.legend if entry[0] == "high")
        await pilot.click("#view", offset=(start + 1, row))
        assert all(series.visible for series in app.view.shown.series)
        assert name == "high"


async def test_the_other_scale_and_back():
    """`y` shows the same data on a linear axis, and on the logarithmic one again."""
    app = Host()
    async with app.run_test(size=(80, 24)):
        app.view.action_chart_log()
        assert app.view.shown.y.scale == "linear"
        app.view.action_chart_log()
        assert app.view.shown.y.scale == "log10"


async def test_nothing_is_drawn_while_nothing_differs():
    """An equal chart and a repaint of the whole screen turn no canvas into lines; another point does."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        before = app.view.drawn
        app.view.chart = dataclasses.replace(LINES)
        app.screen.refresh()
        await pilot.pause()
        assert app.view.drawn == before
        app.view.chart = dataclasses.replace(LINES, title="Other")
        await pilot.pause()
        assert app.view.drawn == before + 1


async def test_the_cursor_stays_on_its_point_while_data_arrive():
    """The same x of the same series, with its new value."""
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("right", "right", "right")
        newer = Series("high", [1, 2, 4, 8, 16], [90, 50, 33, 20, 15])
        app.view.chart = dataclasses.replace(LINES, series=(LINES.series[0], newer))
        await pilot.pause()
        assert (app.view.reading.x, app.view.reading.y) == (4, 33)


async def test_without_colours_and_without_unicode(monkeypatch):
    """NO_COLOR leaves no colour in any segment; plain charts are ASCII throughout."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for row in range(24):
            for segment in app.view.render_line(row):
                style = segment.style
                assert style is None or style.color is None or style.color == app.view.rich_style.color
        app.plain_charts = True
        app.view.refresh()
        await pilot.pause()
        assert screen_text(pilot).isascii()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (20, 6), (200, 60)])
async def test_any_size(size):
    """No size is too small or too large, with and without a point read out."""
    app = Host()
    async with app.run_test(size=size) as pilot:
        await pilot.press("right", "plus", "L")
        lines = screen_text(pilot).split("\n")
        assert len(lines) == size[1]


async def test_no_chart_and_an_empty_one():
    """An empty chart accepts every key."""
    app = Host(None)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("right", "L", "space", "up")
        app.view.zoom(2.0)
        assert screen_text(pilot).strip() == ""
        app.view.chart = Chart(empty="nothing yet")
        await pilot.pause()
        await pilot.press("right")
        assert "nothing yet" in screen_text(pilot)


# The cursor's way, as pure functions


def test_a_cloud_is_walked_by_direction():
    """In a scatter the next point to the right may belong to another series."""
    frame = frame_of(CLOUD, 80, 24)
    first = reading_of(CLOUD, frame, "left", 0)
    up = moved(CLOUD, frame, first, "up")
    assert (up.series, up.index) == ("left", 1)
    right = moved(CLOUD, frame, first, "right")
    assert right.series == "right"
    assert moved(CLOUD, frame, first, "left") is None


POINTS = st.lists(
    st.tuples(st.floats(0.01, 1, allow_nan=False), st.floats(0.01, 1, allow_nan=False)),
    min_size=1,
    max_size=25,
)


@given(POINTS, st.sampled_from(["left", "right", "up", "down"]))
def test_every_step_in_a_cloud_gets_further_that_way(points, way):
    """A walk never turns back, so it ends; and each step is to the point that a slow search finds nearest that way."""
    x, y = np.array(points).T
    chart = Chart(series=(Series("cloud", x, y, line=False),))
    frame = frame_of(chart, 60, 20)
    at = first_reading(chart, frame)
    places = [(float(frame.across(a)), float(frame.down(b))) for a, b in points]
    for _ in range(len(points) + 1):
        following = moved(chart, frame, at, way)
        here = (float(frame.across(at.x)), float(frame.down(at.y)))

        def cost(place, here=here):
            right, down = place[0] - here[0], place[1] - here[1]
            ahead = {"left": -right, "right": right, "up": -down, "down": down}[way]
            aside = abs(down) if way in ("left", "right") else abs(right)
            return ahead + 2 * aside if ahead > 0.25 else math.inf

        best = min(map(cost, places))
        if following is None:
            assert best == math.inf
            return
        assert cost(places[following.index]) == pytest.approx(best)
        at = following
    pytest.fail("the walk does not end")


def test_a_reading_survives_other_data_or_goes():
    """Where its place has no point any more the nearest is read; where its series is gone, none."""
    frame = frame_of(LINES, 80, 24)
    before = reading_of(LINES, frame, "low", 2)
    fewer = dataclasses.replace(LINES, series=(Series("low", [1, 5, 16], [10, 6, 4.5]),))
    assert same_reading(fewer, frame_of(fewer, 80, 24), before).x == 5
    other = dataclasses.replace(LINES, series=LINES.series[1:])
    assert same_reading(other, frame_of(other, 80, 24), before) is None
    assert reading_of(LINES, frame_of(LINES, 80, 24, View(x=(4, 8))), "low", 0) is None
