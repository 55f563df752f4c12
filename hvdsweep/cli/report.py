"""`hvdsweep report`: a sweep as one HTML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.store.rows import SweepRow
    from hvdsweep.store.store import Store


@click.command()
@click.argument("sweep", required=False)
@db_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Where to write it; - is stdout.  [default: SWEEP.html]",
)
@json_option
def report(sweep: str | None, db: Path, out: Path | None, as_json: bool) -> None:
    """Write one HTML file about SWEEP: plan, curves, best metaparameters with warnings, versions and hosts.

    SWEEP is its number, its name or its file; without it, the newest. The file needs no server and no network.
    """
    from hvdsweep.opening import open_store
    from hvdsweep.replacing import write_whole
    from hvdsweep.report import report_page

    with open_store(db) as reader:
        row = _chosen(reader, sweep)
        page = report_page(reader, row)
    if out is not None and str(out) == "-":
        click.echo(page, nl=False)
        return
    place = out or Path(f"{re.sub(r'[^A-Za-z0-9._-]+', '-', row.name).strip('-.') or 'sweep'}.html")
    try:
        write_whole(place, page.encode())
    except OSError as error:
        raise UserError(f"{place}: --out: cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"sweep": row.id, "name": row.name, "file": str(place), "bytes": len(page.encode())})
    else:
        click.echo(f"{place}: {len(page.encode()) / 1024:,.0f} KB")


def _chosen(reader: Store, asked: str | None) -> SweepRow:
    sweeps = reader.sweeps()
    if not sweeps:
        raise UserError(f"{reader.path}: holds no sweep yet. `hvdsweep launch WORKLOAD` makes one.")
    if asked is None:
        return sweeps[-1]
    path = str(Path(asked).absolute())
    for row in reversed(sweeps):
        if asked in (str(row.id), row.name) or row.file == path:
            return row
    known = ", ".join(f"{row.id} ({row.name})" for row in sweeps)
    raise UserError(f"{reader.path}: sweep: {asked}: is not in the database. There is {known}.")
