"""The start: little is imported, the first paint has data, and the command hands over what it was given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
HEAVY = {
    "numpy",
    "pandas",
    "scipy",
    "pydantic",
    "matplotlib",
    "tensorflow",
    "keras",
    "horovod",
    "sklearn",
    "sqlite_utils",
}

PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path
from tui.source import StoreSource
source = StoreSource(Path(sys.argv[1])).start()
from tui.app import HvdsweepApp
async def main():
    app = HvdsweepApp(source)
    async with app.run_test(size=(120, 40)) as pilot:
        while app.snapshot is None:
            await pilot.pause(0.05)
        text = "".join(strip.text for strip in app.screen._compositor.render_strips())
    sys.__stdout__.write(json.dumps({"text": text, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
asyncio.run(main())
"""


def test_the_first_screen_needs_nothing_heavy(trained):
    """A drawn Sweeps screen has loaded Textual, but no numpy, pandas, scipy, pydantic, matplotlib or TensorFlow."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(trained)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    found = json.loads(run.stdout)
    assert "digits" in found["text"]
    assert "textual" in found["modules"]
    assert not HEAVY & set(found["modules"])


def test_the_first_paint_of_a_large_store_has_data(tmp_path):
    """1 % of the published database (1,681 trials of 454 studies): the first look is what the first screen shows."""
    from benchmarks.generate import Size, generate
    from tui.source import Watch

    path = tmp_path / "large.db"
    generate(path, Size(trials=1681, rows=16810))
    watch = Watch(path)
    snapshot = watch.look()
    watch.close()
    assert sum(sweep.total for sweep in snapshot.sweeps) == 1681
    assert len(snapshot.sweeps[0].studies) == 454


def test_the_command_starts_the_interface(monkeypatch, tmp_path):
    """`hvdsweep tui --db X --ascii`: the database need not exist; without it the environment, else the default."""
    import tui.start
    from hvdsweep.cli.tui import tui as command

    calls = []
    monkeypatch.setattr(tui.start, "start", lambda path, **options: calls.append((path, options)))
    for arguments, environment in (
        (["--db", "x.db", "--ascii"], {}),
        ([], {"HVDSWEEP_DB": "y.db"}),
        ([], {}),
    ):
        result = CliRunner().invoke(command, arguments, env={"HVDSWEEP_DB": None, **environment})
        assert result.exit_code == 0
    assert calls == [
        (Path("x.db"), {"plain_charts": True}),
        (Path("y.db"), {"plain_charts": False}),
        (Path("hvdsweep.db"), {"plain_charts": False}),
    ]


def test_without_a_terminal_it_says_so(tmp_path):
    """Input or output that is no terminal: one sentence with another way, exit code 2, no screen codes on stdout."""
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from hvdsweep.cli import main; main()",
            "tui",
            "--db",
            str(tmp_path / "x.db"),
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert "needs a terminal" in run.stderr
    assert "status --watch" in run.stderr
