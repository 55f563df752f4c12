"""From the command to the first paint, as fast as may be."""

from __future__ import annotations

import gc
from pathlib import Path

from tui.source import StoreSource


def hold_still() -> None:
    """Let the garbage collector work from now on, but leave alone what is there: going through all that modules and screens
    hold takes 50 ms at a time, which is seen while a table is scrolled."""
    gc.freeze()
    gc.enable()


def start(path: Path, *, plain_charts: bool = False) -> None:
    """Run the interface over the database at `path` until it is left."""
    # Collecting while modules load finds nothing and costs a tenth of the start.
    gc.disable()
    source = StoreSource(path.absolute()).start()
    from tui.app import HvdsweepApp
    from tui.memory import memory_file

    app = HvdsweepApp(source, memory_file=memory_file(), plain_charts=plain_charts, after_load=hold_still)
    app.run()
