"""What an hour of watching a sweep in training costs in memory and time, on a simulated clock.

    python benchmarks/tui_hour.py [--json FILE] [--minutes 60] [--looks 4]

Two gangs train by drawing numbers: in a simulated second both commit 32 further losses in so many commits to a real store, every
simulated minute both end a trial of 2,000 steps and begin the next. The interface looks after every commit, with its rests taken
away: every look reads all that its screen shows. It goes from screen to screen once a minute.
The figures are the process's resident memory once every screen has been seen twice, at the end, its growth per further hour by
least squares over the time between, and milliseconds a look.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.telling import parser_of, tell

os.environ["TEXTUAL_ANIMATIONS"] = "none"

import numpy as np

from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, gang_state, new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import check_text
from tui import questions
from tui.app import HvdsweepApp
from tui.source import Watch
from tui.start import hold_still, tidy_up

SWEEP = """
dataset = "digits"
model = "fc_32"
algorithms = ["sgd", "nesterov_momentum"]
[goal]
metric = "val/classification_error"
value = 0.1
[budget]
steps = 2000
[evaluation]
every = 50
[studies]
batch_sizes = "2^3..2^8"
trials = 12
[search]
learning_rate = { scale = "log", min = 1e-3, max = 10.0 }
momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }
"""

STEPS = 32
"""Losses of one trial in a simulated second."""

SCREENS = ("live", "scaling", "sweeps", "metaparameters", "throughput")


class Clocked:
    """A source that looks when it is told to, at a time it is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self._watch = Watch(path, lambda: self.now)
        self._tell: Callable[[Any], None] = lambda update: None

    def listen(self, tell: Callable[[Any], None]) -> None:
        self._tell = tell

    def ask(self, question: Callable[[Any], Any]) -> Any:
        with open_store(self.path) as reader:
            return question(reader)

    def nudge(self) -> None:
        """It looks often enough."""

    def close(self) -> None:
        self._watch.close()

    def look(self) -> None:
        update = self._watch.look()
        if update is not None:
            self._tell(update)


class Gang:
    """A gang that draws its losses."""

    def __init__(self, path: Path, gang: int) -> None:
        self.writer = TrialWriter(path, gang)
        self.claim = self.writer.commit(None, claim=True).claim
        self.step = 0
        self.random = np.random.default_rng(gang)

    def train(self, more: int) -> None:
        """So many steps more."""
        if self.claim is None:
            return
        first, budget = self.step + 1, int(self.claim.definition["steps"])
        self.step = min(self.step + more, budget)
        steps = np.arange(first, self.step + 1)
        losses = 2.3 * np.exp(-steps / 600) * self.random.uniform(0.7, 1.3, len(steps))
        measured = [
            (int(s), {"val/classification_error": 0.9 * float(np.exp(-s / 500)) + 0.01})
            for s in steps
            if s % 50 == 0
        ]
        final = Final(Status.COMPLETE, StopReason.BUDGET) if self.step == budget else None
        update = TrialUpdate(
            self.claim.trial_id,
            first_step=first,
            losses=losses.astype(np.float32),
            measurements=measured,
            steps=self.step,
            final=final,
        )
        reply = self.writer.commit(update, claim=final is not None)
        if final is not None:
            self.claim, self.step = reply.claim, 0


def resident() -> float:
    """MiB of this process in memory."""
    words = Path("/proc/self/statm").read_text().split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def watch(folder: Path, minutes: int, ticks: int) -> dict[str, float]:
    """All figures."""
    path = folder / "store.db"
    with closing(connect(path, create=True)) as conn:
        sweep = save_plan(conn, make_plan(check_text(SWEEP, "hour.toml", name="hour").loaded)).sweep_id
        begin_run(conn, sweep, np=1, gangs=2)
        started = [new_gang(conn, sweep, np=1) for _ in range(2)]
        for gang_id in started:
            gang_state(conn, gang_id, pid=os.getpid())
        gangs = [Gang(path, gang_id) for gang_id in started]
    # Worst case: every look reads everything its screen shows.
    questions.REST = 0
    source = Clocked(path)
    app = HvdsweepApp(source, place=SCREENS[0], after_load=hold_still, when_still=tidy_up)
    memory, looks = [], []
    async with app.run_test(size=(120, 40)) as pilot:
        for minute, screen in zip(range(minutes), itertools.cycle(SCREENS), strict=False):
            app.go(screen)
            for _ in range(60 * ticks):
                for gang in gangs:
                    gang.train(STEPS // ticks)
                source.now += 1 / ticks
                began = time.perf_counter()
                source.look()
                await pilot.pause()
                await app.workers.wait_for_complete()
                await pilot.pause()
                looks.append(time.perf_counter() - began)
            gc.collect()
            memory.append(resident())
            print(f"{minute + 1:3d} min  {screen:<16}{memory[-1]:8.1f} MiB", file=sys.stderr)
    for gang in gangs:
        gang.writer.close()
    warm = min(2 * len(SCREENS), len(memory) - 1)
    rest = memory[warm:]
    growth = float(np.polyfit(np.arange(len(rest)), rest, 1)[0]) * 60 if len(rest) > 1 else float("nan")
    return {
        "simulated minutes": float(minutes),
        "looks": float(len(looks)),
        "resident after every screen was seen twice: MiB": memory[warm],
        "resident at the end: MiB": memory[-1],
        "growth in a further hour: MiB": growth,
        "a look, drawn: median ms": 1e3 * statistics.median(looks),
    }


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--looks", type=int, default=4, help="in a simulated second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(watch(Path(folder), options.minutes, options.looks))
    tell(figures, options.json)


if __name__ == "__main__":
    main()
