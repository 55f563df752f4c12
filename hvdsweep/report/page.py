"""The report as HTML: one file, without scripts or external resources."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING

from hvdsweep.curves.words import verdict
from hvdsweep.figures.figure import Figure
from hvdsweep.report.contents import Contents, WorkloadPart, gather
from hvdsweep.report.tables import (
    costs_table,
    counts_table,
    html_table,
    interval_note,
    moment,
    parameters_table,
    points_table,
    repeats_table,
    shown,
    space_words,
)
from hvdsweep.states import Status
from hvdsweep.visible import visible_html as escape
from hvdsweep.words import between, goal_words

if TYPE_CHECKING:
    from hvdsweep.curves import Curve
    from hvdsweep.store.rows import SweepRow
    from hvdsweep.store.store import Store

WHOLE = "{:,.0f}".format


def report_page(reader: Store, sweep: SweepRow) -> str:
    """The whole page about `sweep`."""
    with reader.snapshot():
        contents = gather(reader, sweep)
    parts = [_workload(part, index) for index, part in enumerate(contents.workloads)]
    body = [
        _head(contents),
        _index(contents),
        *parts,
        _plan(contents),
        _speeds(contents),
        _provenance(contents),
    ]
    style = resources.files("hvdsweep.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(sweep.name)}: hvdsweep report</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>\n{style}</style></head>\n<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )


def _head(contents: Contents) -> str:
    sweep, trials = contents.sweep, contents.trials
    state = sweep.state.lower()
    if sweep.state in ("RUNNING", "STOPPING") and not sweep.live:
        state = "interrupted"
    numbers = {
        "workloads": len(contents.workloads),
        "studies": sum(len(part.studies) for part in contents.workloads),
        "complete trials": trials[Status.COMPLETE],
        "diverged trials": trials[Status.INFEASIBLE],
    }
    if trials[Status.INCOMPLETE]:
        numbers["trials that failed"] = trials[Status.INCOMPLETE]
    left = trials[Status.PENDING] + trials[Status.RUNNING]
    if left:
        numbers["trials to come"] = left
    ended = f"{_ended(trials)} trials"
    if any(contents.repeats.values()):
        numbers["repeats of best trials"] = contents.repeats[Status.COMPLETE]
        ended += f" and {_ended(contents.repeats)} repeats"
    cells = "".join(
        f"<div><b>{value:,}</b><span>{escape(name)}</span></div>" for name, value in numbers.items()
    )
    return (
        f"<header><h1>{escape(sweep.name)}</h1><p>{'Imported' if sweep.source == 'import' else 'Trained'} sweep "
        f"{sweep.id}, {escape(state)}; {ended} ended. Written {moment(time.time())}."
        f'</p><div class="numbers">{cells}</div></header>'
    )


def _ended(counts: Mapping[Status, int]) -> str:
    """`3 of 4`."""
    left = counts[Status.PENDING] + counts[Status.RUNNING]
    return f"{sum(counts.values()) - left:,} of {sum(counts.values()):,}"


def _index(contents: Contents) -> str:
    if len(contents.workloads) < 3:
        return ""
    links = "".join(
        f'<a href="#w{index}">{escape(part.row.name)}</a>' for index, part in enumerate(contents.workloads)
    )
    return f"<section><h2>Workloads</h2><nav>{links}</nav></section>"


def _workload(part: WorkloadPart, index: int) -> str:
    head = f'<section id="w{index}"><h2>{escape(part.row.name)}</h2>'
    curve = part.curve
    if curve is None:
        return f'{head}<p class="note">{escape(part.problem or "")}</p>{counts_table(part)}</section>'
    direction = "above" if curve.maximize else "below"
    text = [
        head,
        f'<p class="verdict"><b>{escape(verdict(curve))}</b></p>',
        f"<p>Steps until {escape(curve.metric)} is {direction} {curve.goal:g}, the fewest over the complete trials of each"
        " batch size.</p>",
        _key_numbers(curve),
        _svg(part.figure, f"w{index}-"),
        _warnings(curve),
        "<h3>Steps to the goal</h3>",
        points_table(curve),
        interval_note(curve),
        repeats_table(curve),
        "<h3>Metaparameters of the best trials</h3>",
        "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in part.exponents),
        parameters_table(curve),
        costs_table(part),
        counts_table(part),
        "</section>",
    ]
    return "\n".join(text)


def _key_numbers(curve: Curve) -> str:
    cells: list[tuple[str, str]] = []
    level = f"{curve.level:.0%}"
    if curve.useful is not None:
        useful = curve.useful
        span = "" if useful.interval is None else f", {level} interval {between(*useful.interval, WHOLE)}"
        cells.append(
            (
                f"{'≥ ' if useful.at_least else ''}{useful.batch_size:,}",
                f"maximum useful batch size: {curve.rules.useful}{span}",
            )
        )
    if curve.critical is not None:
        critical = curve.critical
        span = "" if critical.interval is None else f", {level} interval {between(*critical.interval, WHOLE)}"
        cells.append(
            (
                f"{'≥ ' if critical.at_least else ''}{critical.batch_size:,.0f}",
                f"critical batch size: {critical.definition}{span}",
            )
        )
    if curve.fit is not None:
        fit = curve.fit
        formula = "S = S_min (1 + B_crit / B)"
        if fit.knee > 1:
            formula = f"S = S_min (1 + (B_crit / B)^p)^(1/p) with p = {fit.knee:.3g}"
        expected = fit.expected_scatter_percent
        alone = (
            "" if expected is None else f", where the scatter of trials alone would make it {expected:.2g} %"
        )
        span = between(fit.b_crit.low, fit.b_crit.high, WHOLE)
        cells.append(
            (
                f"{fit.b_crit.value:,.0f}",
                f"B_crit of {formula}, {level} interval {span}; the fit is off by {fit.lack_of_fit_percent:.2g} %{alone}",
            )
        )
    elif curve.no_fit:
        cells.append(("–", f"no fit: {curve.no_fit}"))
    reached = [point for point in curve.points if point.steps is not None]
    if reached:
        best = min(reached, key=lambda point: (point.steps or 0, point.batch_size))
        cells.append((f"{best.steps:,}", f"fewest steps, at batch size {best.batch_size:,}"))
    return (
        '<div class="numbers">'
        + "".join(f"<div><b>{escape(value)}</b><span>{escape(words)}</span></div>" for value, words in cells)
        + "</div>"
    )


def _svg(figure: Figure | None, prefix: str) -> str:
    if figure is None:
        return ""
    from hvdsweep.figures.draw import svg

    text = svg(figure)
    # Several drawings on one page must not share ids.
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", text)
    return f'<figure role="img" aria-label="{escape(figure.name)}">{text}</figure>'


def _warnings(curve: Curve) -> str:
    items = [
        f"<li>Batch size {point.batch_size:,}: {escape(warning.message)}.</li>"
        for point in curve.points
        for warning in point.warnings
    ]
    return f'<ul class="warnings">{"".join(items)}</ul>' if items else ""


def _plan(contents: Contents) -> str:
    rows = []
    for part in contents.workloads:
        spaces = {space_words(study.search) for study in part.studies}
        seeds = {study.seed for study in part.studies if study.seed is not None}
        goal = part.row.goal
        rows.append(
            [
                part.row.name,
                ", ".join(f"{study.batch_size:,}" for study in part.studies),
                "none" if goal is None else goal_words(part.row.metric or "", goal, part.row.maximize),
                spaces.pop() if len(spaces) == 1 else f"{len(spaces)} spaces",
                part.row.train_examples,
                part.row.parameters,
                ", ".join(map(str, sorted(seeds))) or None,
            ]
        )
    head = ["workload", "batch sizes", "goal", "search", "training examples", "weights", "seed"]
    document = escape(json.dumps(contents.definition, indent=2, ensure_ascii=False))
    return (
        f"<section><h2>Plan</h2>{html_table(head, rows, {0, 1, 2, 3})}"
        f"<details><summary>The whole definition</summary><pre>{document}</pre></details></section>"
    )


def _speeds(contents: Contents) -> str:
    if not contents.throughput:
        return ""
    rows = [
        [
            row.workload,
            row.batch_size,
            row.np,
            row.gangs,
            row.host,
            row.steps_per_second,
            row.examples_per_second,
            "measured on purpose" if row.source == "scale" else "mean over trials",
        ]
        for row in contents.throughput
    ]
    head = ["workload", "batch size", "ranks", "gangs", "host", "steps / s", "examples / s", "source"]
    return f"<section><h2>Speed</h2>{html_table(head, rows, {0, 7})}</section>"


def _provenance(contents: Contents) -> str:
    from importlib.metadata import version

    sweep = contents.sweep
    entries: dict[str, object] = {
        "database": contents.database,
        "file": sweep.file,
        "key": sweep.key,
        "created": moment(sweep.created),
        "last run": moment(sweep.started),
        "ended": moment(sweep.ended),
        "ranks per gang (np)": sweep.np,
        "gangs side by side": sweep.gangs,
        "gangs in all": contents.gangs,
        "hosts": ", ".join(contents.hosts) or None,
        "versions": ", ".join(f"{name} {number}" for name, number in sweep.versions.items()) or None,
        "report by": f"hvdsweep {version('hvdsweep')}",
    }
    terms = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(shown(value))}</dd>" for name, value in entries.items()
    )
    rows = [(moment(event.time), event.kind, event.message) for event in contents.events]
    events = html_table(["time", "kind", "message"], rows, {1, 2}) if rows else ""
    return (
        f"<section><h2>Provenance</h2><dl>{terms}</dl>"
        f"<details><summary>Last events</summary>{events}</details></section>"
    )
