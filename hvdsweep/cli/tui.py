"""`hvdsweep tui`: the terminal interface."""

from __future__ import annotations

from pathlib import Path

import click

from hvdsweep.cli.options import db_option, path_argument


@click.command()
@path_argument
@db_option
@click.option(
    "--ascii", "plain", is_flag=True, help="Draw charts in plain characters, for fonts without braille."
)
def tui(path: Path | None, db: Path, plain: bool) -> None:
    """Compose, launch and watch sweeps in the terminal.

    DATABASE (or --db) may not exist yet, and may be a batch folder. Sweeps in training continue when you leave
    the interface.
    """
    from tui.start import start

    start(path or db, plain_charts=plain)
