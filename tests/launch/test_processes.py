"""Processes are identified, found by their mark, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hvdsweep.launch.processes import (
    MARK,
    Mark,
    catches,
    end_with_parent,
    kill_marked,
    marked,
    send,
)
from hvdsweep.process_id import ProcessId
from tests.launch.conftest import wait_for
from tests.limits import HANG_SECONDS

WAIT = "import time; time.sleep(600)"


def mark_for(path: Path, gang: int = 1) -> Mark:
    return Mark(ProcessId.current(), 1, gang, str(path))


def start(code: str, mark: Mark | None = None, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **({MARK: str(mark)} if mark else {})}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, **options)  # type: ignore[call-overload, no-any-return]


def test_a_mark_survives_being_written(tmp_path: Path) -> None:
    """Also where the database's path has spaces."""
    mark = mark_for(tmp_path / "a b.db")
    assert Mark.parse(str(mark)) == mark


def test_marked_processes_are_found_with_all_they_start(tmp_path: Path) -> None:
    """A child that leaves session and environment behind is found through its parent; other gangs' processes are not."""
    mark, other = mark_for(tmp_path, 1), mark_for(tmp_path, 2)
    run = f"[sys.executable, '-c', {WAIT!r}], env={{}}, start_new_session=True"
    child = f"import subprocess, sys; subprocess.Popen({run}); {WAIT}"
    one, two = start(child, mark), start(WAIT, other)
    try:
        wait_for(lambda: len(marked(lambda found: found == mark)) == 2)
        found = marked(lambda found: found == mark)
        assert one.pid in found
        assert two.pid not in found
        assert kill_marked(lambda found: found == mark) == []
        assert marked(lambda found: found == mark) == []
        assert two.poll() is None
    finally:
        send([one.pid, two.pid], signal.SIGKILL)
        kill_marked(lambda found: found in (mark, other))
        one.wait()
        two.wait()


def test_stopped_and_deaf_processes_are_ended(tmp_path: Path) -> None:
    """SIGKILL reaches what is stopped and what ignores SIGTERM."""
    mark = mark_for(tmp_path)
    deaf = start(
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); {WAIT}",
        mark,
        stdout=subprocess.PIPE,
    )
    assert deaf.stdout is not None
    deaf.stdout.readline()
    deaf.send_signal(signal.SIGSTOP)
    assert kill_marked(lambda found: found == mark) == []
    assert deaf.wait() == -signal.SIGKILL


def test_a_child_follows_its_parent() -> None:
    """Whatever ends the parent, SIGKILL included, the child prepared with `end_with_parent` gets its signal."""
    code = (
        "import os, subprocess, sys; from hvdsweep.launch.processes import end_with_parent;"
        "follow = dict(preexec_fn=end_with_parent(os.getpid()), start_new_session=True);"
        f"child = subprocess.Popen([sys.executable, '-c', {WAIT!r}], **follow); print(child.pid, flush=True); {WAIT}"
    )
    parent = start(code, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = ProcessId.of(int(parent.stdout.readline()))
    assert child.alive()
    parent.kill()
    parent.wait()
    wait_for(lambda: not child.alive())


def test_a_child_whose_parent_is_gone_does_not_start() -> None:
    """The parent may die before the child has asked for the signal."""
    process = subprocess.Popen([sys.executable, "-c", WAIT], preexec_fn=end_with_parent(os.getpid() + 1))
    assert process.wait(timeout=HANG_SECONDS) == 1


def test_handlers_are_seen_from_outside() -> None:
    """A process with a handler for SIGUSR1 is distinguished from one that the signal would kill."""
    process = start(
        f"import faulthandler, signal; faulthandler.register(signal.SIGUSR1); print(flush=True); {WAIT}",
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert catches(process.pid, signal.SIGUSR1)
    assert not catches(process.pid, signal.SIGUSR2)
    process.kill()
    process.wait()
    assert not catches(process.pid, signal.SIGUSR1)
