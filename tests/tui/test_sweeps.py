"""The Sweeps screen: what it shows, and that every change is confirmed, made by the right function and reported."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from hvdsweep.opening import open_store
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.stores import snapshot_of
from tui import launching
from tui.screens.dialogs import LaunchDialog
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.source import Trouble
from tui.sweep_rows import sweep_columns
from tui.widgets.columns import row_of
from tui.widgets.table import Table

DIGITS = Selection(sweep=1)


@pytest.fixture
def path(trained: Path, tmp_path: Path) -> Path:
    """A copy of the small store that a test may change, with the sweep file next to it."""
    with sqlite3.connect(trained) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(trained, tmp_path / "hvdsweep.db"))


@pytest.fixture
def changeable(path: Path) -> FakeSource:
    """A source over that copy, with no sweep in training."""
    return FakeSource(snapshot_of(path, live="nothing"), path, path=path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of every launch; in its place a program that ends at once."""
    calls: list[list[str]] = []

    def command_of(arguments: list[str]) -> list[str]:
        calls.append(arguments)
        return [sys.executable, "-c", "print('every study has its trials')"]

    monkeypatch.setattr(launching, "command_of", command_of)
    return calls


@pytest.mark.parametrize("size", [(200, 50), (120, 40), (80, 24), (40, 12)])
async def test_screen(source, golden, size):
    """Sweeps with state, progress, time left and gangs; the studies of the selected one; what happened to it."""
    async with pilot_of(source, size=size) as pilot:
        assert screen_text(pilot) == golden


CONDITIONS = {
    "RUNNING": ("● running", {"Stop"}, {"Start", "Extend", "Delete"}),
    "STOPPING": ("◐ stopping", set(), {"Stop", "Start", "Extend", "Delete"}),
    "LOST": ("✗ killed", {"Start", "Extend", "Delete"}, {"Stop"}),
    "IDLE": ("○ stopped", {"Start", "Extend", "Delete"}, {"Stop"}),
    "DONE": ("✓ done", {"Start", "Extend", "Delete"}, {"Stop"}),
    "FAILED": ("✗ failed", {"Start", "Extend", "Delete"}, {"Stop"}),
    "IMPORTED": ("▣ imported", {"Delete"}, {"Stop", "Start", "Extend"}),
}


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_every_condition_has_its_words_and_its_keys(trained, condition):
    """State by symbol and word; only the keys that would do something are offered."""
    snapshot = snapshot_of(trained)
    first = snapshot.sweeps[0]
    changes = {
        "RUNNING": {"state": "RUNNING", "live": True},
        "STOPPING": {"state": "STOPPING", "live": True, "request": "stop"},
        "LOST": {"state": "RUNNING", "live": False},
        "IMPORTED": {"source": "import", "state": "DONE", "live": False},
    }.get(condition, {"state": condition, "live": False})
    sweep = dataclasses.replace(first, **changes)
    assert sweep.condition == condition
    words, there, gone = CONDITIONS[condition]
    async with pilot_of(FakeSource(dataclasses.replace(snapshot, sweeps=(sweep,)), trained)) as pilot:
        shown = screen_text(pilot).splitlines()
        assert words in shown[2]
        labels = set(shown[-1].split())
        assert there <= labels
        assert not gone & labels


def test_no_time_is_left_of_what_is_finished(trained):
    """The last moment of a sweep in training has no `0.0 s`, nor has a sweep that is done; before, there is a time."""
    first = snapshot_of(trained).sweeps[0]
    for live, seconds, words in (
        (True, 0.0, ""),
        (False, 0.0, ""),
        (False, 90.0, ""),
        (True, 90.0, "1 min 30 s"),
    ):
        sweep = dataclasses.replace(first, live=live, eta_seconds=seconds)
        assert row_of(sweep_columns(10), 1, sweep).cells[5] == words


async def test_only_what_changed_changes(source, trained):
    """A snapshot with one more finished trial: the cursor stays, the numbers follow."""
    async with pilot_of(source) as pilot:
        await pilot.press("up")
        snapshot = snapshot_of(trained, number=2)
        trials = {**snapshot.sweeps[0].trials, "COMPLETE": 11, "PENDING": 10}
        sweeps = (dataclasses.replace(snapshot.sweeps[0], trials=trials), *snapshot.sweeps[1:])
        source.put(dataclasses.replace(snapshot, sweeps=sweeps))
        await settle(pilot)
        assert "11/24" in screen_text(pilot)
        assert pilot.app.screen.query_one("#sweeps", Table).key == "2"
        source.put(dataclasses.replace(snapshot, sweeps=sweeps[1:]))
        await settle(pilot)
        assert pilot.app.screen.query_one("#sweeps", Table).key == "2"
        assert "digits" not in screen_text(pilot)


async def test_start_by_keys(changeable, started, path):
    """r, the numbers of ranks and gangs, Enter: `hvdsweep launch --sweep`; its end is shown."""
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        await pilot.press("r")
        await settle(pilot)
        assert "Start digits" in screen_text(pilot)
        assert "4 ranks in all" in screen_text(pilot)
        await pilot.press("3", "tab", "1", "enter")
        await settle(pilot)
        assert started == [["launch", "--db", str(path), "--sweep", "1", "--np", "3", "--gangs", "1"]]
        assert changeable.nudges
        assert "digits starts as process" in screen_text(pilot)
        # Not offered again while the first one has not signed in.
        assert "Start" not in screen_text(pilot).splitlines()[-1]


async def test_extend_by_the_mouse(changeable, started):
    """A click on Extend, the numbers, a click on the button: more trials and batch sizes."""
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        shown = screen_text(pilot).splitlines()
        await pilot.click(offset=(shown[-1].index("Extend"), len(shown) - 1))
        await settle(pilot)
        dialog = pilot.app.screen
        assert isinstance(dialog, LaunchDialog)
        await pilot.click("#trials")
        await pilot.press("end", "backspace", "6")
        await pilot.click("#batch_sizes")
        await pilot.press("end", *", 512")
        assert "12 more trials per workload" in screen_text(pilot)
        await pilot.click("#ok")
        await settle(pilot)
        (arguments,) = started
        assert arguments[-8:] == [
            "--trials",
            "6",
            "--batch-sizes",
            "16,64,256,512",
            "--np",
            "2",
            "--gangs",
            "2",
        ]


@pytest.mark.parametrize(
    ("field", "keys", "words"),
    [
        ("trials", "0", "0 is not between 1 and"),
        ("trials", "x", "neither a number of trials nor numbers by batch size"),
        ("trials", "64=2, default=9", "trials at 64: 2 are fewer than the 4 now"),
        ("trials", "2", "2 are fewer than the 4 now"),
        ("np", "", "ranks per trial: nothing: give a whole number"),
        ("batch_sizes", "16, 64", "256 would be withdrawn"),
        ("batch_sizes", "16, sixty", '"sixty" is'),
    ],
)
async def test_what_is_wrong_is_shown_while_it_is_typed(changeable, started, field, keys, words):
    """The problem is shown in the dialog, and Enter does nothing until it is solved."""
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        await pilot.press("t")
        await settle(pilot)
        pilot.app.screen.query_one(f"#{field}").value = keys
        await settle(pilot)
        assert words in " ".join(screen_text(pilot).replace("│", " ").split())
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, LaunchDialog)
        await pilot.press("escape")
        await settle(pilot)
        assert started == []
        assert not isinstance(pilot.app.screen, LaunchDialog)


async def test_a_whole_sweep_is_not_started_again(source):
    """Every study has its trials: a launch would do nothing, so its key is hidden; the sweep can still be extended."""
    async with pilot_of(source, selection=Selection(sweep=2)) as pilot:
        keys = screen_text(pilot).splitlines()[-1]
        assert "r Start" not in keys
        assert "t Extend" in keys


async def test_trials_for_one_batch_size(changeable, started):
    """With the cursor in the list of studies, t asks for the trials of that batch size only."""
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        studies = pilot.app.screen.query_one("#studies", Table)
        studies.focus()
        wanted = next(study for study in pilot.app.screen.sweep.studies if study.batch_size == 64)
        studies.move_to(str(wanted.id))
        await settle(pilot)
        await pilot.press("t")
        await settle(pilot)
        assert "Extend digits at batch size 64" in screen_text(pilot)
        await pilot.press(*"9", "enter")
        await settle(pilot)
        assert started[0][3:7] == ["--sweep", "1", "--trials", "64=9"]


async def test_trials_for_the_batch_size_of_a_trial(changeable, started):
    """On Live, t extends the batch size of the selected trial."""
    async with pilot_of(changeable, selection=Selection(1, batch_size=256), place="live") as pilot:
        await pilot.press("t")
        await settle(pilot)
        assert "Extend digits at batch size 256" in screen_text(pilot)


async def test_a_sweep_whose_file_is_gone_is_started(changeable, started, path):
    """The database holds all of it: nothing is refused."""
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE sweeps SET file = '/nowhere/digits.toml'")
    conn.close()
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        await pilot.press("r")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert started[0][3:5] == ["--sweep", "1"]


async def test_a_launch_that_ends_badly_says_why(changeable):
    """The last lines of its log are shown as an error."""
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        pilot.app.launch_ended(1, "digits", 2, "digits.toml: search.learning_rate: is missing")
        await settle(pilot)
        shown = screen_text(pilot)
        assert "digits ended badly" in shown
        assert "learning_rate: is missing" in shown
        assert changeable.nudges == 1


async def test_stop_is_a_request_in_the_store(path):
    """x writes the request that the supervisor looks for."""
    source = FakeSource(snapshot_of(path), path, path=path)
    async with pilot_of(source) as pilot:
        await pilot.press("x")
        await settle(pilot)
        assert "is asked to stop" in screen_text(pilot)
    with open_store(path) as reader:
        assert [sweep.request for sweep in reader.sweeps()] == ["stop", None, None]


async def test_delete_asks_first(changeable, path):
    """n, esc and Enter on the safe button leave everything; y deletes."""
    async with pilot_of(changeable, selection=DIGITS) as pilot:
        await pilot.press("up")
        for keys in (("n",), ("escape",), ("enter",)):
            await pilot.press("d")
            await settle(pilot)
            assert "Sweep 2 (short) and all it recorded: 4 trials, 4 of them complete" in " ".join(
                screen_text(pilot).replace("│", " ").split()
            )
            await pilot.press(*keys)
            await settle(pilot)
            with open_store(path) as reader:
                assert len(reader.sweeps()) == 3
        await pilot.press("d", "y")
        await settle(pilot)
        assert "short is deleted, with 4 trials" in screen_text(pilot)
    with open_store(path) as reader:
        assert [sweep.name for sweep in reader.sweeps()] == ["digits", "lost"]


async def test_copying_the_command(source):
    """`c` copies a command line that a shell understands to the clipboard."""
    import shlex

    async with pilot_of(source) as pilot:
        await pilot.press("c")
        words = shlex.split(pilot.app.clipboard)
        assert words[:3] == ["hvdsweep", "launch", "--sweep"]
        assert words[4:] == ["--db", "/data/hvdsweep.db"]


NOTHING = Snapshot("/data/hvdsweep.db", 0.0, (), (), (), (), ())


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
@pytest.mark.parametrize(
    "update",
    [
        Trouble(
            "No database yet",
            "/data/hvdsweep.db does not exist. It is made when a sweep is launched.",
            gone=True,
        ),
        Trouble(
            "The database cannot be read", "/data/hvdsweep.db was written by a newer hvdsweep. Upgrade it."
        ),
        NOTHING,
        None,
    ],
    ids=["missing", "newer", "no sweep", "not read yet"],
)
async def test_nothing_to_show(golden, update, size):
    """A message in place of data says what to do."""
    async with pilot_of(FakeSource(update), size=size) as pilot:
        assert screen_text(pilot) == golden


async def test_a_passing_trouble_leaves_what_was_shown(source, trained):
    """A file locked for a moment: the data stay, the header shows it; if the file is gone they disappear."""
    async with pilot_of(source) as pilot:
        source.put(Trouble("The database cannot be read", "is locked by another process"))
        await settle(pilot)
        assert "digits" in screen_text(pilot)
        assert "✗ unreadable" in screen_text(pilot).splitlines()[0]
        source.put(Trouble("No database yet", "does not exist", gone=True))
        await settle(pilot)
        assert "digits" not in screen_text(pilot)
        assert "No database yet" in screen_text(pilot)
        source.put(snapshot_of(trained, number=3))
        await settle(pilot)
        assert "digits" in screen_text(pilot)


async def test_the_sweep_in_training_is_selected_at_first(source, trained):
    """Newest first; the cursor begins on the one that is trained, where none is on the newest."""
    async with pilot_of(source) as pilot:
        table = pilot.app.screen.query_one("#sweeps", Table)
        assert [table.row(place).key for place in range(3)] == ["3", "2", "1"]
        assert table.key == "1"
    async with pilot_of(FakeSource(snapshot_of(trained, live="nothing"), trained)) as pilot:
        assert pilot.app.screen.query_one("#sweeps", Table).key == "3"
