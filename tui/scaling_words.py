"""A scaling curve in the words and rows of the Scaling screen. Knows no widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.content import Content

from tui.widgets.columns import Column
from tui.words import count, duration, number, plural, short

if TYPE_CHECKING:
    from hvdsweep.curves.costs import Costs, TimeToGoal
    from hvdsweep.curves.curve_data import Curve, CurvePoint
    from hvdsweep.store.rows import WorkloadRow
    from tui.curve_cache import CurveCache
    from tui.field_views import View

REGIONS: Mapping[str, tuple[str, str]] = {
    "perfect scaling": ("perfect", "$success"),
    "diminishing returns": ("diminishing", "$warning"),
    "maximal data parallelism": ("maximal", "$error"),
    "undecided": ("undecided", "$foreground-muted"),
}
"""Region -> short word and colour."""

INTERVAL = 11
"""Cells for an interval; one that needs more is rounded to three digits."""

MOST_WARNINGS = 4
"""Warnings listed with the facts; the rest are on the Metaparameters screen."""


def _batch_size(point: CurvePoint) -> Content:
    return Content.assemble(count(point.batch_size), ("⚠", "$warning") if point.warnings else "")


def _reached(point: CurvePoint) -> Content:
    muted = "" if point.trials_reached else "$foreground-muted"
    return Content.styled(f"{point.trials_reached}/{point.trials}", muted)


def _region(point: CurvePoint) -> Content:
    region = "not reached" if point.region is None else str(point.region)
    return Content.styled(*REGIONS.get(region, (region, "$foreground-muted")))


def _repeats(point: CurvePoint) -> str:
    """`1,380 ± 60 (5)`: mean and standard deviation of the steps of the best trial's repeats, and how many there are."""
    again = point.repeats
    if again is None:
        return ""
    spread = "" if again.sd is None else f" ± {short(again.sd)}"
    return f"{'> ' if again.at_least else ''}{short(again.mean)}{spread} ({len(again.steps)})"


NUMBERS: tuple[Column[CurvePoint], ...] = (
    Column("batch", 7, _batch_size, right=True, fixed=True),
    Column("steps", 8, right=True, fixed=True),
    Column("95 %", 11, right=True, fixed=True),
    Column(
        "overhead",
        8,
        lambda point: "" if point.overhead is None else f"{100 * point.overhead:+.0f} %",
        right=True,
    ),
    Column("reached", 7, _reached, right=True),
    Column("region", 11, _region),
    Column("best", 8, lambda point: number(point.best_value, 3), right=True),
    Column("trial", 5, lambda point: "" if point.trial is None else str(point.trial), right=True),
    Column("mean of repeats", 15, _repeats, right=True),
)
"""Of a batch size; what its value and the interval say is in `number_columns`."""


def value_title(curve: Curve, measure: str) -> str:
    """What the column of values says."""
    if measure == "steps" and curve.normalise is not None:
        return f"/ {curve.normalise}"
    return {"steps": "steps", "examples": curve.data, "time": "time", "cost": "cost"}[measure]


def spread_title(curve: Curve, measure: str) -> str:
    """The title of the column next to the values: how sure a number of steps is, or which ranks a time holds for."""
    return "on" if measure in ("time", "cost") else f"repeat {100 * curve.level:g}%"


def number_columns(curve: Curve, costs: Costs, measure: str) -> list[Column[CurvePoint]]:
    """The columns in a measure."""

    def value(point: CurvePoint) -> Content:
        words = _value(curve, point, costs, measure)[0]
        return Content.styled(words, "bold" if point.reached else "$foreground-muted")

    def spread(point: CurvePoint) -> Content:
        return Content.styled(_value(curve, point, costs, measure)[1], "$foreground-muted")

    first, second, third, *others = NUMBERS
    second = replace(second, title=value_title(curve, measure), cell=value)
    return [first, second, replace(third, title=spread_title(curve, measure), cell=spread), *others]


def _value(curve: Curve, point: CurvePoint, costs: Costs, measure: str) -> tuple[str, str]:
    """(the value, its interval) of one batch size."""
    if measure in ("time", "cost"):
        best = _best(costs, point.batch_size, measure)
        if best is None:
            return "", ""
        ranks = plural(best.np, "rank")
        return duration(best.seconds if measure == "time" else best.worker_seconds), ranks
    unit = point.batch_size * curve.per_example if measure == "examples" else 1
    say = short if measure == "examples" else _whole
    if not point.reached:
        return (f"> {say(point.budget * unit)}" if point.trials and point.budget else "–"), ""
    if measure == "steps" and curve.normalise is not None:
        return "" if point.normalised is None else f"{point.normalised:.3g}", ""
    assert point.steps is not None
    spread = _spread(point, unit, say)
    if len(spread) > INTERVAL:
        spread = _spread(point, unit, short)
    return say(point.steps * unit), spread


def _spread(point: CurvePoint, unit: int, say: object) -> str:
    """The interval of a point; only its upper end where no more is known."""
    if point.interval is None:
        return ""
    low, high = point.interval
    return f"{_end(low, unit, say)}–{_end(high, unit, say)}" if low else f"≤ {_end(high, unit, say)}"


def _best(costs: Costs, batch_size: int, measure: str) -> TimeToGoal | None:
    mine = [choice for choice in costs.choices if choice.batch_size == batch_size]
    return min(mine, key=lambda one: one.seconds if measure == "time" else one.worker_seconds, default=None)


def _whole(value: float | None) -> str:
    return "–" if value is None else count(round(value))


def _end(value: float | None, unit: int, say: object) -> str:
    assert callable(say)
    return "?" if value is None else str(say(value * unit))


def facts_of(curve: Curve, costs: Costs) -> Content:
    """The curve's numbers, one per line, and why they may be wrong."""
    lines: list[Content] = []

    def fact(name: str, *words: str | tuple[str, str]) -> None:
        lines.append(Content.assemble((f"{name:<12}", "$foreground-muted"), *words))

    level = f"{100 * curve.level:g} %"
    if curve.useful is None:
        bests = [point.best_value for point in curve.points if point.best_value is not None]
        if bests:
            best = max(bests) if curve.maximize else min(bests)
            fact("goal", ("not reached yet", "$warning"), f"  best {number(best, 3)}")
        else:
            fact("goal", ("no trial has been measured yet", "$foreground-muted"))
    else:
        more = "≥ " if curve.useful.at_least else ""
        spread = "" if curve.useful.interval is None else f"  {level}: {_between(curve.useful.interval)}"
        fact("max useful", (f"{more}{count(curve.useful.batch_size)}", "bold"), (spread, "$foreground-muted"))
    if curve.critical is not None:
        more = "≥ " if curve.critical.at_least else ""
        extra = f"  {100 * curve.rules.overhead:.0f} % more examples"
        if curve.critical.interval is not None:
            extra = f"  {level}: {_between(curve.critical.interval)}"
        fact("critical", (f"{more}{short(curve.critical.batch_size)}", "bold"), (extra, "$foreground-muted"))
    if curve.fit is not None:
        fit = curve.fit
        named = (("B_crit", fit.b_crit), ("S_min", fit.s_min), ("E_min", fit.e_min.times(curve.per_example)))
        for name, estimate in named:
            spread = f"  {short(estimate.low) if estimate.low else '?'} – {short(estimate.high) if estimate.high else '?'}"
            spread += " tokens" if name == "E_min" and curve.unit == "tokens" else ""
            fact(name, (short(estimate.value), "bold"), (spread, "$foreground-muted"))
        of = "hyperbola" if fit.knee == 1 else f"knee {fit.knee:.2g}"
        expected = (
            ""
            if fit.expected_scatter_percent is None
            else f", trials alone {fit.expected_scatter_percent:.2g} %"
        )
        fact(
            "lack of fit",
            (f"{fit.lack_of_fit_percent:.2g} %", "bold $warning" if fit.misfit else "bold"),
            (f"  {of}{expected}", "$foreground-muted"),
        )
    elif curve.no_fit and curve.useful is not None:
        fact("no fit", (curve.no_fit, "$foreground-muted"))
    again = [point.repeats for point in curve.points if point.repeats is not None]
    if again:
        mean = sum(one.luck for one in again) / len(again)
        fact(
            "luck",
            (f"{100 * abs(mean):.2g} %", "bold"),
            (f"  {'fewer' if mean > 0 else 'more'} steps than the mean of repeats", "$foreground-muted"),
        )
    if curve.noise is not None:
        value = short(curve.noise.batch_size)
        spread = (
            f"  {short(curve.noise.lowest)} – {short(curve.noise.highest)}" if curve.noise.counted > 1 else ""
        )
        fact("noise scale", (value, "bold"), (f"{spread}  examples", "$foreground-muted"))
    for word, choice in (("fastest", costs.fastest), ("cheapest", costs.cheapest)):
        if choice is None or (word == "cheapest" and costs.cheapest == costs.fastest):
            continue
        took = (
            duration(choice.seconds)
            if word == "fastest"
            else f"{duration(choice.worker_seconds)} of one rank"
        )
        fact(
            word,
            (took, "bold"),
            (f"  {count(choice.batch_size)} on {plural(choice.np, 'rank')}", "$foreground-muted"),
        )
    lines += _warnings(curve)
    return Content("\n").join(lines)


def _between(interval: tuple[float, float | None]) -> str:
    low, high = interval
    return f"{short(low)} or more" if high is None else f"{short(low)} – {short(high)}"


def _warnings(curve: Curve) -> list[Content]:
    said: dict[str, list[str]] = {}
    for point in curve.points:
        for warning in point.warnings:
            said.setdefault(warning.message, []).append(count(point.batch_size))
    lines = [
        Content.assemble(("⚠ ", "$warning"), (", ".join(sizes), "bold"), f": {message}")
        for message, sizes in said.items()
    ]
    if len(lines) > MOST_WARNINGS:
        rest = len(lines) - MOST_WARNINGS + 1
        lines = [*lines[: MOST_WARNINGS - 1], Content.styled(f"⚠ and {rest} more: press 5", "$warning")]
    return lines


def point_words(name: str, curve: Curve, point: CurvePoint, measure: str) -> str:
    """One point of the chart, for the line that reads it out: what matters most comes first."""
    head = f"{name} at {count(point.batch_size)}:"
    if not point.reached:
        return (
            f"{head} not reached within {plural(point.budget, 'step')} · best {number(point.best_value, 3)}"
        )
    assert point.steps is not None
    examples, data = measure == "examples", point.batch_size * curve.per_example
    words = (
        f"{head} {short(point.steps * data)} {curve.data}"
        if examples
        else f"{head} {plural(point.steps, 'step')}"
    )
    if point.interval is not None:
        unit = data if examples else 1
        say = short if examples else _whole
        words += f" ({_spread(point, unit, say)})"
    values = [
        f"{key.replace('_', ' ')} {number(value, 3)}" for key, value in sorted(point.parameters.items())
    ]
    return " · ".join([words, *values, f"trial {point.trial}"])


def curve_words(
    row: WorkloadRow, view: View, goal: float, lines: Sequence[float], cache: CurveCache
) -> list[str]:
    """The command that prints what a view shows of a workload: `lines` are the budgets or goals in it."""
    words = ["hvdsweep", "curve", row.name, "--sweep", str(row.sweep_id)]
    if view == "curve":
        words += ["--goal", f"{goal:g}"]
    elif view == "ranks":
        words[1:2] = ["figure", "iso-loss"]
        words += [word for rung in lines for word in ("--goal", f"{rung:g}")]
    else:
        words += [word for rung in lines for word in ("--at-budget", f"{rung:g} {view}")]
    for option, budget in (
        ("--step-budget", cache.step_budget),
        ("--example-budget", cache.example_budget),
    ):
        words += [option, str(budget)] if budget is not None else []
    return words
