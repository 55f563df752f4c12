"""Panels for the results of `hvdsweep.curves.field`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hvdsweep.charts import Axis, Chart, Reference, Series
from hvdsweep.curves.field import IsoLoss, Law, Sensitivity
from hvdsweep.figures.figure import Panel


def law_panel(laws: Sequence[tuple[str, Law]], title: str, *, workloads: Sequence[str] = ()) -> Panel:
    """Critical batch sizes against a size, one line per (name, law), each with its power law."""
    series, references, notes = [], [], []
    for name, law in laws:
        known = np.isfinite(law.low)
        series.append(
            Series(
                name,
                law.x,
                law.batch_size,
                line=False,
                y_low=np.where(known, law.low, np.nan),
                y_high=np.where(known, law.high, np.nan),
                censored=np.array(law.at_least, np.bool_),
            )
        )
        if law.law is None:
            notes.append(f"{name}: no power law, as fewer than two sizes have a critical batch size")
            continue
        ends = np.array([law.x.min(), law.x.max()])
        fitted = law.law.coefficient * ends**law.law.exponent
        words = law_words(law)
        references.append(Reference(words, points=tuple(zip(ends.tolist(), fitted.tolist(), strict=True))))
        notes.append(f"{name}: {words}")
    chart = Chart(
        tuple(series),
        x=Axis("log10", title=laws[0][1].x_title if laws else "size"),
        y=Axis("log2", title="critical batch size"),
        title=title,
        references=tuple(references),
        bars="95 % interval",
        empty="no critical batch size is known",
    )
    return Panel(chart, tuple(notes), workloads=tuple(workloads))


def law_words(law: Law) -> str:
    """`B* = 22.9 x^0.47 (95 %: 0.40 to 0.54, 6 points)`."""
    assert law.law is not None
    found = law.law
    spread = "" if found.low is None or found.high is None else f"95 %: {found.low:.3g} to {found.high:.3g}, "
    return f"B* = {found.coefficient:.4g} x^{found.exponent:.3g} ({spread}{found.points} points)"


def iso_loss_panel(fronts: Sequence[IsoLoss], title: str, workload: str) -> Panel:
    """Ranks against hours to the goal, a line per goal."""
    series = tuple(Series(f"goal {front.goal:g}", front.hours, front.ranks) for front in fronts)
    notes = tuple(
        f"{workload}, goal {front.goal:g}: "
        + ", ".join(
            f"{int(ranks)} x {hours:.3g} h at batch size {size:,}"
            for ranks, hours, size in zip(
                front.ranks.tolist(), front.hours.tolist(), front.batch_sizes, strict=True
            )
        )
        for front in fronts
        if len(front.hours)
    )
    chart = Chart(
        series,
        x=Axis("log10", title="hours to the goal"),
        y=Axis("log2", title="ranks"),
        title=title,
        empty="no speed is known; imported sweeps have none, `hvdsweep scale` measures others"
        if any(front.reached for front in fronts)
        else "no goal was reached",
    )
    return Panel(chart, notes, workloads=(workload,), ordered=True)


def sensitivity_panel(
    found: Sequence[Sensitivity], name: str, metric: str, title: str, workload: str
) -> Panel:
    """The measurement above the best against a metaparameter over its best value, one line per batch size."""
    chart = Chart(
        tuple(Series(f"B = {one.batch_size:,}", one.ratio, one.excess) for one in found),
        x=Axis("log2", title=f"{name.replace('_', ' ')} / its best"),
        y=Axis("linear", title=f"{metric} worse than the best"),
        title=title,
        empty="no trial that counts was measured",
    )
    widths = [f"{one.batch_size:,}: {one.best:.3g}" for one in found if math.isfinite(one.best)]
    notes = (
        (f"{workload}: best {name.replace('_', ' ')} by batch size: {', '.join(widths)}",) if widths else ()
    )
    return Panel(chart, notes, workloads=(workload,), ordered=True)
