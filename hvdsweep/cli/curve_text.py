"""A curve as text: one table row per batch size, then the findings and warnings."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hvdsweep.cli.columns import table
from hvdsweep.curves.chart import goal_text, warnings_of
from hvdsweep.curves.words import interval_notes, verdict
from hvdsweep.visible import visible
from hvdsweep.words import between, counted, duration, short, whole

if TYPE_CHECKING:
    from hvdsweep.curves import Costs, Curve, CurvePoint

WIDTH = 110
"""Columns of a verdict."""


def curve_lines(curve: Curve, costs: Costs | None = None, *, examples: bool = False) -> list[str]:
    """Headline, verdict, table, findings and warnings of one curve."""
    lines = [visible(f"{curve.workload}   {goal_text(curve)}{conditions(curve)}"), ""]
    if not curve.points:
        return [*lines, "No studies yet."]
    lines += [*textwrap.wrap(visible(verdict(curve)), WIDTH), ""]
    lines += [*_table(curve, examples), *interval_notes(curve), ""]
    lines += repeat_lines(curve)
    lines += findings(curve)
    if costs is not None and costs.fastest is not None and costs.cheapest is not None:
        lines += _cost_lines(costs)
    lines += stopped_lines(curve)
    warnings = warnings_of([curve])
    return [*lines, *(["", *warnings] if warnings else [])]


def repeat_lines(curve: Curve) -> list[str]:
    """The repeats of the best trials: a table, and a line about it; empty if there are none."""
    rows = []
    for point in curve.points:
        again = point.repeats
        if again is None:
            continue
        more = "> " if again.at_least else ""
        luck = f"{100 * abs(again.luck):.2g} % {'fewer' if again.luck > 0 else 'more'}"
        rows.append(
            (
                whole(point.batch_size),
                str(again.trial),
                f"{again.reached}/{len(again.steps)}",
                more + whole(round(again.mean)),
                "" if again.sd is None else short(again.sd),
                "" if again.interval is None else between(*again.interval, lambda end: whole(round(end))),
                ("at least " if again.at_least and again.luck > 0 else "") + luck
                if again.luck
                else "as many",
            )
        )
    if not rows:
        return []
    header = (
        "batch size",
        "best trial",
        "reached",
        "mean steps",
        "sd",
        f"{100 * curve.level:g} % interval",
        "best took",
    )
    return [
        "The best trial again with other seeds:",
        *table(header, rows),
        f"{100 * curve.level:g} % interval of the mean over seeds, Student's t; best took: the search's best against that mean",
        "",
    ]


def conditions(curve: Curve) -> str:
    parts = [
        f"within {curve.step_budget:,.10g} steps" if curve.step_budget is not None else "",
        f"within {curve.example_budget:,.10g} examples" if curve.example_budget is not None else "",
        f"first {curve.num_trials} trials" if curve.num_trials is not None else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"   ({said})" if said else ""


def _table(curve: Curve, examples: bool) -> list[str]:
    header = (
        "batch size",
        curve.data if examples else "steps",
        f"{100 * curve.level:g} % interval",
        "steps" if examples else curve.data,
        f"/ B={curve.normalise}",
        "overhead",
        "region",
        "reached",
        "stopped",
        "diverged",
        "best",
    )
    rows = []
    for point in curve.points:
        data = point.batch_size * curve.per_example
        unit = data if examples else 1
        steps, count = whole(point.steps), "" if point.steps is None else short(point.steps * data)
        if not point.reached:
            tried = bool(point.trials and point.budget)
            steps = f"> {whole(point.budget)}" if tried else ""
            count = f"> {short(point.budget * data)}" if tried else ""
        rows.append(
            (
                whole(point.batch_size),
                count if examples else steps,
                _interval(point, unit),
                steps if examples else count,
                "" if point.normalised is None else f"{point.normalised:.3g}",
                "" if point.overhead is None else f"{100 * point.overhead:+.0f} %",
                point.standing,
                f"{point.trials_reached}/{point.trials}",
                whole(point.trials_censored) if point.trials_censored else "",
                whole(point.infeasible) if point.infeasible else "",
                short(point.best_value),
            )
        )
    return table(header, rows, left=("region",))


def _interval(point: CurvePoint, unit: int) -> str:
    if point.interval is None:
        return ""
    low, high = point.interval
    return between(
        None if low == 0 else low * unit,
        None if high is None else high * unit,
        whole if unit == 1 else short,
    )


def findings(curve: Curve) -> list[str]:
    """Maximum useful and critical batch size and the fit, each with the rule it was found by; nothing if none reached the
    goal: the verdict says why."""
    if curve.useful is None:
        return []
    if not min(point.steps or 0 for point in curve.points if point.reached):
        return ["The goal is reached at step 0, before any training: use a stricter goal (--goal X)."]
    useful, critical, fit = curve.useful, curve.critical, curve.fit
    level = f"{100 * curve.level:g} %"
    end = "; no larger batch size shows where scaling ends" if useful.at_least else ""
    lines = [
        f"maximum useful batch size  {_at_least(useful.batch_size, useful.at_least, useful.interval, whole, level)}",
        f"    {curve.rules.useful}{', S from the fit' if useful.interval else ''}{end}",
    ]
    if critical is not None:
        said = _at_least(critical.batch_size, critical.at_least, critical.interval, short, level)
        lines += [f"critical batch size        {said}", f"    {critical.definition}"]
    if fit is None:
        return [*lines, *([f"no fit: {curve.no_fit}"] if curve.no_fit else []), *_noise_lines(curve)]
    named = (("B_crit", fit.b_crit), ("S_min", fit.s_min), ("E_min", fit.e_min.times(curve.per_example)))
    values = ", ".join(f"{name} {short(e.value)} ({between(e.low, e.high)})" for name, e in named)
    values += " tokens" if curve.unit == "tokens" else ""
    scatter = fit.expected_scatter_percent
    expected = "" if scatter is None else f", {scatter:.2g} % by the trials' scatter alone"
    wrong = ": the formula is off" if fit.misfit else ""
    return [
        *lines,
        f"fit                        {values}",
        f"    {_formula(curve)}, lack of fit {fit.lack_of_fit_percent:.2g} % (rms){expected}{wrong}",
        f"    S_min and E_min of the best of {counted(fit.trials, 'trial')}, {level} intervals for any knee from 1 to 4",
        *_noise_lines(curve),
    ]


def _noise_lines(curve: Curve) -> list[str]:
    """The gradient noise scale, if it was estimated."""
    from hvdsweep.curves.noise import DEFINITION

    noise = curve.noise
    if noise is None:
        return []
    value = "not known: the noise is too strong for the estimates that were taken"
    if noise.batch_size is not None:
        value = f"{short(noise.batch_size)} examples"
    if noise.counted > 1:
        sizes = f"{noise.counted} batch sizes"
        value += f" (median over {sizes}, {short(noise.lowest)} to {short(noise.highest)})"
    text = f"{DEFINITION}; the critical batch size is often larger"
    return [
        f"gradient noise scale       {value}",
        *(f"    {line}" for line in textwrap.wrap(text, WIDTH - 4)),
    ]


def _at_least(
    value: float,
    at_least: bool,
    interval: tuple[float, float | None] | None,
    say: Callable[[float], str],
    level: str,
) -> str:
    """`at least 1,024 (95 %: 512 or more)`."""
    spread = "" if interval is None else f" ({level}: {between(*interval, say)})"
    return f"{'at least ' if at_least else ''}{say(value)}{spread}"


def _formula(curve: Curve) -> str:
    assert curve.fit is not None
    if curve.fit.knee == 1:
        return "S = S_min (1 + B_crit / B)"
    return f"S = S_min (1 + (B_crit / B)^p)^(1/p), knee p = {curve.fit.knee:.3g}"


def stopped_lines(curve: Curve) -> list[str]:
    """What is uncertain because trials were stopped early."""
    early = sum(point.trials_stopped_early for point in curve.points)
    if not early:
        return []
    trials = sum(point.trials for point in curve.points)
    return [
        f"{early} of {trials} trials were stopped early: at the sweep's goal, or beaten by a faster one (column stopped: before "
        "they reached this goal). With their whole budgets some might have diverged later and been replaced."
    ]


def _cost_lines(costs: Costs) -> list[str]:
    assert costs.fastest is not None
    assert costs.cheapest is not None
    said = [
        f"{word:<27}batch size {whole(choice.batch_size)} on {choice.np} {'rank' if choice.np == 1 else 'ranks'}: "
        f"{duration(choice.seconds)} to the goal, {duration(choice.worker_seconds)} of one rank"
        for word, choice in (("fastest", costs.fastest), ("cheapest", costs.cheapest))
    ]
    return said[:1] if costs.fastest == costs.cheapest else said


def comparison_lines(curves: Sequence[Curve]) -> list[str]:
    """How the algorithms of one data set and model compare with the first of them, a sentence each."""
    from hvdsweep.curves.words import against

    groups: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        model = curve.workload.rpartition("/")[0]
        groups.setdefault((model, goal_text(curve)), []).append(curve)
    lines = []
    for (model, _), group in groups.items():
        first, *rest = group
        for curve in rest:
            names = (_algorithm(first), _algorithm(curve))
            sentence = None if names[0] == names[1] else against(first, curve, names)
            if sentence is not None:
                lines += textwrap.wrap(visible(f"{model}: {sentence}"), WIDTH)
    return lines


def _algorithm(curve: Curve) -> str:
    return curve.workload.rpartition("/")[2]


def overview_lines(curves: Sequence[Curve]) -> list[str]:
    """One row per curve, for many curves."""
    header = (
        "workload",
        "goal",
        "batch sizes",
        "reached",
        "fewest steps",
        "max useful",
        "B_crit",
        "lack of fit",
    )
    rows = []
    for curve in curves:
        reached = [point for point in curve.points if point.reached]
        more = "≥ " if curve.useful is not None and curve.useful.at_least else ""
        rows.append(
            (
                curve.workload,
                goal_text(curve),
                f"{whole(curve.points[0].batch_size)} to {whole(curve.points[-1].batch_size)}"
                if curve.points
                else "",
                f"{len(reached)}/{len(curve.points)}",
                whole(min((point.steps or 0 for point in reached), default=None)),
                "" if curve.useful is None else more + whole(curve.useful.batch_size),
                "" if curve.fit is None else short(curve.fit.b_crit.value),
                "" if curve.fit is None else f"{curve.fit.lack_of_fit_percent:.2g} %",
            )
        )
    return table(header, rows, left=("workload", "goal"))
