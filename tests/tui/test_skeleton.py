"""The app itself: places, keys, updates and troubles, on an injected source."""

from __future__ import annotations

from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tui.app import HvdsweepApp
from tui.snapshot import Snapshot
from tui.source import Trouble
from tui.start import ENOUGH, tidy_up

EMPTY = Snapshot(database="/data/hvdsweep.db", time=0.0, sweeps=(), workloads=(), gangs=(), events=())


async def test_a_trouble_is_said_in_place_and_goes_when_data_come() -> None:
    """A missing database gives a message with a remedy, which the next snapshot replaces."""
    source = FakeSource(Trouble("No database yet", "It does not exist.", gone=True))
    async with pilot_of(source, size=(80, 24)) as pilot:
        assert "No database yet" in screen_text(pilot)
        source.put(EMPTY)
        await settle(pilot)
        assert "No database yet" not in screen_text(pilot)
        assert "No sweep yet" in screen_text(pilot)


async def test_help_is_made_from_the_table() -> None:
    """`?` shows the screen's keys, and goes away again."""
    async with pilot_of(FakeSource(EMPTY), size=(80, 40)) as pilot:
        await pilot.press("question_mark")
        assert "Delete the selected sweep" in screen_text(pilot)
        await pilot.press("escape")
        assert "Delete the selected sweep" not in screen_text(pilot)


async def test_keys_and_the_mouse_make_the_source_read_soon() -> None:
    """Every key and every click asks for a look soon; what the app itself does asks for none."""
    source = FakeSource(EMPTY)
    async with pilot_of(source, size=(80, 24)) as pilot:
        assert source.attended == 0
        await pilot.press("down")
        pressed = source.attended
        assert pressed
        source.put(EMPTY)
        await settle(pilot)
        assert source.attended == pressed
        await pilot.click()
        assert source.attended > pressed


async def test_work_that_can_wait_waits_until_the_user_is_idle(monkeypatch) -> None:
    """A key or the mouse within the last STILL_SECONDS: not now; after that, again and again."""
    monkeypatch.setattr("tui.app.STILL_SECONDS", 3600.0)
    done: list[str] = []
    app = HvdsweepApp(FakeSource(EMPTY), when_still=lambda: done.append("tidied"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down")
        app._look_for_hands()
        assert done == []
        app._look_for_hands()
        app._look_for_hands()
        assert done == ["tidied"] * 2
        await pilot.hover(offset=(5, 5))
        app._look_for_hands()
        assert done == ["tidied"] * 2


def test_the_oldest_objects_are_collected_only_when_there_may_be_many(monkeypatch) -> None:
    """A collection takes 30 ms with many workloads: none while hardly anything was made since the last one."""
    collected: list[int] = []
    monkeypatch.setattr("gc.collect", lambda: collected.append(1))
    for count, wanted in [(0, 0), (ENOUGH - 1, 0), (ENOUGH, 1)]:
        monkeypatch.setattr("gc.get_count", lambda count=count: (9999, 9999, count))
        tidy_up()
        assert len(collected) == wanted
