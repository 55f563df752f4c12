"""How to resolve the warnings of a curve: a wider range, a longer budget, more trials, as a changed sweep."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hvdsweep.curves.curve_data import Curve, CurvePoint
from hvdsweep.curves.warnings import Limits, WarningKind
from hvdsweep.search import Range, Space

REMEDIED = (WarningKind.BOUNDARY, WarningKind.BUDGET, WarningKind.FEW_REACHED)
"""Doubts that a changed sweep can resolve; not UNFINISHED, nor STOPPED: stopped trials cannot continue."""

WIDER = 0.3
"""A range grows beyond the end where its best trial lies by at least this share of its scaled length."""
LEAST_FACTOR = 3.0
"""Least growth on a log scale: threefold."""

LONGER = 2
"""Factor for a budget that cut the best trial short, and for trials if too few reached the goal."""


@dataclass(frozen=True)
class Remedy:
    """A changed sweep, and a list of the changes."""

    definition: dict[str, Any]
    """As `Plan.definition`; `hvdsweep.sweep.restore.sweep_of` makes a sweep of it."""
    changes: tuple[str, ...]
    """One sentence each."""


def remedy(
    definition: Mapping[str, Any],
    curve: Curve,
    spaces: Mapping[int, Space],
    only: Collection[tuple[int, WarningKind]] | None = None,
    limits: Limits | None = None,
) -> Remedy | None:
    """The sweep of `definition` changed to resolve the warnings of its curve; None if none can be resolved.

    `spaces`: batch size -> search space of its study. `only`: the (batch size, kind) pairs to answer; None answers all.
    """
    limits = limits or Limits()
    changed = copy.deepcopy(dict(definition))
    changes: list[str] = []
    more_trials = False
    for point in curve.points:
        kinds = {warning.kind for warning in point.warnings}
        if only is not None:
            kinds &= {kind for size, kind in only if size == point.batch_size}
        if WarningKind.BOUNDARY in kinds:
            changes += _widen(changed, point, spaces.get(point.batch_size), limits)
        # If the budget was only part of the question, trials did train longer.
        if WarningKind.BUDGET in kinds and curve.step_budget is None and curve.example_budget is None:
            changes.append(_lengthen(changed, point))
        more_trials = more_trials or WarningKind.FEW_REACHED in kinds
    if more_trials and "points" not in changed["search"]:
        studies = changed["studies"]
        before = studies["trials"]
        studies["trials"] = _more_trials(before)
        if studies["max_trials"] is not None:
            studies["max_trials"] = LONGER * studies["max_trials"]
        changes.append(f"every batch size: {_trials(before)} -> {_trials(studies['trials'])} trials")
    return Remedy(changed, tuple(changes)) if changes else None


def _more_trials(trials: Any) -> Any:
    """Twice as many: the number, that of every batch size, or the bounds of the rounds."""
    if not isinstance(trials, Mapping):
        return LONGER * trials
    return {name: number if name == "until" else LONGER * number for name, number in trials.items()}


def _trials(trials: Any) -> str:
    if not isinstance(trials, Mapping):
        return str(trials)
    if "until" in trials:
        return f"{trials['least']} to {trials['most']}"
    return ", ".join(f"{number} at {size}" for size, number in trials.items())


def _widen(changed: dict[str, Any], point: CurvePoint, space: Space | None, limits: Limits) -> list[str]:
    """Write wider ranges for one batch size; returns the changes."""
    if space is None or space.listed is not None:
        return []
    said = []
    for name, value in sorted(point.parameters.items()):
        dimension = space.dimensions.get(name)
        if not isinstance(dimension, Range) or space.boundary_distance(name, value) >= limits.boundary:
            continue
        lower = float(dimension.to_unit(value)) < 0.5
        wider = widened(name, dimension, lower=lower)
        if wider is None:
            continue
        own = changed["search"].setdefault("override", {}).setdefault(str(point.batch_size), {})
        own[name] = wider.to_json()
        said.append(
            f"batch size {point.batch_size:,}: {name} from {dimension.min:g} .. {dimension.max:g} "
            f"to {wider.min:g} .. {wider.max:g}"
        )
    return said


def widened(name: str, dimension: Range, *, lower: bool) -> Range | None:
    """The range with its lower or upper end moved out to a round number; None at the end of the domain."""
    from hvdsweep.sweep.metaparameters import DOMAINS

    if name == "learning_rate_decay_steps":
        # It follows from the budget, not from a guess about where the best lies.
        return None
    low, high = dimension.min, dimension.max
    if dimension.scale == "reverse_log":
        # The even scale is ln(1 - value), on which the ends are swapped.
        far = _outward(1 - high, 1 - low, lower=not lower)
        low, high = (1 - min(far, 1.0), high) if lower else (low, 1 - far)
        low, high = round(low, 12), round(high, 12)
    elif dimension.scale == "log" or dimension.log:
        far = _outward(low, high, lower=lower)
        low, high = (far, high) if lower else (low, far)
    else:
        step = (high - low) * WIDER
        unit = 10.0 ** math.floor(math.log10(step))
        step = math.ceil(step / unit - 1e-9) * unit
        low, high = (low - step, high) if lower else (low, high + step)
    domain = DOMAINS[name]
    low, high = max(low, domain.low), min(high, domain.high)
    if high == domain.high and not domain.high_included:
        high = dimension.max
    if dimension.scale == "integer":
        low, high = float(math.floor(low)), float(math.ceil(high))
    low, high = float(f"{low:.12g}"), float(f"{high:.12g}")
    if (low, high) == (dimension.min, dimension.max) or not low < high:
        return None
    return Range(dimension.scale, low, high, dimension.log)


def _outward(low: float, high: float, *, lower: bool) -> float:
    """A new end of a range of positive values on a log scale, a round number."""
    factor = max(LEAST_FACTOR, (high / low) ** WIDER)
    wanted = low / factor if lower else high * factor
    power = 10.0 ** math.floor(math.log10(wanted))
    digits = (1.0, 2.0, 3.0, 5.0, 10.0)
    share = wanted / power
    # Outward: rounding must not undo the growth.
    if lower:
        return max(digit for digit in digits if digit <= share * (1 + 1e-9)) * power
    return min(digit for digit in digits if digit >= share * (1 - 1e-9)) * power


def _lengthen(changed: dict[str, Any], point: CurvePoint) -> str:
    """Write a longer budget for one batch size; returns the change."""
    budget = changed["budget"]
    override = budget.setdefault("override", {})
    size = str(point.batch_size)
    before = override.get(size) or {key: value for key, value in budget.items() if key != "override"}
    ((unit, value),) = [(key, value) for key, value in before.items() if value is not None]
    override[size] = {unit: LONGER * value}
    return f"batch size {point.batch_size:,}: budget from {value:,g} to {LONGER * value:,g} {unit}"
