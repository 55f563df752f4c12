"""What watching costs training: the same sweep alone, and with three terminal interfaces open on its database.

    python benchmarks/watching.py [--json FILE] [--turns 3] [--viewers 3]

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
TRIALS, STEPS = 60, 1500


@contextlib.contextmanager
def viewer(database: Path) -> Iterator[None]:
    """A terminal interface on the Live screen of `database`."""
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
        yield
    finally:
        process.terminate()
        process.wait()
        os.close(master)


def seconds(folder: Path, viewers: int) -> float:
    """First claim to last commit of the sweep, with so many viewers from before the first claim."""
    toml, database = folder / "sweep.toml", folder / "sweep.db"
    toml.write_text(SWEEP.format(trials=TRIALS, steps=STEPS))
    # The store exists before the viewers come, so that they watch it from the first trial on.
    launch = [PROGRAM, "launch", "--np", "1", "--threads", "1", "--db", str(database), str(toml)]
    with contextlib.ExitStack() as stack:
        process = subprocess.Popen(launch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not database.exists():
            time.sleep(0.1)
        for _ in range(viewers):
            stack.enter_context(viewer(database))
        if process.wait():
            sys.exit("the sweep failed")
    first, last = sqlite3.connect(database).execute("SELECT min(started), max(ended) FROM trials").fetchone()
    return float(last - first)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=3)
    options = parser.parse_args()
    alone, watched = [], []
    with tempfile.TemporaryDirectory() as name:
        for turn in range(options.turns):
            for viewers, kept in ((0, alone), (options.viewers, watched)):
                folder = Path(name) / f"{turn}-{viewers}"
                folder.mkdir()
                kept.append(seconds(folder, viewers))
    figures = {
        "alone: seconds": statistics.median(alone),
        f"with {options.viewers} interfaces open: seconds": statistics.median(watched),
        "watched / alone": statistics.median(w / a for w, a in zip(watched, alone, strict=True)),
    }
    for title, value in figures.items():
        print(f"{title:<44}{value:>10.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
