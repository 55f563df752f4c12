"""The plans that `hvdsweep launch` trains: from files, presets and stored sweeps, checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.cli.hosts import Where
    from hvdsweep.launch.hosts import Host
    from hvdsweep.plan import Plan
    from hvdsweep.sweep.load import LoadedSweep, Overrides


def checked(
    workloads: tuple[str, ...],
    sweeps: tuple[int, ...],
    db: Path,
    overrides: Overrides,
    where: Where,
    given: Sequence[str] = (),
) -> tuple[list[Plan], tuple[Host, ...] | None]:
    """Check the whole command line before anything is written, and report all mistakes at once."""
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep.load import load_sweep
    from hvdsweep.sweep.restore import stored_sweep

    problems = list(given)
    if sweeps:
        # They would turn a stored sweep into another one.
        problems += [
            f"--{name}: {value}: would begin another sweep; leave it out with --sweep, or launch a file with it."
            for name in ("steps", "stop", "seed")
            if (value := getattr(overrides, name)) is not None
        ]
    machines: tuple[Host, ...] | None = None
    try:
        machines = where.machines()
    except UserError as error:
        problems += error.problems
    plans: dict[str, Plan] = {}
    sources: list[Callable[[], LoadedSweep]] = [
        partial(stored_sweep, db, sweep, overrides) for sweep in sweeps
    ]
    sources += [partial(load_sweep, workload, overrides) for workload in workloads]
    for source in sources:
        try:
            plan = make_plan(source())
        except UserError as error:
            problems += error.problems
        else:
            # A sweep given twice on one command line is trained once.
            plans.setdefault(plan.key, plan)
    if problems:
        raise UserError(*problems)
    return list(plans.values()), machines


def proved(plans: list[Plan], sweeps: Sequence[int], db: Path, limit: float) -> list[Plan]:
    """The plans, those of `sweeps` first, with hashes of the results of user code, which is tried here."""
    from hvdsweep.launch.proof import prove_plan
    from hvdsweep.sweep.restore import check_same

    problems: list[str] = []
    tried = []
    for plan in plans:
        try:
            tried.append(
                prove_plan(
                    plan,
                    limit=limit,
                    note=lambda text: click.echo(text, err=True),
                    warn=lambda text: click.echo(f"warning: {text}", err=True),
                )
            )
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    for sweep, plan in zip(sweeps, tried, strict=False):
        check_same(db, sweep, plan)
    return tried


def absent_data(plans: list[Plan]) -> dict[str, UserError]:
    """Built-in data sets of these plans that are missing on this machine, and how to get each.

    Rank 0 always runs on this machine, so no trial could be trained without them.
    """
    from workloads.datasets import files

    absent = {}
    for dataset in dict.fromkeys(workload.dataset for plan in plans for workload in plan.workloads):
        home = files.home_of(dataset)
        if home is not None and home.folder not in absent:
            try:
                files.require(home)
            except UserError as error:
                absent[home.folder] = error
    return absent
