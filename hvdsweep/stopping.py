"""When `stop = "beaten"` ends a trial."""

from __future__ import annotations

from fractions import Fraction


def beaten_at(best: int, margin: float = 0.0) -> int:
    """The step from which on a trial that has not reached the goal is beaten, where the best trial took `best` steps.

    That is (1 + margin) best, rounded up; with a margin of 0 `best` itself. A trial is asked after an evaluation, and first
    whether it has just reached the goal: so it can still reach it in exactly `best` steps, which ties, and one that is beaten
    needs more than (1 + margin) best. `margin` counts as the decimal number it is written as: 0.1 of 10 steps is 1.
    """
    exact = best * (1 + Fraction(repr(float(margin))))
    return -(-exact.numerator // exact.denominator)
