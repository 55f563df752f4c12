"""Results of the search: best metaparameters per batch size, how the learning rate scales, where trials diverge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from hvdsweep.curves import student
from hvdsweep.curves.outcomes import NEVER, StepsToResult, steps_to_result
from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.table import Floats, Ints, WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status

EFFECTIVE = "effective_learning_rate"
"""The name for the initial learning rate / (1 - momentum)."""


def column(table: WorkloadTable, name: str) -> Floats:
    """[T] values of a metaparameter, or of `effective_learning_rate`. UserError if no trial has it."""
    if name == EFFECTIVE and "learning_rate" in table.parameters:
        return table.effective_learning_rate
    if name not in table.parameters:
        known = ", ".join(sorted(table.parameters)) or "none"
        raise UserError(f"{table.workload}: metaparameter {name!r}: no trial has it; there are {known}")
    return table.parameters[name]


def heuristics(batch_sizes: Ints | Floats, values: Floats) -> tuple[Floats, Floats]:
    """Linear y0 B / B0 and square-root y0 sqrt(B / B0) scaling, from the smallest batch size with a value (8.6)."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        nothing = np.full(len(values), np.nan)
        return nothing, nothing.copy()
    ratio = batch_sizes / batch_sizes[known[0]]
    with np.errstate(over="ignore"):
        return values[known[0]] * ratio, values[known[0]] * np.sqrt(ratio)


@dataclass(frozen=True)
class PowerLaw:
    """y = c B^exponent, least squares in logarithms, compared with the linear (1) and square-root (1/2) heuristics."""

    exponent: float
    standard_error: float | None
    low: float | None
    """Interval of the exponent (Student's t)."""
    high: float | None
    coefficient: float
    """y at B = 1."""
    points: int
    linear_misfit: float
    """Root mean square of ln(y / linear heuristic)."""
    square_root_misfit: float
    """Root mean square of ln(y / square-root heuristic)."""


def fit_exponent(batch_sizes: npt.ArrayLike, values: npt.ArrayLike, level: float = LEVEL) -> PowerLaw | None:
    """The exponent with which a metaparameter of the best trial grows with batch size; None for fewer than 2 points.

    NaN and non-positive values are left out. The interval needs three points.
    """
    sizes, observed = np.asarray(batch_sizes, np.float64), np.asarray(values, np.float64)
    usable = np.isfinite(observed) & (observed > 0) & (sizes > 0)
    n = int(usable.sum())
    if n < 2:
        return None
    x, y = np.log(sizes[usable]), np.log(observed[usable])
    spread = x - x.mean()
    if not spread @ spread > 0:
        # Batch sizes too large to differ in a float.
        return None
    exponent = float(spread @ y / (spread @ spread))
    offset = float(y.mean() - exponent * x.mean())
    rest = y - offset - exponent * x
    linear, root = heuristics(sizes[usable], observed[usable])
    error = math.sqrt(float(rest @ rest) / (n - 2) / float(spread @ spread)) if n > 2 else None
    half = None if error is None else error * student.quantile((1 + level) / 2, n - 2)
    return PowerLaw(
        exponent,
        error,
        None if half is None else exponent - half,
        None if half is None else exponent + half,
        float(np.exp(np.clip(offset, -_MOST, _MOST))),
        n,
        _misfit(y, linear),
        _misfit(y, root),
    )


_MOST = 700.0
"""The largest exponent of e that a float holds, roughly."""


def _misfit(logs: Floats, values: Floats) -> float:
    """Root mean square distance of logarithms; the largest float if a heuristic overflows."""
    with np.errstate(divide="ignore"):
        distance = logs - np.clip(np.log(values), -_MOST, _MOST)
    return float(np.sqrt(np.mean(distance**2)))


def times_off(misfit: float) -> str:
    """A misfit of `PowerLaw` as a factor."""
    return f"{math.exp(misfit):.2g}" if misfit < _MOST else "more than 1e304"


@dataclass(frozen=True, eq=False)
class StabilityMap:
    """The share of trials that diverged, over bins of a metaparameter [N] and batch sizes [S]."""

    parameter: str
    edges: Floats
    """[N + 1]; a bin includes its lower edge, the last one both."""
    batch_sizes: Ints
    """[S]"""
    infeasible: Ints
    """[N, S] trials that diverged."""
    trials: Ints
    """[N, S] trials that ended, diverged or not."""

    @property
    def share(self) -> Floats:
        """[N, S] infeasible / trials; NaN in an empty bin."""
        with np.errstate(invalid="ignore"):
            share: Floats = self.infeasible / self.trials
        return share


def stability_map(
    table: WorkloadTable, parameter: str = "learning_rate", bins: int | Sequence[float] = 12
) -> StabilityMap:
    """How often trials diverged, over a metaparameter and batch size. Only COMPLETE and INFEASIBLE trials count.

    `bins`: how many, evenly on a log scale between the least and the largest value (linear if a value is not
    positive), or their edges.
    """
    values = column(table, parameter)
    ended = np.isin(table.status, (Status.COMPLETE, Status.INFEASIBLE)) & np.isfinite(values)
    edges = _edges(table, values[ended], bins)
    place = np.searchsorted(edges, values, side="right") - 1
    place[values == edges[-1]] = len(edges) - 2
    inside = ended & (place >= 0) & (place < len(edges) - 1)
    shape = (len(edges) - 1, len(table.batch_sizes))

    def count(chosen: npt.NDArray[np.bool_]) -> Ints:
        cells = place[chosen] * shape[1] + table.study[chosen]
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)

    diverged = inside & (table.status == Status.INFEASIBLE)
    return StabilityMap(parameter, edges, table.batch_sizes, count(diverged), count(inside))


def _edges(table: WorkloadTable, values: Floats, bins: int | Sequence[float]) -> Floats:
    if not isinstance(bins, int):
        edges = np.asarray(bins, np.float64)
        if len(edges) < 2 or bool((~(np.diff(edges) > 0)).any()):
            raise UserError(f"{table.workload}: bins: need at least two edges, strictly ascending")
        return edges
    if bins < 1:
        raise UserError(f"{table.workload}: bins: {bins}: must be at least 1")
    if len(values) == 0:
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    # Up to the largest number there is, and over a range twice as wide.
    with np.errstate(over="ignore"):
        if low == high:
            return np.array([low, np.nextafter(high, np.inf)])
        edges = np.geomspace(low, high, bins + 1) if low > 0 else 2 * np.linspace(low / 2, high / 2, bins + 1)
    edges[0], edges[-1] = low, high  # rounded ends would exclude the extremes
    return edges


class Outcome(IntEnum):
    """The outcome of a trial in a scatter plot of the search (paper, section 8.7)."""

    NOT_REACHED = 0
    REACHED = 1
    INFEASIBLE = 2
    BEST = 3
    """The steps-to-result trial: drawn as a star."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """The trials of one study over two metaparameters: N points."""

    batch_size: int
    learning_rate: Floats
    """[N], x."""
    one_minus_momentum: Floats
    """[N], y."""
    outcome: npt.NDArray[np.uint8]
    """[N], `Outcome`."""
    number: Ints
    """[N], trial numbers."""


def scatter(
    table: WorkloadTable,
    batch_size: int,
    goal: float | None = None,
    *,
    step_budget: float | None = None,
    example_budget: float | None = None,
    statuses: Sequence[Status] = (Status.COMPLETE, Status.INFEASIBLE),
) -> Scatter:
    """Learning rate against 1 - momentum of one study, with each trial's outcome (section 8.7, Figures 9 and 10).

    COMPLETE trials reach the goal within the budgets or do not; INFEASIBLE trials stay so, whatever they measured.
    Trials without a learning rate are left out; without momentum, 1 - momentum is 1.
    """
    result = steps_to_result(table, goal, step_budget=step_budget, example_budget=example_budget)
    study = table.study_of(batch_size)
    rate = column(table, "learning_rate")
    momentum = np.nan_to_num(table.parameters.get("momentum", np.zeros(len(table.study))), nan=0.0)
    outcome = np.where(result.trial_steps != NEVER, Outcome.REACHED, Outcome.NOT_REACHED).astype(np.uint8)
    outcome[table.status == Status.INFEASIBLE] = Outcome.INFEASIBLE
    if result.trial[study] != NEVER:
        outcome[result.trial[study]] = Outcome.BEST
    shown = (table.study == study) & np.isin(table.status, list(statuses)) & ~np.isnan(rate)
    return Scatter(batch_size, rate[shown], 1.0 - momentum[shown], outcome[shown], table.number[shown])


def best_parameter(result: StepsToResult, name: str) -> Floats:
    """[S], a metaparameter of every study's steps-to-result trial; NaN if the goal was not reached (Figure 8)."""
    values = column(result.table, name)
    best = np.full(len(result.trial), np.nan)
    best[result.reached] = values[result.trial[result.reached]]
    return best
