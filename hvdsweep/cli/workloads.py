"""`hvdsweep workloads`: the presets with their sizes, one of them as a sweep file, and the models and data sets
for your own sweep file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.columns import table
from hvdsweep.cli.options import json_option, print_json
from hvdsweep.errors import UserError
from hvdsweep.words import short, whole

if TYPE_CHECKING:
    from hvdsweep.sweep.load import LoadedSweep


@click.command()
@click.argument("name", required=False)
@click.option("--counts", is_flag=True, help="Also how many studies, trials and steps each preset has.")
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="With --counts: count the trials of every study in this database instead.",
)
@json_option
def workloads(name: str | None, counts: bool, db: Path | None, as_json: bool) -> None:
    """List the presets, with their sizes; with NAME, print that preset's sweep file.

    Save it as a start for your own: hvdsweep workloads small/fc > my.toml. `launch` takes the name of a preset, too.
    """
    from workloads import catalogue

    if db is not None:
        from hvdsweep.cli.study_counts import show_counts

        if not counts or name is not None:
            raise UserError("workloads: --db goes with --counts, and without NAME")
        show_counts(db, as_json)
        return
    presets = catalogue.presets()
    if name is not None:
        if name not in presets:
            raise UserError(str(catalogue.UnknownName("preset", name, list(presets))))
        if as_json:
            print_json(_entry(name, counts=True))
        else:
            click.echo(presets[name].read_text(encoding="utf-8"), nl=False)
        return
    entries = [_entry(preset, counts) for preset in presets]
    if as_json:
        print_json(entries)
        return
    for line in _lines(entries, counts):
        click.echo(line)


def _entry(name: str, counts: bool) -> dict[str, Any]:
    """One preset as JSON: one or, for several algorithms, a few workloads that share everything else."""
    from hvdsweep.sweep.load import load_sweep
    from hvdsweep.sweep.resolve import dataset_info, maximizes
    from workloads import catalogue

    loaded = load_sweep(name)
    sweep = loaded.sweep
    info = dataset_info(sweep)
    goal = sweep.goal
    entry: dict[str, Any] = {
        "name": name,
        "dataset": sweep.dataset,
        "model": sweep.model,
        "algorithms": list(sweep.algorithms),
        "parameters": info and catalogue.parameter_count(sweep.model, info, sweep.model_options),
        "batch_sizes": list(sweep.studies.batch_sizes),
        "goal": {"metric": goal.metric, "value": goal.value, "maximize": maximizes(goal)},
    }
    return entry | _totals(loaded) if counts else entry


def _totals(loaded: LoadedSweep) -> dict[str, int]:
    """The totals of a preset, if no trial diverges."""
    from hvdsweep.sweep.resolve import dataset_info, steps_for, target_trials

    sweep = loaded.sweep
    info = dataset_info(sweep)
    train = info.train if info else None
    steps = [steps_for(sweep, size, train) for size in sweep.studies.batch_sizes]
    counted = [
        (n, size, len(sweep.algorithms) * target_trials(sweep, size))
        for n, size in zip(steps, sweep.studies.batch_sizes, strict=True)
    ]
    return {
        "train_examples": train or 0,
        "studies": len(sweep.algorithms) * len(steps),
        "trials": sum(trials for _, _, trials in counted),
        "steps": sum(trials * n for n, _, trials in counted),
        "examples": sum(trials * n * size for n, size, trials in counted),
    }


def _lines(entries: list[dict[str, Any]], counts: bool) -> list[str]:
    from hvdsweep.sweep.batch_sizes import format_batch_sizes
    from workloads import catalogue

    rows = []
    for entry in entries:
        sizes, goal = entry["batch_sizes"], entry["goal"]
        sign = ">" if goal["maximize"] else "<"
        row = [
            entry["name"],
            short(entry["parameters"]),
            format_batch_sizes(sizes) or f"{sizes[0]}..{sizes[-1]} ({len(sizes)})",
            f"{goal['metric']} {sign} {goal['value']:g}",
        ]
        if counts:
            row += [
                whole(entry["studies"]),
                whole(entry["trials"]),
                short(entry["steps"]),
                short(entry["examples"]),
            ]
        rows.append(row)
    header = ["workload", "parameters", "batch sizes", "goal"]
    header += ["studies", "trials", "steps", "examples"] if counts else []
    return [
        *table(header, rows, left=("workload", "batch sizes", "goal")),
        "",
        f"Models: {', '.join(catalogue.model_names())}",
        f"Data sets: {', '.join(catalogue.dataset_names())} (hvdsweep datasets)",
    ]
