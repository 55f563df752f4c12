"""`hvdsweep tui`: the terminal interface."""

from __future__ import annotations

from pathlib import Path

import click

from hvdsweep.cli.options import db_option


@click.command()
@db_option
def tui(db: Path) -> None:
    """Compose, launch and watch sweeps in the terminal.

    The database may not exist yet. Sweeps that are being trained go on when the interface is left.
    """
    from tui.start import start

    start(db)
