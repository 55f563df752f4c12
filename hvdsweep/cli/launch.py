"""`hvdsweep launch`: train sweeps, or resume them where they stopped."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hvdsweep.cli.hosts import Where, hosts_options
from hvdsweep.cli.launched import absent_data, checked, proved
from hvdsweep.cli.options import (
    DEFAULT_DATABASE,
    Interval,
    RanksOption,
    Seconds,
    db_option,
    json_option,
    share,
    trials_of,
)
from hvdsweep.cli.sharding import placed, shard_of, shard_options
from hvdsweep.errors import UserError
from hvdsweep.layout import MOST_RANKS

if TYPE_CHECKING:
    from hvdsweep.launch.events import Reporter
    from hvdsweep.launch.gang import CommandBuilder
    from hvdsweep.launch.hosts import Host
    from hvdsweep.launch.settings import Settings
    from hvdsweep.plan import Plan

AT_LEAST_1 = click.IntRange(min=1)
SECONDS = Seconds()


@click.command()
@click.argument("workloads", metavar="[WORKLOAD]...", nargs=-1)
@click.option(
    "--sweep",
    "sweeps",
    type=AT_LEAST_1,
    multiple=True,
    metavar="ID",
    help="Train this sweep of the database, without its file. With --trials or --batch-sizes: extend it.",
)
@click.option(
    "--np",
    type=RanksOption(),
    default=1,
    metavar="N",
    show_default=True,
    help="Ranks per trial; auto: for each batch size, as many as finish the whole sweep soonest.",
)
@click.option(
    "--gangs", type=AT_LEAST_1, default=1, metavar="G", show_default=True, help="Trials side by side."
)
@click.option(
    "--slots",
    type=AT_LEAST_1,
    metavar="N",
    help="With --np auto: how many ranks may run at once.  [default: those of the hosts, else GPUs, else cores]",
)
@hosts_options
@db_option
@shard_options
@click.option(
    "--trials",
    metavar="N",
    help="Trials per study, instead of the file's number; or per batch size: 64=9,default=3.",
)
@click.option(
    "--until",
    metavar="SHARE",
    help="Add trials until the steps to the goal of every batch size are known within SHARE (10%).",
)
@click.option(
    "--batch-sizes", metavar="LIST", help='Batch sizes (8,16,32 or "2^3..2^9"), instead of the file\'s.'
)
@click.option("--steps", type=AT_LEAST_1, metavar="N", help="Steps per trial, instead of the file's budget.")
@click.option(
    "--stop",
    type=click.Choice(["budget", "goal", "beaten"]),
    help="When a trial ends: at its budget; at the goal; or once another trial of its study has reached the goal in fewer"
    " steps.",
)
@click.option(
    "--order",
    type=click.Choice(["plain", "breadth", "merit"]),
    help="Order of trials: study by study; the first of every study, then the second, ...; or the most promising of"
    " each study first.  [default: merit with --stop beaten, else breadth]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="The sweep's seed, instead of the file's."
)
@click.option(
    "--repeats",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Train the best trial of each study N times more with other seeds, instead of the file's number.",
)
@click.option("--threads", type=AT_LEAST_1, metavar="N", help="Threads per rank. [default: cores / ranks]")
@click.option(
    "--hang-timeout",
    type=SECONDS,
    default=300.0,
    metavar="SECONDS",
    show_default=True,
    help="Kill a gang that has shown no progress for this long.",
)
@click.option(
    "--start-timeout",
    type=SECONDS,
    default=600.0,
    metavar="SECONDS",
    show_default=True,
    help="Kill a gang that takes longer than this to start, or to compile a trial.",
)
@click.option(
    "--max-attempts",
    type=AT_LEAST_1,
    default=3,
    metavar="N",
    show_default=True,
    help="Give up on a trial after it has crashed N gangs.",
)
@click.option(
    "--max-set-aside",
    type=click.IntRange(min=0),
    default=5,
    metavar="N",
    show_default=True,
    help="End the run after giving up on N trials in a row; 0: never.",
)
@click.option(
    "--stop-before",
    type=click.FloatRange(min=0),
    default=60.0,
    metavar="SECONDS",
    show_default=True,
    help="In a cluster job: stop cleanly this long before the scheduler ends the job; 0: never.",
)
@click.option(
    "--checkpoint-every",
    type=Interval(),
    default="5",
    metavar="MINUTES",
    show_default=True,
    help="Training time between two checkpoints of a trial (5, 30s, 2h); 0: no checkpoints, also not on a stop.",
)
@click.option(
    "--retry-incomplete", is_flag=True, help="Train the trials that earlier runs gave up on once more."
)
@click.option("--no-curve", is_flag=True, help="Do not draw the scaling curve under the progress bars.")
@click.option("--dry-run", is_flag=True, help="Print the plan; train nothing, write nothing.")
@json_option
def launch(
    workloads: tuple[str, ...],
    sweeps: tuple[int, ...],
    np: int | str,
    gangs: int,
    slots: int | None,
    where: Where,
    db: Path,
    shard: str | None,
    scratch: Path | None,
    trials: str | None,
    until: str | None,
    batch_sizes: str | None,
    steps: int | None,
    stop: str | None,
    seed: int | None,
    repeats: int | None,
    start_timeout: float,
    stop_before: float,
    no_curve: bool,
    dry_run: bool,
    as_json: bool,
    **others: Any,
) -> None:
    """Train WORKLOADs: sweep files (TOML) or presets, one after the other.

    Run the same command again to resume; with more trials or batch sizes it extends the sweep. Ctrl-C saves the trials in
    training and stops. Exit codes: 0 everything is trained, 1 some trials could not be trained, 2 bad input (nothing
    written), 130 stopped before the end.
    """
    from hvdsweep.launch.allocation import in_job
    from hvdsweep.launch.hosts import check_gpus
    from hvdsweep.launch.machine import allow_files, gpus
    from hvdsweep.launch.settings import Settings
    from hvdsweep.sweep.load import Overrides

    sweeps = tuple(dict.fromkeys(sweeps))
    chosen = click.get_current_context().get_parameter_source("gangs") is not ParameterSource.DEFAULT
    problems = _ranks_problems(np, gangs if chosen else None, slots)
    if not workloads and not sweeps:
        raise click.UsageError("Name a sweep file or a preset, or a sweep of the database with --sweep.")
    overrides = Overrides(trials_of(trials), batch_sizes, steps, stop, seed, share(until), repeats)
    plans, machines = checked(workloads, sweeps, db, overrides, where, problems)
    if isinstance(np, str):
        slots, machines = _auto(slots, machines)
    check_gpus(machines, slots or int(np if np != "auto" else 1), len(gpus()))
    absent = absent_data(plans)
    allow_files()
    if not absent:
        plans = proved(plans, sweeps, db, start_timeout)
    plans, db = shard_of(plans, shard, db)
    if dry_run:
        from hvdsweep.cli.plan_view import show_plans

        _place_problems(db, scratch)
        show_plans(plans, np, gangs, slots, machines, db, as_json=as_json)
        for name in absent:
            click.echo(f"{name}: is not on this machine; how to get it: hvdsweep datasets {name}", err=True)
        return
    if absent:
        raise UserError(*(problem for error in absent.values() for problem in error.problems))
    settings = Settings(
        np=1 if isinstance(np, str) else np,
        gangs=gangs,
        slots=slots,
        hosts=machines,
        start_timeout=start_timeout,
        in_job=in_job(),
        stops_at=_stops_at(stop_before),
        **others,
    )
    # Not ctx.exit(): outside click's standalone mode it would only be a return value.
    with placed(plans, db, scratch) as place:
        code = _train(plans, settings, place, db, as_json, curve=not no_curve, build=where.builder())
    sys.exit(code)


def _place_problems(db: Path, scratch: Path | None) -> None:
    """UserError if a launch could not keep its results: a dry run refuses what the launch would refuse."""
    from hvdsweep.store.connection import usable, writable

    if scratch is not None and not scratch.is_dir():
        raise UserError(f"--scratch: {scratch}: is not a folder. Make it, or name another.")
    if db.parent.name != "shards":
        usable(db, may_be_missing=True)
        writable(db)


def _stops_at(stop_before: float) -> float | None:
    """When (unix seconds) training stops for the end of this job; None: never."""
    from hvdsweep.launch.allocation import end_of_job

    end = end_of_job() if stop_before else None
    if end is None:
        return None
    now = time.time()
    # A short job gives at most a quarter of its time to stopping.
    return end - min(stop_before, max(0.0, end - now) / 4)


def _cannot_save(settings: Settings) -> str | None:
    """A warning if trials that are in training when the job ends are lost; else None."""
    if settings.checkpoint_every or settings.stops_at is None:
        return None
    return (
        "--checkpoint-every 0: this job has an end, and trials in training then cannot be saved: they begin again at their "
        "first step. Leave the option out to keep them."
    )


def _ranks_problems(np: int | str, gangs: int | None, slots: int | None) -> list[str]:
    """Options that exclude each other, or ask for too many ranks."""
    if np == "auto" and gangs is not None:
        return [
            f"--gangs: {gangs}: --np auto chooses the gangs itself. Leave --gangs out, and limit the ranks at once with --slots; "
            "or give --np a number."
        ]
    if np != "auto" and slots is not None:
        return [f"--slots: {slots}: only means something with --np auto. Leave it out, or use --np auto."]
    ranks = slots or (gangs or 1) * int(np if np != "auto" else 1)
    if ranks > MOST_RANKS:
        given = f"--slots: {slots}" if slots else f"--np {np} --gangs {gangs}"
        return [f"{given}: {ranks:,} ranks at once. Ask for {MOST_RANKS:,} at most."]
    return []


def _auto(slots: int | None, hosts: tuple[Host, ...] | None) -> tuple[int, tuple[Host, ...] | None]:
    """Slots and hosts of `--np auto`. UserError for more slots than the hosts have."""
    from hvdsweep.launch.hosts import trimmed
    from hvdsweep.launch.machine import cores, gpus

    if hosts is None:
        return slots or len(gpus()) or cores(), None
    total = sum(host.slots for host in hosts)
    if slots is not None and slots > total:
        raise UserError(f"--slots: {slots}: the hosts have {total}. Give at most {total}, or more hosts.")
    return slots or total, trimmed(hosts, slots or total)


def _train(
    plans: list[Plan],
    settings: Settings,
    db: Path,
    lasting: Path,
    as_json: bool,
    *,
    curve: bool,
    build: CommandBuilder,
) -> int:
    """Train one sweep after another into `db`, which is copied to `lasting`; returns the exit code."""
    from contextlib import closing

    from hvdsweep.launch.events import NoteEvent
    from hvdsweep.launch.outcome import STOPPED
    from hvdsweep.launch.progress import reporter
    from hvdsweep.launch.supervisor import Supervisor
    from hvdsweep.launch.sweeps import introduce, save
    from hvdsweep.store.connection import connect, heard

    report = reporter(as_json=as_json, curve=curve)

    def warn(message: str) -> None:
        report(NoteEvent(level="warning", message=message))

    worst = 0
    try:
        if (warning := _cannot_save(settings)) is not None:
            warn(warning)
        with closing(connect(db, create=True)) as conn, heard(warn):
            saved = [save(conn, plan) for plan in plans]
        for number, plan in enumerate(plans):
            with closing(connect(db)) as conn:
                if number:
                    # Trials that an earlier sweep of this command has trained meanwhile need not be trained again.
                    save(conn, plan)
                report(introduce(conn, plan, saved[number], db))
            for warning in plan.warnings:
                warn(warning)
            outcome = Supervisor(db, saved[number].sweep_id, plan, settings, report, build=build).run()
            worst = max(worst, outcome.exit_code)
            _hint(report, plan, lasting)
            if outcome.exit_code == STOPPED:
                # A third Ctrl-C must not change the exit code while this process ends.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                break
    finally:
        report.close()
    if as_json and report.full is not None:
        # Training does not depend on it, but readers of the events miss some.
        raise report.full
    return worst


def _hint(report: Reporter, plan: Plan, db: Path) -> None:
    """Print a shell command that shows what was trained."""
    import shlex

    from hvdsweep.batch.folder import SHARDS
    from hvdsweep.launch.events import NoteEvent

    command = ["hvdsweep", "curve"]
    if db.parent.name == SHARDS:
        db = db.absolute().parent.parent
    if len(plan.workloads) == 1:
        command.append(plan.workloads[0].name)
    if db != Path(DEFAULT_DATABASE):
        command += ["--db", str(db)]
    report(NoteEvent(level="info", message=f"See the scaling curve: {shlex.join(command)}"))
