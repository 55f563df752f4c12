"""`hvdsweep trials`: trials by filter and order, as a table or JSON; one trial in full by its number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.columns import table
from hvdsweep.cli.options import db_option, json_option, print_json
from hvdsweep.errors import UserError
from hvdsweep.repeats import trial_name
from hvdsweep.visible import visible
from hvdsweep.words import short_value, whole

if TYPE_CHECKING:
    from hvdsweep.store.rows import TrialRow
    from hvdsweep.store.store import Store


@click.command()
@click.argument("numbers", metavar="[TRIAL]...", nargs=-1, type=click.IntRange(min=1))
@db_option
@click.option("--sweep", type=int, metavar="ID", help="Only trials of this sweep.")
@click.option(
    "--filter",
    "text",
    default="",
    metavar="TERMS",
    help='Only trials for which all terms hold: "learning_rate>=0.01 status=INFEASIBLE batch_size=64..512".',
)
@click.option(
    "--sort", default="id", show_default=True, metavar="COLUMN", help="best, steps, parameters.momentum, ..."
)
@click.option("--descending", is_flag=True, help="Put the largest first.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="At most N trials; 0: all.",
)
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Skip the first N trials.")
@json_option
def trials(
    numbers: tuple[int, ...],
    db: Path,
    sweep: int | None,
    text: str,
    sort: str,
    descending: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List trials, or show TRIALs in full by their numbers: metaparameters, every metric, why they failed.

    The terms of a filter are NAME=VALUE, with =, !=, <, <=, > or >=. Names: metaparameters, trial, number, batch_size,
    steps, attempts, seconds, best, goal_step, sweep, study, gang, status, stop and workload. Values may be lists (64,128),
    ranges (64..512) and powers (2^6). A bare word selects workloads whose name contains it.
    """
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        if numbers:
            _show(reader, numbers, as_json)
        else:
            _list(reader, sweep, text, sort, descending, limit, offset, as_json)


def _list(
    reader: Store,
    sweep: int | None,
    text: str,
    sort: str,
    descending: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from hvdsweep.store.filters import parse_filter

    known = reader.parameter_names()
    where = replace(parse_filter(text, known or None), sweep_id=sweep)
    if sort.startswith("parameters.") and known and sort.removeprefix("parameters.") not in known:
        raise UserError(
            f"--sort: {sort}: no trial has it. There is {', '.join(f'parameters.{name}' for name in known)}."
        )
    page = reader.trials(where, sort=sort, descending=descending, offset=offset, limit=limit or None)
    if as_json:
        print_json(
            {"total": page.total, "offset": page.offset, "trials": [trial_json(row) for row in page.rows]}
        )
        return
    names = sorted({name for row in page.rows for name in row.parameters})
    header = [
        "trial",
        "workload",
        "batch size",
        "number",
        "status",
        "steps",
        "best",
        "goal at",
        "seconds",
        *names,
    ]
    rows = [
        [
            str(row.id),
            row.workload,
            str(row.batch_size),
            trial_name(row.number),
            _outcome(row),
            whole(row.steps) if row.steps else "",
            short_value(row.best),
            whole(row.goal_step),
            short_value(_seconds(row)),
            *(short_value(row.parameters.get(name)) for name in names),
        ]
        for row in page.rows
    ]
    if rows:
        click.echo("\n".join(table(header, rows, left=("workload", "status"))))
    shown = f"{len(rows):,} of {page.total:,} trials" if page.total else "No trial matches."
    click.echo(shown + ("; --limit 0 shows all" if len(rows) < page.total and limit else ""), err=True)


def _show(reader: Store, numbers: Sequence[int], as_json: bool) -> None:
    found = [trial_in_full(reader, number) for number in numbers]
    if as_json:
        print_json(found)
        return
    for number, trial in enumerate(found):
        if number:
            click.echo()
        facts = {
            "trial": trial["id"],
            "workload": trial["workload"],
            "batch size": trial["batch_size"],
            "number": trial["number"],
            "status": trial["status"] + (f" ({trial['stop_reason']})" if trial["stop_reason"] else ""),
            "steps": f"{trial['steps']:,} of {trial['train_steps']:,}",
            "goal at": trial["goal_step"],
            "seconds": short_value(trial["seconds"]),
            "failures": trial["attempts"] or None,
            "chosen": trial["chosen"],
            **{visible(name).replace("_", " "): f"{value!r}" for name, value in trial["parameters"].items()},
        }
        width = max(map(len, facts))
        click.echo(
            "\n".join(
                f"{name:<{width}}  {visible(str(value))}"
                for name, value in facts.items()
                if value not in (None, "")
            )
        )
        rows = [
            [
                metric["metric"],
                short_value(metric["best"]),
                whole(metric["best_step"]),
                short_value(metric["last"]),
                whole(metric["points"]),
            ]
            for metric in trial["metrics"]
        ]
        if rows:
            click.echo()
            click.echo(
                "\n".join(table(["metric", "best", "at step", "last", "points"], rows, left=("metric",)))
            )
        if trial["message"]:
            click.echo(f"\n{trial['message']}")


def trial_json(row: TrialRow) -> dict[str, Any]:
    """A trial as JSON: its row, with words for status and stop reason; values that are not finite become null."""
    fields = {
        **vars(row),
        "status": row.status.name,
        "stop_reason": row.stop_reason.word,
        "seconds": _seconds(row),
        "repeats": row.repeats,
    }
    fields["parameters"] = {name: _finite(value) for name, value in row.parameters.items()}
    fields["best"] = _finite(row.best)
    return fields


def trial_in_full(reader: Store, number: int) -> dict[str, Any]:
    """A trial with a summary of its losses and of every metric."""
    import numpy as np

    with reader.snapshot():
        row = reader.trial(number)
        workloads = {workload.name: workload for workload in reader.workloads(row.sweep_id)}
        steps, losses = reader.losses(number)
        measurements = reader.measurements(number)
    workload = workloads[row.workload]
    curves = [("training loss", steps, losses, False)] if len(steps) else []
    curves += [
        (name, measurements.steps, values, workload.maximizes(name))
        for name, values in measurements.values.items()
    ]
    metrics = []
    for name, at, values, upward in curves:
        finite = np.flatnonzero(np.isfinite(values))
        best = finite[(np.argmax if upward else np.argmin)(values[finite])] if len(finite) else None
        metrics.append(
            {
                "metric": name,
                "maximize": upward,
                "goal": name == workload.metric,
                "best": None if best is None else float(values[best]),
                "best_step": None if best is None else int(at[best]),
                "last": None if best is None else float(values[finite[-1]]),
                "points": len(values),
            }
        )
    return {**trial_json(row), "metrics": metrics}


def _outcome(row: TrialRow) -> str:
    reason = row.stop_reason.word
    return f"{row.status.name} ({reason})" if reason in ("goal", "beaten") else row.status.name


def _seconds(row: TrialRow) -> float | None:
    return None if row.started is None or row.ended is None else row.ended - row.started


def _finite(value: Any) -> Any:
    """A value for JSON: null if it is not finite, else unchanged."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
