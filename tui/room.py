"""How much room the terminal gives a screen, as CSS classes of the screen."""

from __future__ import annotations

from textual.geometry import Size

WIDTHS = [(0, "-tiny"), (50, "-narrow"), (100, "-wide"), (160, "-very-wide")]
HEIGHTS = [(0, "-low"), (20, "-usual"), (34, "-tall")]
"""Cells from which on a class applies."""


def classes_of(size: Size) -> dict[str, bool]:
    """Whether a screen of this size has each of the classes."""
    return {
        name: (least, name) == max(limit for limit in limits if limit[0] <= room)
        for room, limits in ((size.width, WIDTHS), (size.height, HEIGHTS))
        for least, name in limits
    }
