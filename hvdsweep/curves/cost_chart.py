"""Time or cost to the goal as a chart: steps to the goal over measured speeds, against batch size."""

from __future__ import annotations

from collections.abc import Sequence

from hvdsweep.charts import Annotation, Axis, Chart, Series
from hvdsweep.curves.chart import curve_names, goal_text, warnings_of
from hvdsweep.curves.costs import Costs, TimeToGoal
from hvdsweep.curves.curve_data import Curve


def cost_chart(
    curves: Sequence[Curve], costs: Sequence[Costs], names: Sequence[str] | None = None, *, cost: bool = False
) -> Chart:
    """Seconds to the goal, or with `cost` seconds times ranks, against batch size; `costs` [C] belong to `curves` [C].

    One curve is drawn as a series per number of ranks. Several are drawn as one series each, with the best measured
    number of ranks at every batch size. The least of all is noted.
    """
    names = curve_names(curves) if names is None else names
    series: list[Series] = []
    if len(curves) == 1:
        ranks = sorted({choice.np for choice in costs[0].choices})
        for np in ranks:
            word = "1 rank" if np == 1 else f"{np} ranks"
            series.append(_series(word, [choice for choice in costs[0].choices if choice.np == np], cost))
    else:
        for name, found in zip(names, costs, strict=True):
            sizes = sorted({choice.batch_size for choice in found.choices})
            best = [
                min((c for c in found.choices if c.batch_size == size), key=lambda c: _value(c, cost))
                for size in sizes
            ]
            series.append(_series(name, best, cost))
    reached = any(point.reached for curve in curves for point in curve.points)
    shown = [choice for found in costs for choice in found.choices]
    least = min(shown, key=lambda choice: _value(choice, cost), default=None)
    notes: tuple[Annotation, ...] = ()
    if least is not None:
        ranks_word = "1 rank" if least.np == 1 else f"{least.np} ranks"
        word = "cheapest" if cost else "fastest"
        notes = (
            Annotation(
                least.batch_size, _value(least, cost), f"{word}: {least.batch_size:,} on {ranks_word}"
            ),
        )
    goals = list(dict.fromkeys(goal_text(curve) for curve in curves))
    workloads = list(dict.fromkeys(curve.workload for curve in curves))
    title = "  ".join(part[0] for part in (workloads, goals) if len(part) == 1)
    return Chart(
        series=tuple(series),
        x=Axis("log2", title="batch size"),
        y=Axis("log10", title="rank-seconds to the goal" if cost else "seconds to the goal"),
        title=title or ("Cost" if cost else "Time") + " to the goal against batch size",
        annotations=notes,
        warnings=warnings_of(curves, names or ()),
        legend=True if series else None,
        empty="no speed is known; imported sweeps have none, `hvdsweep scale` measures others"
        if reached
        else "the goal was not reached",
    )


def _series(name: str, choices: Sequence[TimeToGoal], cost: bool) -> Series:
    sizes = [choice.batch_size for choice in choices]
    return Series(name, sizes, [_value(choice, cost) for choice in choices])


def _value(choice: TimeToGoal, cost: bool) -> float:
    return choice.worker_seconds if cost else choice.seconds
