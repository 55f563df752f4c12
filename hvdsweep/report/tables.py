"""The report's tables, and its format of numbers, times and search spaces."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hvdsweep.curves.words import interval_notes
from hvdsweep.report.contents import WorkloadPart
from hvdsweep.search import WIDENED
from hvdsweep.states import Status
from hvdsweep.visible import visible_html as escape
from hvdsweep.words import between, counted, duration

if TYPE_CHECKING:
    from hvdsweep.curves import Curve, CurvePoint

MOST_ROWS = 200
"""Most rows of one table: a report is read by people."""


def html_table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    text: Collection[int] = (),
    grey: Collection[int] = (),
) -> str:
    """`text`: columns of words; `grey`: rows that are set back, counted from 0."""

    def cell(tag: str, index: int, value: object) -> str:
        kind = ' class="text"' if index in text else ""
        return f"<{tag}{kind}>{escape(shown(value))}</{tag}>"

    lines = ["".join(cell("th", index, name) for index, name in enumerate(head))]
    found = ["<tr>" + lines[0] + "</tr>"]
    for number, cells in enumerate(rows):
        if number == MOST_ROWS:
            found.append(f'<tr class="lost"><td colspan="{len(head)}">and more</td></tr>')
            break
        found.append(
            f'<tr class="{"lost" if number in grey else ""}">'
            + "".join(cell("td", index, value) for index, value in enumerate(cells))
            + "</tr>"
        )
    return f'<div class="table"><table>{"".join(found)}</table></div>'


def shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def points_table(curve: Curve) -> str:
    head = [
        "batch size",
        "steps",
        "interval",
        curve.data,
        "overhead",
        "region",
        "trial",
        "reached",
        "diverged",
        "budget",
    ]
    rows = (_point(point, curve.per_example) for point in curve.points)
    return html_table(head, rows, {5}, _unreached(curve))


def _unreached(curve: Curve) -> list[int]:
    return [index for index, point in enumerate(curve.points) if not point.reached]


def _point(point: CurvePoint, per_example: int) -> list[object]:
    interval = None
    if point.interval is not None:
        low, high = point.interval
        interval = between(low if high is None else low or None, high, "{:,}".format)
    overhead = None if point.overhead is None else f"{point.overhead:+.0%}"
    return [
        point.batch_size,
        point.steps,
        interval,
        None if point.examples is None else point.examples * per_example,
        overhead,
        point.standing,
        point.trial,
        f"{point.trials_reached:,} of {point.trials:,}"
        + (f", {point.trials_censored:,} stopped before" if point.trials_censored else ""),
        point.infeasible,
        point.budget,
    ]


def repeats_table(curve: Curve) -> str:
    """The repeats of the best trials; empty if there are none."""
    rows = []
    for point in curve.points:
        again = point.repeats
        if again is not None:
            ends = None if again.interval is None else f"{again.interval[0]:,.0f} to {again.interval[1]:,.0f}"
            mean = f"{'more than ' if again.at_least else ''}{again.mean:,.0f}"
            cells = [
                point.batch_size,
                again.trial,
                f"{again.reached:,} of {len(again.steps):,}",
                mean,
                again.sd,
                ends,
            ]
            rows.append([*cells, point.steps, f"{again.luck:+.1%}"])
    if not rows:
        return ""
    head = [
        "batch size",
        "best trial",
        "reached",
        "mean steps",
        "standard deviation",
        "interval",
        "search's best",
        "luck",
    ]
    note = f"{curve.level:.0%} interval of the mean over seeds, by Student's t. Luck: the share of it that the best saved."
    return (
        f'<h3>The best trials again, with other seeds</h3>{html_table(head, rows)}<p class="note">{note}</p>'
    )


def interval_note(curve: Curve) -> str:
    """What the intervals in `points_table` are of."""
    return "".join(f'<p class="note">{escape(note)}.</p>' for note in interval_notes(curve))


def parameters_table(curve: Curve) -> str:
    names = sorted({name for point in curve.points for name in point.parameters})
    momentum = "momentum" in names
    head = [
        "batch size",
        "trial",
        *names,
        *(["learning rate / (1 - momentum)"] if momentum else []),
        "best value",
    ]
    rows = []
    for point in curve.points:
        cells: list[object] = [point.batch_size, point.trial if point.reached else point.best_trial]
        cells += [point.parameters.get(name) for name in names]
        cells += [point.effective_learning_rate] if momentum else []
        rows.append([*cells, point.best_value])
    return (
        html_table(head, rows, grey=_unreached(curve))
        + '<p class="note">Grey: the goal was not reached; the trial that came nearest.</p>'
    )


def costs_table(part: WorkloadPart) -> str:
    if part.costs is None or not part.costs.choices:
        return ""
    choices, frontier = part.costs.choices, set(part.costs.frontier)
    rows = [
        [
            choice.batch_size,
            choice.np,
            choice.steps,
            choice.steps_per_second,
            duration(choice.seconds),
            duration(choice.worker_seconds),
        ]
        for choice in choices
    ]
    beaten = [index for index, choice in enumerate(choices) if choice not in frontier]
    head = ["batch size", "ranks", "steps", "steps / s", "time to the goal", "time x ranks"]
    note = '<p class="note">By measured speeds. Grey: another choice is both faster and cheaper.</p>'
    return f"<h3>Time to the goal</h3>{html_table(head, rows, grey=beaten)}{note}"


def counts_table(part: WorkloadPart) -> str:
    head = ["batch size", "budget (steps)", "wanted", *(status.name.lower() for status in Status)]
    rows = []
    for study in part.studies:
        counts = part.counts[study.id]
        budget = study.train_steps or "wall time"
        outcomes = (counts.get(status, 0) for status in Status)
        rows.append([study.batch_size, budget, study.target_trials or None, *outcomes])
    return f"<details><summary>Trials of every study</summary>{html_table(head, rows)}</details>"


def space_words(search: Any) -> str:
    words = []
    for name, value in search.items():
        match value:
            case {"scale": "choice", "values": values}:
                words.append(f"{name} in {', '.join(f'{one:g}' for one in values)}")
            case {"scale": scale, "min": low, "max": high}:
                words.append(f"{name} {low:g} to {high:g} ({str(scale).replace('_', ' ')})")
            case int() | float():
                words.append(f"{name} {value:g}")
            case list() if name == WIDENED:
                words.append(f"widened {counted(len(value), 'time')}")
            case list():
                words.append(f"{len(value)} listed points")
    return "; ".join(words) or "none"


def moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
