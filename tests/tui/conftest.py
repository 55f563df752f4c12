"""The interface under test: an injected source, no animations, no blinking, no memory of earlier runs."""

from __future__ import annotations

import os

# Textual reads these when it is imported.
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ.pop("NO_COLOR", None)

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from tui.app import HvdsweepApp
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.source import Trouble

Input.cursor_blink = False


class FakeSource:
    """A source that says what a test puts into it; questions go to `reader`, a real one or a stand-in."""

    def __init__(self, update: Snapshot | Trouble | None = None, reader: Any = None) -> None:
        self.path = Path("/data/hvdsweep.db")
        self.latest = update
        self.reader = reader
        self.nudges = 0
        self.closed = False
        self.asked: list[Any] = []
        """Every question that was asked, in order."""
        self._tell: Callable[[Snapshot | Trouble], None] | None = None

    def listen(self, tell: Callable[[Snapshot | Trouble], None]) -> None:
        self._tell = tell
        if self.latest is not None:
            tell(self.latest)

    def put(self, update: Snapshot | Trouble) -> None:
        """What the watching thread would have posted."""
        self.latest = update
        if self._tell is not None:
            self._tell(update)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        self.asked.append(question)
        return question(self.reader)

    def nudge(self) -> None:
        self.nudges += 1

    def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def pilot_of(
    source: Any,
    *,
    size: tuple[int, int] = (120, 40),
    place: str = "sweeps",
    selection: Selection | None = None,
    memory_file: Path | None = None,
) -> AsyncIterator[Pilot[None]]:
    """The app over `source`, settled."""
    app = HvdsweepApp(source, place=place, selection=selection, memory_file=memory_file)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield pilot


async def settle(pilot: Pilot[None]) -> None:
    """Until every question is answered and everything is drawn."""
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def screen_text(pilot: Pilot[None]) -> str:
    """What is on the screen, as plain lines without blanks at their ends."""
    # The one private call: Textual offers the screen as SVG only.
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)
