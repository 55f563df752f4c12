"""Numbers of things in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from hvdsweep.visible import visible


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 trial`, `2,000 trials`, `3 studies`; `many` if it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def goal_words(metric: str, goal: float, maximize: bool) -> str:
    """A goal as a condition."""
    return f"{metric} {'>' if maximize else '<'} {goal:g}"


def goal_problem(metric: str, value: float, more_is_better: bool) -> str | None:
    """Why a goal for `metric` (without its split) is reached at once or never, as the rest of a sentence, or None."""
    known = more_is_better or metric in ("classification_error", "cross_entropy_error", "loss")
    share = more_is_better or metric == "classification_error"
    if more_is_better and not value < 1.0:
        return f"cannot be reached: {metric} is never above 1; a share of 95 % is 0.95"
    if more_is_better and value < 0.0:
        return f"is reached at once: {metric} is never below 0"
    if not more_is_better and known and value <= 0.0:
        return f"cannot be reached: {metric} is never below 0, and has to fall strictly below the goal"
    if not more_is_better and share and value > 1.0:
        return f"is reached at once: {metric} is never above 1; a share of 5 % is 0.05"
    return None


def as_float(value: object) -> float:
    """A metaparameter as a number, for curves: NaN for a word or None, infinity if it overflows a float."""
    if not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def short_value(value: object) -> str:
    """A metaparameter or metric for a table cell: a number with four digits, words unchanged, "" for None."""
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


def short(value: float | None, unknown: str = "") -> str:
    """Three digits and a suffix: 12.3k, 4.56M, 0.012; `unknown` for None and NaN."""
    if value is None or math.isnan(value):
        return unknown
    for power, suffix in ((15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if math.isfinite(value) and abs(value) >= 0.9995 * 10**power:
            scaled = value / 10**power
            return f"{scaled:.3g}{suffix}" if abs(scaled) < 999.5 else f"{scaled:.0f}{suffix}"
    return f"{value:.3g}"


def whole(value: float | None) -> str:
    """12,345; empty for None."""
    return "" if value is None else f"{round(value):,}"


def between(low: float | None, high: float | None, say: Callable[[float], str] = short) -> str:
    """`12 to 34`, `12 or more`, `up to 34`, `anything`."""
    if low is None:
        return "anything" if high is None else f"up to {say(high)}"
    return f"{say(low)} or more" if high is None else f"{say(low)} to {say(high)}"


def duration(seconds: float | None, unknown: str = "?") -> str:
    """A time span in its two largest units: 20 ms, 4.5 s, 45 s, 3 min 20 s, 2 h 05 min, 3 d 4 h; `unknown` for None."""
    if seconds is None or not math.isfinite(seconds):
        return unknown
    if seconds < 0.9995:
        return f"{round(1000 * seconds)} ms" if seconds >= 0.0005 else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
