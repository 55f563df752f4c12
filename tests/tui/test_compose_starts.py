"""What Compose begins with: drafts that were not saved, presets, files, sweeps of the database."""

from __future__ import annotations

import json

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.composing import claims, row, screen_of, settle, text_of, type_into
from tests.tui.conftest import pilot_of, screen_text
from tui.composing.start import TEMPLATE, preset
from tui.composing.toml_text import parsed
from tui.source import Trouble
from tui.widgets.form_dialogs import ListDialog

pytestmark = pytest.mark.usefixtures("at_once")

claim, test_in_one_app = claims()


async def start_from(pilot: Pilot[None], words: str) -> None:
    """Choose from the list what these words narrow it to."""
    await pilot.press("ctrl+o")
    await settle(pilot)
    assert isinstance(pilot.app.screen, ListDialog)
    pilot.app.screen.query_one(Input).value = words
    await settle(pilot)
    await pilot.press("enter")
    await settle(pilot)


@claim
async def starting_from_a_preset(pilot):
    """Its text with its comments; the sweep is named after it."""
    await start_from(pilot, "mnist fc_1024/sgd")
    assert text_of(pilot) == preset("mnist/fc_1024/sgd").text
    assert "mnist/fc_1024/sgd" in screen_text(pilot)
    assert "no file yet" in screen_text(pilot)


async def test_starting_from_a_file(empty, tmp_path):
    """By its path; it is saved there again without a question."""
    path = tmp_path / "deep" / "mine.toml"
    path.parent.mkdir()
    path.write_text(TEMPLATE)
    async with pilot_of(empty, place="compose") as pilot:
        await start_from(pilot, "deep/mine.toml")
        assert "mine.toml" in screen_text(pilot)
        await type_into(pilot, "studies.trials", "4")
        assert "not saved" in screen_text(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "will be overwritten with this text" in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert parsed(path.read_text())["studies"]["trials"] == 4


async def test_a_file_that_is_in_the_list_already(empty, tmp_path):
    """Its whole name typed is that entry, not a second one."""
    (tmp_path / "mine.toml").write_text(TEMPLATE)
    async with pilot_of(empty, place="compose") as pilot:
        await start_from(pilot, "mine.toml")
        assert screen_of(pilot).composer.draft.file == tmp_path / "mine.toml"


@claim
async def leaving_the_list_changes_nothing(pilot):
    """esc."""
    await pilot.press("ctrl+o")
    await settle(pilot)
    await pilot.press("down", "down", "escape")
    await settle(pilot)
    assert text_of(pilot) == TEMPLATE


async def test_files_as_launch_reads_them(empty, tmp_path):
    """One with a byte order mark is read as without; one that cannot be read leaves the sweep and its title as they are."""
    marked, other = tmp_path / "marked.toml", tmp_path / "other.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + TEMPLATE.replace("trials = 6", "trials = 8").encode())
    other.write_bytes(b"name = '\xff'")
    async with pilot_of(empty, place="compose") as pilot:
        await start_from(pilot, "marked.toml")
        assert row(pilot, "studies.trials").first().value == "8"
        assert screen_of(pilot).session.outlook.summary
        await start_from(pilot, "other.toml")
        assert "UTF-8" in screen_text(pilot)
        assert screen_of(pilot).composer.draft.file == marked
        assert "marked.toml" in screen_text(pilot)


async def test_nothing_typed_is_lost(empty, tmp_path):
    """Left without saving, a draft is offered when one comes back, by word above the form and in the list, and is whole."""
    memory = tmp_path / "state" / "tui.json"
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        await type_into(pilot, "studies.trials", "11")
        await type_into(pilot, "np", "3")
        text = text_of(pilot)
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        assert "1 unsaved draft from before" in screen_text(pilot)
        assert text_of(pilot) == TEMPLATE
        await pilot.click("#kept")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert text_of(pilot) == text
        assert screen_of(pilot).composer.draft.np == "3"
        assert row(pilot, "np").query_one(Input).value == "3"
        assert "unsaved draft" not in screen_text(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
    assert list((tmp_path / "state" / "drafts").iterdir()) == []


async def test_a_draft_is_kept_while_it_is_typed(empty, tmp_path):
    """Already before one leaves: an interface that is killed has lost nothing; and gone once undone."""
    memory = tmp_path / "state" / "tui.json"
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        await type_into(pilot, "studies.trials", "11")
        (kept,) = (tmp_path / "state" / "drafts").glob("*.json")
        assert "trials = 11" in json.loads(kept.read_text())["text"]
        await type_into(pilot, "studies.trials", "6")
        assert list((tmp_path / "state" / "drafts").glob("*.json")) == []


async def test_starting_from_something_else_keeps_the_draft(empty, tmp_path):
    """What was composed before is in the list."""
    memory = tmp_path / "state" / "tui.json"
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        await type_into(pilot, "studies.trials", "11")
        await start_from(pilot, "nothing")
        assert text_of(pilot) == ""
        await pilot.press("ctrl+o")
        await settle(pilot)
        assert "Drafts that were not saved" in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "trials = 11" in text_of(pilot)


async def test_starting_from_a_sweep_of_the_database(source):
    """The small store's "short" sweep was never in a file: its text is what the store keeps, and says so.

    Once the database is gone there is nothing left to resume."""
    async with pilot_of(source, place="compose") as pilot:
        await start_from(pilot, "short")
        assert parsed(text_of(pilot))["model"] == "fc_16"
        assert "From what the database keeps of sweep 2" in screen_text(pilot)
        assert "resumes sweep 2" in screen_text(pilot)
        source.put(Trouble("No database yet", "there is none", gone=True))
        await settle(pilot)
        assert "✓ a new sweep" in screen_text(pilot)


async def test_the_list_of_starts(empty, golden):
    """Headings, what can be begun with, and a line that narrows it."""
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+o")
        await settle(pilot)
        pilot.app.screen.query_one(Input).value = "lm1b"
        for size in ((120, 40), (80, 24), (40, 10)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert screen_text(pilot) == golden
