"""What watching costs training: the same sweep alone, and with three terminal interfaces open on its database.

    python benchmarks/watching.py [--json FILE] [--turns 3] [--viewers 3] [--steps 5000]

Runs alternate (alone, watched, alone, ...) so that both see the same machine; the figure is the median ratio of the seconds from
the first claim to the last commit. The viewers run in pseudo-terminals of 120 by 40 and show the Live screen.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from training import SWEEP

PROGRAM = str(Path(sys.executable).with_name("hvdsweep"))
TRIALS = 60


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
        process.terminate()
        process.wait()
        os.close(master)


def seconds(folder: Path, viewers: int, steps: int) -> tuple[float, float]:
    """First claim to last commit of the sweep, with so many viewers from before the first claim; and the viewers' processor
    time meanwhile."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store import connect, save_plan
    from hvdsweep.sweep import load_sweep

    toml, database = folder / "sweep.toml", folder / "sweep.db"
    toml.write_text(SWEEP.format(trials=TRIALS, steps=steps))
    # The store exists before the viewers come, so that they have started before the first trial does.
    with contextlib.closing(connect(database, create=True)) as connection:
        save_plan(connection, make_plan(load_sweep(toml)))
    launch = [PROGRAM, "launch", "--np", "1", "--threads", "1", "--db", str(database), str(toml)]
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(viewer(database)) for _ in range(viewers)]
        before = sum(map(processor_seconds, pids))
        subprocess.run(launch, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        used = sum(map(processor_seconds, pids)) - before
    first, last = sqlite3.connect(database).execute("SELECT min(started), max(ended) FROM trials").fetchone()
    return float(last - first), used


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5000, help="of each of the 60 trials")
    options = parser.parse_args()
    alone: list[float] = []
    watched: list[float] = []
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        for turn in range(options.turns):
            for viewers, kept in ((0, alone), (options.viewers, watched)):
                folder = Path(name) / f"{turn}-{viewers}"
                folder.mkdir()
                taken, used = seconds(folder, viewers, options.steps)
                kept.append(taken)
                if viewers:
                    shares.append(used / taken / viewers)
                print(f"turn {turn}, {viewers} viewers: {taken:.2f} s", flush=True)
    figures = {
        "alone: seconds": statistics.median(alone),
        f"with {options.viewers} interfaces open: seconds": statistics.median(watched),
        "processor time of an interface, share of one core": statistics.median(shares),
        "watched / alone": statistics.median(w / a for w, a in zip(watched, alone, strict=True)),
    }
    for title, value in figures.items():
        print(f"{title:<54}{value:>10.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
