"""Scaling curves as a chart: steps (or examples) against batch size, with reference lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hvdsweep.charts import Annotation, Axis, Band, Chart, Reference, Series
from hvdsweep.curves.curve_data import Curve, CurvePoint
from hvdsweep.curves.scaling import Region

_SHORT = {
    Region.PERFECT: "perfect scaling",
    Region.DIMINISHING: "diminishing returns",
    Region.MAXIMAL: "maximal parallelism",
    Region.UNDECIDED: "undecided",
}

CROWDED = 8
"""If there are more curves than this, only the one in focus shows its intervals."""


def curve_chart(
    curves: Sequence[Curve],
    names: Sequence[str] | None = None,
    *,
    examples: bool = False,
    focus: int | None = None,
) -> Chart:
    """Log-log chart of steps to the goal against batch size. A single curve also shows its regions, hyperbola with
    B_crit and maximum useful batch size; among several, curve number `focus` does, if given.

    `examples` shows training examples (or tokens) to the goal instead of steps; curves normalised at a batch size show
    that ratio. A batch size that did not reach the goal is an open marker at its budget. `names` default to whatever
    differs between the curves: workload, metric or goal. Of more than CROWDED curves only `focus` has its intervals
    drawn.
    """
    names = curve_names(curves) if names is None else names
    focus = 0 if len(curves) == 1 else focus
    series = [
        _series(curve, name, examples, intervals=len(curves) <= CROWDED or index == focus)
        for index, (curve, name) in enumerate(zip(curves, names, strict=True))
    ]
    references: list[Reference] = []
    # Lines of the other curves next to those of the one in focus would be too many to tell apart.
    for curve in curves if focus is None else [curves[focus]]:
        line = _perfect(curve, examples)
        if line:
            references.append(Reference("perfect scaling" if not references else "", points=line))
    bands: tuple[Band, ...] = ()
    notes: tuple[Annotation, ...] = ()
    if focus is not None:
        curve = curves[focus]
        bands, notes = region_bands(curve), _notes(curve, examples)
        references += [*_fit_lines(curve, examples), *_noise_line(curve)]
    measured = any(point.trials for curve in curves for point in curve.points)
    return Chart(
        series=tuple(series),
        x=Axis("log2", title=_batch_size(curves)),
        y=Axis("log10", title=_measure(curves, examples)),
        title=_title(curves),
        references=tuple(references),
        bands=bands,
        annotations=notes,
        bars=f"{100 * curves[0].level:g} % of repeated searches" if curves else "",
        warnings=warnings_of(curves, names),
        empty="the goal was not reached" if measured else "no trial has been measured yet",
    )


def warnings_of(curves: Sequence[Curve], names: Sequence[str] = ()) -> tuple[str, ...]:
    """Each warning, with the batch sizes that share it; for several curves preceded by the curve's name."""
    lines = []
    for number, curve in enumerate(curves):
        said: dict[str, list[str]] = {}
        for point in curve.points:
            for warning in point.warnings:
                said.setdefault(warning.message, []).append(f"{point.batch_size:,}")
        whose = f"{names[number]}: " if len(curves) > 1 and names else ""
        lines += [
            f"warning: {whose}batch size{'s' if len(sizes) > 1 else ''} {', '.join(sizes)}: {message}"
            for message, sizes in said.items()
        ]
    return tuple(lines)


def goal_text(curve: Curve) -> str:
    """The goal in words: `val/classification_error < 0.05`."""
    return f"{curve.metric} {'>' if curve.maximize else '<'} {curve.goal:g}"


def curve_names(curves: Sequence[Curve]) -> list[str]:
    """Names that distinguish these curves: workload and goal, each only if it differs."""
    parts = [[curve.workload for curve in curves], [goal_text(curve) for curve in curves]]
    telling = [part for part in parts if len(set(part)) > 1] or parts[:1]
    return [", ".join(words) for words in zip(*telling, strict=True)]


def region_bands(curve: Curve) -> tuple[Band, ...]:
    """The regions as intervals of batch size, which meet halfway (on a log axis) between neighbours."""
    points = [point for point in curve.points if point.region is not None]
    bands: list[Band] = []
    start: float | None = None
    for index, point in enumerate(points):
        following = points[index + 1] if index + 1 < len(points) else None
        if following is not None and following.region is point.region:
            continue
        end = None if following is None else math.sqrt(point.batch_size * following.batch_size)
        assert point.region is not None
        bands.append(Band(start, end, _SHORT[point.region]))
        start = end
    return tuple(bands)


def _series(curve: Curve, name: str, examples: bool, *, intervals: bool) -> Series:
    y, low, high = ([_shown(curve, point, which, examples) for point in curve.points] for which in range(3))
    return Series(
        name,
        curve.batch_sizes,
        y,
        y_low=low if intervals else None,
        y_high=high if intervals else None,
        censored=[not point.reached for point in curve.points],
    )


def _shown(curve: Curve, point: CurvePoint, which: int, examples: bool) -> float:
    """The value (0), or the lower (1) or upper (2) end of its interval, in the chart's unit; NaN if there is none."""
    if not point.reached:
        # No trial reached the goal within the budget; without any trained step there is nothing to show.
        tried = point.trials and point.budget
        return point.budget * _unit(curve, point, examples) if which == 0 and tried else math.nan
    low, high = point.interval or (None, None)
    steps = (point.steps, low, high)[which]
    # An unknown upper end is drawn to the edge of the chart; an unknown lower one is left out.
    if steps is None:
        return math.inf if point.interval is not None else math.nan
    return steps * _unit(curve, point, examples) if steps else math.nan


def _unit(curve: Curve, point: CurvePoint, examples: bool) -> float:
    if examples:
        return float(point.batch_size * curve.per_example)
    if curve.normalise is None:
        return 1.0
    base = next(other.steps for other in curve.points if other.batch_size == curve.normalise)
    return 1.0 / base if base else math.nan


def _perfect(curve: Curve, examples: bool) -> tuple[tuple[float, float], ...]:
    corners = [
        (float(point.batch_size), point.perfect_scaling * _unit(curve, point, examples))
        for point in curve.points
        if point.perfect_scaling
    ]
    return (corners[0], corners[-1]) if len(corners) > 1 else ()


def _fit_lines(curve: Curve, examples: bool) -> list[Reference]:
    """The hyperbola, and its B_crit if batch sizes are near it."""
    if curve.fit is None:
        return []
    label = f"fit, off by {curve.fit.lack_of_fit_percent:.2g} %"
    lines = [Reference(label, points=_fitted(curve, examples), color="annotation")]
    b_crit = curve.fit.b_crit.value
    if curve.points[0].batch_size <= b_crit <= curve.points[-1].batch_size:
        lines.append(
            Reference(f"B_crit {b_crit:,.0f}" if b_crit >= 1000 else f"B_crit {b_crit:.3g}", vertical=b_crit)
        )
    return lines


def _noise_line(curve: Curve) -> list[Reference]:
    """The gradient noise scale, if batch sizes are near it."""
    value = None if curve.noise is None else curve.noise.batch_size
    if value is None or not curve.points[0].batch_size <= value <= curve.points[-1].batch_size:
        return []
    return [
        Reference(
            f"noise scale {value:,.0f}" if value >= 1000 else f"noise scale {value:.3g}", vertical=value
        )
    ]


def _fitted(curve: Curve, examples: bool) -> tuple[tuple[float, float], ...]:
    assert curve.fit is not None
    sizes = np.geomspace(curve.points[0].batch_size, curve.points[-1].batch_size, 60)
    unit = (
        sizes * curve.per_example if examples else np.full_like(sizes, _unit(curve, curve.points[0], False))
    )
    return tuple(zip(sizes.tolist(), (curve.fit.steps(sizes) * unit).tolist(), strict=True))


def _notes(curve: Curve, examples: bool) -> tuple[Annotation, ...]:
    useful = curve.useful
    if useful is None:
        return ()
    point = next((point for point in curve.points if point.batch_size == useful.batch_size), None)
    if point is None:
        return ()
    sign = "≥ " if useful.at_least else ""
    return (
        Annotation(
            point.batch_size, _shown(curve, point, 0, examples), f"max useful {sign}{useful.batch_size:,}"
        ),
    )


def _measure(curves: Sequence[Curve], examples: bool) -> str:
    if examples:
        return f"{curves[0].data if curves else 'examples'} to the goal"
    sizes = {curve.normalise for curve in curves}
    if len(sizes) == 1 and None not in sizes:
        return f"steps to the goal / those at {sizes.pop()}"
    return "steps to the goal"


def _batch_size(curves: Sequence[Curve]) -> str:
    """Title of the axis. Batch sizes are always in examples; if data are in tokens, it gives tokens per example."""
    lengths = {curve.per_example for curve in curves if curve.unit == "tokens"}
    if not lengths:
        return "batch size"
    return f"batch size (sequences of {' or '.join(f'{length:,}' for length in sorted(lengths))} tokens)"


def _title(curves: Sequence[Curve]) -> str:
    workloads = list(dict.fromkeys(curve.workload for curve in curves))
    goals = list(dict.fromkeys(goal_text(curve) for curve in curves))
    parts = [part[0] for part in (workloads, goals) if len(part) == 1]
    return "  ".join(parts) or "Steps to the goal against batch size"
