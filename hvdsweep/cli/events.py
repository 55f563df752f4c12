"""`hvdsweep events`: what happened to the sweeps of a database."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hvdsweep.cli.options import db_option, json_option, print_json


@click.command()
@db_option
@click.option("--sweep", type=int, metavar="ID", help="Only events of this sweep.")
@click.option(
    "--last", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Last N events."
)
@click.option("--after", type=int, default=0, metavar="ID", help="Only events with a greater id.")
@json_option
def events(db: Path, sweep: int | None, last: int, after: int, as_json: bool) -> None:
    """List what happened, oldest first: runs, plans, requests, and gangs that crashed, with the reason."""
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        found = reader.events(after, sweep_id=sweep, latest=last)
    if as_json:
        print_json([vars(event) for event in found])
        return
    for event in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
        whose = [
            f"{name} {number}"
            for name, number in (("sweep", event.sweep_id), ("gang", event.gang_id))
            if number
        ]
        click.echo(f"{when}  {event.kind:<8}  {' '.join(whose):<16}  {event.message}")
