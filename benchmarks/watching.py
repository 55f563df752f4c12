"""What it costs a sweep that terminal interfaces watch it.

    python benchmarks/watching.py [--json FILE] [--trials 400] [--steps 2500] [--viewers 3] [--window 5]

One sweep of many short trials trains on one rank of one thread. Its viewers, in pseudo-terminals of 120 by 40 on the Live screen,
are awake for some seconds and asleep (SIGTSTP, as Ctrl-Z does it) for as long, in turns, so that every window with them has one
without them beside it: the machine's own drift, which is larger than what is measured, cancels. The figure is the ratio of the
mean seconds a trial took, over trials wholly inside a window, with the standard error of the mean over pairs of windows.
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

from benchmarks.telling import parser_of, tell
from benchmarks.training import SWEEP

PROGRAM = str(Path(sys.executable).with_name("hvdsweep"))

SETTLE = 0.5
"""Seconds between the signal and the window."""

Window = tuple[float, float]
"""Begin and end, unix time."""


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
) -> tuple[Path, list[Window], list[Window], float]:
    """Train the sweep: its database, the windows with and without viewers, and a viewer's share of one core while awake."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store import connect, save_plan
    from hvdsweep.sweep import load_sweep

    toml, database = folder / "sweep.toml", folder / "sweep.db"
    toml.write_text(SWEEP.format(trials=trials, steps=steps))
    with contextlib.closing(connect(database, create=True)) as connection:
        save_plan(connection, make_plan(load_sweep(toml)))
    launch = [PROGRAM, "launch", "--np", "1", "--threads", "1", "--db", str(database), str(toml)]
    awake: list[Window] = []
    alone: list[Window] = []
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(viewer(database)) for _ in range(viewers)]
        training = subprocess.Popen(launch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = sum(map(processor_seconds, pids))
        while training.poll() is None:
            number, windows = (signal.SIGCONT, awake) if len(awake) <= len(alone) else (signal.SIGTSTP, alone)
            for pid in pids:
                os.kill(pid, number)
            # Waking paints the whole screen.
            time.sleep(SETTLE)
            began = time.time()
            with contextlib.suppress(subprocess.TimeoutExpired):
                training.wait(window)
            windows.append((began, time.time()))
        used = sum(map(processor_seconds, pids)) - before
    if training.returncode:
        sys.exit("the sweep failed")
    return database, awake, alone, used / viewers / sum(end - began for began, end in awake)


def seconds_a_trial(spans: Sequence[Window], window: Window) -> float | None:
    """Mean over the trials that began and ended inside the window; None without any."""
    began, ended = window
    inside = [end - start for start, end in spans if began <= start and end <= ended]
    return statistics.fmean(inside) if inside else None


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--steps", type=int, default=2500, help="of each trial")
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--window", type=float, default=5.0, help="seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        database, awake, alone, share = train_watched(
            Path(name), options.viewers, options.trials, options.steps, options.window
        )
        with contextlib.closing(sqlite3.connect(database)) as connection:
            # The first trial also compiles.
            spans = connection.execute("SELECT started, ended FROM trials WHERE number > 0").fetchall()
    pairs = [
        (seen, free)
        for one, other in zip(awake, alone, strict=False)
        if (seen := seconds_a_trial(spans, one)) and (free := seconds_a_trial(spans, other))
    ]
    ratios = [seen / free for seen, free in pairs]
    figures = {
        "pairs of windows": float(len(pairs)),
        "alone: seconds a trial": statistics.fmean(free for _, free in pairs),
        f"with {options.viewers} interfaces: seconds a trial": statistics.fmean(seen for seen, _ in pairs),
        "watched / alone": statistics.fmean(ratios),
        "watched / alone, standard error": statistics.stdev(ratios) / len(ratios) ** 0.5,
        "processor time of an interface, share of one core": share,
    }
    tell(figures, options.json)


if __name__ == "__main__":
    main()
