"""`hvdsweep logs`: the output of a gang's ranks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.store.rows import GangRow
    from hvdsweep.store.store import Store

LOOK_SECONDS = 0.3
"""Seconds between two reads of the file with --follow."""


@click.command()
@db_option
@click.option("--sweep", type=int, metavar="ID", help="The logs of this sweep's newest gang.")
@click.option("--gang", type=int, metavar="ID", help="The logs of this gang.  [default: the newest]")
@click.option(
    "--rank",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only this rank's log.  [default: all, and horovodrun's]",
)
@click.option(
    "--run", is_flag=True, help="The debug log of the latest run instead: send it with a bug report."
)
@click.option(
    "--lines",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="The last N lines of each log.",
)
@click.option(
    "--follow", is_flag=True, help="Keep showing new lines until Ctrl-C; of rank 0 if no --rank is given."
)
@json_option
def logs(
    db: Path,
    sweep: int | None,
    gang: int | None,
    rank: int | None,
    run: bool,
    lines: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the last lines of the logs of a gang's ranks. Run it on the machine that trains."""
    from hvdsweep.launch.logs import latest_run, log_files, read_log
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        chosen = _gang(reader, sweep, gang)
    files = latest_run(chosen.log_dir) if run else log_files(chosen.log_dir)
    if (rank is not None or follow) and not run:
        files = [path for path in files if path.name == f"rank-{rank or 0}.log"]
    if not files:
        what = "no logs" if rank is None else f"no log of rank {rank}"
        where = "" if chosen.log_dir is None else f" in {chosen.log_dir}"
        host = "" if chosen.host is None else f"; it trained on {chosen.host}"
        raise UserError(f"gang {chosen.id}: {what}{where} on this machine{host}.")
    parts = {path: read_log(path) for path in files}
    if as_json and not follow:
        print_json(
            {
                "gang": chosen.id,
                "logs": [{"file": str(path), "lines": part.lines[-lines:]} for path, part in parts.items()],
            }
        )
        return
    for path, part in parts.items():
        if len(parts) > 1 or run:
            click.secho(f"==> {path if run else path.name} <==", bold=True)
        for line in part.lines[-lines:]:
            _say(line, as_json)
    if follow:
        path, part = next(iter(parts.items()))
        _follow(path, part.offset, lambda line: _say(line, as_json))


def _say(line: str, as_json: bool) -> None:
    if as_json:
        print_json(line, line=True)
    else:
        click.echo(line)


def _follow(path: Path, offset: int, say: Callable[[str], None]) -> None:
    from hvdsweep.launch.logs import read_log

    try:
        while True:
            time.sleep(LOOK_SECONDS)
            part = read_log(path, offset)
            offset = part.offset
            for line in part.lines:
                say(line)
    except (KeyboardInterrupt, FileNotFoundError):
        # This ends when the user stops it, or the sweep's logs are removed.
        return


def _gang(reader: Store, sweep: int | None, gang: int | None) -> GangRow:
    gangs = reader.gangs(sweep)
    if gang is not None:
        gangs = [row for row in gangs if row.id == gang]
    if not gangs:
        where = (
            f"gang {gang}" if gang is not None else f"sweep {sweep}" if sweep is not None else "the database"
        )
        raise UserError(
            f"{reader.path}: {where}: no gang has worked here. `hvdsweep status` shows what there is."
        )
    return gangs[-1]
