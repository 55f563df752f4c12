"""The question of `curve` and `best` to a workload: metric, goal, budgets and trials, as options and as a value."""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.options import together
from hvdsweep.cli.workload_choice import choose
from hvdsweep.curves.question import Question
from hvdsweep.errors import UserError
from hvdsweep.states import Status
from hvdsweep.tokens import tokens_for
from hvdsweep.visible import visible
from hvdsweep.words import goal_problem

if TYPE_CHECKING:
    from hvdsweep.curves import Curve
    from hvdsweep.store.rows import ThroughputRow, WorkloadRow
    from hvdsweep.store.store import Store

metric_option = click.option("--metric", metavar="NAME", help="Such as val/loss.  [default: the goal's]")
budget_options = together(
    click.option(
        "--step-budget", type=click.FloatRange(min=0), metavar="N", help="Only steps up to N count."
    ),
    click.option(
        "--example-budget",
        type=click.FloatRange(min=0),
        metavar="N",
        help="Only batch size x steps up to N counts.",
    ),
    click.option(
        "--num-trials", type=click.IntRange(min=1), metavar="N", help="Only the first N trials of each study."
    ),
)
normalise_option = click.option(
    "--normalise", "--normalize", type=click.IntRange(min=1), metavar="B", help="Divide by the steps at B."
)
reference_option = click.option(
    "--reference-batch-size",
    type=click.IntRange(min=1),
    metavar="B0",
    help="Critical batch size: where perfect scaling starts.  [default: the smallest]",
)


def question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a question, passed as `question: Question`, and `--sweep`, passed as `sweep: int | None`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        asked = {field.name: given.pop(field.name) for field in fields(Question)}
        asked["statuses"] = tuple(Status[word.upper()] for word in asked["statuses"]) or (Status.COMPLETE,)
        return command(question=Question(**asked), **given)

    words = click.Choice([status.name.lower() for status in Status if status is not Status.PENDING])
    return together(
        click.option(
            "--sweep", type=int, metavar="ID", help="Take workloads from this sweep.  [default: the newest]"
        ),
        metric_option,
        click.option(
            "--maximize/--minimize",
            default=None,
            help="Whether more is better.  [default: the metric's direction]",
        ),
        budget_options,
        click.option(
            "--status",
            "statuses",
            type=words,
            multiple=True,
            help="Which trials count; may be repeated. `running`: by what they have measured so far."
            "  [default: complete]",
        ),
    )(gathered)


def answers(
    db: Path,
    asked: Sequence[str],
    sweep: int | None,
    question: Question,
    goals: Sequence[float],
    **options: Any,
) -> tuple[list[tuple[int, Curve]], list[ThroughputRow]]:
    """(sweep, curve) of every workload that was asked for (none: all of the database), see `answer`, and the measured speeds.

    Notes, and workloads without an answer, go to stderr. UserError if a workload that was named has no answer, or none has one.
    """
    from hvdsweep.opening import open_store

    preload()
    found: list[tuple[int, Curve]] = []
    notes: list[str] = []
    problems: list[str] = []
    with open_store(db) as reader:
        reader.need_records()
        with reader.snapshot():
            workloads = choose(reader, asked, sweep, notes.append)
            searches = reader.searches()
            speeds = list(reader.throughput())
            for workload in workloads:
                try:
                    curves = answer(
                        reader, workload, question, goals, searches.get(workload.id, {}), **options
                    )
                except UserError as error:
                    problems += error.problems
                    continue
                found += [(workload.sweep_id, curve) for curve in curves]
    if problems and (asked or not found):
        raise UserError(*problems)
    for note in (*notes, *problems):
        click.echo(note, err=True)
    return found, speeds


def preload() -> None:
    """Import the modules for an answer in the background: SQLite works without the interpreter's lock meanwhile."""

    def load() -> None:
        for module in ("measurements", "scaling_curve", "chart"):
            importlib.import_module(f"hvdsweep.curves.{module}")

    threading.Thread(target=load).start()


def answer(
    reader: Store,
    workload: WorkloadRow,
    question: Question,
    goals: Sequence[float],
    searches: Mapping[int, Mapping[str, Any]],
    *,
    rules: Mapping[str, Any] | None = None,
    unit: str | None = None,
    **options: Any,
) -> list[Curve]:
    """One curve per goal (none given: the workload's own); `rules` as `hvdsweep.curves.Rules` has them, `unit` as
    `tokens_for`, other `options` as `curve_of`.

    UserError if the question has no answer. Of several goals, those with an answer are answered and the others named on
    stderr.
    """
    from hvdsweep.store.goal_answers import answered
    from hvdsweep.store.noise import noise_of_trials

    tokens = tokens_for(reader, workload, unit)
    if not goals and workload.goal is None:
        # Checked before anything is loaded: an imported workload that is not in the paper has no goal.
        raise UserError(_no_goal(reader, workload, question))
    _note_goals(question.metric or workload.metric or "", goals)
    # Several goals share one table, which is loaded when the first of them needs it.
    table = cache(
        lambda: reader.workload_table(workload.name, question.metric, workload.sweep_id, question.maximize)
    )
    answers = [
        answered(reader, workload, goal, question, table, load=len(goals) > 1) for goal in (goals or (None,))
    ]

    from hvdsweep.curves.scaling import Rules
    from hvdsweep.curves.scaling_curve import curve_of
    from hvdsweep.store.workload_tables import repeats_table

    repeats = repeats_table(reader, workload, question.metric, question.maximize)
    curves, problems = [], []
    for result, best in answers:
        try:
            curves.append(
                curve_of(
                    result,
                    best,
                    rules=Rules(**(rules or {})),
                    searches=searches,
                    repeats=repeats,
                    **options,
                )
            )
        except UserError as error:
            at = f" at goal {result.goal:g}" if len(answers) > 1 else ""
            problems += [problem + at for problem in error.problems]
    if problems and not curves:
        raise UserError(*problems)
    for problem in problems:
        click.echo(problem, err=True)
    trials = {point.trial_id for one in curves for point in one.points if point.trial_id is not None}
    noise = noise_of_trials(reader, sorted(trials))
    return [replace(one.with_noise(noise), tokens_per_example=tokens) for one in curves]


def _note_goals(metric: str, goals: Sequence[float]) -> None:
    """Name on stderr the goals that make no sense for the metric, as in the check of a sweep file: each once."""
    from hvdsweep.store.schema import naturally_maximised

    # The next workload has the same goals.
    noted = click.get_current_context().meta.setdefault("hvdsweep.noted goals", set())
    for goal in goals:
        problem = goal_problem(metric.rpartition("/")[2], goal, naturally_maximised(metric))
        if problem and (goal, problem) not in noted:
            noted.add((goal, problem))
            click.echo(f"--goal: {goal:g} {visible(problem)}", err=True)


def _no_goal(reader: Store, workload: WorkloadRow, question: Question) -> str:
    """What to ask instead: the metric of the question, and the best value of its trials."""
    from hvdsweep.store.goal_answers import value_range
    from hvdsweep.words import short

    metric, worst, best = value_range(reader, workload, question.metric, question.maximize)
    said = f"{workload.name}: {metric}: the sweep names no goal; give one (--goal X)"
    if worst is None or best is None:
        return said
    return f"{said} between {short(worst)} and {short(best)}, the best that was measured"
