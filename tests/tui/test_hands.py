"""Keys and fields: opening a screen edits nothing, and while a field is edited the screen says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tui.actions import ACTIONS
from tui.screens import PLACES
from tui.screens.compose import ComposeScreen
from tui.selection import Selection
from tui.source import Trouble
from tui.widgets.table import Table
from tui.widgets.window import Window


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Texts are checked without a pause, and files go to a directory of the test's own."""
    monkeypatch.setattr(ComposeScreen, "REST", 0.0)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("place", [place.name for place in PLACES])
async def test_no_screen_opens_with_a_field_being_edited(source, place):
    """A screen is opened with no field being edited: its digit and ? mean what header and footer say."""
    async with pilot_of(source, place=place) as pilot:
        assert not isinstance(pilot.app.screen.focused, Input | TextArea)
        assert "? Help" in screen_text(pilot).splitlines()[-1]
        other = "3" if place != "live" else "1"
        await pilot.press(other)
        await settle(pilot)
        assert {"3": "live", "1": "sweeps"}[other] == pilot.app.screen.PLACE


async def test_coming_back_to_compose_leaves_the_field():
    """A field that was edited is not edited any more on return: a digit opens a screen, and the number stays."""
    async with pilot_of(FakeSource(Trouble("none", "none", gone=True)), place="compose") as pilot:
        compose = pilot.app.screen
        assert isinstance(compose, ComposeScreen)
        row = compose.composer.form.row("goal.value")
        assert row is not None
        compose.set_focus(row.first())
        await settle(pilot)
        before = row.query_one(Input).value
        pilot.app.action_go("live")  # As a click on the tab does.
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        assert pilot.app.screen is compose
        await pilot.press("3")
        await settle(pilot)
        assert pilot.app.screen is not compose
        assert row.query_one(Input).value == before


async def test_while_a_field_is_edited_the_footer_offers_no_text(source):
    """With the cursor in a field the header shows no digits, and the footer only keys that are not text, esc first."""
    async with pilot_of(
        FakeSource(Trouble("none", "none", gone=True)), place="compose", size=(160, 40)
    ) as pilot:
        await pilot.press("tab")
        await settle(pilot)
        assert isinstance(pilot.app.screen.focused, Input)
        lines = screen_text(pilot).splitlines()
        assert lines[-1].split()[:3] == ["esc", "Leave", "field"]
        assert "F1 Help" in lines[-1]
        assert "^q Quit" in lines[-1]
        assert "2 Compose" not in lines[0]
        await pilot.press("escape")
        await settle(pilot)
        lines = screen_text(pilot).splitlines()
        assert "2 Compose" in lines[0]
        assert "? Help" in lines[-1]
    async with pilot_of(source, place="live", size=(160, 40)) as pilot:
        await pilot.press("slash")
        await settle(pilot)
        lines = screen_text(pilot).splitlines()
        assert "3 Live" not in lines[0]
        assert "F1 Help" in lines[-1]


def test_keys_while_typing_are_no_text():
    """Of every action those keys stay that type nothing."""
    for action in ACTIONS:
        able = action.while_typing
        for name in () if able is None else able.key_names:
            assert len(name) > 1 or not name.isascii()


@pytest.mark.parametrize("place", ["scaling", "live"])
async def test_esc_from_a_trial_leads_back(source, place):
    """A trial closes onto the screen it was opened on, with nothing else selected and no filter left there."""
    async with pilot_of(source, place=place) as pilot:
        before = pilot.app.selection
        pilot.app.open_trial(1)
        await settle(pilot)
        assert pilot.app.screen.PLACE == "trial"
        await pilot.press("escape")
        await settle(pilot)
        assert place == pilot.app.screen.PLACE
        assert pilot.app.selection == before
        assert "/workload=" not in screen_text(pilot)


async def test_a_sweep_with_an_answer_comes_before_the_newest(source):
    """Nobody has chosen: of three sweeps Scaling shows the newest with a finished trial, and says which it is."""
    async with pilot_of(source, place="sweeps", size=(160, 40)) as pilot:
        await pilot.press("4")
        await settle(pilot)
        assert "Sweep 2 of 3 (short)" in screen_text(pilot)


async def double_click(pilot: Pilot[None], place: tuple[int, int], *, slow: bool = False) -> None:
    """What a terminal sends; the pilot's own clicks go past the app. Both are of one moment; `slow`: drawn in between."""
    x, y = place
    kinds = (events.MouseDown, events.MouseUp) * 2
    made = [kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y) for kind in kinds]
    for number, event in enumerate(made):
        if slow and number == 2:
            await pilot.pause()
        pilot.app.post_message(event)
    await settle(pilot)


def screens_of(pilot: Pilot[None]) -> list[str]:
    return [type(screen).__name__ for screen in pilot.app.screen_stack[1:]]


@pytest.mark.parametrize(
    ("place", "words", "opened"),
    [
        ("sweeps", "d Delete", ["SweepsScreen", "Confirm"]),
        ("sweeps", "? Help", ["SweepsScreen", "HelpScreen"]),
        ("live", "t Extend", ["LiveScreen", "LaunchDialog"]),
        ("live", "enter Open", ["LiveScreen", "TrialScreen"]),
        ("live", "/ Filter", ["LiveScreen"]),
    ],
)
async def test_two_clicks_open_one_window(source, place, words, opened):
    """A double click on a key of the footer does what a click does, also where another key lies there then."""
    async with pilot_of(source, place=place, selection=Selection(sweep=2)) as pilot:
        key = screen_text(pilot).splitlines()[-1].index(words) + 1, 39
        await double_click(pilot, key)
        assert screens_of(pilot) == opened


async def test_the_second_click_of_two_does_not_reach_a_window_that_the_first_opened(empty):
    """A double click on a line's list opens the list and chooses nothing."""
    async with pilot_of(empty, place="compose") as pilot:
        row = pilot.app.screen.composer.form.row("goal.metric")
        before, (x, y, *_) = row.fields[0].value, row.query_one(".list").region
        await double_click(pilot, (x + 1, y), slow=True)
        assert screens_of(pilot) == ["ComposeScreen", "ListDialog"]
        assert row.fields[0].value == before


@pytest.mark.parametrize("key", ["t", "d", "question_mark"])
async def test_a_click_outside_a_window_leaves_it(source, key):
    """As esc does, and nothing behind it is touched; typed text is not thrown away."""
    async with pilot_of(source, place="sweeps", selection=Selection(sweep=2)) as pilot:
        sweeps = pilot.app.screen.query_one("#sweeps", Table)
        before = sweeps.cursor
        outside = (3, 3)
        await pilot.press(key)
        await settle(pilot)
        window = pilot.app.screen
        assert isinstance(window, Window)
        x, y = window.query("Vertical, VerticalScroll").first().region.offset
        await pilot.click(offset=(x + 3, y + 1))
        assert pilot.app.screen is window
        if key == "t":
            await pilot.press("9")
            await pilot.click(offset=outside)
            assert pilot.app.screen is window
            await pilot.press("ctrl+z")
        await pilot.click(offset=outside)
        await settle(pilot)
        assert (screens_of(pilot), sweeps.cursor) == (["SweepsScreen"], before)
