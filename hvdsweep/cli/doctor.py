"""`hvdsweep doctor`: whether this machine can train, and what to do where it cannot."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.hosts import Where, hosts_options
from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.words import counted

if TYPE_CHECKING:
    from hvdsweep.launch.checks import Check

MARKS = {"ok": ("ok", "green"), "warning": ("!", "yellow"), "failed": ("FAILED", "red")}


@click.command()
@db_option
@hosts_options
@click.option("--quick", is_flag=True, help="Skip the allreduce, which starts ranks.")
@json_option
def doctor(db: Path, where: Where, quick: bool, as_json: bool) -> None:
    """Check this machine: versions, Horovod, a real allreduce, the database and its disk, cores, memory, GPUs.

    If the database exists, every row of it is checked.

    Exit code 1: a check failed that training depends on.
    """
    from hvdsweep.launch.checks import light_checks
    from hvdsweep.launch.hosts import Host

    machines = where.machines() or (Host("localhost", 2),)
    checks: list[Check] = []

    def show(found: Iterable[Check]) -> None:
        for check in found:
            checks.append(check)
            if not as_json:
                _print(check)

    show(light_checks(db))
    if not quick:
        from hvdsweep.launch.allreduce import allreduce_checks

        if not as_json:
            click.echo("Starting ranks (this takes some seconds) ...", err=True)
        locks = db.absolute().parent if len(machines) > 1 else None
        show(allreduce_checks(machines, build=where.builder(), locks=locks))
        show(_on_gpus(checks))
    failed = sum(check.status == "failed" for check in checks)
    warnings = sum(check.status == "warning" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        click.echo(_verdict(failed, warnings))
    sys.exit(1 if failed else 0)


def _on_gpus(checks: Sequence[Check]) -> list[Check]:
    """An allreduce with a rank on each GPU that TensorFlow sees; empty without GPUs."""
    from hvdsweep.launch.allreduce import allreduce_checks
    from hvdsweep.launch.hosts import Host

    count = max((check.details.get("tensorflow_gpus", 0) for check in checks), default=0)
    return allreduce_checks((Host("localhost", count),), on_gpus=True) if count else []


def _print(check: Check) -> None:
    mark, colour = MARKS[check.status]
    head = click.style(f"{mark:>6}", fg=colour)
    click.echo(f"{head}  {check.name}: {check.found}".replace("\n", "\n        "))
    if check.remedy:
        click.echo(f"        -> {check.remedy}")


def _verdict(failed: int, warnings: int) -> str:
    if failed:
        return f"{counted(failed, 'check')} failed: nothing can be trained like this."
    if warnings:
        return f"Ready to train, with {counted(warnings, 'warning')}."
    return "Ready to train."
