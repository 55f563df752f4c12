"""`hvdsweep batch`: sweeps as array jobs of a cluster. Runs on a login node: no TensorFlow, no daemon."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.options import DATABASE_VARIABLE, DEFAULT_DATABASE, json_option, print_json, together
from hvdsweep.errors import UserError
from hvdsweep.visible import visible
from hvdsweep.words import counted

if TYPE_CHECKING:
    from hvdsweep.batch.scripts import JobRequest
    from hvdsweep.batch.status import BatchState
    from hvdsweep.plan import Plan
    from hvdsweep.sweep.load import LoadedSweep

AT_LEAST_1 = click.IntRange(min=1)


@click.group()
def batch() -> None:
    """Train a sweep as array jobs of a cluster: submit, watch, cancel, submit what is left.

    A batch folder holds the sweep, one readable job script, a database for each shard, and logs. Inside a job, `launch`
    finds its hosts and the end of the job by itself. A job that is stopped is requeued and continues.
    """


_job_options = together(
    click.option("--np", type=AT_LEAST_1, default=1, metavar="N", show_default=True, help="Ranks per trial."),
    click.option(
        "--gangs",
        type=AT_LEAST_1,
        default=1,
        metavar="G",
        show_default=True,
        help="Trials side by side in each job.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1, max=100_000),
        metavar="J",
        help="Shards, one per array task.  [default: from the expected hours, most jobs half their time]",
    ),
    click.option(
        "--nodes",
        type=AT_LEAST_1,
        default=1,
        metavar="M",
        show_default=True,
        help="Nodes of each job.",
    ),
    click.option(
        "--gpus-per-node",
        type=click.IntRange(min=0),
        metavar="G",
        help="GPUs on each node.  [default: the profile's]",
    ),
    click.option(
        "--time",
        metavar="T",
        help="Time limit of each job, such as 04:00:00.  [default: the site's]",
    ),
    click.option(
        "--max-running",
        "most_running",
        type=AT_LEAST_1,
        metavar="R",
        help="How many jobs may run at the same time.  [default: no limit]",
    ),
    click.option(
        "--chain",
        "follow_ups",
        type=click.IntRange(min=0),
        default=20,
        metavar="N",
        show_default=True,
        help="At most this many requeues and follow-up jobs per shard.",
    ),
    click.option(
        "--profile",
        metavar="SITE",
        help="Site profile: a name (cpu, gpu, apptainer, your own) or a TOML file.",
    ),
    click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The batch folder.  [default: NAME.batch]",
    ),
    click.option(
        "--db",
        type=click.Path(path_type=Path),
        envvar=DATABASE_VARIABLE,
        default=DEFAULT_DATABASE,
        metavar="PATH",
        help="A database with measured speeds, from which hours are estimated.",
    ),
)
"""The options that describe a job; the same for `submit` and `script`."""


@batch.command()
@click.argument("workload", metavar="SWEEP")
@click.argument("options", metavar="[-- SCHEDULER-OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@_job_options
@click.option("--dry-run", is_flag=True, help="Print the job script; write and submit nothing.")
@click.option(
    "--test", is_flag=True, help="Ask Slurm whether it would accept the job; write and submit nothing."
)
@json_option
def submit(workload: str, dry_run: bool, test: bool, as_json: bool, **asked: Any) -> None:
    """Submit SWEEP to Slurm as one array job.

    Makes a batch folder first. Where Slurm limits the size of arrays, the sweep becomes several of them. SCHEDULER-OPTIONS
    go into the script as #SBATCH lines. Exit codes: 0 submitted, 1 Slurm refused, 2 bad input (nothing written).
    """
    from hvdsweep.batch.folder import BatchFolder
    from hvdsweep.batch.scripts import script
    from hvdsweep.batch.slurm import Slurm
    from hvdsweep.batch.submit import make_folder
    from hvdsweep.batch.submit import submit as submit_shards

    loaded, plan, wanted, hours = _wanted(workload, **asked)
    text = script(wanted)
    if dry_run:
        click.echo(text, nl=False)
        return
    scheduler = Slurm()
    if test:
        click.echo(visible(scheduler.test(text, 1), lines=True))
        return
    folder = BatchFolder(wanted.folder)
    make_folder(folder, loaded, plan, wanted)
    try:
        jobs = submit_shards(folder, range(1, wanted.shards + 1), scheduler)
    finally:
        if not folder.submitted().get("jobs"):
            # Slurm refused everything: restore the state before the command.
            import shutil

            shutil.rmtree(folder.path, ignore_errors=True)
    if as_json:
        print_json(
            {"folder": str(folder.path), "jobs": jobs, "shards": wanted.shards, "expected_hours": hours}
        )
        return
    click.echo(
        f"Submitted {counted(wanted.shards, 'shard')} as {'job' if len(jobs) == 1 else 'jobs'} {', '.join(jobs)}: {folder.path}"
    )
    click.echo(
        f"About {hours:.2g} h of training in all. Next: hvdsweep batch status {shlex.quote(str(folder.path))}",
        err=True,
    )


@batch.command("script")
@click.argument("workload", metavar="SWEEP")
@click.argument("options", metavar="[-- SCHEDULER-OPTIONS]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--scheduler",
    type=click.Choice(["slurm", "pbs", "lsf", "kubernetes"]),
    default="slurm",
    show_default=True,
    help="The scheduler to write the script for.",
)
@_job_options
def script_(workload: str, scheduler: str, **asked: Any) -> None:
    """Print a job script for SWEEP, to adapt by hand.

    For Kubernetes it is an Indexed Job. Nothing is written.
    """
    from hvdsweep.batch.scripts import script

    click.echo(script(_wanted(workload, **asked)[2], scheduler), nl=False)


def _wanted(
    workload: str, jobs: int | None, profile: str | None, folder: Path | None, db: Path, **request: Any
) -> tuple[LoadedSweep, Plan, JobRequest, float]:
    """The sweep, the description of its jobs, and their expected hours. UserError with all mistakes at once.

    `request`: the other fields of `JobRequest`.
    """
    from hvdsweep.batch.profiles import Profile, load_profile
    from hvdsweep.batch.scripts import JobRequest
    from hvdsweep.batch.submit import expected_hours, shards_for
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep.load import load_sweep

    problems: list[str] = []
    site, plan = Profile(), None
    try:
        loaded = load_sweep(workload)
        plan = make_plan(loaded)
        site = load_profile(profile, Path(loaded.file or workload))
    except UserError as error:
        problems += error.problems
    place = (folder or Path(f"{plan.name if plan else 'sweep'}.batch".replace("/", "-"))).absolute()
    wanted = JobRequest("sweep", place, shards=1, profile=site, **request)
    for checked in ("seconds", "ranks_per_node"):
        try:
            getattr(wanted, checked)
        except UserError as error:
            problems += error.problems
    if '"' in str(place) or "\n" in str(place):
        problems.append(
            f"--dir: {place}: Slurm cannot take a path with quotes or line breaks. Give another folder."
        )
    if any("\n" in option for option in wanted.options):
        problems.append("SCHEDULER-OPTIONS: a line break in an option. Give one option after the other.")
    if problems or plan is None:
        raise UserError(*problems)
    hours = expected_hours(plan, wanted.np, _speeds(db))
    shards = jobs or shards_for(plan, hours, wanted.gangs, wanted.seconds)
    trials = sum(study.target_trials for study in plan.studies)
    if shards > trials:
        raise UserError(f"--jobs: {shards}: the sweep has {trials} trials. Give at most {trials}.")
    return loaded, plan, replace(wanted, name=loaded.name, shards=shards), hours


def _speeds(db: Path) -> list[Any]:
    if not db.is_file():
        return []
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        return list(reader.throughput())


FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@batch.command("status")
@FOLDER
@click.option("--watch", is_flag=True, help="Refresh every 15 s until Ctrl-C.")
@json_option
def status_(folder: Path, watch: bool, as_json: bool) -> None:
    """Show the jobs, shards and trials of a batch folder.

    It says what each node trains, why a job waits, how failed jobs ended, and how many hours were used. It calls squeue once
    for all jobs, and sacct once for those no longer in the queue.
    """
    from hvdsweep.batch.status import rest_seconds

    state = _state(folder)
    if not watch:
        _show(state, as_json)
        return
    try:
        while True:
            if not as_json:
                click.clear()
            _show(state, as_json, line=True)
            time.sleep(rest_seconds())
            state = _state(folder)
    except KeyboardInterrupt:
        # Ctrl-C is how to leave; nothing went wrong.
        return


def _state(folder: Path) -> BatchState:
    from hvdsweep.batch.status import look

    state = look(folder)
    if state is None:
        raise UserError(f"{folder.absolute()}: is no batch folder. `hvdsweep batch submit` makes one.")
    return state


def _show(state: BatchState, as_json: bool, *, line: bool = False) -> None:
    if as_json:
        print_json(state.to_json(), line=line)
        return
    from rich.console import Console

    from hvdsweep.cli.batch_view import rendered

    console = Console(highlight=False, markup=False)
    console.print(rendered(state))
    if state.problem:
        click.echo(visible(f"warning: {state.problem}"), err=True)


@batch.command()
@FOLDER
@click.option("--yes", is_flag=True, help="Do not ask.")
def cancel(folder: Path, yes: bool) -> None:
    """Cancel all jobs of a batch folder.

    Running trials are saved. `batch resubmit` continues.
    """
    from hvdsweep.batch.slurm import Slurm

    scheduler = Slurm()
    state = _state(folder)
    jobs = [shard.job for shard in state.shards if shard.active and shard.job]
    if not jobs:
        click.echo("No job waits or runs.")
        return
    if not yes:
        click.confirm(f"Cancel {counted(len(jobs), 'job')}?", abort=True, err=True)
    scheduler.cancel(jobs)
    click.echo(f"Cancelled {counted(len(jobs), 'job')}.")


@batch.command()
@FOLDER
@json_option
def resubmit(folder: Path, as_json: bool) -> None:
    """Submit the shards that are left.

    These are the shards with untrained trials and no job that waits or runs. With none left, nothing is submitted.
    """
    from hvdsweep.batch.folder import BatchFolder
    from hvdsweep.batch.slurm import Slurm
    from hvdsweep.batch.submit import submit as submit_shards

    scheduler = Slurm()
    state = _state(folder)
    if state.problem:
        from hvdsweep.errors import RunFailed

        raise RunFailed(f"{state.problem}\nWhich jobs still run is not known, so nothing was submitted.")
    left = [shard.shard for shard in state.shards if shard.left]
    jobs = submit_shards(BatchFolder(folder.absolute()), left, scheduler) if left else []
    if as_json:
        print_json({"jobs": jobs, "shards": left})
    elif left:
        click.echo(
            f"Submitted {counted(len(left), 'shard')} as {'job' if len(jobs) == 1 else 'jobs'} {', '.join(jobs)}."
        )
    else:
        click.echo("Nothing is left to submit.")
