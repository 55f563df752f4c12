"""A plan as text: one table row per study, the totals, the advice."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from hvdsweep.plan import Plan
from hvdsweep.plan_summary import PlanSummary, StudySummary, summarize
from hvdsweep.step_time import Speed
from hvdsweep.words import counted, duration

if TYPE_CHECKING:
    from rich.console import RenderableType


MOST_ROWS = 500
"""Studies of a workload that are printed."""


def render_plan(plan: Plan, np: int = 1, gangs: int = 1, throughput: Iterable[Speed] = ()) -> RenderableType:
    """The plan as `--dry-run` prints it: `rich.console.Console().print(render_plan(...))`."""
    return render_summary(summarize(plan, np, gangs, throughput))


def render_summary(summary: PlanSummary) -> RenderableType:
    """The same for a plan that is summed up already."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for workload, studies in groupby(summary.studies, key=lambda study: study.workload):
        rows = list(studies)
        timed = any(study.hours is not None for study in rows)
        auto = summary.layout is not None
        table = Table(
            box=SIMPLE_HEAD, title=Text(workload), title_justify="left", title_style="bold", pad_edge=False
        )
        for name in ("batch size", "trials", "steps", "measured"):
            table.add_column(name, justify="right")
        if auto:
            table.add_column("gangs x ranks", justify="right")
        table.add_column("per rank")
        table.add_column("passes")
        if timed:
            table.add_column("hours", justify="right")
        for study in rows[:MOST_ROWS]:
            table.add_row(
                str(study.batch_size),
                f"{study.trials}{f' to {study.most_trials}' if study.most_trials else ''}"
                f"{f' + {study.repeats}' if study.repeats else ''} (max. {study.max_trials})",
                f"{study.steps:,}",
                f"{study.measurements}x",
                *([f"{study.gangs} x {study.np}"] if auto else []),
                runs(study.ranks),
                passes(study),
                *([hours(study)] if timed else []),
            )
        parts.append(table)
        if len(rows) > MOST_ROWS:
            parts.append(Text(f"... and {len(rows) - MOST_ROWS:,} more; --json lists all"))
    parts.append(Text(totals(summary)))
    parts.append(Text(summary.advice))
    parts += [Text(f"warning: {warning}", style="yellow") for warning in summary.warnings]
    return Group(*parts)


def totals(summary: PlanSummary) -> str:
    """The plan in one sentence."""
    text = f"{summary.name}: {counted(summary.workloads, 'workload')}, {counted(len(summary.studies), 'study', 'studies')}"
    text += f", {counted(summary.trials, 'trial')}"
    if summary.repeats:
        text += f" and {counted(summary.repeats, 'repeat')} of the best"
    text += f", {counted(summary.steps, 'step')}"
    text += f", {counted(summary.examples, 'example')}"
    if summary.np is not None and summary.gangs is not None:
        text += f"; {counted(summary.gangs, 'gang')} of {counted(summary.np, 'rank')}"
    elif summary.layout is not None:
        text += f"; {counted(summary.layout.slots, 'slot')}"
    if summary.hours is not None:
        text += f"; about {duration(3600 * summary.hours)} of training"
    text += "."
    if summary.most_trials is not None:
        text += (
            f" These are the trials before the first round; at most {counted(summary.most_trials, 'trial')}"
        )
        if summary.most_hours is not None:
            text += f" and {duration(3600 * summary.most_hours)}"
        text += "."
    if summary.until is not None:
        text += (
            f" Rounds end once the steps of every batch size are known within {100 * summary.until:.3g} %; that cannot be where "
            f"the goal is reached in fewer than about {summary.fewest_evaluations} evaluations."
        )
    return text


def runs(sizes: tuple[int, ...]) -> str:
    """`3x 22, 2x 21, 1x 0`: runs of equal numbers with their lengths."""
    grouped = [(size, len(list(same))) for size, same in groupby(sizes)]
    return ", ".join(f"{count}x {size}" if count > 1 else str(size) for size, count in grouped)


def passes(study: StudySummary) -> str:
    """The passes of the busiest rank: `1`, or `4: 4x 256`."""
    most = max(study.passes, key=len)
    return "1" if len(most) <= 1 else f"{len(most)}: {runs(most)}"


def hours(study: StudySummary) -> str:
    """The expected time of a study on one gang; `~` marks one derived from other batch sizes or ranks, `≈` a rough estimate."""
    if study.hours is None:
        return "?"
    mark = {"measured": "", "derived": "~", "rough": "≈"}[study.basis or "derived"]
    return f"{mark}{study.hours:.2g}"
