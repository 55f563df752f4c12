"""From the command to the first paint, as fast as possible."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from hvdsweep.errors import UserError
from tui.source import StoreSource

COLLECTING = (2_000, 5, 400)
"""Objects, and collections of younger ones, between collections of the garbage collector's three generations."""

ENOUGH = 40
"""Collections of the middle generation after which the oldest is collected as soon as the interface is idle. That takes 30 ms
with many workloads loaded: too long between a key and its effect."""


def hold_still() -> None:
    """Enable garbage collection, but exclude all existing objects: going through those of modules and screens takes 50 ms
    each time, which is visible while a table scrolls."""
    gc.freeze()
    gc.set_threshold(*COLLECTING)
    gc.enable()


def tidy_up() -> None:
    """Collect the oldest generation, if it may have grown large."""
    if gc.get_count()[2] >= ENOUGH:
        gc.collect()


def start(path: Path, *, plain_charts: bool = False) -> None:
    """Run the interface over the database at `path` until it is left. UserError if there is no terminal."""
    # Served in a browser it talks to a pipe, through a driver that the environment names.
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        raise UserError(
            "hvdsweep tui: needs a terminal for its input and output. `hvdsweep status --watch` prints what happens, with --json "
            "for programs."
        )
    if os.environ.get("TERM") == "dumb" and "TEXTUAL_DRIVER" not in os.environ:
        raise UserError(
            "hvdsweep tui: TERM=dumb names a terminal without cursor and colours, which cannot show the interface. Use another "
            "terminal, or `hvdsweep status --watch`."
        )
    # Collecting while modules load finds nothing and costs a tenth of the start.
    gc.disable()
    source = StoreSource(path.absolute()).start()
    from tui.app import HvdsweepApp
    from tui.memory import memory_file

    app = HvdsweepApp(
        source,
        memory_file=memory_file(),
        plain_charts=plain_charts,
        after_load=hold_still,
        when_still=tidy_up,
    )
    app.run()
