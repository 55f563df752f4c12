"""Numbers of things as people write them."""

from __future__ import annotations

import math
from decimal import Decimal

from hvdsweep.visible import visible


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 trial`, `2,000 trials`, `3 studies`; `many` where it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def as_float(value: object) -> float:
    """A metaparameter as a number, for curves: NaN for a word or nothing, infinity beyond what a float holds."""
    if not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def short_value(value: object) -> str:
    """Any value of a metaparameter or a metric in a cell: four digits of a number, words as they are, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            try:
                return f"{value:.4g}"
            except OverflowError:
                return f"{Decimal(value):.4g}"
        case _:
            return visible(str(value))
