"""Training speed on N ranks: the best measurement for each setting, its efficiency, and a chart of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hvdsweep.charts import Axis, Chart, Reference, Series
from hvdsweep.curves.costs import Costs, Throughput, time_to_goal

if TYPE_CHECKING:
    from hvdsweep.curves.curve_data import Curve
    from hvdsweep.store.rows import ThroughputRow

Measure = Literal["examples", "steps", "efficiency"]

TITLES: dict[Measure, str] = {
    "examples": "examples per second",
    "steps": "steps per second",
    "efficiency": "efficiency",
}


@dataclass(frozen=True)
class MeasuredSpeed:
    """The speed of one workload at one batch size on a number of ranks."""

    workload: str
    batch_size: int
    np: int
    examples_per_second: float
    steps_per_second: float
    efficiency: float | None
    """Speed per rank relative to the fewest ranks measured in the same way at this batch size; None for those."""
    base: int
    """Those fewest ranks."""
    source: str
    """\"scale" (measured by `hvdsweep scale`) or "trial" (during training)."""
    steps: int
    seconds: float
    host: str | None
    time: float
    """Unix seconds of the measurement."""

    @property
    def times(self) -> float | None:
        """How many times as fast as on `base` ranks."""
        return None if self.efficiency is None else self.efficiency * self.np / self.base

    def to_json(self) -> dict[str, Any]:
        return {
            "workload": self.workload,
            "batch_size": self.batch_size,
            "np": self.np,
            "examples_per_second": self.examples_per_second,
            "steps_per_second": self.steps_per_second,
            "efficiency": self.efficiency,
            "efficiency_base_np": self.base,
            "source": self.source,
            "steps": self.steps,
            "seconds": self.seconds,
            "host": self.host,
            "time": self.time,
        }


def speeds(rows: Iterable[ThroughputRow], workload: str | None = None) -> list[MeasuredSpeed]:
    """One speed per (workload, batch size, ranks), ascending. Preferred: measured by `hvdsweep scale` over during
    training, a gang alone on the machine over one among others, then the latest."""
    chosen: dict[tuple[str, int, int], ThroughputRow] = {}
    for row in rows:
        if workload is not None and row.workload != workload:
            continue
        key = (row.workload, row.batch_size, row.np)
        if key not in chosen or _worth(row) >= _worth(chosen[key]):
            chosen[key] = row
    # Speeds of trials include compilation, so they must not be the base of those measured by `hvdsweep scale`.
    base: dict[tuple[str, int, str], ThroughputRow] = {}
    for key in sorted(chosen):
        base.setdefault((*key[:2], chosen[key].source), chosen[key])
    found = []
    for key in sorted(chosen):
        row = chosen[key]
        first = base[(*key[:2], row.source)]
        efficiency = None
        if row.np > first.np and first.examples_per_second > 0:
            efficiency = (row.examples_per_second / row.np) / (first.examples_per_second / first.np)
        found.append(
            MeasuredSpeed(
                row.workload,
                row.batch_size,
                row.np,
                row.examples_per_second,
                row.steps_per_second,
                efficiency,
                first.np,
                row.source,
                row.steps,
                row.seconds,
                row.host,
                row.time,
            )
        )
    return found


def _worth(row: ThroughputRow) -> tuple[bool, bool, float]:
    return row.source == "scale", row.gangs == 1, row.time


def costs_of(curve: Curve, found: Iterable[MeasuredSpeed]) -> Costs:
    """Time and cost to the goal of a curve by these speeds."""
    return time_to_goal(
        {point.batch_size: point.steps for point in curve.points}, throughputs(found, curve.workload)
    )


def throughputs(found: Iterable[MeasuredSpeed], workload: str) -> list[Throughput]:
    """The input for time and cost to the goal."""
    return [
        Throughput(speed.batch_size, speed.np, speed.steps_per_second)
        for speed in found
        if speed.workload == workload
    ]


def series_of(batch_size: int) -> str:
    """The series name of a batch size."""
    return f"B={batch_size:,}"


def speed_chart(
    found: Sequence[MeasuredSpeed],
    *,
    measure: Measure = "examples",
    focus: int | None = None,
    title: str = "",
) -> Chart:
    """Speed against ranks, a series per batch size, with the ideal line: in proportion to the ranks.

    The ideal of every batch size is drawn, or only that of batch size `focus`.
    """
    series: list[Series] = []
    references: list[Reference] = []
    sizes = sorted({speed.batch_size for speed in found})
    limits = _rank_limits(found)
    for size in sizes:
        mine = [speed for speed in found if speed.batch_size == size]
        values = [_value(speed, measure) for speed in mine]
        series.append(Series(series_of(size), [speed.np for speed in mine], values))
        first = float(mine[0].np)
        if measure != "efficiency" and focus in (None, size):
            ideal = ((first, values[0]), (limits[1], values[0] * limits[1] / first))
            references.append(Reference("ideal" if not references else "", points=ideal))
    if measure == "efficiency" and found:
        references.append(Reference("ideal", horizontal=1.0))
    return Chart(
        series=tuple(series),
        x=Axis("log2", limits=limits, title="ranks") if found else Axis("log2", title="ranks"),
        y=Axis("linear" if measure == "efficiency" else "log10", title=TITLES[measure]),
        title=title,
        references=tuple(references),
        legend=True if series else None,
        empty="no speed was measured yet",
    )


def _rank_limits(found: Sequence[MeasuredSpeed]) -> tuple[float, float]:
    """Ends of the axis of ranks: wide enough for three powers of two, so that no tick falls between whole ranks."""
    if not found:
        return 1.0, 8.0
    low, high = min(speed.np for speed in found), max(speed.np for speed in found)
    return low / 1.2, max(high * 1.2, low * 4.4)


def _value(speed: MeasuredSpeed, measure: Measure) -> float:
    if measure == "examples":
        return speed.examples_per_second
    if measure == "steps":
        return speed.steps_per_second
    return 1.0 if speed.efficiency is None else speed.efficiency
