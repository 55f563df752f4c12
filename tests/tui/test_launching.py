"""Starting sweeps from the interface: the right command line, a separate process, and a message when it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.sweep.load import Overrides, load_sweep
from hvdsweep.sweep.restore import stored_sweep
from tests.tui.stores import SWEEP
from tui import launching
from tui.launching import Changes, arguments_of, delete, extent_of, spawn, stop


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sweep file: 2 workloads, batch sizes 16, 64 and 256, 4 trials each."""
    path = tmp_path / "digits.toml"
    path.write_text(SWEEP)
    return path


def saved(db: Path, file: Path, overrides: Overrides | None = None) -> int:
    """The id of the sweep that launching `file` with these options makes."""
    with closing(connect(db, create=True)) as conn:
        return save_plan(conn, make_plan(load_sweep(file, overrides))).sweep_id


def launched(db: Path, arguments: list[str]) -> int:
    """The id of the sweep that these arguments of `hvdsweep launch` mean, read by the command's own parser."""
    import click

    from hvdsweep.cli.launch import launch
    from hvdsweep.cli.options import trials_of

    given = launch.make_context(
        "launch", [*arguments[1:], "--db", str(db)], parent=click.Context(launch)
    ).params
    assert given["workloads"] == ()
    overrides = Overrides(trials_of(given["trials"]), given["batch_sizes"])
    (sweep,) = given["sweeps"]
    with closing(connect(db)) as conn:
        return save_plan(conn, make_plan(stored_sweep(db, sweep, overrides))).sweep_id


CASES = {
    "as the file says": Overrides(),
    "fewer trials": Overrides(trials=2),
    "other batch sizes": Overrides(batch_sizes="8,32"),
    "another seed": Overrides(seed=5),
    "other steps": Overrides(steps=50),
    "another end": Overrides(stop="goal"),
    "all of it": Overrides(trials=1, batch_sizes="8", steps=50, stop="goal", seed=3),
}


@pytest.mark.parametrize("case", CASES)
def test_continuing_means_the_very_same_sweep(tmp_path, file, case):
    """However a sweep was launched, and though its file is gone: the same sweep continues, and no trial is added or lost."""
    db = tmp_path / "a.db"
    sweep = saved(db, file, CASES[case])
    file.unlink()
    with open_store(db) as reader:
        before = reader.trials().total
    assert launched(db, arguments_of(sweep, Changes(np=2, gangs=3))) == sweep
    with open_store(db) as reader:
        assert reader.trials().total == before


def test_extending_adds_and_keeps(tmp_path, file):
    """More trials and batch sizes, or trials of one batch size, are the same sweep, grown."""
    db = tmp_path / "a.db"
    sweep = saved(db, file, Overrides(trials=2))
    more = Changes(trials=6, batch_sizes=(16, 64, 256, 512))
    assert launched(db, arguments_of(sweep, more)) == sweep
    with open_store(db) as reader:
        assert extent_of(sweep, reader).trials == dict.fromkeys((16, 64, 256, 512), 6)
        assert reader.trials().total == 2 * 4 * 6
    assert launched(db, arguments_of(sweep, Changes(trials={"64": 9}))) == sweep
    with open_store(db) as reader:
        assert extent_of(sweep, reader).trials == {16: 6, 64: 9, 256: 6, 512: 6}
        assert reader.trials().total == 2 * (4 * 6 + 3)


def test_a_sweep_that_is_gone(tmp_path, file):
    """Both the dialog and the command name what is missing."""
    db = tmp_path / "a.db"
    saved(db, file)
    with open_store(db) as reader, pytest.raises(UserError, match="not in the database any more"):
        extent_of(99, reader)
    with pytest.raises(UserError, match="sweep 99: there is no such sweep"):
        stored_sweep(db, 99)


def program(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let another program stand for `hvdsweep`."""
    monkeypatch.setattr(launching, "command_of", lambda arguments: [sys.executable, "-c", code, *arguments])


def test_a_launch_is_a_process_of_its_own(tmp_path, monkeypatch):
    """It has its own session and no terminal, gets the arguments, writes to a log next to the database, and outlives a
    SIGHUP or SIGINT to ours; its end is shown with its last lines."""
    code = (
        "import os, sys; print('session', os.getsid(0) == os.getpid(), sys.stdin.read() == '', *sys.argv[1:]);"
        " print('TEXTUAL_X' in os.environ); sys.exit(3)"
    )
    program(monkeypatch, code)
    monkeypatch.setenv("TEXTUAL_X", "1")
    ended = threading.Event()
    told: list[object] = []

    def tell(exit_code: int, words: str) -> None:
        told.extend((exit_code, words))
        ended.set()

    started = spawn(tmp_path / "a.db", ["launch", "digits.toml", "--np", "2"], tell)
    assert ended.wait(30)
    said = started.log.read_text().splitlines()
    assert said[1:] == [f"session True True launch --db {tmp_path}/a.db digits.toml --np 2", "False"]
    assert said[0].startswith("$ ")
    assert told == [3, "\n".join(said[1:])]
    assert started.log.parent == Path(f"{tmp_path}/a.db.logs")


def test_killing_the_interface_leaves_the_launch_running(tmp_path, monkeypatch):
    """A process that starts a launch and is then killed: the launch still runs."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tui import launching
launching.command_of = lambda arguments: [sys.executable, "-c", "import sys, time; print('up', flush=True); time.sleep(60)"]
print(launching.spawn(Path({str(tmp_path / "a.db")!r}), ["launch"]).pid, flush=True)
sys.stdin.read()
"""
    import subprocess

    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        os.kill(child, 0)
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        assert state in "SRD"
    finally:
        os.kill(child, signal.SIGKILL)
    parent.stdin.close()
    parent.stdout.close()


def test_a_program_that_cannot_be_started_is_an_error(tmp_path, monkeypatch):
    """RunFailed, not an OSError."""
    monkeypatch.setattr(launching, "command_of", lambda arguments: [str(tmp_path / "nowhere")])
    with pytest.raises(RunFailed, match="could not be started"):
        spawn(tmp_path / "a.db", ["launch"])


def test_the_command_is_the_hvdsweep_that_runs_now():
    """The one next to this Python, so that a virtual environment need not be active."""
    command = launching.command_of(["launch", "x.toml"])
    assert command[0].startswith(str(Path(sys.executable).parent))
    assert command[-2:] == ["launch", "x.toml"]


def test_a_sweep_starts_with_what_the_arguments_say(tmp_path, file, monkeypatch):
    """From sweep to process: its number and the options reach the command."""
    program(monkeypatch, "import sys; print(*sys.argv[1:])")
    db = tmp_path / "a.db"
    sweep = saved(db, file)
    ended = threading.Event()
    started = spawn(
        db, arguments_of(sweep, Changes(np=2, gangs=1, trials=5)), lambda code, words: ended.set()
    )
    assert ended.wait(30)
    assert f"launch --db {db} --sweep {sweep} --trials 5 --np 2 --gangs 1" in started.log.read_text()


def test_stop_and_delete_go_through_the_store(tmp_path, file):
    """A request to stop is written to the store; a deleted sweep is gone with its trials."""
    db = tmp_path / "a.db"
    sweep = saved(db, file)
    stop(db, sweep)
    with open_store(db) as reader:
        assert reader.sweeps()[0].request == "stop"
    assert delete(db, sweep) == 24
    with open_store(db) as reader:
        assert reader.sweeps() == []
        assert reader.trials().total == 0
