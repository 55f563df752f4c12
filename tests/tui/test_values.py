"""Every screen shows every value that a store can hold: no crash, no raw escape sequence.

The values are in tests/store/values.py; a new screen of `tui.screens.PLACES` is shown without an entry here.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from hvdsweep.opening import open_store
from tests.store.values import CHANGES, METAPARAMETERS, Change, changed, merged
from tests.tui.conftest import FakeSource, pilot_of, settle
from tests.tui.stores import small_store
from tui.screens import PLACES
from tui.selection import Selection
from tui.snapshot import Snapshot, read_snapshot

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")

SHOWN = [place.name for place in PLACES if place.name != "compose"]
"""Compose shows files and drafts, and of a store only what a sweep says of itself."""

CURVES = ["live", "scaling", "metaparameters"]
"""Those that show values of trials."""

EXTREMES = ("a denormal", "largest", "infinity", "a word", "beyond floats")


def _every_metaparameter(conn: sqlite3.Connection) -> None:
    """Each trial has other values: metaparameters of one store need not be of one kind."""
    values = list(METAPARAMETERS.values())
    for (trial,) in conn.execute("SELECT id FROM trials").fetchall():
        given = {
            name: values[(trial * (1 + place) + place) % len(values)]
            for place, name in enumerate(("learning_rate", "momentum", "activation"))
        }
        conn.execute("UPDATE trials SET parameters = ? WHERE id = ?", (json.dumps(given), trial))


def _shown() -> dict[str, tuple[Change, list[str]]]:
    """What -> how a store comes to hold it, and the screens that show it; values that no screen compares share a store."""
    shown: dict[str, tuple[Change, list[str]]] = {"all metaparameters": (_every_metaparameter, SHOWN)}
    for name, change in CHANGES.items():
        head, _, value = name.partition(" is ") if " is " in name else name.partition(" are ")
        value = value.removeprefix("the number ")
        if head == "the goal":
            shown[name] = (merged(name, name.replace("the goal is", "losses are")), CURVES)
        elif head in ("every learning rate", "measurements", "one measurement") and value in EXTREMES:
            shown[name] = (change, CURVES)
        elif not value:
            shown[name] = (change, SHOWN)
    return shown


SHARES = 4
"""The values are dealt to so many starts of the app."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = small_store(tmp_path_factory.mktemp("values") / "store.db")
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode = delete")
    return path


def _read(path: Path, number: int) -> Snapshot:
    with open_store(path) as reader:
        return read_snapshot(reader, number)


def _drawn(pilot: Pilot[None]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def _check(pilot: Pilot[None], words: str) -> None:
    drawn = _drawn(pilot)
    assert drawn.strip(), words
    assert RAW.search(drawn) is None, (words, drawn)


async def _visit(pilot: Pilot[None], name: str, places: list[str]) -> None:
    """The places, one after the other, and a trial that failed."""
    app: Any = pilot.app
    for place in places:
        app.go(place, Selection(sweep=1))
        await settle(pilot)
        _check(pilot, f"{name}: {place}")
    app.open_trial(8)
    await settle(pilot)
    _check(pilot, f"{name}: trial")


@pytest.mark.parametrize("share", range(SHARES))
async def test_every_screen_shows_it(share: int, original: Path, tmp_path: Path):
    """The running app shows each value on every screen, or a message."""
    source, name, shown = FakeSource(), "", _shown()
    try:
        async with pilot_of(source, place="sweeps") as pilot:
            for number, name in enumerate(list(shown)[share::SHARES], 1):
                change, places = shown[name]
                source.store = changed(original, tmp_path / f"{number}.db", change)
                pilot.app.curve_cache = None  # type: ignore[attr-defined]
                source.put(_read(source.store, number))
                await _visit(pilot, name, places)
    except Exception as error:
        error.add_note(f"with {name}")
        raise
