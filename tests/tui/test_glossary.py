"""The glossary of the help has every word that a screen shows, under that screen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from hvdsweep import glossary
from hvdsweep.glossary import GLOSSARY, SCREENS, entries
from hvdsweep.states import StopReason
from hvdsweep.sweep.metaparameters import METAPARAMETERS
from hvdsweep.visible import visible
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tui.screens import PLACES
from tui.trial_rows import columns_of
from tui.widgets.chart import ChartView
from tui.widgets.table import Table
from tui.words import CONDITIONS, GANGS, JOBS, STATUSES

ROOT = Path(__file__).parents[2]


def words(screen: str) -> set[str]:
    return {word for entry in entries(screen) for word in entry.words}


def test_the_page_is_current():
    """docs/glossary.md is what the module prints."""
    assert (ROOT / "docs" / "glossary.md").read_text() == glossary.page(), (
        "run: python -m hvdsweep.glossary > docs/glossary.md"
    )


def test_every_entry_is_shown_somewhere_and_says_something():
    """Its screens exist, no word of a screen has two rules, every rule is a sentence; and every screen has entries."""
    assert {place.name for place in PLACES} | {"trial"} == set(SCREENS)
    for screen in SCREENS:
        shown = [word for entry in entries(screen) for word in entry.words]
        assert len(shown) == len(set(shown)), screen
    for entry in GLOSSARY:
        assert set(entry.screens) <= set(SCREENS), entry
        assert entry.rule.endswith("."), entry
        assert "|" not in entry.rule, entry


@pytest.mark.parametrize(
    ("states", "screens"),
    [(CONDITIONS, ["sweeps"]), (GANGS, ["live"]), (STATUSES, ["live", "trial"]), (JOBS, ["live"])],
    ids=["sweeps", "gangs", "trials", "jobs"],
)
def test_every_state_is_explained(states, screens):
    """With its symbol, where it is shown."""
    for symbol, word, _ in states.values():
        for screen in screens:
            assert f"{symbol} {word}" in words(screen), (screen, word)


def test_every_end_of_a_trial_is_explained():
    """Those that stand in place of the status."""
    assert {f"✓ {reason.word}" for reason in (StopReason.GOAL, StopReason.BEATEN)} <= words("live")


def test_every_column_of_the_program_is_explained():
    """On whichever screen: also those of tables that the stores of these tests do not fill."""
    known = {word for entry in GLOSSARY for word in entry.words}
    titles = {
        title
        for file in (ROOT / "tui").rglob("*.py")
        for title in re.findall(r'Column\(\s*"([^"]+)"', file.read_text())
    }
    assert len(titles) > 40
    assert titles - known == set()


def test_every_metaparameter_of_the_sweep_file_is_explained():
    """By the title of its column among the trials, and in full on a trial's own screen."""
    titles = {column.title for column in columns_of(METAPARAMETERS, {})}
    assert titles <= words("live")


def explained(text: str, screen: str) -> bool:
    """Whether some entry of the screen is this text, or begins it: `B_crit 120`, `goal 0.1`."""
    return any(text == word or text.startswith(f"{word} ") for word in words(screen) | {"B="}) or (
        text.startswith(("B=", "as B^", "fit,"))
    )


def shown(pilot: Pilot[None]) -> tuple[set[str], set[str]]:
    """(titles of columns, what legends and bands of charts say) on the screen."""
    titles, labels = set(), set()
    for table in pilot.app.screen.query(Table):
        titles |= {column.title for column in table.columns}
    for view in pilot.app.screen.query(ChartView):
        chart = view.chart
        if chart is None:
            continue
        labels |= {reference.label for reference in chart.references} | {band.label for band in chart.bands}
        labels |= {re.sub("^≥ ", "", note.text) for note in chart.annotations}
        labels |= {series.name for series in chart.series}
    return titles - {""}, labels - {""}


async def test_every_word_on_the_screens_is_explained_there(source: FakeSource, curves: FakeSource):
    """Titles of columns, legends, bands and axes of every screen, over a sweep in training and over finished curves."""
    names = re.compile("/|^trial |^#|nesterov|^sgd$|^val|^training loss$")  # of workloads, trials and metrics
    for store in (source, curves):
        async with pilot_of(store) as pilot:
            app: Any = pilot.app
            for screen in SCREENS:
                if screen == "trial":
                    app.open_trial(1)
                else:
                    app.go(screen)
                await settle(pilot)
                titles, labels = shown(pilot)
                assert {title for title in titles if not explained(title, screen)} == set(), screen
                unknown = {
                    label for label in labels if not names.search(label) and not explained(label, screen)
                }
                assert unknown == set(), screen


async def test_help_shows_the_words_of_the_screen_it_was_called_on(source: FakeSource):
    """Each entry of the screen, and none of another; on every screen, a trial's own included."""
    async with pilot_of(source, size=(120, 400)) as pilot:
        app: Any = pilot.app
        for screen in ("sweeps", "throughput", "trial"):
            app.open_trial(1) if screen == "trial" else app.go(screen)
            await settle(pilot)
            await pilot.press("question_mark")
            await settle(pilot)
            text = " ".join(screen_text(pilot).replace("│", " ").split())
            assert "Words and numbers" in text
            for entry in entries(screen):
                assert visible(entry.rule) in text, (screen, entry)
            assert ("The gang waits for a trial." in text) == (screen == "live")
            await pilot.press("escape")
