"""What it costs a sweep that terminal interfaces watch it.

    python benchmarks/watching.py [--json FILE] [--trials 6000] [--steps 1000] [--viewers 3] [--window 4]

One sweep of many short trials trains on one rank of one thread. Its viewers, in pseudo-terminals of 120 by 40 on the Live screen,
are awake and asleep (SIGTSTP, as Ctrl-Z does it) in turns: awake, asleep, asleep, awake, and so on, so that in every block of
four windows the machine's drift, which is larger than what is measured, cancels. The figure is the ratio of the seconds that the
sweep took for the same work, over both windows of a kind, with the standard error of its mean over the blocks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.telling import parser_of, tell
from benchmarks.training import SWEEP

PROGRAM = str(Path(sys.executable).with_name("hvdsweep"))

SETTLE = 0.5
"""Seconds between the signal and the window."""

BLOCK = (True, False, False, True)
"""Whether the viewers are awake in the windows of a block."""


class Window(NamedTuple):
    """A while in which the viewers were awake, or all asleep; unix time."""

    awake: bool
    began: float
    ended: float


@contextlib.contextmanager
def viewer(database: Path) -> Iterator[int]:
    """A terminal interface on the Live screen of `database`; its process."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [PROGRAM, "tui", "--db", str(database)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(slave)

    def drain() -> None:
        with contextlib.suppress(OSError):
            while os.read(master, 65536):
                pass

    threading.Thread(target=drain, daemon=True).start()
    time.sleep(3)
    os.write(master, b"3")
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()
        os.close(master)


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train_watched(
    folder: Path, viewers: int, trials: int, steps: int, window: float
) -> tuple[Path, list[Window], float]:
    """Train the sweep: its database, the windows, and a viewer's share of one core while awake."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store.connection import connect
    from hvdsweep.store.plans import save_plan
    from hvdsweep.sweep.load import load_sweep

    toml, database = folder / "sweep.toml", folder / "sweep.db"
    toml.write_text(SWEEP.format(trials=trials, steps=steps, every=20, batch_sizes=[64]))
    with contextlib.closing(connect(database, create=True)) as connection:
        save_plan(connection, make_plan(load_sweep(toml)))
    launch = [PROGRAM, "launch", "--np", "1", "--threads", "1", "--db", str(database), str(toml)]
    windows: list[Window] = []
    used = 0.0
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(viewer(database)) for _ in range(viewers)]
        training = subprocess.Popen(launch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        awake = True
        while training.poll() is None:
            wanted = BLOCK[len(windows) % len(BLOCK)]
            if wanted != awake:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT if wanted else signal.SIGTSTP)
                awake = wanted
            # Waking paints the whole screen.
            time.sleep(SETTLE)
            before, began = sum(map(processor_seconds, pids)), time.time()
            with contextlib.suppress(subprocess.TimeoutExpired):
                training.wait(window)
            windows.append(Window(awake, began, time.time()))
            used += sum(map(processor_seconds, pids)) - before
    if training.returncode:
        sys.exit("the sweep failed")
    return database, windows, used / viewers / sum(one.ended - one.began for one in windows if one.awake)


def seconds_a_trial(
    spans: Sequence[tuple[float, float]], windows: Sequence[Window]
) -> list[tuple[float, float]]:
    """(watched, alone) of every whole block; `spans` are the trials', one after the other, each trained evenly."""
    times = np.array(spans).ravel()
    done = np.repeat(np.arange(len(spans) + 1), 2)[1:-1]
    blocks = []
    for first in range(0, len(windows) - len(BLOCK) + 1, len(BLOCK)):
        block = windows[first : first + len(BLOCK)]
        if block[0].began < times[0] or block[-1].ended > times[-1]:
            continue
        seconds, work = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
        for awake, began, ended in block:
            seconds[awake] += ended - began
            work[awake] += float(np.diff(np.interp([began, ended], times, done))[0])
        blocks.append((seconds[True] / work[True], seconds[False] / work[False]))
    return blocks


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--trials", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=1000, help="of each trial")
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--window", type=float, default=4.0, help="seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        database, windows, share = train_watched(
            Path(name), options.viewers, options.trials, options.steps, options.window
        )
        with contextlib.closing(sqlite3.connect(database)) as connection:
            # The first trial also compiles.
            spans = connection.execute("SELECT started, ended FROM trials WHERE number > 0").fetchall()
    blocks = seconds_a_trial(sorted(spans), windows)
    ratios = [watched / alone for watched, alone in blocks]
    figures = {
        "blocks of windows": float(len(blocks)),
        "alone: seconds a trial": statistics.fmean(alone for _, alone in blocks),
        f"with {options.viewers} interfaces: seconds a trial": statistics.fmean(seen for seen, _ in blocks),
        "watched / alone": statistics.fmean(ratios),
        "watched / alone, standard error": statistics.stdev(ratios) / len(ratios) ** 0.5,
        "processor time of an interface, share of one core": share,
    }
    tell(figures, options.json)


if __name__ == "__main__":
    main()
