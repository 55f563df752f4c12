"""Signals as gestures of a person."""

from __future__ import annotations

import os
import signal

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


def test_nohup_is_respected() -> None:
    """An ignored SIGHUP stays ignored: that is what nohup asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.gestures == 0
    finally:
        signal.signal(signal.SIGHUP, before)
