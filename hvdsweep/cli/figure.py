"""`hvdsweep figure`: the paper's figures and your own, as files, text or numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.drawing import print_figure
from hvdsweep.cli.options import GoalValue, db_option, json_option, print_json, unit_option
from hvdsweep.cli.questions import budget_options, metric_option, normalise_option, reference_option
from hvdsweep.cli.workload_choice import choose
from hvdsweep.errors import UserError
from hvdsweep.visible import visible

if TYPE_CHECKING:
    pass


@click.command()
@click.argument("name")
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@db_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write FILE.png, .svg or .pdf.  [default: print it as text]",
)
@click.option("--text", "as_text", is_flag=True, help="Print it as text, also with --out.")
@click.option(
    "--sweep", "sweeps", type=int, multiple=True, metavar="ID", help="Use this sweep; may be repeated."
)
@metric_option
@click.option("--maximize/--minimize", default=None, help="Whether more is better.")
@click.option("--goal", "goals", type=GoalValue(), multiple=True, metavar="X", help="Goal; may be repeated.")
@budget_options
@normalise_option
@click.option(
    "--batch-size",
    "batch_sizes",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="B",
    help="scatter: batch sizes to draw.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME",
    help="metaparameters, stability, split, sensitivity: the metaparameter to show.",
)
@click.option("--edge", "edges", type=float, multiple=True, metavar="X", help="split: ends of intervals.")
@click.option(
    "--steps", "step_budgets", type=float, multiple=True, metavar="N", help="best-error: step budgets."
)
@click.option(
    "--epochs", "epoch_budgets", type=float, multiple=True, metavar="N", help="best-error: epoch budgets."
)
@click.option(
    "--at-examples",
    "example_budgets",
    type=float,
    multiple=True,
    metavar="N",
    help="best-error: budgets in training examples, or in tokens.",
)
@click.option(
    "--against",
    type=click.Choice(["data", "model"]),
    help="scaling-law: plot against the size of data or model.  [default: the one that differs]",
)
@reference_option
@click.option("--csv", "as_csv", is_flag=True, help="Print every point as CSV.")
@click.option("--examples", is_flag=True, help="curve: training examples instead of steps.")
@unit_option
@click.option(
    "--dpi", type=click.IntRange(20, 1200), default=160, show_default=True, help="Dots per inch of a PNG."
)
@click.option("--ascii", "only_ascii", is_flag=True, help="Draw text without braille and Unicode.")
@json_option
def figure(
    name: str,
    workloads: tuple[str, ...],
    db: Path,
    out: Path | None,
    as_text: bool,
    sweeps: tuple[int, ...],
    as_csv: bool,
    dpi: int,
    only_ascii: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Draw a figure: NAME is 1 to 11, as in the paper, or one of these kinds for any WORKLOAD.

    \b
    curve           steps to the goal against batch size
    goals           the same at several goals
    metaparameters  metaparameters of the best trials against batch size
    scatter         learning rate against 1 - momentum, trial by trial
    best-error      best error against batch size, under budgets if given
    stability       share of diverged trials over a metaparameter
    split           best error and steps, split by a metaparameter
    compare         two workloads, or one in two sweeps
    best-of         steps of the best of k trials against k
    power-lines     B_crit at several goals against the examples they need, with the power law
    scaling-law     critical batch sizes of workloads against the size of data or model, with the power law
    iso-loss        ranks against hours to each goal, by measured speeds
    sensitivity     how much worse a batch size is if a metaparameter is off its best value

    WORKLOAD is a workload's name, or a part of it that fits no other; without it, all in the database.
    """
    if as_csv and as_json:
        raise UserError("figure: --csv and --json exclude each other; give one of them")
    from hvdsweep.figures.own import USES, Ask, own_figure
    from hvdsweep.figures.paper import figures
    from hvdsweep.figures.published import paper_figure
    from hvdsweep.opening import open_store

    with open_store(db) as reader, reader.snapshot():
        ask = Ask(**asked)
        if name in figures():
            given = [*["WORKLOAD"] * bool(workloads), *(USES[field][0] for field in ask.given)]
            given += ["a second --sweep"] * (len(sweeps) > 1)
            if given:
                raise UserError(
                    f"figure {name}: {', '.join(given)}: the paper's figures have workloads and goals of their own; "
                    "name a kind to draw others"
                )
            made = paper_figure(reader, name, sweeps[0] if sweeps else None)
        else:
            # From each named sweep, or else from the newest that has them.
            rows = [row for sweep in sweeps or (None,) for row in choose(reader, workloads, sweep)]
            made = own_figure(reader, name, rows, ask)
    if out is not None:
        from hvdsweep.figures.draw import save

        save(made, out, dpi=dpi)
        click.echo(f"{visible(str(out))}: written", err=True)
    if as_json:
        print_json(made.to_json())
    elif as_csv:
        click.echo(made.to_csv(), nl=False)
    elif as_text or out is None:
        print_figure(made, ascii=only_ascii)
