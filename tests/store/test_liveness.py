"""A live run is never taken for a dead one, nor a dead one for a live one, however clocks are set.

To add a case: a clock's step to STEPS, a kind of process to `ELSEWHERE`.
"""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.opening import open_store
from hvdsweep.process_id import ProcessId
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, delete_sweep, end_run, heartbeat, sign_in
from hvdsweep.store.liveness import SILENT_SECONDS, WATCH_SECONDS, Heartbeats, TakenOver, is_at_work, vacant

from .plans import gang

DONE = Final(Status.COMPLETE, StopReason.BUDGET)

STEPS = (-30 * 86400.0, -3600.0, -60.0, 0.0, 60.0, 3600.0, 30 * 86400.0)
"""Seconds by which the system clock is changed."""

ME = ProcessId.current()
ELSEWHERE = {
    "another host": dataclasses.replace(ME, host="elsewhere"),
    "another boot": dataclasses.replace(ME, boot="0123456789ab-1"),
    "another container": dataclasses.replace(ME, boot=ME.boot.partition("-")[0] + "-1"),
}


class Clock:
    """A clock that only waiting moves; `wakes` is called at every wait."""

    def __init__(self, wakes=lambda: None) -> None:
        self.now = 0.0
        self.wakes = wakes

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.wakes()


@pytest.fixture
def ended() -> ProcessId:
    """A process of this machine that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = ProcessId.of(process.pid)
    process.communicate()
    return identity


def sign(conn: sqlite3.Connection, process: ProcessId, heartbeat: float | None = None) -> None:
    conn.execute("BEGIN IMMEDIATE")
    sign_in(conn, 1, process, time.time() if heartbeat is None else heartbeat)
    conn.execute("COMMIT")


@pytest.mark.parametrize("step", STEPS)
def test_a_live_run_here_is_live_whatever_the_clock_says(planned: Path, look, step, monkeypatch):
    """A clock set forward or back after a run began neither makes it look killed nor admits a second launch."""
    begin_run(look, 1, np=1, gangs=1)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + step)
    assert is_at_work(look, 1)
    with open_store(planned) as reader:
        assert reader.sweeps()[0].live
    with pytest.raises(TakenOver, match=f"process {os.getpid()} on"), vacant(look, 1):
        pass


@pytest.mark.parametrize("step", STEPS)
def test_a_dead_run_here_is_dead_whatever_its_heartbeat_says(planned: Path, look, step, ended):
    """A heartbeat from the future keeps no sweep from being launched."""
    sign(look, ended, time.time() + step)
    assert not is_at_work(look, 1)
    with open_store(planned) as reader:
        assert not reader.sweeps()[0].live
    with vacant(look, 1):
        pass


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("process", ELSEWHERE.values(), ids=ELSEWHERE)
def test_elsewhere_a_heartbeat_that_stands_still_is_death(planned: Path, look, step, process):
    """Whatever its value: after WATCH_SECONDS without a change, by this machine's clock, the sweep is free. The wait
    is announced."""
    sign(look, process, time.time() + step)
    clock, heard = Clock(), []
    assert not is_at_work(look, 1, watch=heard.append, sleep=clock.sleep, clock=clock)
    assert clock.now == pytest.approx(WATCH_SECONDS, abs=1)
    assert [str(other) for other in heard] == [f"process {process.pid} on {process.host}"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("process", ELSEWHERE.values(), ids=ELSEWHERE)
def test_elsewhere_a_heartbeat_that_changes_is_life(planned: Path, look, step, process):
    """Whatever its value: the first change is enough."""
    heartbeat = time.time() + step
    sign(look, process, heartbeat)

    def beats() -> None:
        look.execute("UPDATE sweeps SET heartbeat = ? WHERE id = 1", (heartbeat + clock.now,))

    clock = Clock(beats)
    assert is_at_work(look, 1, sleep=clock.sleep, clock=clock)
    assert clock.now < 2


def test_one_that_signs_out_while_it_is_watched_is_gone(planned: Path, look):
    """The end of a run elsewhere is no sign of life."""
    sign(look, ELSEWHERE["another host"])
    clock = Clock(lambda: end_run(look, 1, "IDLE"))
    assert not is_at_work(look, 1, sleep=clock.sleep, clock=clock)


def test_a_launch_that_registers_between_look_and_lock_is_seen(planned: Path, look, ended, monkeypatch):
    """Two launches that both found the sweep free: the second one is refused."""
    sign(look, ended)
    other = connect(planned)
    from hvdsweep.store import liveness

    real = liveness.transaction

    def late(conn):
        monkeypatch.setattr(liveness, "transaction", real)
        begin_run(other, 1, np=1, gangs=1)
        return real(conn)

    monkeypatch.setattr(liveness, "transaction", late)
    with pytest.raises(TakenOver), vacant(look, 1):
        pass
    other.close()


def test_a_run_that_was_taken_over_notices_and_leaves_the_row_alone(planned: Path, look):
    """If another machine has taken the sweep over during a suspension, the next heartbeat and the end of the run
    write nothing."""
    begin_run(look, 1, np=1, gangs=1)
    sign(look, ELSEWHERE["another host"], 1.0)
    with pytest.raises(TakenOver, match="on elsewhere"):
        heartbeat(look, 1, ME)
    end_run(look, 1, "FAILED", "internal", ME)
    assert look.execute("SELECT state, heartbeat, supervisor FROM sweeps WHERE id = 1").fetchone() == (
        "RUNNING",
        1.0,
        str(ELSEWHERE["another host"]),
    )


def test_what_is_being_trained_elsewhere_is_not_deleted(planned: Path, look, monkeypatch):
    """Deleting asks in the same way as launching."""
    sign(look, ME)
    from hvdsweep.errors import RunFailed

    with pytest.raises(RunFailed, match="being trained"):
        delete_sweep(look, 1)


def test_a_viewer_counts_silence_on_its_own_clock():
    """At first sight the age by the clock of day, never less than none; afterwards only changes of the heartbeat count."""
    clock = Clock()
    seen = Heartbeats(clock)
    assert seen.lives(1, 1000.0, 1000.0 + SILENT_SECONDS / 2)
    clock.now += SILENT_SECONDS / 2 + 1
    assert not seen.lives(1, 1000.0, 1000.0)
    assert seen.lives(1, 1001.0, 0.0), "it changed"
    assert not seen.lives(2, 1000.0, 1001.0 + SILENT_SECONDS)
    future = 1000.0 + 30 * 86400
    assert seen.lives(3, future, 1000.0)
    clock.now += SILENT_SECONDS
    assert not seen.lives(3, future, 1000.0), "a heartbeat from the future is not life for ever"


def test_a_store_of_the_first_version_is_read_as_it_is(planned: Path, look):
    """Without the column a pid of this host decides."""
    begin_run(look, 1, np=1, gangs=1)
    look.execute("ALTER TABLE sweeps DROP COLUMN supervisor")
    look.execute("PRAGMA user_version = 1")
    with open_store(planned) as reader:
        assert reader.sweeps()[0].live


@pytest.mark.parametrize("step", STEPS)
def test_a_trial_takes_the_time_that_it_takes(planned: Path, look, step, monkeypatch):
    """A clock set while a trial trains changes neither its seconds nor those before its checkpoint."""
    now, running = time.time(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: running[0])
    monkeypatch.setattr(time, "time", lambda: now + running[0] + (step if running[0] else 0.0))
    with gang(planned) as writer:
        trial = writer.commit(None, claim=True).claim.trial_id
        running[0] = 8.5
        writer.commit(TrialUpdate(trial, np.ones(20), 20, checkpoint=(20, time.time())), claim=False)
        ((saved,),) = look.execute("SELECT checkpoint_seconds FROM trials WHERE id = ?", (trial,))
        running[0] = 10.5
        writer.commit(TrialUpdate(trial, np.ones(20), 40, 21, final=DONE), claim=False)
    ((seconds,),) = look.execute("SELECT ended - started FROM trials WHERE id = ?", (trial,))
    assert (saved, seconds) == (pytest.approx(8.5, abs=1e-3), pytest.approx(10.5, abs=1e-3))
