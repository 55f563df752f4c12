"""In a real terminal, by keys alone: a sweep is composed, launched, seen as a curve, left to itself, stopped and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.limits import HANG_SECONDS
from tests.tui.terminal import Terminal
from tui.launching import stop

HVDSWEEP = [sys.executable, "-c", "from hvdsweep.cli import main; main()"]


def sweep_of(db: Path) -> dict[str, Any]:
    """The only sweep of the store, as `hvdsweep status --json` prints it."""
    run = subprocess.run([*HVDSWEEP, "status", "--json", "--db", str(db)], check=True, capture_output=True)
    (sweep,) = json.loads(run.stdout)["sweeps"]
    return dict(sweep)


def wait_for_end(db: Path) -> None:
    """Until its supervisor is gone."""
    deadline = time.monotonic() + HANG_SECONDS
    while sweep_of(db)["live"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.terminal
def test_compose_launch_watch_leave_and_resume(tmp_path: Path):
    """Two batch sizes, two gangs; the scaling curve draws itself while they train; quitting leaves the sweep running; opened
    again it is stopped and resumed, and what was trained stays."""
    db = tmp_path / "hvdsweep.db"
    tui = [*HVDSWEEP, "tui", "--db", str(db)]
    try:
        with Terminal(tui, tmp_path) as terminal:
            terminal.wait_for("No database yet")
            terminal.press("2")
            terminal.wait_for("data set", "✓ a new sweep", "sgd at 8: 6 trials")
            terminal.press(*["Down"] * 8)
            terminal.wait_for("How long a trial trains at most")
            # Long enough to be still in training whenever this test looks, on any machine.
            terminal.press("60000", "Down")
            terminal.wait_for("steps = 60000")
            terminal.press("1000")
            terminal.wait_for("every = 1000")
            terminal.press(*["Down"] * 3)
            terminal.wait_for("Global batch sizes, over all ranks")
            terminal.press("16, 64")
            terminal.wait_for("12 trials", "720,000 steps")
            # To their budget, so that no trial is cut short by a faster one.
            terminal.press(*["Down"] * 13)
            terminal.wait_for("When a trial ends", "stop            beaten")
            terminal.press("Left", "Left")
            terminal.wait_for("stop            budget")
            terminal.press(*["Down"] * 5)
            terminal.wait_for("Horovod ranks of one trial (--np)")
            terminal.press("1", "Down")
            terminal.wait_for("Trials trained at the same time (--gangs)")
            terminal.press("2", "C-l")
            terminal.wait_for("Save and launch", "A new sweep; 12 trials, 2 trials at a time on 1 rank each.")
            terminal.press("Enter")
            terminal.wait_for("Trials  Logs  Events", "digits starts as process")
            terminal.wait_for("● training", "✓ complete")
            terminal.press("4")
            terminal.wait_for("steps to the goal", "perfect scaling", "max useful", "64 ")
            terminal.press("q")
            terminal.wait_for("ENDED 0")
        written = tomllib.loads((tmp_path / "digits.toml").read_text())
        assert written["studies"]["batch_sizes"] == [16, 64]
        assert written["budget"] == {"steps": 60000}
        left = sweep_of(db)
        assert left["state"] == "RUNNING"
        assert left["live"]
        assert left["trials"]["COMPLETE"] >= 1
        with Terminal(tui, tmp_path) as terminal:
            terminal.wait_for("digits", "● running")
            terminal.press("x")
            terminal.wait_for("digits", "○ stopped")
            stopped = sweep_of(db)
            assert stopped["trials"]["COMPLETE"] >= left["trials"]["COMPLETE"]
            terminal.press("2")
            terminal.wait_for("data set", "✓ ")
            terminal.press("C-o")
            terminal.wait_for("Sweeps of this database")
            terminal.press("digits.toml", "Enter")
            terminal.wait_for("✓ resumes sweep 1", "digits.toml")
            terminal.press("C-l")
            terminal.wait_for("Trials  Logs  Events", "● running")
            terminal.press("q")
            terminal.wait_for("ENDED 0")
            resumed = sweep_of(db)
            assert resumed["trials"]["COMPLETE"] >= stopped["trials"]["COMPLETE"]
    finally:
        if db.exists() and sweep_of(db)["live"]:
            stop(db, 1)
            wait_for_end(db)
