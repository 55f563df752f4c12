"""Critical and maximum useful batch size and the regions, from the fit and all curves that the data allow.

A batch size gets a region only if every likely curve agrees on it.
"""

from __future__ import annotations

import math

import numpy as np

from hvdsweep.curves import knee
from hvdsweep.curves.fitted import Fitted
from hvdsweep.curves.scaling import Critical, Region, Rules, Useful
from hvdsweep.curves.table import Floats, Ints


def log_critical(b: Floats, p: Floats, reference: float, overhead: float) -> Floats:
    """[M], ln of the batch size at which S(B) B is 1 + overhead times what it is at `reference`, on the curves (b, p).

    With p = 1 this is B* = (1 + overhead) B0 + overhead B_crit (Zhang et al. 2024: 1.2 B0 + 0.2 b / a).
    """
    factor = (1 + overhead) ** p
    excess = factor * np.exp(p * (math.log(reference) - b)) + (factor - 1)
    found: Floats = b + np.log(excess) / p
    return found


def critical_of(fitted: Fitted, rules: Rules, reference: int | None) -> Critical | None:
    """The critical batch size of the fitted curve; None without one. `reference`: B0, by default the smallest fitted."""
    if fitted.best is None:
        return None
    start = round(math.exp(fitted.x[0])) if reference is None else reference
    largest = math.exp(fitted.x[-1])
    of_knees = fitted.average
    averaged = of_knees is not None and fitted.fit_found
    if of_knees is None or not averaged:
        b, p = (np.array([value]) for value in fitted.best)
        value = math.exp(float(log_critical(b, p, start, rules.overhead)[0]))
    else:
        # A knee that puts it far beyond the data shows only that it is beyond them.
        each = np.minimum(log_critical(of_knees.b, of_knees.p, start, rules.overhead), math.log(2 * largest))
        value = math.exp(float(of_knees.weight @ each))
    at_least = value > largest * (1 + 1e-9)
    interval = likely = None
    if fitted.allowed is not None:
        of = log_critical(fitted.allowed.b, fitted.allowed.p, start, rules.overhead)
        low, high = math.exp(float(of.min())), math.exp(float(of.max()))
        low, high = min(low, value), max(high, value)
        # Beyond the largest batch size there are no data: it is only known to be larger.
        interval = (min(low, largest), None if high > largest * (1 + 1e-9) else high)
        some = of[fitted.allowed.likely]
        likely = (math.exp(float(some.min())), math.exp(float(some.max())))
    return Critical(
        largest if at_least else value,
        at_least,
        interval,
        start,
        rules.critical_definition(start, hyperbola=fitted.best[1] == 1.0, averaged=averaged),
        likely,
    )


def useful_of(
    fitted: Fitted, rules: Rules, batch_sizes: Ints, level: float, failed_within: Ints | None = None
) -> Useful | None:
    """The maximum useful of the fitted batch sizes; None without a fitted curve.

    `failed_within` [S]: as for `max_useful_batch_size`.
    """
    if fitted.best is None:
        return None
    sizes = np.rint(np.exp(fitted.x)).astype(np.int64)
    last = len(sizes) - 1
    of_knees = fitted.average
    if of_knees is None or not fitted.fit_found:
        b, p = (np.array([value]) for value in fitted.best)
        useful = int(_first_useful(fitted.x, b, p, rules)[0])
    else:
        each = np.bincount(_first_useful(fitted.x, of_knees.b, of_knees.p, rules), of_knees.weight)
        useful = int(np.argmax(np.cumsum(each) >= 0.5))
    failed = failed_within is not None and bool(((batch_sizes > sizes[last]) & (failed_within > 0)).any())
    at_least = useful == last and not failed
    if fitted.allowed is None:
        return Useful(int(sizes[useful]), at_least)
    of = _first_useful(fitted.x, fitted.allowed.b, fitted.allowed.p, rules)
    some = of[fitted.allowed.likely]

    def interval(low: int, high: int) -> tuple[int, int | None]:
        low, high = min(low, useful), max(high, useful)
        return int(sizes[low]), None if high == last and not failed else int(sizes[high])

    likely = int(some.min()), int(some.max())
    low, high = _shortest(np.bincount(of, fitted.allowed.weight, len(sizes)).astype(np.float64), level)
    # The shortest set leaves out an end that the data hardly exclude, where the knee is sharp.
    whole = interval(min(low, likely[0]), max(high, likely[1]))
    return Useful(int(sizes[useful]), at_least, whole, interval(*likely))


def _shortest(share: Floats, level: float) -> tuple[int, int]:
    """First and last of the fewest neighbours that together have this share; of several, the largest share."""
    sums = np.append(0.0, np.cumsum(share))
    for width in range(1, len(share)):
        held = sums[width:] - sums[:-width]
        first = int(np.argmax(held))
        if held[first] >= level:
            return first, first + width - 1
    return 0, len(share) - 1


def _first_useful(x: Floats, b: Floats, p: Floats, rules: Rules) -> Ints:
    """[M], index of the first batch size whose steps are within the tolerance of those at the largest."""
    shapes = knee.shape(x, b[:, None], p[:, None])
    within = shapes <= shapes[:, -1:] + math.log1p(rules.useful_tolerance) + 1e-9
    first: Ints = np.argmax(within, axis=1)
    return first


def regions_of(
    batch_sizes: Ints, steps: Floats, excess: Floats, critical: Critical | None, useful: Useful | None
) -> list[Region | None]:
    """Each batch size's region; None if the goal was not reached (steps NaN). `excess`: overhead over perfect scaling.

    By the narrower intervals: PERFECT up to the lower end of the critical batch size; DIMINISHING from its upper end to
    the lower end of the maximum useful one; MAXIMAL from the latter's upper end on, unless the wider interval is open;
    UNDECIDED elsewhere. Never MAXIMAL if examples were saved, or if the next larger batch size is less than twice as
    large and so could not have shown much. Never PERFECT if it took more than twice the smallest's examples.
    """
    found: list[Region | None] = []
    for index, size in enumerate(batch_sizes.tolist()):
        if math.isnan(steps[index]):
            found.append(None)
            continue
        lowest, highest = (
            (None, None) if critical is None else critical.likely or critical.interval or (None, None)
        )
        least, most = (None, None) if useful is None else useful.likely or (None, None)
        if useful is not None and useful.interval is not None and useful.interval[1] is None:
            most = None
        far = index + 1 == len(batch_sizes) or int(batch_sizes[index + 1]) >= 2 * size
        if most is not None and size >= most and far and not excess[index] < 0:
            found.append(Region.MAXIMAL)
        elif lowest is not None and size <= lowest * (1 + 1e-9) and not excess[index] > 1:
            found.append(Region.PERFECT)
        elif highest is not None and least is not None and highest < size < least:
            found.append(Region.DIMINISHING)
        else:
            found.append(Region.UNDECIDED)
    return found
