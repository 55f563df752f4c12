"""Inserts many rows into one table, several per statement: a statement costs SQLite as much as its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from hvdsweep.store.schema import quoted

ROWS = 32
"""Rows per statement; twice as many gain nothing."""

MOST_VALUES = 900
"""Values per statement: every SQLite accepts 999."""


def insert_rows(
    conn: sqlite3.Connection, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> None:
    """Row i of the table is (columns[0][i], columns[1][i], ...), of the columns `names`. Inside the caller's transaction."""
    width = len(names)
    per_statement = max(1, min(ROWS, MOST_VALUES // width))
    into = f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, names))}) VALUES "
    row = f"({', '.join('?' * width)})"
    statements = len(columns[0]) // per_statement
    if statements:
        values = chain.from_iterable(zip(*columns, strict=True))
        conn.executemany(
            into + ", ".join([row] * per_statement),
            islice(zip(*[values] * (width * per_statement), strict=False), statements),
        )
    rest = statements * per_statement
    conn.executemany(into + row, zip(*(column[rest:] for column in columns), strict=True))
