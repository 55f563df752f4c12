"""The interface under test: an injected source, no animations, no blinking, no memory of earlier runs."""

from __future__ import annotations

import os
import time

# Textual reads these when it is imported.
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ.pop("NO_COLOR", None)
os.environ["TZ"] = "UTC"

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.widgets import Input

from hvdsweep.opening import open_store
from tests.tui.curve_store import curve_store
from tests.tui.quiet import be_quiet
from tests.tui.stores import small_store, snapshot_of
from tui.app import HvdsweepApp
from tui.launching import Launched
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.source import Trouble

Input.cursor_blink = False
be_quiet()
time.tzset()


class FakeSource:
    """A source that says what a test puts into it; questions are answered from the store at `store`."""

    def __init__(
        self,
        update: Snapshot | Trouble | None = None,
        store: Path | None = None,
        path: Path = Path("/data/hvdsweep.db"),
    ) -> None:
        self.path = path
        self.latest = update
        self.store = store
        self.nudges = 0
        self.attended = 0
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
        if self.store is None:
            return question(None)
        with open_store(self.store) as reader:
            return question(reader)

    def nudge(self) -> None:
        self.nudges += 1

    def attend(self) -> None:
        self.attended += 1

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
    async with app.run_test(size=size, notifications=True) as pilot:
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


class TextGolden(SingleFileSnapshotExtension):
    """One plain text file a golden, readable in a review."""

    file_extension = "txt"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compares text with the file of the test's name; `pytest --snapshot-update` writes it."""
    return snapshot.use_extension(TextGolden)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small store; not to be written to."""
    return small_store(tmp_path_factory.mktemp("store") / "hvdsweep.db")


@pytest.fixture
def source(trained: Path) -> FakeSource:
    """A source over the small store."""
    return FakeSource(snapshot_of(trained), trained)


@pytest.fixture
def empty() -> FakeSource:
    """No database yet."""
    return FakeSource(Trouble("No database yet", "there is none", gone=True))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compose checks texts without a pause, on a machine with two cores; files go to a directory of the test's own."""
    monkeypatch.setattr("tui.screens.compose.ComposeScreen.REST", 0.0)
    monkeypatch.setattr("hvdsweep.launch.machine.cores", lambda: 2)
    monkeypatch.setattr("hvdsweep.launch.machine.gpus", lambda: ())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of every launch, which is not made."""
    calls: list[list[str]] = []

    def spawn(db: Path, arguments: list[str], ended: Any = None) -> Launched:
        calls.append(list(arguments[1:]))
        return Launched(4711, db.with_name("launch.log"))

    monkeypatch.setattr("tui.launching.spawn", spawn)
    return calls


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with planted curves, at rest; not to be written to."""
    return curve_store(tmp_path_factory.mktemp("planted") / "hvdsweep.db")


@pytest.fixture
def curves(planted: Path) -> FakeSource:
    """A source over the planted store."""
    return FakeSource(snapshot_of(planted, live=""), planted)
