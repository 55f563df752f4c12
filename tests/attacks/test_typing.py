"""Letters typed at human speed into Compose as it is shipped, while other programs want twice the cores there are."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from tests.attacks import SLOW
from tests.tui.conftest import FakeSource, pilot_of, settle
from tests.tui.test_typing import CLEARINGS, WORDS, compose_screen, keys_of
from tui.source import Trouble

pytestmark = SLOW

TRIES = int(os.environ.get("HVDSWEEP_ATTACKS", "200"))


@pytest.fixture
def crowd() -> Iterator[None]:
    """Busy processes, twice as many as cores."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    yield
    for one in busy:
        one.kill()
        one.wait()


async def test_every_field_holds_what_was_typed(
    crowd: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field after field, emptied in some way, 0.03 to 0.3 s a key: it holds the word then, and once it is left."""
    monkeypatch.chdir(tmp_path)
    seed = int(os.environ.get("HVDSWEEP_ATTACK_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    missed = []
    async with pilot_of(FakeSource(Trouble("none", "none", gone=True)), place="compose") as pilot:
        screen = compose_screen(pilot)
        for number in range(TRIES):
            rows = [
                row
                for row in screen.composer.form.rows
                if row.display and any(field.display for field in row.query(Input))
            ]
            row = rows[number % len(rows)]
            field = chance.choice([field for field in row.query(Input) if field.display])
            word, clearing = WORDS.get(row.key, "1024"), chance.choice(list(CLEARINGS))
            screen.set_focus(field)
            await settle(pilot)
            emptying = (
                CLEARINGS[clearing]
                if clearing.startswith("ctrl")
                else ["end", *["backspace"] * len(field.value)]
            )
            for key in (*(events.Key(name, None) for name in emptying), *keys_of(word)):
                pilot.app.post_message(key)
                await asyncio.sleep(chance.uniform(0.03, 0.3))
            await settle(pilot)
            held = field.value
            screen.set_focus(None)
            await pilot.pause(2 * screen.REST)
            await settle(pilot)
            if (held, field.value) != (word, word):
                missed.append(f"try {number}: {row.key} by {clearing}: {held!r}, then {field.value!r}")
                print(missed[-1], flush=True)
    assert not missed, f"HVDSWEEP_ATTACK_SEED={seed}"
