"""`hvdsweep curve`: steps to the goal against batch size, as table and chart, JSON or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.drawing import print_chart, print_figure
from hvdsweep.cli.options import GoalValue, db_option, json_option, print_json, unit_option
from hvdsweep.cli.questions import answers, normalise_option, question_options, reference_option
from hvdsweep.cli.workload_choice import choose
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.curves import Costs, Curve
    from hvdsweep.curves.question import Question

SHOWN_IN_FULL = 4
"""With more workloads than this, and none named, each gets a single line."""


@click.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@db_option
@question_options
@click.option(
    "--goal",
    "goals",
    type=GoalValue(),
    multiple=True,
    metavar="X",
    help="Reached strictly below (above); may be repeated.  [default: the sweep's]",
)
@normalise_option
@click.option(
    "--useful-tolerance",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    metavar="X",
    help="Maximum useful batch size: the smallest whose steps are within this share of the fewest.",
)
@click.option(
    "--overhead",
    type=click.FloatRange(min=0),
    default=0.2,
    show_default=True,
    metavar="X",
    help="Perfect scaling and critical batch size: this share of extra examples is allowed.",
)
@reference_option
@click.option(
    "--critical-from",
    type=click.Choice(["fit", "points"]),
    default="fit",
    show_default=True,
    help="Read the critical batch size from the fit or from the measured points.",
)
@click.option(
    "--level",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    metavar="X",
    help="Level of the intervals.",
)
@click.option(
    "--at-budget",
    "budgets",
    multiple=True,
    metavar="BUDGET",
    help="Print the best measurement of each batch size within a budget instead: 500 (steps), '64000 examples', '1e6 tokens' or"
    " '20 epochs';"
    " may be repeated.",
)
@click.option("--examples", is_flag=True, help="Show training examples instead of steps.")
@unit_option
@click.option("--ascii", "only_ascii", is_flag=True, help="Draw the chart without braille and Unicode.")
@click.option("--chart/--no-chart", default=True, help="Draw the chart.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per batch size.")
@json_option
def curve(
    workloads: tuple[str, ...],
    db: Path,
    sweep: int | None,
    question: Question,
    goals: tuple[float, ...],
    normalise: int | None,
    useful_tolerance: float,
    overhead: float,
    reference_batch_size: int | None,
    critical_from: str,
    level: float,
    budgets: tuple[str, ...],
    examples: bool,
    unit: str | None,
    only_ascii: bool,
    chart: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Print the steps to the goal against batch size, as table and chart.

    WORKLOAD is a workload's name, a part of it that fits no other, or a sweep file; without it, all in the database.
    """
    if as_csv and as_json:
        raise UserError("curve: --csv and --json exclude each other; give one of them")
    if reference_batch_size is not None and critical_from == "points":
        raise UserError(
            "curve: --reference-batch-size: points are measured against the smallest; leave out --critical-from points"
        )
    if budgets and unit is not None:
        raise UserError("curve: --unit: a budget names its own unit: --at-budget '1e6 tokens'")
    if budgets:
        _print_budgets(db, workloads, sweep, question, budgets, only_ascii, chart, as_csv, as_json)
        return
    rules = {
        "useful_tolerance": useful_tolerance,
        "overhead": overhead,
        "critical_from": critical_from,
    }
    answered, rows = answers(
        db,
        workloads,
        sweep,
        question,
        goals,
        normalise=normalise,
        rules=rules,
        level=level,
        reference_batch_size=reference_batch_size,
        unit=unit,
    )
    from hvdsweep.curves.speeds import costs_of, speeds

    measured = speeds(rows)
    found = [(sweep_id, one, costs_of(one, measured)) for sweep_id, one in answered]
    curves = [one for _, one, _ in found]
    if as_json:
        print_json([_json(sweep_id, one, costs) for sweep_id, one, costs in found])
    elif as_csv:
        from hvdsweep.curves import to_csv

        click.echo(to_csv(curves), nl=False)
    else:
        _print(
            curves,
            [costs for _, _, costs in found],
            bool(workloads),
            examples or unit is not None,
            only_ascii,
            chart,
        )


def _print_budgets(
    db: Path,
    workloads: tuple[str, ...],
    sweep: int | None,
    question: Question,
    budgets: tuple[str, ...],
    only_ascii: bool,
    chart: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    from hvdsweep.cli.at_budget import at_budgets, parse_budget
    from hvdsweep.opening import open_store

    wanted = [parse_budget(text) for text in budgets]
    with open_store(db) as reader, reader.snapshot():
        rows = choose(reader, workloads, sweep)
        found = [at_budgets(reader, row, question, wanted) for row in rows]
    if as_json:
        print_json([one.to_json() for one in found])
        return
    for place, one in enumerate(found):
        if as_csv:
            click.echo(one.figure().to_csv(), nl=False)
            continue
        click.echo(("\n" if place else "") + "\n".join(one.lines()))
        if chart:
            click.echo()
            print_figure(one.figure(), ascii=only_ascii)


def _json(sweep_id: int, one: Curve, costs: Costs) -> dict[str, Any]:
    from hvdsweep.curves import curve_json

    choices = [
        {
            "batch_size": choice.batch_size,
            "np": choice.np,
            "steps_per_second": choice.steps_per_second,
            "seconds": choice.seconds,
            "worker_seconds": choice.worker_seconds,
        }
        for choice in costs.choices
    ]
    return {**curve_json(one), "sweep": sweep_id, "time_to_goal": choices}


def _print(
    curves: list[Curve], costs: list[Costs], named: bool, examples: bool, only_ascii: bool, chart: bool
) -> None:
    from hvdsweep.cli.curve_text import comparison_lines, curve_lines, overview_lines
    from hvdsweep.curves.chart import curve_chart

    if len(curves) > SHOWN_IN_FULL and not named:
        click.echo("\n".join([*overview_lines(curves), "", "`hvdsweep curve WORKLOAD` shows one in full."]))
        return
    for index, (one, cost) in enumerate(zip(curves, costs, strict=True)):
        click.echo(("\n" if index else "") + "\n".join(curve_lines(one, cost, examples=examples)))
    compared = comparison_lines(curves) if len(curves) > 1 else []
    if compared:
        click.echo("\n" + "\n".join(compared))
    if chart and any(one.points for one in curves):
        click.echo()
        print_chart(curve_chart(curves, examples=examples), ascii=only_ascii, most=(160, 30))
