"""When `stop = "beaten"` ends a trial."""

from __future__ import annotations

from fractions import Fraction


def beaten_at(best: int, margin: float = 0.0) -> int:
    """The step from which a trial that has not reached the goal is beaten, if the best trial took `best` steps.

    This is (1 + margin) best, rounded up; with a margin of 0, `best` itself. It is checked after an evaluation, and
    only if that has not just reached the goal: a trial can still reach it in exactly `best` steps, which ties, and a
    beaten trial needs more than (1 + margin) best. `margin` counts as the decimal number it is written as: 0.1 of 10
    steps is 1.
    """
    exact = best * (1 + Fraction(repr(float(margin))))
    return -(-exact.numerator // exact.denominator)
