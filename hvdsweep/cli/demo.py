"""`hvdsweep demo`: train a small real sweep, draw its curve, and name what to try next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from hvdsweep.cli.options import db_option


@click.command()
@db_option
@click.pass_context
def demo(context: click.Context, db: Path) -> None:
    """Train a small sweep on scikit-learn's digits and draw its scaling curve: up to three minutes.

    First the small batches, two trials side by side on one rank each, then the largest ones on two ranks. Run it again to
    train only what is missing.
    """
    from hvdsweep.cli.curve import curve
    from hvdsweep.cli.launch import launch
    from hvdsweep.demo import PARTS, launch_arguments

    for number, part in enumerate(PARTS, 1):
        click.echo(f"Part {number} of {len(PARTS)}. {part.title}", err=True)
        code = 0
        try:
            context.invoke(launch, db=db, **launch_arguments(part))
        except SystemExit as end:
            code = int(end.code or 0)
        if code:
            sys.exit(code)
    click.echo()
    context.invoke(curve, db=db)
    click.echo("\n".join(["", "Next:", *next_lines(db)]))


def next_lines(db: Path) -> list[str]:
    """Commands to try next, each with its purpose."""
    from hvdsweep.demo import TRIALS, sweep_file

    place = f" --db {shlex.quote(str(db))}"
    file = sweep_file()
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    lines = [
        (
            f"hvdsweep tui{place}",
            "the same sweep in the terminal interface: curve, metaparameters, trials, losses",
        ),
        (f"hvdsweep best{place}", "which learning rates won, and whether the search was wide enough"),
        (f"hvdsweep curve{place} --goal 0.1", "another goal, answered from the same trials"),
        (
            f"hvdsweep launch{place} --gangs 2 --trials {2 * TRIALS} {shlex.quote(str(file))}",
            "twice the trials: a sharper curve",
        ),
    ]
    return [line for command, purpose in lines for line in (f"  {command}", f"      {purpose}")]
