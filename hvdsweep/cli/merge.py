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
    said: set[str] = set()
    while True:
        report, ended = _once(database, shards, patient=follow)
        if as_json:
            print_json(report.to_json(), line=follow)
        elif lines := _lines(report, said, quiet=follow):
            click.echo("\n".join(lines))
        if not follow or ended:
            sys.exit(1 if report.conflicts or report.problems else 0)
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            sys.exit(130)


def _once(database: Path, paths: tuple[Path, ...], *, patient: bool) -> tuple[MergeReport, bool]:
    """Merge everything once; returns whether every trial of the sweep has ended.

    `patient`: a shard that cannot be read now is reported, the others are merged, and next time it is tried again.
    """
    from contextlib import closing

    from hvdsweep.batch.merge import merge
    from hvdsweep.batch.merge_report import MergeReport
    from hvdsweep.batch.sources import check_one_sweep, sources_of
    from hvdsweep.opening import open_store
    from hvdsweep.store.connection import connect
    from hvdsweep.store.repeats import repeats_to_come

    sources = sources_of(paths)
    report = MergeReport(str(database))
    if not sources and not patient:
        raise UserError(f"{paths[0]}: holds no shard yet. Its jobs write them when they begin.")
    unread = 0
    for source in sources[:] if patient else ():
        try:
            open_store(source).close()
        except HvdsweepError as error:
            report.problems.append(str(error))
            sources.remove(source)
            unread += 1
    if not sources:
        return report, False
    check_one_sweep(sources, database)
    with closing(connect(database, create=True)) as conn:
        running = 0
        for source in sources:
            try:
                running += merge(conn, source, report)
            except HvdsweepError as error:
                if not patient:
                    raise
                report.problems.append(str(error))
                unread += 1
        report.repeats = repeats_to_come(conn)
        query = "SELECT count(*) FROM trials WHERE status IN ('PENDING', 'RUNNING')"
        return report, not (unread or running or conn.execute(query).fetchone()[0])


def _lines(report: MergeReport, said: set[str], *, quiet: bool) -> list[str]:
    """The report in words; with `quiet` nothing that was `said` before, and no counts where nothing was copied."""
    wrong = [f"left out: {problem}" for problem in report.problems]
    wrong += [f"conflict: {conflict}" for conflict in report.conflicts]
    new = [line for line in wrong if line not in said]
    said.update(new)
    if quiet and not report.copied:
        return new
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
    return lines + new
