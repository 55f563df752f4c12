"""`hvdsweep merge`: the shards of a sweep into one database."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.options import json_option, print_json
from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.words import counted

if TYPE_CHECKING:
    from hvdsweep.batch.merge_report import MergeReport

MERGED = "merged.db"
"""The database in a batch folder that `merge DIR` writes."""


@click.command()
@click.argument("database", metavar="MAIN", type=click.Path(path_type=Path))
@click.argument("shards", metavar="SHARD...", type=click.Path(path_type=Path), nargs=-1)
@click.option("--follow", is_flag=True, help="Keep merging until every trial has ended, or until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=30.0,
    metavar="SECONDS",
    show_default=True,
    help="With --follow: pause between two merges.",
)
@json_option
def merge(database: Path, shards: tuple[Path, ...], follow: bool, every: float, as_json: bool) -> None:
    """Copy the trials of SHARD databases, or of all shards of a batch folder, into MAIN.

    `merge DIR` merges the shards of a batch folder into DIR/merged.db. Trials that MAIN has already are not copied again,
    so the same command may run again at any time, also after a kill. If two files hold different results of one trial, the
    difference is reported and MAIN keeps its own. Shards are only read. Exit code 1: results differ, or data of a trial are
    missing.
    """
    from hvdsweep.batch.folder import is_batch_folder

    if not shards:
        if not is_batch_folder(database):
            raise UserError(
                f"{database}: is no batch folder. Name the shards after the database: hvdsweep merge MAIN.db SHARD.db ..."
            )
        database, shards = database / MERGED, (database,)
    elif database.is_dir():
        raise UserError(
            f"{database}: is a folder. Name the database to merge into: {database / MERGED}, for one."
        )
    while True:
        report, open_trials = _once(database, shards, patient=follow)
        if as_json:
            print_json(report.to_json(), line=follow)
        elif not follow or report.copied or report.conflicts:
            click.echo("\n".join(_lines(report)))
        if not follow or open_trials == 0:
            sys.exit(1 if report.conflicts or report.problems else 0)
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            sys.exit(130)


def _once(database: Path, paths: tuple[Path, ...], *, patient: bool) -> tuple[MergeReport, int | None]:
    """Merge everything once; returns how many trials of the sweep have not ended, None if nothing is known yet.

    `patient`: a shard that cannot be read now is tried again next time.
    """
    from contextlib import closing

    from hvdsweep.batch.merge import Merger
    from hvdsweep.batch.merge_report import MergeReport
    from hvdsweep.batch.sources import check_one_sweep, sources_of
    from hvdsweep.store.connection import connect
    from hvdsweep.store.repeats import repeats_to_come

    sources = sources_of(paths)
    report = MergeReport(str(database))
    if not sources:
        if patient:
            return report, None
        raise UserError(f"{paths[0]}: holds no shard yet. Its jobs write them when they begin.")
    check_one_sweep(sources, database)
    with closing(connect(database, create=True)) as conn:
        merger = Merger(conn, report)
        for source in sources:
            try:
                merger.merge(source)
            except HvdsweepError as error:
                if not patient:
                    raise
                click.echo(f"{error} Tried again in the next round.", err=True)
                return report, None
        report.repeats = repeats_to_come(conn)
        query = "SELECT count(*) FROM trials WHERE status IN ('PENDING', 'RUNNING')"
        return report, int(conn.execute(query).fetchone()[0])


def _lines(report: MergeReport) -> list[str]:
    lines = [
        f"{counted(report.sources, 'source')} -> {report.database}: {counted(report.copied, 'trial')} copied "
        f"({counted(report.losses, 'loss', 'losses')}), {report.present:,} already there"
    ]
    if report.planned:
        lines.append(f"{counted(report.planned, 'trial')} not ended yet: PENDING in {report.database}")
    if report.repeats:
        lines.append(
            f"{counted(report.repeats, 'repeat')} of the best trials, which only the merged shards show, not trained yet: "
            f"hvdsweep launch SWEEP --db {report.database}"
        )
    if report.rounded:
        lines.append(f"{counted(report.rounded, 'trial')} trained twice, equal up to rounding")
    lines += [f"left out: {problem}" for problem in report.problems]
    lines += [f"conflict: {conflict}" for conflict in report.conflicts]
    return lines
