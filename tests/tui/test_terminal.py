"""The interface in a real terminal, on a real sweep: from no database to a sweep that continues after leaving it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.limits import HANG_SECONDS
from tests.tui.terminal import Terminal

HVDSWEEP = [sys.executable, "-c", "from hvdsweep.cli import main; main()"]

QUICK = """
dataset = "digits"
model = "fc_16"
algorithm = "sgd"
[goal]
metric = "val/classification_error"
value = 0.3
[budget]
steps = 100
[evaluation]
every = 10
[studies]
batch_sizes = [16, 64]
trials = 2
[search]
learning_rate = { scale = "log", min = 0.03, max = 1.0 }
"""


@pytest.mark.terminal
def test_watch_extend_leave_and_come_back(tmp_path: Path):
    """Opened before there is a database; a sweep launched elsewhere appears by itself; extended from here it
    continues when the interface is left, and is complete when it is opened again."""
    (tmp_path / "quick.toml").write_text(QUICK)
    db = tmp_path / "hvdsweep.db"
    with Terminal([*HVDSWEEP, "tui", "--db", str(db)], tmp_path) as terminal:
        terminal.wait_for("No database yet", "this screen fills by itself")
        subprocess.run(
            [*HVDSWEEP, "launch", "quick.toml", "--db", str(db)],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=HANG_SECONDS,
        )
        terminal.wait_for("quick", "✓ done", "4/4")
        terminal.press("3")
        terminal.wait_for("✓ complete", "Loss of the selected trial")
        terminal.press("Enter")
        terminal.wait_for("Trial 1", "Metaparameters", "learning rate")
        terminal.press("Escape")
        terminal.wait_for("Trials  Logs  Events")
        terminal.press("1")
        terminal.wait_for("What happened")
        terminal.press("t")
        terminal.wait_for("Extend quick", "trials per study")
        terminal.press("3", "Enter")
        terminal.wait_for("● running")
        terminal.press("q")
        terminal.wait_for("ENDED 0")
    deadline = time.monotonic() + HANG_SECONDS
    while True:
        shown = subprocess.run(
            [*HVDSWEEP, "status", "--json", "--db", str(db)], check=True, capture_output=True
        )
        (sweep,) = json.loads(shown.stdout)["sweeps"]
        if sweep["state"] == "DONE":
            break
        assert sweep["state"] in ("IDLE", "RUNNING"), sweep
        assert time.monotonic() < deadline, sweep
        time.sleep(0.5)
    assert sweep["trials"]["COMPLETE"] == 6
    with Terminal([*HVDSWEEP, "tui", "--db", str(db)], tmp_path, size=(80, 24)) as terminal:
        terminal.wait_for("quick", "✓ done", "6/6")
        terminal.press("q")
        terminal.wait_for("ENDED 0")
