"""A plan as text: one table row per study, the totals, the advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.plan import Plan
from hvdsweep.plan_summary import PlanSummary, StudySummary, summarize, summarize_auto
from hvdsweep.visible import visible
from hvdsweep.words import counted, duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hvdsweep.launch.hosts import Host
    from hvdsweep.store.rows import ThroughputRow
    from hvdsweep.store.store import Store


MOST_ROWS = 500
"""Studies of a workload that are printed."""

MOST_EXTENDED = 8
"""Studies that an extension names."""


def stored(reader: Store, plan: Plan) -> dict[str, Any] | None:
    """The `sweep` of this database that the plan is, how many `more` trials it asks for, and how many more `repeats` of best
    trials at most; None: it begins a new sweep."""
    sweep = next((sweep.id for sweep in reader.sweeps() if sweep.key == plan.key), None)
    if sweep is None:
        return None
    there = {(study.workload, study.batch_size): study.target_trials for study in reader.studies(sweep)}
    more = [
        {"workload": study.workload, "batch_size": study.batch_size, "trials": trials}
        for study in plan.studies
        if (trials := study.target_trials - there.get((study.workload, study.batch_size), 0)) > 0
    ]
    again = {
        (workload, size): repeats or 0
        for workload, size, repeats in reader.rows(
            f"SELECT w.name, s.batch_size, {reader.column('studies', 'repeats')} FROM workloads w"
            " JOIN studies s ON s.workload_id = w.id WHERE w.sweep_id = ?",
            (sweep,),
        )
    }
    missing = (study.repeats - again.get((study.workload, study.batch_size), 0) for study in plan.studies)
    return {"sweep": sweep, "more": more, "repeats": sum(max(0, repeats) for repeats in missing)}


def standing(sweep: int, more: Sequence[Mapping[str, Any]], repeats: int) -> str:
    """The same in a sentence: `Extends sweep 1: 4 more at batch size 64, 9 at 128; 5 repeats of best trials.`"""
    again = [f"{counted(repeats, 'repeat')} of best trials"] * bool(repeats)
    if not more:
        return f"Extends sweep {sweep}: {again[0]}." if again else f"Resumes sweep {sweep}."
    several = len({study["workload"] for study in more}) > 1
    words = [
        f"{study['trials']:,} at {study['batch_size']:,}" + several * f" of {study['workload']}"
        for study in more[:MOST_EXTENDED]
    ]
    words[0] = words[0].replace(" at ", " more at batch size ", 1)
    left = len(more) > MOST_EXTENDED
    listed = f"{', '.join(words)}{', ... (--json lists all)' * left}"
    return f"Extends sweep {sweep}: {'; '.join([listed, *again])}."


def show_plans(
    plans: Sequence[Plan],
    np: int | str,
    gangs: int,
    slots: int | None,
    hosts: Sequence[Host] | None,
    db: Path,
    *,
    as_json: bool,
) -> None:
    """Print the plans of a dry run: which sweep of this database each resumes or extends, the expected hours if the database
    knows speeds, and under `--np auto` the layout."""
    from rich.console import Console
    from rich.text import Text

    from hvdsweep.cli.options import print_json

    speeds: list[ThroughputRow] = []
    places: list[dict[str, Any] | None] = [None] * len(plans)
    if db.exists() and db.stat().st_size:
        from hvdsweep.opening import open_store
        from hvdsweep.store.throughput import here_last

        with open_store(db) as reader:
            speeds = here_last(reader.throughput())
            places = [stored(reader, plan) for plan in plans]
    if isinstance(np, str):
        first = hosts[0].slots if hosts else None
        summaries = [summarize_auto(plan, slots or 1, first, speeds) for plan in plans]
    else:
        summaries = [summarize(plan, np, gangs, speeds) for plan in plans]
    both = list(zip(summaries, places, strict=True))
    if as_json:
        print_json([{**summary.to_json(), "stored": place} for summary, place in both])
        return
    console = Console(highlight=False)
    for summary, place in both:
        console.print(render_summary(summary))
        if place is not None:
            console.print(Text(visible(standing(**place))))


def render_summary(summary: PlanSummary) -> RenderableType:
    """The plan as `--dry-run` prints it."""
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
            box=SIMPLE_HEAD,
            title=Text(visible(workload)),
            title_justify="left",
            title_style="bold",
            pad_edge=False,
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
    parts.append(Text(visible(totals(summary))))
    parts.append(Text(summary.advice))
    parts += [Text(visible(f"warning: {warning}"), style="yellow") for warning in summary.warnings]
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
