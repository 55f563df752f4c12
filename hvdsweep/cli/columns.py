"""Plain text tables with aligned columns and readable numbers. No library, so that `curve` starts at once."""

from __future__ import annotations

from collections.abc import Sequence

from hvdsweep.visible import visible
from hvdsweep.words import short


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str] = ()) -> list[str]:
    """Lines of a table, two blanks between columns; columns named in `left` are set to the left, the others right.

    A column without any entry is left out.
    """
    header = [visible(name) for name in header]
    rows = [[visible(cell) for cell in row] for row in rows]
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    widths = [max(len(header[i]), *(len(row[i]) for row in rows)) for i in kept]

    def line(cells: Sequence[str]) -> str:
        parts = [
            cells[i].ljust(width) if header[i] in left else cells[i].rjust(width)
            for i, width in zip(kept, widths, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return [line(header), *(line(row) for row in rows)]


def whole(value: float | None) -> str:
    """12,345; empty for None."""
    return "" if value is None else f"{round(value):,}"


def between(low: float | None, high: float | None, say: object = None) -> str:
    """`12 to 34`, `12 or more`, `up to 34`."""
    word = say if callable(say) else short
    if low is None and high is None:
        return "anything"
    if low is None:
        return f"up to {word(high)}"
    return f"{word(low)} or more" if high is None else f"{word(low)} to {word(high)}"
