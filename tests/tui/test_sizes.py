"""Every screen at every size, with and without colours, in every theme: never a crash, and no colour where none is wanted."""

from __future__ import annotations

import re

import pytest
from rich.color import Color, ColorSystem
from textual.pilot import Pilot
from textual.widget import Widget

from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tui.screens import PLACES
from tui.screens.compose import ComposeScreen
from tui.selection import Selection
from tui.source import Trouble
from tui.widgets.table import Table

NAMES = [place.name for place in PLACES]
SIZES = [(1, 1), (2, 1), (1, 3), (10, 2), (20, 5), (40, 10), (80, 24), (200, 60)]


async def resize(pilot: Pilot[None], size: tuple[int, int]) -> None:
    """Until the screen has the new size: Textual waits a moment for a further one, which on a busy machine `pause` does not."""
    await pilot.resize_terminal(*size)
    for _ in range(1000):
        if pilot.app.screen.size == size:
            break
        await pilot.pause()
    await pilot.pause()


@pytest.mark.parametrize("place", NAMES)
async def test_no_size_crashes(source, place):
    """From 1x1 to 200x60, down to 1x1 and back in one run; at 40x10 and above there is something to read."""
    async with pilot_of(source, place=place, selection=Selection(sweep=1), size=(80, 24)) as pilot:
        for size in (*SIZES, (1, 1), (80, 24)):
            await resize(pilot, size)
            lines = screen_text(pilot).split("\n")
            assert len(lines) == size[1]
            assert all(len(line) <= size[0] for line in lines)
            if size >= (40, 10):
                assert sum(bool(line.strip()) for line in lines) >= 4


@pytest.mark.parametrize("place", NAMES)
async def test_a_screen_may_begin_at_1x1_without_data(place):
    """No room and no data: still no crash."""
    async with pilot_of(FakeSource(Trouble("None", "none", gone=True)), place=place, size=(1, 1)) as pilot:
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert len(screen_text(pilot).split("\n")) == 24


@pytest.mark.parametrize("before", [(20, 5), (200, 60)])
async def test_a_screen_resized_while_another_is_shown_comes_back_in_the_new_size(monkeypatch, before):
    """Its classes are those of the new size before anything is laid out: widgets read them when they get their size."""
    laid_out = []
    original = ComposeScreen._refresh_layout

    def watched(screen, size=None, scroll=False):
        laid_out.append((size, screen.has_class("-narrow"), screen.has_class("-usual")))
        original(screen, size, scroll)

    empty = FakeSource(Trouble("None", "none", gone=True))
    async with pilot_of(empty, place="compose", size=before) as pilot:
        await pilot.press("escape", "6")
        await settle(pilot)
        await pilot.resize_terminal(80, 24)
        monkeypatch.setattr(ComposeScreen, "_refresh_layout", watched)
        await pilot.press("2")
        await settle(pilot)
        assert ((80, 24), True, True) in laid_out
        assert all(narrow and usual for _, narrow, usual in laid_out)
        assert pilot.app.screen.composer.has_class("-narrow")


async def test_a_trial_at_every_size(source):
    """The detail screen too."""
    async with pilot_of(source, place="live", size=(80, 24)) as pilot:
        pilot.app.open_trial(8)
        for size in SIZES:
            await resize(pilot, size)
            await settle(pilot)
            assert len(screen_text(pilot).split("\n")) == size[1]


@pytest.mark.parametrize("place", ["sweeps", "live"])
async def test_no_color_means_none(source, monkeypatch, place):
    """With NO_COLOR no cell has a colour; the cursor and the open tab are shown in reverse video."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with pilot_of(source, place=place, selection=Selection(sweep=1)) as pilot:
        reversed_lines = []
        for y, strip in enumerate(pilot.app.screen._compositor.render_strips()):
            for segment in pilot.app._filters[-1].apply(list(strip), pilot.app.screen.background_colors[1]):
                style = segment.style
                assert style is None or style.color is None or style.color.is_default
                assert style is None or style.bgcolor is None or style.bgcolor.is_default
                if style is not None and style.reverse:
                    reversed_lines.append(y)
        assert 0 in reversed_lines
        assert any(y > 0 for y in reversed_lines)


@pytest.mark.parametrize("place", NAMES)
async def test_every_theme_draws(source, place):
    """Themes of Textual, those in the terminal's own colours too, and the two of the house: the same words."""
    async with pilot_of(source, place=place, selection=Selection(sweep=1), size=(80, 24)) as pilot:
        before = screen_text(pilot)
        for theme in (
            "ansi-dark",
            "ansi-light",
            "textual-light",
            "gruvbox",
            "hvdsweep-light",
            "hvdsweep-dark",
        ):
            pilot.app.theme = theme
            await pilot.pause()
            assert screen_text(pilot) == before


@pytest.mark.parametrize("theme", ["hvdsweep-dark", "hvdsweep-light"])
async def test_pictures(source, snapshot, theme):
    """The Live screen as SVG in both themes of the house: layout and colours."""
    from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

    class Picture(SingleFileSnapshotExtension):
        file_extension = "svg"
        _write_mode = WriteMode.TEXT

    async with pilot_of(source, place="live", selection=Selection(sweep=1), size=(100, 30)) as pilot:
        pilot.app.theme = theme
        await settle(pilot)
        picture = pilot.app.export_screenshot()
    # The id of the terminal is drawn anew every time.
    assert re.sub(r"terminal-\d+", "terminal", picture) == snapshot(extension_class=Picture)


async def test_at_40_columns_nothing_is_cut_without_a_sign(source, curves, empty):
    """Every slider has a track, words in place of rows take as many lines as they need, and a form shows every choice."""
    async with pilot_of(curves, place="scaling", size=(40, 24)) as pilot:
        for name in ("goal", "steps", "examples"):
            line = next(line for line in screen_text(pilot).split("\n") if line.startswith(f" {name} "))
            assert "◂ ━" in line
            assert line.endswith("▸")
        await pilot.resize_terminal(40, 12)
        assert " goal < 0.1 " in screen_text(pilot)
    async with pilot_of(source, place="live", selection=Selection(sweep=2), size=(40, 24)) as pilot:
        words = "short starts as process 123456; the first loss usually 15 to 45 s from now"
        pilot.app.screen.query_one("#gangs", Table).empty = words
        await settle(pilot)
        assert words in " ".join(screen_text(pilot).split())
    async with pilot_of(empty, place="compose", size=(40, 60)) as pilot:
        shown = screen_text(pilot)
        assert all(f"{name}\n" in shown for name in ("■ sgd", "□ momentum", "□ nesterov_momentum"))
        assert "steps apart ▾\n" in shown
        assert "0.01              … 3.0\n" in shown


def test_rules_of_style_apply():
    """A rule that begins with a class of the screen holds only where its widget's rules are not kept to the widget."""
    for place in PLACES:
        place.load()
    kept = [Widget]
    for kind in kept:
        kept += kind.__subclasses__()
        own = vars(kind)
        if kind.__module__.startswith("tui.") and re.search(
            r"^ *\.-", own.get("DEFAULT_CSS", ""), re.MULTILINE
        ):
            assert own.get("SCOPED_CSS") is False, kind


def faint(pilot: Pilot[None]) -> set[tuple[str, str, str]]:
    """(text, colour, background) of what is hard to read in the window in front, or the same in 16 colours."""

    def luminance(color: Color) -> float:
        parts = (part / 255 for part in color.get_truecolor())
        return sum(
            share * (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4)
            for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    found = set()
    front = pilot.app.screen.query("Window > Vertical, Window > VerticalScroll")
    area = front.first().region if front else pilot.app.screen.region
    for strip in pilot.app.screen._compositor.render_strips()[area.y : area.bottom]:
        for text, style, _ in strip.crop(area.x, area.right):
            if re.search(r"\w|□", text) and style is not None and style.color and style.bgcolor:
                low, high = sorted((luminance(style.color), luminance(style.bgcolor)))
                few = {one.downgrade(ColorSystem.STANDARD).number for one in (style.color, style.bgcolor)}
                if (high + 0.05) / (low + 0.05) < 3 or len(few) < 2:
                    found.add((text, style.color.name, style.bgcolor.name))
    return found


@pytest.mark.parametrize("theme", ["hvdsweep-dark", "hvdsweep-light"])
async def test_everything_can_be_read_in_both_themes_and_in_16_colours(source, curves, theme):
    """Text, boxes that are not ticked, disabled buttons and placeholders stand out, also after another theme is chosen."""
    for data, place, keys in [
        (curves, "scaling", []),
        (source, "live", ["t"]),
        (source, "compose", ["ctrl+o"]),
    ]:
        async with pilot_of(data, place=place, selection=Selection(sweep=2)) as pilot:
            pilot.app.theme = theme
            await settle(pilot)
            assert faint(pilot) == set()
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
                assert faint(pilot) == set()
