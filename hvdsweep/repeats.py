"""Repeats: the best trial of a study trained again with other seeds, and how such trials are numbered and named."""

from __future__ import annotations

FIRST_REPEAT = 10**12
"""Numbers of repeats start here, above all trials of a search: `number < FIRST_REPEAT` selects those."""

MOST_REPEATS = 1000
"""Per trial."""


def repeat_number(trial: int, index: int) -> int:
    """The number, within its study, of repeat `index` (from 0) of trial `trial`."""
    return FIRST_REPEAT + trial * MOST_REPEATS + index


def repeat_of(number: int) -> tuple[int, int] | None:
    """(trial, index from 0) of a repeat's number; None for a trial of the search."""
    return divmod(number - FIRST_REPEAT, MOST_REPEATS) if number >= FIRST_REPEAT else None


def trial_name(number: int) -> str:
    """`7`; `7 repeat 2` for the second repeat of trial 7."""
    found = repeat_of(number)
    return str(number) if found is None else f"{found[0]} repeat {found[1] + 1}"
