"""Plain text tables with aligned columns. No library, so that `curve` starts at once."""

from __future__ import annotations

from collections.abc import Sequence

from hvdsweep.visible import visible


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
