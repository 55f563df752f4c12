"""The rows of a table: only some may be known, and known ones may be out of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tui.widgets.columns import Row

KEPT = 2000
"""Rows of a paged table that are kept at most."""


class KnownRows:
    """Rows by their index."""

    def __init__(self) -> None:
        self.total = 0
        """Rows, known or not."""
        self.rows: Mapping[int, Row] = {}
        self._places: dict[str, int] = {}
        self._current: set[int] = set()

    def row(self, index: int) -> Row | None:
        """The row at an index, where it is known."""
        return self.rows.get(index)

    def place(self, key: str | None) -> int | None:
        """The index of the row with a key, where it is known."""
        return None if key is None else self._places.get(key)

    def is_current(self, index: int) -> bool:
        """Whether the row was read since something was last written; others are asked for when they are seen."""
        return index in self._current

    def put(self, rows: Sequence[Row]) -> None:
        self._current = set(range(len(rows)))
        self._take(dict(enumerate(rows)), len(rows))

    def put_page(self, offset: int, rows: Sequence[Row], total: int, *, fresh: bool, again: bool) -> None:
        """These are the rows from `offset` on, see `Table.put_page`."""
        known = {} if fresh else {place: row for place, row in self.rows.items() if place < total}
        if len(known) > KEPT:
            known = {}
        if fresh or again:
            self._current = set()
        for place, row in enumerate(rows, offset):
            known[place] = row
            self._current.add(place)
        self._current &= known.keys()
        self._take(known, total)

    def _take(self, rows: Mapping[int, Row], total: int) -> None:
        self.rows, self.total = rows, total
        self._places = {row.key: place for place, row in rows.items()}
