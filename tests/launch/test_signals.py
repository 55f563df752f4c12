"""Signals as gestures of a person."""

from __future__ import annotations

import os
import signal
import time

import pytest

from hvdsweep.launch.signals import StopSignals


def test_signals_in_quick_succession_are_one_gesture() -> None:
    """`uv run` passes on a Ctrl-C that the terminal has sent already: that is one; half a second later it is another."""
    now = [100.0]
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(clock=lambda: now[0]) as signals:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (signals.gestures, signals.name) == (1, "SIGTERM")
        now[0] += 0.6
        os.kill(os.getpid(), signal.SIGHUP)
        assert (signals.gestures, signals.name) == (2, "SIGHUP")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_rest_ends_with_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor of a large sweep sleeps for up to two seconds between its rounds; a signal ends the sleep."""
    now, naps = [100.0], iter((lambda: None, lambda: os.kill(os.getpid(), signal.SIGTERM)))

    def nap(seconds: float) -> None:
        now[0] += seconds
        next(naps)()

    monkeypatch.setattr(time, "sleep", nap)
    with StopSignals(clock=lambda: now[0]) as signals:
        signals.rest(0.05)
        assert now[0] == pytest.approx(100.05)
        signals.rest(5.0)
        assert now[0] < 101


def test_nohup_is_respected() -> None:
    """An ignored SIGHUP stays ignored: that is what nohup asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.gestures == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_a_job_only_ctrl_c_ends_the_wait() -> None:
    """A scheduler and its script each send SIGTERM, maybe seconds apart; elsewhere a second one is a request by the user."""
    now = [100.0]
    with StopSignals(clock=lambda: now[0]) as signals:
        for number, in_job, elsewhere in (
            (signal.SIGTERM, False, False),
            (signal.SIGTERM, False, True),
            (signal.SIGINT, True, True),
        ):
            os.kill(os.getpid(), number)
            assert signals.again(1, in_job=True) == in_job
            assert signals.again(1, in_job=False) == elsewhere
            now[0] += 5
