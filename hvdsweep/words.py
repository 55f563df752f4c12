"""Numbers of things as people write them."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 trial`, `2,000 trials`, `3 studies`; `many` where it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
