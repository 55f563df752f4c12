"""`hvdsweep export`: sweeps in the layout of the published database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.words import counted

if TYPE_CHECKING:
    from hvdsweep.archive import ExportReport


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@db_option
@click.option(
    "--sweep", type=int, metavar="ID", help="Take workloads from this sweep.  [default: the newest]"
)
@click.option("--overwrite", is_flag=True, help="Replace studies that exist already.")
@click.option(
    "--repeats",
    is_flag=True,
    help="Write the repeats of best trials too; other readers take them for trials of the search.",
)
@json_option
def export(
    folder: Path,
    workloads: tuple[str, ...],
    db: Path,
    sweep: int | None,
    overwrite: bool,
    repeats: bool,
    as_json: bool,
) -> None:
    """Write studies below FOLDER as dataset/model/optimizer/batch_size/..., the layout of the published database.

    WORKLOAD is a workload's name or a part of it that fits no other; without it, all in the database. The layout has no
    place for the losses of single steps.
    """
    from hvdsweep.archive import export_studies
    from hvdsweep.cli.workload_choice import choose
    from hvdsweep.opening import open_store

    def watch(report: ExportReport) -> None:
        if sys.stderr.isatty():
            click.echo(
                f"\r{counted(report.studies, 'study', 'studies')}, {counted(report.trials, 'trial')}",
                nl=False,
                err=True,
            )

    with open_store(db) as reader:
        chosen = choose(reader, workloads, sweep)
        report = export_studies(
            reader,
            folder,
            [workload.name for workload in chosen],
            sweep=sweep,
            overwrite=overwrite,
            repeats=repeats,
            watch=watch,
        )
    if sys.stderr.isatty():
        click.echo(err=True)
    if as_json:
        print_json(report.to_json())
        return
    click.echo(
        f"{folder}: {counted(len(report.workloads), 'workload')}, {counted(report.studies, 'study', 'studies')}, "
        f"{counted(report.trials, 'trial')}, {counted(report.rows, 'measurement')}"
    )
    if report.repeats and not repeats:
        click.echo(f"{counted(report.repeats, 'repeat')} of best trials: left out (--repeats)", err=True)
    if report.unfinished:
        click.echo(f"{counted(report.unfinished, 'trial')} not ended: left out", err=True)
