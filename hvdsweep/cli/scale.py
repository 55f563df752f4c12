"""`hvdsweep scale`: how fast a workload trains on 1, 2, ... ranks, measured in short runs and stored."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.drawing import print_chart
from hvdsweep.cli.hosts import Where, hosts_options
from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.curves.speeds import MeasuredSpeed
    from hvdsweep.launch.hosts import Host
    from hvdsweep.launch.scale import Case, Failed, Now, Scale, Timed
    from hvdsweep.plan import Plan
    from hvdsweep.store.rows import ThroughputRow

STOPPED = 130


@click.command()
@click.argument("workloads", metavar="[WORKLOAD]...", nargs=-1)
@click.option("--np", "ranks", metavar="LIST", help="Numbers of ranks to compare: 1,2,4.  [default: 1 and 2]")
@click.option(
    "--batch-sizes", metavar="LIST", help='Only these batch sizes of the sweep: 64,256 or "2^4..2^8".'
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    metavar="S",
    show_default=True,
    help="How long each batch size is timed, after warming up.",
)
@hosts_options
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads per rank. [default: cores / ranks]"
)
@click.option("--show", is_flag=True, help="Measure nothing; print what the database holds.")
@click.option("--ascii", "only_ascii", is_flag=True, help="Draw the chart without braille and Unicode.")
@click.option("--chart/--no-chart", default=True, help="Draw the chart.")
@db_option
@json_option
def scale(
    workloads: tuple[str, ...],
    ranks: str | None,
    batch_sizes: str | None,
    seconds: float,
    where: Where,
    threads: int | None,
    show: bool,
    only_ascii: bool,
    chart: bool,
    db: Path,
    as_json: bool,
) -> None:
    """Measure how fast WORKLOADs train on several numbers of ranks: examples per second and efficiency, as table and chart.

    WORKLOAD is a sweep file or a preset; with --show, a workload's name, or none for all. Each batch size trains for some
    seconds on each number of ranks, without evaluation. The speeds are stored in the database; `curve` computes time and
    cost to the goal from them.

    Exit codes: 0 all measured, 1 some could not be measured, 2 bad input, 130 stopped (what was measured is kept).
    """
    if show:
        _show(db, workloads, only_ascii, chart, as_json)
        return
    if not workloads:
        raise UserError("WORKLOAD: none given. Name a sweep file or a preset, or ask for --show.")
    counts = _counts(ranks or "1,2")
    plans, cases, machines = _checked(workloads, batch_sizes, where, counts)
    from hvdsweep.launch.hosts import check_gpus
    from hvdsweep.launch.machine import gpus
    from hvdsweep.launch.scale import Scale

    check_gpus(machines, counts[-1], len(gpus()))

    measure = Scale(cases, counts, seconds=seconds, hosts=machines, threads=threads, build=where.builder())
    timed, failed, stopped = _measure(measure, db)
    rows = _rows(timed)
    if as_json:
        print_json(
            {
                "speeds": [speed.to_json() for speed in rows],
                "failed": [_failed_json(one) for one in failed],
                "stopped": stopped,
            }
        )
    else:
        _print(rows, [workload.name for plan in plans for workload in plan.workloads], only_ascii, chart)
    # Not ctx.exit(): outside click's standalone mode it would only be a return value.
    sys.exit(STOPPED if stopped else 1 if failed else 0)


def _counts(text: str) -> list[int]:
    """The numbers of ranks, ascending. UserError for anything else."""
    found = set()
    for part in text.split(","):
        word = part.strip()
        if not word.isascii() or not word.isdigit() or len(word) > 5 or int(word) == 0:
            raise UserError(
                f"--np: {word or 'nothing'}: is not a number of ranks. Write a list such as 1,2,4."
            )
        found.add(int(word))
    return sorted(found)


def _checked(
    workloads: Sequence[str],
    batch_sizes: str | None,
    where: Where,
    counts: Sequence[int],
) -> tuple[list[Plan], list[Case], tuple[Host, ...] | None]:
    """Check the whole command line; reports all mistakes at once."""
    from hvdsweep.launch.scale import cases_of
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep.batch_sizes import parse_batch_sizes
    from hvdsweep.sweep.load import load_sweep

    problems: list[str] = []
    machines: tuple[Host, ...] | None = None
    sizes: list[int] | None = None
    try:
        machines = where.machines()
    except UserError as error:
        problems += error.problems
    if batch_sizes is not None:
        try:
            sizes = parse_batch_sizes(batch_sizes)
        except ValueError as error:
            problems.append(f"--batch-sizes: {batch_sizes}: {error}")
    plans: list[Plan] = []
    cases: list[Case] = []
    for workload in workloads:
        try:
            plans.append(make_plan(load_sweep(workload)))
            cases += cases_of(plans[-1], sizes)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    return plans, cases, machines


def _measure(measure: Scale, db: Path) -> tuple[list[Timed], list[Failed], bool]:
    """Time all cases; each speed is stored as soon as it is known. Returns also what failed, and whether it was stopped."""
    from hvdsweep.launch.scale import Failed, Timed
    from hvdsweep.launch.signals import StopSignals
    from hvdsweep.store.connection import connect
    from hvdsweep.store.throughput import record_throughput

    timed: list[Timed] = []
    failed: list[Failed] = []
    talk = _Talk()
    with closing(connect(db, create=True)) as conn, StopSignals() as signals:
        for warning in [*measure.warnings(), *_busy(db)]:
            talk.line(f"warning: {warning}")

        for found in measure.run(lambda: signals.gestures > 0):
            if isinstance(found, Timed):
                record_throughput(conn, gangs=1, **vars(found))
                talk.timed(found)
                timed.append(found)
            elif isinstance(found, Failed):
                talk.failed(found)
                failed.append(found)
            else:
                talk.now(found)
        talk.end()
        return timed, failed, signals.gestures > 0


def _busy(db: Path) -> list[str]:
    """Warn of a sweep in training, which shares the cores: speeds will be too low."""
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        live = [sweep.name for sweep in reader.sweeps() if sweep.live]
    return [f"sweep {', '.join(live)} is being trained now: speeds will come out too low."] if live else []


class _Talk:
    """Progress on stderr: one changing line on a terminal, else a line per result."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said = ""

    def line(self, text: str) -> None:
        """Print a line that stays."""
        self._wipe()
        click.echo(text, err=True)

    def timed(self, one: Timed) -> None:
        self.line(
            f"{one.workload}, batch size {one.batch_size:,} on {_ranks(one.np)}: "
            f"{one.examples_per_second:,.0f} examples/s ({one.steps_per_second:.3g} steps/s)"
        )

    def failed(self, one: Failed) -> None:
        what = "" if one.case is None else f"{one.case.workload}, batch size {one.case.batch_size:,} "
        self.line(f"{what}on {_ranks(one.np)}: failed: {one.message}".replace("\n", "\n    "))

    def now(self, now: Now) -> None:
        """Show the progress; only on a terminal."""
        if not self._terminal:
            return
        from hvdsweep.words import duration

        doing = (
            "starting" if now.doing is None else f"{now.doing.workload}, batch size {now.doing.batch_size:,}"
        )
        text = f"[{now.done}/{now.total}] {_ranks(now.np)}: {doing}; about {duration(max(1.0, now.seconds_left))} left"
        text = text[: shutil.get_terminal_size().columns - 1]
        if text != self._said:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
            self._said = text

    def _wipe(self) -> None:
        if self._said:
            sys.stderr.write("\r\x1b[K")
            self._said = ""

    def end(self) -> None:
        self._wipe()
        sys.stderr.flush()


def _ranks(np: int) -> str:
    return "1 rank" if np == 1 else f"{np} ranks"


def _rows(timed: Sequence[Timed]) -> list[MeasuredSpeed]:
    """The new measurements, each relative to the fewest ranks of this run."""
    import time

    from hvdsweep.curves.speeds import speeds
    from hvdsweep.store.rows import ThroughputRow

    now = time.time()
    return speeds(
        ThroughputRow(
            id=0,
            time=now,
            gangs=1,
            steps_per_second=one.steps_per_second,
            examples_per_second=one.examples_per_second,
            source="scale",
            **vars(one),
        )
        for one in timed
    )


def _failed_json(one: Failed) -> dict[str, Any]:
    return {
        "np": one.np,
        "workload": None if one.case is None else one.case.workload,
        "batch_size": None if one.case is None else one.case.batch_size,
        "message": one.message,
    }


def _show(db: Path, workloads: Sequence[str], only_ascii: bool, chart: bool, as_json: bool) -> None:
    """Print the speeds in the database."""
    from hvdsweep.curves.speeds import speeds
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        rows: list[ThroughputRow] = reader.throughput()
    known = list(dict.fromkeys(row.workload for row in rows))
    names = _named(db, workloads, known) if workloads else known
    found = [speed for speed in speeds(rows) if speed.workload in names]
    if as_json:
        print_json({"speeds": [speed.to_json() for speed in found], "failed": [], "stopped": False})
        return
    if not found:
        click.echo(
            f"{db}: no speed was measured yet. Imported sweeps have none; `hvdsweep scale --np 1,2 WORKLOAD` measures others."
        )
        return
    _print(found, names, only_ascii, chart)


def _named(db: Path, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The chosen workloads with speeds, by name or part of a name."""
    names: list[str] = []
    problems = []
    for text in asked:
        fitting = [name for name in known if name == text] or [name for name in known if text in name]
        names += fitting
        if not fitting:
            there = f"There are speeds of {', '.join(known)}." if known else "No speed was measured yet."
            problems.append(f"{db}: workload: {text}: has no speeds. {there}")
    if problems:
        raise UserError(*problems)
    return list(dict.fromkeys(names))


def _print(found: Sequence[MeasuredSpeed], names: Sequence[str], only_ascii: bool, chart: bool) -> None:
    from hvdsweep.curves.speeds import speed_chart

    for place, name in enumerate(dict.fromkeys(names)):
        mine = [speed for speed in found if speed.workload == name]
        if not mine:
            continue
        click.echo(("\n" if place else "") + "\n".join(speed_lines(mine)))
        if chart:
            click.echo()
            print_chart(speed_chart(mine, title=name), ascii=only_ascii, most=(120, 24))


def speed_lines(found: Sequence[MeasuredSpeed]) -> list[str]:
    """A row per batch size, a column per number of ranks: examples per second, and efficiency beyond the first."""
    from hvdsweep.cli.columns import table
    from hvdsweep.words import short, whole

    counts = sorted({speed.np for speed in found})
    by_place = {(speed.batch_size, speed.np): speed for speed in found}
    header = ["batch size"]
    for np in counts:
        header += [_ranks(np), "efficiency"]
    header.append("")
    rows = []
    trials = False
    for size in sorted({speed.batch_size for speed in found}):
        cells = [whole(size)]
        mark = ""
        for np in counts:
            speed = by_place.get((size, np))
            cells.append("" if speed is None else f"{short(speed.examples_per_second)}/s")
            share = None if speed is None else speed.efficiency
            cells.append("" if share is None else f"{100 * share:.0f} %")
            if speed is not None and speed.source == "trial":
                mark, trials = "*", True
        rows.append([*cells, mark])
    lines = [f"{found[0].workload}   examples per second", "", *table(header, rows, left=("",))]
    if trials:
        lines += ["", "* measured during trials; other gangs may have shared the machine"]
    return lines
