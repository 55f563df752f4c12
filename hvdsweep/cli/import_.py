"""`hvdsweep import`: the published database, or anything in its layout, into the store."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.words import counted, duration

if TYPE_CHECKING:
    from hvdsweep.archive import ArchiveProblem, ImportReport
    from hvdsweep.archive.importing import Watcher

EVERY_SECONDS = 10.0
"""Seconds between two lines of progress without a terminal."""

SHOWN = 50
"""Problems printed as they are found; all of them are counted, and in `--json`."""


@click.command(name="import")
@click.argument("archive", type=click.Path(path_type=Path))
@db_option
@click.option(
    "--name", metavar="NAME", help="Name of the sweep.  [default: published, or the name of the archive]"
)
@click.option("--sha256", metavar="HEX", help="Refuse an archive file with another checksum.")
@click.option(
    "--records",
    type=click.Choice(["validation", "all"]),
    default="validation",
    show_default=True,
    help="Metrics whose running best is stored, so that their curves are instant; others take a second or two.",
)
@json_option
def import_(
    archive: Path, db: Path, name: str | None, sha256: str | None, records: str, as_json: bool
) -> None:
    """Import the published database.

    ARCHIVE is its .tar.bz2 (or .tar, .tar.gz, .tar.xz), the folder it unpacks into, or any folder below that; or
    published/zhang_2024, curves of Zhang et al. that come with hvdsweep.

    Run it again after a stop: it continues, and imports nothing twice. Malformed parts are named, skipped and counted; the
    exit code is then 1.
    """
    from hvdsweep.archive import import_archive

    try:
        with _published(archive) as found, _watching() as watch:
            report = import_archive(
                found, db, name=name, sha256=sha256, all_records=records == "all", watch=watch
            )
    except KeyboardInterrupt:
        click.echo("Stopped. What was imported is kept; run the same command again to continue.", err=True)
        sys.exit(130)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(_summary(report)))
    if report.problems or report.stopped:
        sys.exit(1)


@contextmanager
def _published(archive: Path) -> Iterator[Path]:
    """The archive; a built-in published set, if it is named and no such file exists, is written out for the import."""
    from hvdsweep.published import FOLDER, SETS, lay_out

    if archive.exists() or archive.parts[:1] != (FOLDER,) or len(archive.parts) != 2:
        yield archive
        return
    with tempfile.TemporaryDirectory() as folder:
        yield lay_out(archive.name, Path(folder) / archive.name)
    click.echo(f"source: {SETS[archive.name].source}", err=True)


def _summary(report: ImportReport) -> list[str]:
    rate = report.rows / report.seconds if report.seconds else 0.0
    lines = [
        f"{report.path} -> {report.database}, "
        + (f"sweep {report.sweep_id} ({report.sweep})" if report.sweep_id else "which stays as it was"),
        f"{counted(report.studies_met, 'study', 'studies')}, {report.studies_new:,} of them new",
        f"{counted(report.trials_imported, 'trial')} imported, {report.trials_present:,} already there",
        f"{counted(report.rows, 'measurement')} in {duration(report.seconds)} ({rate:,.0f} a second)",
    ]
    if report.sha256:
        lines.append(f"sha256 {report.sha256}: {report.checksum}")
    if report.problems:
        lines.append(
            f"left out: {counted(report.trials_skipped, 'trial')}, "
            f"{counted(report.studies_skipped, 'study', 'studies')}; "
            f"{counted(len(report.problems), 'problem')}, named above"
        )
    if report.stopped:
        lines.append("stopped as asked; run the same import again to continue")
    return lines


def _words(report: ImportReport) -> str:
    eta = report.eta_seconds
    left = f", {duration(eta)} left" if eta is not None else ""
    return f"{counted(report.trials_imported, 'trial')}, {counted(report.rows, 'measurement')}{left}"


@contextmanager
def _watching() -> Iterator[Watcher]:
    """Problems and progress on stderr: a bar on a terminal, else a line now and then."""
    printed = 0
    with _bar() if sys.stderr.isatty() else _lines() as (say, progress):

        def watch(report: ImportReport, problem: ArchiveProblem | None) -> None:
            nonlocal printed
            if problem is None:
                progress(report)
                return
            printed += 1
            if printed <= SHOWN:
                say(f"{problem.path}: {problem.message}")
            elif printed == SHOWN + 1:
                say("more problems follow; --json lists them all")

        yield watch


Shown = tuple[Callable[[str], object], Callable[["ImportReport"], object]]
"""Prints a line that stays; shows the progress."""


@contextmanager
def _lines() -> Iterator[Shown]:
    last = time.monotonic()

    def progress(report: ImportReport) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY_SECONDS:
            last = time.monotonic()
            share = report.progress.done / report.progress.total if report.progress.total else 0.0
            click.echo(f"{share:4.0%}  {_words(report)}", err=True)

    yield partial(click.echo, err=True), progress


@contextmanager
def _bar() -> Iterator[Shown]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("reading the archive", total=None)

        def progress(report: ImportReport) -> None:
            done = report.progress
            bar.update(task, description=_words(report), completed=done.done, total=done.total or None)

        yield partial(bar.console.print, markup=False, highlight=False, soft_wrap=True), progress
