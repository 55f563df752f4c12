"""The Throughput screen: measured speeds against ranks, with the ideal and the efficiency."""

from __future__ import annotations

import shlex
from contextlib import closing

import pytest

from hvdsweep.store.connection import connect
from hvdsweep.store.throughput import record_throughput
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.stores import snapshot_of
from tui.selection import Selection
from tui.widgets.chart import ChartView
from tui.widgets.table import Table

SGD = "digits/fc_32/sgd"


def chart(pilot):
    return pilot.app.screen.query_one("#speed", ChartView).chart


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_screen(curves, golden, size):
    """Speeds of both batch sizes, their ideal lines, the table with efficiencies where there is room."""
    async with pilot_of(curves, place="throughput", size=size) as pilot:
        assert screen_text(pilot) == golden


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 4), (300, 90)])
async def test_any_size(curves, size):
    """No size is too small, whatever key is pressed."""
    async with pilot_of(curves, place="throughput", size=size) as pilot:
        await pilot.press("right", "t", "f", "m", "w", "f", "t", "escape")
        await settle(pilot)
        assert len(screen_text(pilot).split("\n")) == size[1]


async def test_points_and_ideal_lines(curves):
    """Examples per second as stored; the ideal goes through the fewest ranks' point in proportion to the ranks."""
    async with pilot_of(curves, place="throughput") as pilot:
        by_name = {series.name: series for series in chart(pilot).series}
        # 400, 700 and 900 steps a second, over 1.25 and 2 times as long as asked.
        assert by_name["B=16"].y.tolist() == pytest.approx([16 * v / 1.25 for v in (400, 700, 900)])
        assert by_name["B=64"].y.tolist() == pytest.approx([64 * v / 2 for v in (400, 700, 900)])
        for line, first in zip(chart(pilot).references, (16 * 320, 64 * 200), strict=True):
            (x0, y0), (x1, y1) = line.points
            assert (x0, y0) == (1, pytest.approx(first))
            assert y1 / x1 == pytest.approx(first)


async def test_efficiency(curves):
    """m twice: the share of the ideal, 1 on the fewest ranks; the table says the same in percent."""
    async with pilot_of(curves, place="throughput") as pilot:
        await pilot.press("m", "m")
        await settle(pilot)
        for series in chart(pilot).series:
            assert series.y.tolist() == pytest.approx([1.0, 700 / 800, 900 / 1600])
        text = screen_text(pilot)
        assert "88 %" in text
        assert "56 %" in text


async def test_cursors_go_together(curves):
    """A point read out is the selected row; a row selected is read out."""
    async with pilot_of(curves, place="throughput") as pilot:
        view = pilot.app.screen.query_one("#speed", ChartView)
        view.read_point("B=64", 2)
        await settle(pilot)
        table = pilot.app.screen.query_one("#speeds", Table)
        assert table.key == "64 4"
        assert "batch size 64 on 4 ranks: 28.8k examples/s" in screen_text(pilot)
        table.focus()
        await pilot.press("g")
        await settle(pilot)
        assert (view.reading.series, view.reading.x) == ("B=16", 1)


async def test_new_speeds_appear(curves, tmp_path):
    """What `scale` stores meanwhile is drawn with the next snapshot; the window that is held stays."""
    path = tmp_path / "hvdsweep.db"
    with closing(connect(path, create=True)) as conn:
        record_throughput(conn, workload="a/b/c", batch_size=8, np=1, gangs=1, steps=100, seconds=1.0)
    source = FakeSource(snapshot_of(path), path)
    async with pilot_of(source, place="throughput") as pilot:
        assert len(chart(pilot).series[0]) == 1
        await pilot.press("plus")
        view = pilot.app.screen.query_one("#speed", ChartView)
        limits = view.frame().x_limits
        with closing(connect(path)) as conn:
            record_throughput(conn, workload="a/b/c", batch_size=8, np=2, gangs=1, steps=150, seconds=1.0)
        source.put(snapshot_of(path, number=2))
        await settle(pilot)
        assert chart(pilot).series[0].y.tolist() == [800, 1200]
        assert view.frame().x_limits == limits


async def test_without_speeds_the_screen_names_the_command(trained, monkeypatch):
    """It measures the selected sweep's own file; c copies it."""
    source = FakeSource(snapshot_of(trained), trained)
    monkeypatch.setattr("tui.screens.throughput._read", lambda reader: [])
    async with pilot_of(source, place="throughput", selection=Selection(sweep=1)) as pilot:
        text = screen_text(pilot)
        assert "No speed measured yet" in text
        copied = []
        monkeypatch.setattr(pilot.app, "copy_to_clipboard", copied.append)
        await pilot.press("c")
        await settle(pilot)
    words = shlex.split(copied[0])
    assert words[:4] == ["hvdsweep", "scale", "--np", "1,2"]
    assert words[-1].endswith("digits.toml")


async def test_workloads_by_key_and_mouse(tmp_path):
    """w and a click on a name go to another workload's speeds."""
    path = tmp_path / "hvdsweep.db"
    with closing(connect(path, create=True)) as conn:
        for name, steps in (("a/b/one", 100), ("a/b/two", 300)):
            record_throughput(conn, workload=name, batch_size=8, np=1, gangs=1, steps=steps, seconds=1.0)
    async with pilot_of(FakeSource(snapshot_of(path), path), place="throughput") as pilot:
        assert chart(pilot).title == "a/b/two"
        await pilot.press("w")
        await settle(pilot)
        assert chart(pilot).title == "a/b/one"
        await pilot.click(offset=(screen_text(pilot).split("\n")[1].index("a/b/two") + 2, 1))
        await settle(pilot)
        assert chart(pilot).title == "a/b/two"
