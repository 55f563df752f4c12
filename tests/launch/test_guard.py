"""Everything a supervisor has started ends with it, killed at any instant."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hvdsweep.launch.processes import MARK, Mark, kill_marked
from hvdsweep.process_id import ProcessId
from tests.launch.conftest import wait_for

PROGRAM = """
import os, subprocess, sys, time
from hvdsweep.launch.guard import guarded
from hvdsweep.launch.processes import MARK, Mark
from hvdsweep.process_id import ProcessId

store, started = sys.argv[1:]
with guarded():
    mark = Mark(ProcessId.current(), 1, 1, store)
    child = subprocess.Popen(
        [sys.executable, "-c", started, "of " + store],
        env={**os.environ, MARK: str(mark)},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        preexec_fn=mark.put_on,
    )
    child.stdout.readline()
    print(flush=True)
    if sys.stdin.read() == "crash":
        raise RuntimeError("crashed")
"""
"""A supervisor: a guard, and something started while it watches, which says when it is as it should be."""

WAITS = "import time; print(flush=True); time.sleep(600)"
DEAF = f"import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; {WAITS}"

STARTED = {
    "one that waits": WAITS,
    "one that ignores signals": DEAF,
    "one that is stopped": "import os, signal; print(flush=True); os.kill(os.getpid(), signal.SIGSTOP)",
    "forks that leave their parent and session": (
        "import os, time\nfor _ in range(3):\n if os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n"
        "  print(flush=True); time.sleep(600)"
    ),
    "one without environment": (
        f"import os, sys; os.execve(sys.executable, [sys.executable, '-S', '-c', {WAITS!r}, sys.argv[1]], {{}})"
    ),
    "a chain that forks on and on": (
        "import os, time\nprint(flush=True)\nwhile True:\n if os.fork(): time.sleep(0.02); os._exit(0)\n os.setsid()"
    ),
    "slow starters": (
        "import subprocess, sys, time\nprint(flush=True)\nwhile True:\n"
        f" subprocess.Popen([sys.executable, '-c', {DEAF!r}, sys.argv[1]], stdout=-3); time.sleep(0.3)"
    ),
}
"""What a supervisor may have started when it is killed."""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    begun = []

    def start(started: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "a.db"), started],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()
    assert kill_marked(lambda mark: mark.store == str(tmp_path / "a.db"), within=60) == []


def family(folder: Path) -> list[int]:
    """Pids of what a supervisor has started, found without its mark."""
    return naming(f"of {folder / 'a.db'}")


def naming(word: str) -> list[int]:
    """Pids of the processes with this word on their command line, as a guard has its supervisor's identity."""
    found = []
    for name in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if name.isdigit() and word.encode() in words:
            found.append(int(name))
    return found


@pytest.mark.parametrize("started", STARTED.values(), ids=STARTED)
def test_what_was_started_ends_with_a_killed_supervisor(started: str, supervisor, tmp_path: Path) -> None:
    """Also processes that left their parent and session and ignore signals; then the guard ends too."""
    process = supervisor(started)
    identity = str(ProcessId.of(process.pid))
    process.stdout.readline()
    assert family(tmp_path)
    process.kill()
    wait_for(lambda: not naming(identity), 30)
    # One look may miss the living link of a chain.
    assert [family(tmp_path) for _ in range(30)] == [[]] * 30


def test_a_supervisor_killed_at_any_instant_leaves_nothing(supervisor, tmp_path: Path) -> None:
    """Killed 12 times between its first instruction and a second later."""
    chance = random.Random(7)
    for _ in range(12):
        process = supervisor(STARTED["one that ignores signals"])
        identity = str(ProcessId.of(process.pid))
        time.sleep(chance.uniform(0.0, 1.0))
        process.kill()
        process.wait()
        wait_for(lambda identity=identity: not naming(identity), 30)
        assert family(tmp_path) == []


def test_the_guard_outlives_the_signals_that_end_a_supervisor(supervisor, tmp_path: Path) -> None:
    """It survives SIGKILL to the supervisor's whole process group, as a shell or a scheduler sends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "a.db"), STARTED["one that waits"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    process.stdout.readline()
    wait_for(lambda: family(tmp_path))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not family(tmp_path), 30)


def test_the_guard_leaves_in_good_order(supervisor, tmp_path: Path) -> None:
    """When the supervisor ends normally, the guard ends before it and has killed nothing."""
    process = supervisor(STARTED["one that waits"])
    identity = str(ProcessId.of(process.pid))
    process.communicate(b"")
    assert naming(identity) == []
    assert len(family(tmp_path)) == 1


def test_other_supervisors_are_left_alone(supervisor, tmp_path: Path) -> None:
    """A guard ends what carries its own supervisor's mark and nothing else."""
    mine = Mark(ProcessId.current(), 1, 2, str(tmp_path / "a.db"))
    mine_too = subprocess.Popen(
        [sys.executable, "-c", WAITS, f"of {tmp_path / 'a.db'}"],
        env={**os.environ, MARK: str(mine)},
        stdout=subprocess.DEVNULL,
    )
    process = supervisor(STARTED["one that waits"])
    identity = str(ProcessId.of(process.pid))
    process.stdout.readline()
    wait_for(lambda: len(family(tmp_path)) == 2)
    process.kill()
    wait_for(lambda: not naming(identity), 30)
    assert family(tmp_path) == [mine_too.pid]
    mine_too.kill()
    mine_too.wait()
