"""`hvdsweep tui`: the terminal interface."""

from __future__ import annotations

from pathlib import Path

import click

from hvdsweep.cli.options import db_option


@click.command()
@db_option
@click.option(
    "--ascii", "plain", is_flag=True, help="Draw charts in plain characters, for fonts without braille."
)
def tui(db: Path, plain: bool) -> None:
    """Compose, launch and watch sweeps in the terminal.

    The database may not exist yet. Sweeps that are being trained go on when the interface is left.
    """
    from tui.start import start

    start(db, plain_charts=plain)
