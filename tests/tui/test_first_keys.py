"""Keys pressed before a screen has its data: done as soon as it has them, or explained in the footer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot

from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tui.actions import ACTIONS
from tui.actions.reasons import REASONS
from tui.app import HvdsweepApp
from tui.screens import PLACES
from tui.selection import Selection
from tui.source import Trouble


class SlowSource(FakeSource):
    """A source that answers nothing before `gate` is open."""

    gate = threading.Event()

    def ask(self, question: Callable[[Any], Any]) -> Any:
        self.gate.wait(60)
        return super().ask(question)


@pytest.fixture
def slow(curves: FakeSource) -> SlowSource:
    """The planted store, with nothing of it known yet and no question answered."""
    source = SlowSource(None, curves.store)
    source.gate = threading.Event()
    source.snapshot = curves.latest
    return source


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done: an export, or a launch or its like that was asked for."""
    found: list[str] = []
    monkeypatch.setattr(
        HvdsweepApp, "export", lambda self, *_: found.append(f"export {self.place.export_name}")
    )
    monkeypatch.setattr("tui.screens.sweeps.ask_launch", lambda *_, **given: found.append(f"ask {given}"))
    monkeypatch.setattr("tui.screens.live.ask_launch", lambda *_, **given: found.append(f"ask {given}"))
    return found


def footer(pilot: Pilot[None]) -> str:
    return screen_text(pilot).splitlines()[-1]


@pytest.mark.parametrize(
    ("place", "key", "what"),
    [
        ("sweeps", "t", "ask"),
        ("live", "t", "ask"),
        ("live", "e", "export live"),
        ("scaling", "e", "export scaling"),
        ("metaparameters", "e", "export metaparameters"),
        ("metaparameters", "x", " x Extend: select a warning"),
        ("throughput", "e", "export throughput"),
    ],
)
async def test_a_first_key_waits_for_its_data(slow, done, place, key, what):
    """Pressed in one burst with the screen's digit, before any data: done once they are there, or explained."""
    app = HvdsweepApp(slow, place="compose", selection=Selection(sweep=1))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        digit = next(one.key for one in PLACES if one.name == place)
        app.post_message(Key(digit, digit))
        app.post_message(Key(key, key))
        await pilot.pause()
        await pilot.pause()
        assert "waiting for data" in footer(pilot)
        assert done == []
        slow.put(slow.snapshot)
        await pilot.pause()
        slow.gate.set()
        await settle(pilot)
        assert [*done, footer(pilot)][0].startswith(what)
        assert len(done) <= 1
        assert "waiting" not in footer(pilot)


@pytest.mark.parametrize(
    ("place", "key", "words"),
    [
        ("sweeps", "x", "x Stop: the sweep is not being trained"),
        ("scaling", "r", "r Reset: nothing is changed"),
        ("live", "0", "0 Fit: the whole chart is shown"),
    ],
)
async def test_a_key_that_does_nothing_says_why(curves, place, key, words):
    """In the footer, until the next key."""
    async with pilot_of(curves, place=place, size=(120, 40)) as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert footer(pilot).startswith(f" {words} ")
        await pilot.press("down")
        await settle(pilot)
        assert words not in footer(pilot)


async def test_without_a_database_a_key_says_so():
    """No data are on their way: the key is not kept for later."""
    source = FakeSource(Trouble("No database yet", "there is none", gone=True))
    async with pilot_of(source, place="scaling") as pilot:
        await pilot.press("e")
        await settle(pilot)
        assert footer(pilot).startswith(" e Export: ")
        assert "waiting" not in footer(pilot)


async def test_a_key_is_not_kept_for_a_screen_that_was_left(slow, done):
    """Pressed and left: on return nothing happens by itself."""
    app = HvdsweepApp(slow, place="scaling")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("e", "2")
        await pilot.pause()
        slow.put(slow.snapshot)
        slow.gate.set()
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert done == []


def test_every_condition_has_its_reason():
    """Of what the footer can show, but `esc`."""
    for action in ACTIONS:
        if action.footer and action.when and action.id != "leave":
            assert action.when in REASONS or action.when == "can_compose", action
