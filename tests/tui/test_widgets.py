"""Log, header, footer, tab line and prompt: what they show where there is room and where there is none."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from tests.tui.conftest import screen_text
from tui.actions import APP, SWEEPS
from tui.screens import PLACES
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.logview import MOST_LINES, LogView
from tui.widgets.prompt import Prompt
from tui.widgets.tabline import TabLine


class Logs(App[None]):
    """One log."""

    def compose(self) -> ComposeResult:
        yield LogView(empty="nothing said yet")


async def test_a_log_follows_its_end_until_the_reader_scrolls():
    """New lines stay in view; after scrolling up they are counted instead, and G follows again."""
    app = Logs()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.query_one(LogView)
        assert "nothing said yet" in screen_text(pilot)
        view.extend([f"line {n}" for n in range(20)])
        await pilot.pause()
        assert "line 19" in screen_text(pilot)
        view.focus()
        await pilot.press("k")
        view.extend(["line 20", "line 21"])
        await pilot.pause()
        assert "line 21" not in screen_text(pilot)
        assert "2 new lines" in screen_text(pilot)
        view.extend(["line 22"])
        await pilot.pause()
        assert "3 new lines" in screen_text(pilot)
        await pilot.press("G")
        assert "line 22" in screen_text(pilot)
        assert "new line" not in screen_text(pilot)
        view.extend(["line 23"])
        await pilot.pause()
        assert "line 23" in screen_text(pilot)


async def test_a_click_on_the_badge_follows_again():
    """The mouse's way to what the key G does."""
    app = Logs()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.query_one(LogView)
        view.extend([f"line {n}" for n in range(20)])
        view.focus()
        await pilot.press("g")
        view.extend(["the end"])
        await pilot.pause()
        assert "line 0" in screen_text(pilot)
        await pilot.click(view, offset=(5, 5))
        assert "the end" in screen_text(pilot)


async def test_a_log_forgets_its_oldest_lines():
    """However long it runs, no more than MOST_LINES are kept; the user's place stays where it was."""
    app = Logs()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.query_one(LogView)
        view.extend([f"line {n}" for n in range(MOST_LINES)])
        await pilot.pause()
        view.focus()
        await pilot.press("k")
        before = screen_text(pilot).splitlines()[0]
        view.extend([f"more {n}" for n in range(100)])
        await pilot.pause()
        assert len(view.lines) == MOST_LINES
        assert screen_text(pilot).splitlines()[0] == before


class Bars(App[None]):
    """Header and footer."""

    def compose(self) -> ComposeResult:
        yield Header("sweeps")
        yield KeyBar()

    def on_mount(self) -> None:
        header = self.query_one(Header)
        header.database, header.state = "hvdsweep.db", "● 1 training"
        bar = self.query_one(KeyBar)
        bar.actions, bar.pinned = SWEEPS, tuple(action for action in APP if action.id in ("help", "quit"))


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 20, 6, 3, 1])
async def test_tabs_and_keys_fit_any_width(width):
    """All tabs are there by name, by short name or by digit; help and quit keep their place; nothing is cut in two."""
    app = Bars()
    async with app.run_test(size=(width, 4)) as pilot:
        lines = screen_text(pilot).splitlines()
        tabs, keys = lines[0], lines[-1]
        if width >= 6:
            assert all(place.key in tabs for place in PLACES)
        if width >= 80:
            for place in PLACES:
                assert f" {place.key} {place.title} " in tabs or f" {place.key} {place.short} " in tabs
        assert tabs.endswith("● 1 training") == (width >= 20)
        assert ("5 Metaparameters" in tabs) == (width >= 100)
        if width >= 20:
            assert keys.endswith("? Help  q Quit")
        shown = keys.split()
        for action in SWEEPS:
            if action.key_names[0] in shown[:-4]:
                assert action.label in keys


async def test_every_tab_and_key_can_be_clicked():
    """A click anywhere on a tab opens its place, on a key runs its action; between them nothing happens."""
    said: list[str] = []

    class Clicked(Bars):
        def on_header_picked(self, message: Header.Picked) -> None:
            said.append(message.name)

        def on_key_bar_picked(self, message: KeyBar.Picked) -> None:
            said.append(message.name)

    app = Clicked()
    async with app.run_test(size=(120, 4)) as pilot:
        tabs = screen_text(pilot).splitlines()[0]
        for place in PLACES:
            await pilot.click(Header, offset=(tabs.index(place.title) + 1, 0))
        assert said == [place.name for place in PLACES]
        said.clear()
        keys = screen_text(pilot).splitlines()[-1]
        for label in ("Stop", "Delete", "Quit"):
            await pilot.click(KeyBar, offset=(keys.index(label), 0))
        await pilot.click(KeyBar, offset=(keys.index("? Help") - 6, 0))
        assert said == ["stop", "delete", "quit"]


class Line(App[None]):
    """A tab line and a prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def compose(self) -> ComposeResult:
        yield TabLine([("trials", "Trials"), ("logs", "Logs")])
        yield Prompt()

    def on_tab_line_picked(self, message: TabLine.Picked) -> None:
        self.said.append(message.name)

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        self.said.append(f"{type(message).__name__} {message.text}")

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        self.said.append(f"{type(message).__name__} {message.text}")


async def test_a_prompt_says_what_is_typed_and_what_is_wrong():
    """It posts every change and Enter, but not the text it is opened with; a problem is shown below until it is
    solved."""
    app = Line()
    async with app.run_test(size=(60, 8)) as pilot:
        prompt = app.query_one(Prompt)
        prompt.open("filter", "filter", "ab", "such as x=1")
        await pilot.pause()
        assert app.said == []
        await pilot.press("c", "enter")
        assert app.said == ["Typed abc", "Entered abc"]
        prompt.wrong("abc: is nothing")
        await pilot.pause()
        assert "abc: is nothing" in screen_text(pilot)
        prompt.wrong("")
        await pilot.pause()
        assert "abc: is nothing" not in screen_text(pilot)
        prompt.close()
        await pilot.pause()
        assert "filter" not in screen_text(pilot)


async def test_a_tab_line_names_its_panes_and_a_note_where_there_is_room():
    """Names are clicked; the note goes to the right end and is left out where it would meet them."""
    app = Line()
    async with app.run_test(size=(60, 8)) as pilot:
        line = app.query_one(TabLine)
        line.note = "digits ● running"
        await pilot.pause()
        assert screen_text(pilot).splitlines()[0].endswith("digits ● running")
        await pilot.click(TabLine, offset=(10, 0))
        assert app.said == ["logs"]
        await pilot.resize_terminal(16, 8)
        await pilot.pause()
        assert "running" not in screen_text(pilot)
