"""Hands on the keyboard: what is typed arrives, in every field, in a burst as well as key by key."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.conftest import FakeSource, pilot_of, settle
from tui.screens.compose import ComposeScreen
from tui.source import Trouble
from tui.widgets.form_dialogs import ListDialog, SaveDialog

NAMES = {"_": "underscore", "/": "slash", ".": "full_stop", ",": "comma", "-": "minus", " ": "space"}
"""Character -> Textual's name of its key."""

CLEARINGS = {
    "ctrl+u": ["end", "ctrl+u"],
    "backspace": ["end", *["backspace"] * 6],
    "delete": ["home", *["delete"] * 6],
    "ctrl+k": ["home", "ctrl+k"],
}
"""Ways in which people empty a field before they type."""

WORDS = {
    "dataset": "digits",
    "model": "fc_32",
    "goal.metric": "val/accuracy",
    "name": "a name",
    "description": "b, c",
}
"""What is typed into the fields that hold words; the others get a number."""

SHORT = ("dataset", "model")
"""The fields that lost letters, six letters long each: they are emptied in all ways, the others by ctrl+u."""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Texts are checked without a pause, and files go to a directory of the test's own."""
    monkeypatch.setattr(ComposeScreen, "REST", 0.0)
    monkeypatch.chdir(tmp_path)


def keys_of(word: str) -> list[events.Key]:
    return [events.Key(NAMES.get(letter, letter), letter) for letter in word]


async def type_keys(pilot: Pilot[None], clearing: list[str], word: str, *, burst: bool) -> None:
    """Press the keys as a terminal sends them: all at once, or each once the screen has taken the one before."""
    for key in (*(events.Key(name, None) for name in clearing), *keys_of(word)):
        pilot.app.post_message(key)
        if not burst:
            await pilot.pause()
    await settle(pilot)


def compose_screen(pilot: Pilot[None]) -> ComposeScreen:
    screen = pilot.app.screen
    assert isinstance(screen, ComposeScreen)
    return screen


@pytest.mark.parametrize("burst", [True, False], ids=["burst", "singly"])
@pytest.mark.parametrize("clearing", CLEARINGS)
async def test_every_field_of_compose_holds_what_was_typed(clearing, burst):
    """Emptied in any way and typed into, a field holds the word, and so does the text."""
    async with pilot_of(FakeSource(Trouble("none", "none", gone=True)), place="compose") as pilot:
        screen = compose_screen(pilot)
        fields = [field for field in screen.composer.form.query(Input) if field.display]
        assert len(fields) >= 15
        for field in fields:
            row = next((row for row in screen.composer.form.rows if field in row.query(Input)), None)
            # Options come and go with the model.
            if row is None or not row.display or (clearing != "ctrl+u" and row.key not in SHORT):
                continue
            word = WORDS.get(row.key, "7")
            screen.set_focus(field)
            await pilot.pause()
            await type_keys(pilot, CLEARINGS[clearing], word, burst=burst)
            assert field.value == word, row.key
            assert screen.composer.editor.text == screen.composer.draft.text


@pytest.mark.parametrize("burst", [True, False], ids=["burst", "singly"])
async def test_the_editor_takes_keys_in_order(burst):
    """In the TOML, what is deleted is what stood there, not what is typed after it."""
    async with pilot_of(FakeSource(Trouble("none", "none", gone=True)), place="compose") as pilot:
        screen = compose_screen(pilot)
        screen.composer.editor.begin('model = "fc_128"')
        screen.set_focus(screen.composer.editor)
        await type_keys(pilot, ["end", *["backspace"] * 4], '32"', burst=burst)
        assert screen.composer.editor.text == 'model = "fc_32"'
        assert screen.composer.draft.text == screen.composer.editor.text


@pytest.mark.parametrize("key", ["ctrl+o", "ctrl+s"])
async def test_the_lines_of_dialogs_take_keys_in_order(key):
    """The list's and the file's line, too."""
    async with pilot_of(FakeSource(Trouble("none", "none", gone=True)), place="compose") as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert isinstance(pilot.app.screen, ListDialog | SaveDialog)
        await type_keys(pilot, ["end", "ctrl+u"], "one.toml", burst=True)
        assert pilot.app.screen.query_one(Input).value == "one.toml"


async def test_the_filter_takes_keys_in_order(source):
    """What is typed after ctrl+u stays in the filter of Live."""
    async with pilot_of(source, place="live") as pilot:
        await pilot.press("slash", *"abc")
        await type_keys(pilot, ["ctrl+u"], "status", burst=True)
        assert pilot.app.screen.query_one("Prompt Input", Input).value == "status"


async def test_a_field_with_the_cursor_is_never_written_to():
    """The text changes by another hand: the field in use keeps what is typed, and follows once it is left."""
    async with pilot_of(FakeSource(Trouble("none", "none", gone=True)), place="compose") as pilot:
        screen = compose_screen(pilot)
        for key in ("dataset", "model", "goal.value", "studies.seed"):
            row = screen.composer.form.row(key)
            assert row is not None
            field = row.query_one(Input)
            screen.set_focus(field)
            await pilot.pause()
            before = field.value
            screen.composer.editor.load_text(
                screen.composer.draft.text.replace(f"{before or 'no such text'}", "9")
            )
            await settle(pilot)
            assert field.value == before
            screen.set_focus(None)
            await settle(pilot)
            expected = screen.composer.draft.tables
            for part in key.split("."):
                expected = None if expected is None else expected.get(part)
            assert field.value == ("" if expected is None else str(expected))
