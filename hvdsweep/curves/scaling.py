"""Readings of a curve of steps against batch size: perfect scaling, the three regions, where scaling stops paying.

Arrays are [S], ascending by batch size; steps are NaN if the goal was not reached (those are left out of every rule).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from hvdsweep.curves.table import Bools, Floats, Ints
from hvdsweep.errors import UserError


class Region(StrEnum):
    """The paper's three regions of a scaling curve."""

    PERFECT = "perfect scaling"
    """Doubling the batch size halves the steps."""
    DIMINISHING = "diminishing returns"
    MAXIMAL = "maximal data parallelism"
    """More parallelism gives nothing."""
    UNDECIDED = "undecided"
    """The data allow more than one of these."""


@dataclass(frozen=True)
class Rules:
    """Rules for the regions. The paper gives no numbers; these are ours, and every report prints them."""

    useful_tolerance: float = 0.10
    """The maximum useful batch size is the smallest whose steps are within this share of the fewest."""
    overhead: float = 0.20
    """Scaling counts as perfect up to this share of extra examples over the smallest batch size
    (the critical batch size of Zhang et al. 2024)."""
    critical_from: Literal["fit", "points"] = "fit"
    """Source of the critical batch size: the fitted curve, or the measured points, interpolated."""

    def __post_init__(self) -> None:
        for name in ("useful_tolerance", "overhead"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UserError(f"{name}: {value}: must be a number not below 0, e.g. 0.1 for 10 %")

    @property
    def useful(self) -> str:
        """The rule for the maximum useful batch size, in words; S is the fitted curve if there is one."""
        return f"smallest B with S(B) <= {1 + self.useful_tolerance:g} min S"

    @property
    def critical(self) -> str:
        """The rule for the critical batch size, in words."""
        if self.critical_from == "points":
            return f"B at which S(B) B first exceeds {1 + self.overhead:g} S(B0) B0, log-log interpolated"
        return f"B at which S(B) B of the fit is {1 + self.overhead:g} S(B0) B0"

    def critical_definition(self, reference: int, *, hyperbola: bool, averaged: bool = False) -> str:
        """The rule with the reference batch size B0, and its closed form. `averaged`: over all knees."""
        if self.critical_from == "points":
            return f"{self.critical}, B0 = {reference}"
        factor = f"{1 + self.overhead:g}"
        form = (
            f"{factor} B0 + {self.overhead:g} B_crit"
            if hyperbola
            else f"({factor}^p (B0^p + B_crit^p) - B_crit^p)^(1/p), p the knee"
        )
        mean = "; averaged over the knees from 1 to 4, each weighed by how well it fits" if averaged else ""
        return f"{self.critical}, B0 = {reference}: B* = {form}{mean}"


def perfect_scaling(batch_sizes: Ints, steps: Floats) -> Floats:
    """[S], S(B0) B0 / B with B0 the smallest batch size that reached the goal (paper, section 8.5); NaN if none did."""
    reached = np.flatnonzero(~np.isnan(steps))
    if len(reached) == 0:
        return np.full(len(steps), np.nan)
    first = reached[0]
    perfect: Floats = steps[first] * batch_sizes[first] / batch_sizes
    return perfect


def overhead(batch_sizes: Ints, steps: Floats) -> Floats:
    """[S], examples to the goal over those of the smallest batch size that reached it, less 1. NaN: not reached."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return steps / perfect_scaling(batch_sizes, steps) - 1.0


@dataclass(frozen=True)
class Useful:
    """The maximum useful batch size by the stated rule."""

    batch_size: int
    at_least: bool
    """No larger batch size showed that more parallelism gains nothing: the true one may be larger."""
    interval: tuple[int, int | None] | None = None
    """Batch sizes that the data allow; an upper end of None is open. None if not known."""
    likely: tuple[int, int | None] | None = None
    """A narrower interval, for naming regions."""


def max_useful_batch_size(
    batch_sizes: Ints, steps: Floats, rules: Rules | None = None, failed_within: Ints | None = None
) -> Useful | None:
    """Smallest B with S(B) <= (1 + tolerance) min S over the batch sizes that reached the goal; None if none did.

    `failed_within` [S]: steps within which a batch size that did not reach the goal is known to have failed
    (0: nothing known). Failing for as long as the useful batch size needed also shows that it gained nothing.
    """
    rules = rules or Rules()
    reached = ~np.isnan(steps)
    if not reached.any():
        return None
    useful = int(np.argmax(np.nan_to_num(steps, nan=np.inf) <= _threshold(steps, rules)))
    later = np.arange(len(steps)) > useful
    evidence = reached if failed_within is None else reached | (failed_within >= steps[useful])
    return Useful(int(batch_sizes[useful]), not bool((later & evidence).any()))


def _threshold(steps: Floats, rules: Rules) -> float:
    # 1e-12 makes S = 110 count as within 10 % of 100, despite the binary rounding of 1.1.
    return float((1 + rules.useful_tolerance) * np.nanmin(steps) * (1 + 1e-12))


@dataclass(frozen=True)
class Critical:
    """The batch size at which examples to the goal exceed perfect scaling by the rule's overhead."""

    batch_size: float
    """From the fit, or interpolated; if `at_least`, the largest batch size that reached the goal."""
    at_least: bool
    """The overhead was never exceeded: the true one is larger."""
    interval: tuple[float, float | None] | None = None
    """Batch sizes that the data allow; an upper end of None is beyond the largest. None if not known."""
    reference_batch_size: int | None = None
    """B0, from which perfect scaling starts."""
    definition: str = ""
    """The rule with its numbers."""
    likely: tuple[float, float] | None = None
    """A narrower interval, for naming regions."""


def critical_batch_size(batch_sizes: Ints, steps: Floats, rules: Rules | None = None) -> Critical | None:
    """Where the overhead over perfect scaling first exceeds the rule's, linear in ln(examples) against ln B.

    None if fewer than two batch sizes reached the goal, or the smallest needed no step.
    """
    rules = rules or Rules()
    usable = np.flatnonzero(~np.isnan(steps) & (steps > 0))
    if len(usable) < 2 or np.flatnonzero(~np.isnan(steps))[0] != usable[0]:
        return None
    size = batch_sizes[usable].astype(np.float64)
    excess = np.log(steps[usable] * size) - math.log(steps[usable[0]] * size[0])
    limit = math.log1p(rules.overhead)
    above = np.flatnonzero(excess > limit + 1e-12)
    if len(above) == 0:
        return Critical(float(size[-1]), True)
    after = int(above[0])
    before = after - 1
    share = (limit - excess[before]) / (excess[after] - excess[before])
    return Critical(float(np.exp(np.log(size[before]) + share * np.log(size[after] / size[before]))), False)


def regions(
    batch_sizes: Ints, steps: Floats, rules: Rules | None = None, useful: Useful | None = None
) -> list[Region | None]:
    """Each batch size's region; None if the goal was not reached.

    PERFECT: from the smallest batch size on, as long as the overhead stays within the rule's. MAXIMAL: from the
    maximum useful batch size on, if a larger one showed that scaling had ended. DIMINISHING: between them.
    """
    rules = rules or Rules()
    useful = max_useful_batch_size(batch_sizes, steps, rules) if useful is None else useful
    reached: Bools = ~np.isnan(steps)
    excess = overhead(batch_sizes, steps)
    found: list[Region | None] = [None] * len(steps)
    perfect = True
    for index in np.flatnonzero(reached).tolist():
        # A smallest batch size that needed no step gives 0 / 0, which exceeds nothing.
        perfect = perfect and not excess[index] > rules.overhead + 1e-12
        if useful is not None and not useful.at_least and batch_sizes[index] >= useful.batch_size:
            found[index] = Region.MAXIMAL
        else:
            found[index] = Region.PERFECT if perfect else Region.DIMINISHING
    return found


def normalised(workload: str, batch_sizes: Ints, steps: Floats, at: int) -> Floats:
    """[S], steps divided by those at batch size `at` (paper, section 8.5). UserError if that did not reach the goal."""
    index = np.flatnonzero(batch_sizes == at)
    if len(index) == 0 or not steps[index[0]] > 0:
        usable = ", ".join(str(size) for size in batch_sizes[np.nan_to_num(steps) > 0]) or "none"
        raise UserError(
            f"{workload}: normalise: batch size {at} has no steps to divide by; those that reached the goal: {usable}"
        )
    ratio: Floats = steps / steps[index[0]]
    return ratio
