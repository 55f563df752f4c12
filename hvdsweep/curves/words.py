"""A curve's answer in one sentence of plain English, and its uncertainty in another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hvdsweep.curves.comparison import compare
from hvdsweep.curves.curve_data import Curve, CurvePoint
from hvdsweep.curves.warnings import WarningKind

_LISTED = 4
"""Most batch sizes to list; of more only the number is given."""

_UNCERTAIN = (
    (WarningKind.FEW_REACHED, "{have} too few successful trials"),
    (WarningKind.STOPPED, "{have} trials that were stopped early and might have done better"),
    (WarningKind.UNFINISHED, "{have} trials to come"),
    (WarningKind.BUDGET, "{have} too short a budget for the best trial"),
    (WarningKind.BOUNDARY, "{have} the best trial at the edge of the search space"),
)


def verdict(curve: Curve) -> str:
    """The curve's answer and what makes it uncertain, as sentences."""
    trained = any(point.steps for point in curve.points)
    return " ".join([answer(curve), *(_uncertain(curve) if trained else [])])


def answer(curve: Curve) -> str:
    """The first sentence of the verdict."""
    reached = [point for point in curve.points if point.reached]
    trained = [point for point in reached if point.steps]
    if not reached:
        return _not_reached(curve)
    if not trained:
        return "The goal is reached before any training: use a stricter goal."
    return _answer(curve, trained)


def _answer(curve: Curve, trained: Sequence[CurvePoint]) -> str:
    if curve.useful is None or curve.critical is None or len(trained) < 3:
        sizes = sizes_text([point.batch_size for point in trained])
        verb = "reach" if len(trained) > 1 else "reaches"
        return f"Too little data: only {sizes} {verb} the goal, and a scaling curve needs three batch sizes."
    useful, critical = curve.useful, curve.critical
    if useful.batch_size <= trained[0].batch_size and not useful.at_least:
        if useful.interval is not None and useful.interval[1] == useful.batch_size:
            return f"A larger batch size than {useful.batch_size:,} gains nothing: steps to the goal do not fall."
        return (
            f"No gain from a larger batch size than {useful.batch_size:,} shows, but the data leave room for one"
            f"{_between(useful.interval, ' ({})')}."
        )
    if critical.at_least:
        low = None if critical.interval is None else critical.interval[0]
        most = trained[-1].batch_size
        sure = "" if low is None or low >= 0.999 * most else f" ({about(low)} for certain)"
        first = (
            f"Scales perfectly up to {most:,} at least{sure}, the largest batch size that reached the goal"
        )
    else:
        first = (
            f"Scales perfectly up to about {about(critical.batch_size)}{_between(critical.interval, ' ({})')}"
        )
    if useful.at_least:
        if critical.at_least:
            return f"{first}: where scaling ends is not seen."
        if useful.interval is not None and useful.interval[0] < useful.batch_size:
            return f"{first}; where scaling ends is not certain: at {useful.interval[0]:,} or more."
        return f"{first}; steps still fall at {useful.batch_size:,}, the largest: where scaling ends is not seen."
    gain = _gain(curve, trained[0].batch_size, useful.batch_size)
    beyond = "nothing is gained beyond"
    if useful.interval is not None and useful.interval[1] is None:
        beyond = "whether more is gained beyond is not certain"
    return (
        f"{first}; worth it up to {useful.batch_size:,}{_between(useful.interval, ' ({})')}{gain}; {beyond}."
    )


def _gain(curve: Curve, first: int, last: int) -> str:
    """How many times fewer steps and more examples the last batch size takes than the first."""
    if curve.fit is not None:
        start, end = curve.fit.steps([first, last]).tolist()
    else:
        steps = {point.batch_size: point.steps for point in curve.points}
        start, end = float(steps[first] or math.nan), float(steps[last] or math.nan)
    fewer = start / end
    more = last / first / fewer
    if not (math.isfinite(fewer) and fewer > 1.05):
        return ""
    return f", where it takes {times(fewer)} times fewer steps than at {first:,} for {times(more)} times the examples"


def _not_reached(curve: Curve) -> str:
    best = [point for point in curve.points if point.best_value is not None]
    if not best:
        if any(point.trials for point in curve.points):
            return f"The goal was not reached at any batch size: no trial that counts has measured {curve.metric}."
        if any(point.infeasible for point in curve.points):
            return "The goal was not reached: every trial that has ended diverged. Smaller learning rates may not."
        return "Too little data: no trial that counts has ended yet."
    sign = -1 if curve.maximize else 1
    nearest = min(best, key=lambda point: sign * (point.best_value or 0.0))
    unfinished = any(_has(point, WarningKind.UNFINISHED) for point in curve.points)
    start = "The goal is not reached yet" if unfinished else "The goal was not reached"
    said = (
        f"{start} at any batch size; the best {'so far ' if unfinished else ''}is {nearest.best_value:.4g}, "
        f"at batch size {nearest.batch_size:,}."
    )
    falling = [point.batch_size for point in best if _has(point, WarningKind.BUDGET)]
    if falling:
        were = "was" if len(falling) == 1 else "were"
        said += f" {_capital(sizes_text(falling))} {were} still improving when the budget ended: a longer one may reach it."
    return said


def _uncertain(curve: Curve) -> list[str]:
    parts = []
    for kind, words in _UNCERTAIN:
        sizes = [point.batch_size for point in curve.points if point.reached and _has(point, kind)]
        if sizes:
            have = "has" if len(sizes) == 1 else "have"
            parts.append(f"{sizes_text(sizes)} {words.format(have=have)}")
    missed = [point.batch_size for point in curve.points if point.trials and not point.reached]
    if missed:
        parts.append(f"{sizes_text(missed)} did not reach the goal")
    fit = curve.fit
    if fit is not None and fit.misfit and fit.expected_scatter_percent is not None:
        parts.append(
            f"the points are {fit.lack_of_fit_percent:.2g} % off the fit, where the scatter of trials explains "
            f"{fit.expected_scatter_percent:.2g} %"
        )
    return [f"Uncertain: {'; '.join(parts)}."] if parts else []


def interval_notes(curve: Curve) -> list[str]:
    """What the points' intervals are of: one sentence for most, and one for each other kind with its batch sizes."""
    kinds: dict[str, list[int]] = {}
    for point in curve.points:
        if point.interval_of is not None:
            kinds.setdefault(point.interval_of, []).append(point.batch_size)
    most, *others = sorted(kinds, key=lambda kind: -len(kinds[kind])) or [""]
    level = f"{100 * curve.level:g} % interval"
    return [
        *([f"{level}: {most}"] if most else []),
        *(f"{level} at {sizes_text(kinds[kind])}: {kind}" for kind in others),
    ]


def against(first: Curve, second: Curve, names: tuple[str, str]) -> str | None:
    """How the second workload compares with the first, in one sentence; None if no batch size allows it."""
    found = compare(first.result, second.result, level=first.level)
    known = [
        (int(size), float(ratio), float(low), float(high), bool(differs))
        for size, ratio, low, high, differs in zip(
            found.batch_sizes, found.ratio, found.low, found.high, found.differs, strict=True
        )
        if low == low
    ]
    if not known:
        return None
    sure = [one for one in known if one[4]]
    rest = [one[0] for one in known if not one[4]]
    one, other = names
    if not sure:
        sizes = sizes_text(rest)
        return f"{other} against {one}: no difference in steps is certain at {sizes}."
    size, ratio, low, high, _ = max(sure, key=lambda entry: abs(math.log(entry[1])))
    fewer = ratio < 1
    factor, ends = (1 / ratio, (1 / high, 1 / low)) if fewer else (ratio, (low, high))
    said = (
        f"{other} against {one}: {times(factor)} times {'fewer' if fewer else 'more'} steps at batch size {size:,} "
        f"({times(ends[0])} to {times(ends[1])})"
    )
    if len(sure) > 1:
        same = [entry for entry in sure if (entry[1] < 1) == fewer]
        said += f"; a difference is certain at {sizes_text([entry[0] for entry in sure])}"
        if len(same) < len(sure):
            said += ", not everywhere in the same direction"
    if rest:
        said += f"; none is certain at {sizes_text(rest)}"
    return f"{said}."


def sizes_text(sizes: Sequence[int]) -> str:
    """`batch size 4`, `batch sizes 4 and 16`, `7 batch sizes`."""
    if len(sizes) > _LISTED:
        return f"{len(sizes)} batch sizes ({sizes[0]:,} to {sizes[-1]:,})"
    words = [f"{size:,}" for size in sizes]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"batch size{'s' if len(words) > 1 else ''} {listed}"


def about(value: float) -> str:
    """A batch size in a sentence: two digits, or three above one hundred."""
    if value < 9.95:
        return f"{value:.2g}"
    digits = 2 if value >= 99.5 else 1
    power = 10 ** max(math.floor(math.log10(value)) - digits, 0)
    return f"{round(value / power) * power:,}"


def times(factor: float) -> str:
    """A factor in a sentence."""
    return f"{factor:.2g}" if factor < 99.5 else f"{factor:,.0f}"


def _between(interval: tuple[float, float | None] | None, form: str) -> str:
    if interval is None:
        return ""
    low, high = interval
    if high is None:
        return form.format(f"{about(low)} or more")
    if about(low) == about(high):
        return ""
    return form.format(f"{about(low)} to {about(high)}")


def _has(point: CurvePoint, kind: WarningKind) -> bool:
    return any(warning.kind is kind for warning in point.warnings)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
