"""Processes are identified by values that no system clock can change."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time

import pytest

from hvdsweep.process_id import ProcessId, stat_of


@pytest.fixture
def child():
    """A process that waits for its stdin to close."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_an_identity_survives_being_written():
    """PID:START:BOOT@HOST is read back as it was; anything else is refused."""
    me = ProcessId.current()
    assert ProcessId.parse(str(me)) == me
    for wrong in ("", "12@host", "12:13@host", "12:13:b", "a:b:c@host", "12:13:b@", "1:2:3:4@host"):
        with pytest.raises(ValueError, match=r".+"):
            ProcessId.parse(wrong)


def test_a_process_is_not_mistaken_for_its_successor(child):
    """The same pid with another start is another process; an ended one and a zombie are not alive."""
    me = ProcessId.current()
    assert me.alive()
    assert not dataclasses.replace(me, start=me.start + 1).alive()
    found = ProcessId.of(child.pid)
    assert found.alive()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert stat_of(child.pid).state == "Z"
    assert not found.alive(), "a zombie"
    child.wait()
    assert not found.alive()
    with pytest.raises(ProcessLookupError):
        ProcessId.of(child.pid)


@pytest.mark.parametrize("step", [-30 * 86400.0, -3600.0, -60.0, 60.0, 3600.0, 30 * 86400.0])
def test_setting_the_clock_changes_no_identity(step, monkeypatch):
    """Whatever the clock of day says, a process keeps its identity and stays alive."""
    before = ProcessId.current()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + step)
    assert ProcessId.current() == before
    assert before.alive()


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot": "0123456789ab-4026531836"}, {"boot": ""}])
def test_a_pid_of_another_machine_boot_or_container_means_nothing_here(change):
    """Only a process of this machine, boot and PID namespace can be looked up by its pid."""
    me = ProcessId.current()
    assert me.is_visible
    assert not dataclasses.replace(me, **change).is_visible
