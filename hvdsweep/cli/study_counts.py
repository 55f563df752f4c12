"""`hvdsweep workloads --counts` with a database: the number of trials per outcome of every study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hvdsweep.cli.columns import table
from hvdsweep.cli.options import print_json
from hvdsweep.words import whole

OUTCOMES = ("COMPLETE", "INCOMPLETE", "INFEASIBLE")


def show_counts(db: Path, as_json: bool) -> None:
    """Print every study of the store at `db`, with the published study of the same name if there is one."""
    from hvdsweep.archive import study_counts
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        found = study_counts(reader)
    if as_json:
        print_json(
            [
                {
                    "sweep": one.sweep_id,
                    "workload": one.workload,
                    "batch_size": one.batch_size,
                    **{status.lower(): one.trials[status] for status in OUTCOMES},
                    "unfinished": sum(n for status, n in one.trials.items() if status not in OUTCOMES),
                    "published": one.published and {k.lower(): n for k, n in one.published.items()},
                    "agrees": one.agrees,
                }
                for one in found
            ]
        )
        return
    words = {None: "", True: "yes", False: "no"}
    rows: list[list[Any]] = [
        [
            one.workload,
            whole(one.batch_size),
            *(whole(one.trials[status]) for status in OUTCOMES),
            words[one.agrees],
        ]
        for one in found
    ]
    header = ["workload", "batch size", "complete", "incomplete", "infeasible", "as published"]
    for line in table(header, rows, left=("workload",)):
        click.echo(line)
    totals = ", ".join(f"{sum(one.trials[s] for one in found):,} {s.lower()}" for s in OUTCOMES)
    known = [one for one in found if one.agrees is not None]
    agreeing = sum(bool(one.agrees) for one in known)
    click.echo(
        f"\n{len({one.workload for one in found}):,} workloads, {len(found):,} studies: {totals} trials."
    )
    if known:
        click.echo(
            f"{agreeing:,} of {len(known):,} have as many trials of each outcome as the published study."
        )
