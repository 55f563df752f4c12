"""The table of actions: every action works, and no two have the same key."""

from __future__ import annotations

import pytest
from textual.binding import Binding

from tests.tui.conftest import pilot_of, screen_text, settle
from tui.actions import ACTIONS, WIDGETS, actions_of, bindings
from tui.app import HvdsweepApp
from tui.screens import PLACES
from tui.widgets.chart import ChartView
from tui.widgets.chips import Chips
from tui.widgets.composer import Composer
from tui.widgets.curve_view import CurveView
from tui.widgets.log_tail import LogTail
from tui.widgets.logview import LogView
from tui.widgets.panes import Panes
from tui.widgets.question_controls import QuestionControls
from tui.widgets.search_view import SearchView
from tui.widgets.slider import Slider
from tui.widgets.sweep_panes import SweepPanes
from tui.widgets.table import Table
from tui.widgets.trials_table import TrialsTable
from tui.widgets.warnings_table import WarningsTable

WIDGET_CLASSES = {"table": Table, "log": LogView, "plot": ChartView}


def owners() -> dict[str, type]:
    """Owner -> the class whose methods its actions are."""
    from tui.screens.trial import TrialScreen

    places = {place.name: place.load() for place in PLACES}
    return {"app": HvdsweepApp, "chart": ChartView, "trial": TrialScreen, **places, **WIDGET_CLASSES}


PARTS = {
    "chart": [ChartView],
    "composer": [Composer],
    "panes": [Panes, SweepPanes],
    "trials": [TrialsTable],
    "logs": [LogTail],
    "curve": [CurveView],
    "search": [SearchView],
    "batch_size": [Chips],
    "warnings": [WarningsTable],
    "question": [QuestionControls],
    **{name: [Slider] for name in ("goal", "step_budget", "example_budget")},
}
"""Part of a screen -> its classes."""


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.owner in owners()])
def test_every_action_has_its_method_and_its_condition(action):
    """`action_<id>` exists on the class of the part, else of the owner; the attribute of `when` on that of the owner."""
    kind = owners()[action.owner]
    namespace, _, name = action.name.rpartition(".")
    does = [HvdsweepApp] if namespace else PARTS[action.part] if action.part else [kind]
    assert any(callable(getattr(one, f"action_{name}", None)) for one in does)
    assert not action.when or hasattr(kind, action.when)


def test_every_owner_is_known():
    """An action belongs to the app, a screen, the charts or a widget."""
    known = {"app", "chart", "trial", *(place.name for place in PLACES), *WIDGETS}
    assert {action.owner for action in ACTIONS} <= known


@pytest.mark.parametrize("place", [place.name for place in PLACES] + ["trial"])
def test_no_key_means_two_things_on_a_screen(place):
    """App, screen and chart share no key, and none of theirs is a digit of a screen; neither do actions of one widget.
    Actions of one name have one condition."""
    keys = [key for action in actions_of("app", place, "chart") for key in action.keys]
    keys += [spec.key for spec in PLACES]
    assert len(keys) == len(set(keys))
    conditions = {(action.name, action.when) for action in actions_of(place, "chart")}
    assert len(conditions) == len({name for name, _ in conditions})
    for widget in WIDGETS:
        own = [key for action in actions_of(widget) for key in action.keys]
        assert len(own) == len(set(own))


def test_no_key_that_terminals_swallow():
    """No alt, no ctrl+shift, no super: many terminals and tmux keep them for themselves."""
    for action in ACTIONS:
        for key in action.keys:
            assert not {"alt", "super", "meta"} & set(key.split("+"))
            assert not key.startswith("ctrl+shift")


def test_every_key_reads_as_people_write_it():
    """No key is shown by Textual's inner name (question_mark), and every help is a sentence."""
    for action in ACTIONS:
        assert not any("_" in name for name in action.key_names)
        assert action.help.endswith(".")
        assert len(action.label) <= 16


def test_bindings_come_from_the_table():
    """Textual's bindings of an owner are its actions, key for key."""
    for owner in ("app", "sweeps", "live", "table", "chart"):
        assert [(one.key, one.action) for one in Binding.make_bindings(bindings(owner))] == [
            (key, action.command) for action in actions_of(owner) for key in action.keys
        ]


async def test_help_lists_every_action_of_the_screen(source):
    """`?` and F1 show each action of app, screen, tables and logs with all its keys."""
    async with pilot_of(source, size=(130, 90)) as pilot:
        for key in ("question_mark", "f1"):
            await pilot.press(key)
            await settle(pilot)
            shown = screen_text(pilot)
            for action in actions_of("app", "sweeps", "table", "log"):
                assert action.help.split(";")[0].rstrip(".") in " ".join(shown.split())
                assert " ".join(action.key_names) in shown
            await pilot.press("escape")
            assert "In a table" not in screen_text(pilot)


async def test_keys_that_do_nothing_are_hidden(source):
    """The footer offers Stop for a sweep in training and Start for one with work left, never both; a whole one has neither."""
    async with pilot_of(source) as pilot:
        footer = screen_text(pilot).splitlines()[-1]
        assert "x Stop" in footer
        assert "r Start" not in footer
        await pilot.press("up")
        footer = screen_text(pilot).splitlines()[-1]
        assert "x Stop" not in footer
        assert "r Start" not in footer
        await pilot.press("up")
        footer = screen_text(pilot).splitlines()[-1]
        assert "x Stop" not in footer
        assert "r Start" in footer


async def test_the_palette_goes_to_studies_trials_and_sweeps(source):
    """ctrl+p finds actions, sweeps, studies by workload and batch size, and any trial by its number."""
    from textual.command import CommandPalette

    async with pilot_of(source) as pilot:
        for query, reached in (
            ("trial 4", "Trial 4"),
            ("nesterov 64", "batch_size=64"),
            ("sweep 2 short", "short"),
        ):
            await pilot.press("ctrl+p")
            await pilot.pause()
            await pilot.press(*["space" if letter == " " else letter for letter in query])
            palette = pilot.app.screen
            assert isinstance(palette, CommandPalette)
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            await pilot.press("enter")
            for _ in range(4):
                await pilot.pause()
                await pilot.app.workers.wait_for_complete()
            assert reached in screen_text(pilot), query
            await pilot.press("1")


async def test_keys_in_the_footer_and_commands_in_the_palette_work(source):
    """Help by a click on its key and by the palette: the app's actions as well as the screen's."""
    async with pilot_of(source) as pilot:
        shown = screen_text(pilot).splitlines()
        await pilot.click(offset=(shown[-1].index("Help"), len(shown) - 1))
        await settle(pilot)
        assert "In a table" in screen_text(pilot)
        await pilot.press("escape", "ctrl+p")
        await pilot.pause()
        await pilot.press(*"help")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await settle(pilot)
        assert "In a table" in screen_text(pilot)
        await pilot.press("escape")
        await pilot.click(offset=(shown[-1].index("Quit"), len(shown) - 1))
        await pilot.pause()
        assert not pilot.app.is_running
