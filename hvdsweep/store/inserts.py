"""New rows of any table: one, by its columns' names, or very many."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any

from hvdsweep.store.schema import quoted

ROWS = 32
"""Rows per statement, since a statement costs SQLite as much as the row it writes; twice as many gain nothing more."""

MOST_VALUES = 900
"""Values per statement: every SQLite takes 999."""


def insert(
    conn: sqlite3.Connection,
    table: str,
    values: Mapping[str, Any],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
) -> int:
    """The id of a new row with these values (column -> value). Inside the caller's transaction.

    Where a row has the same values in the columns `unique` already, its columns `update` are set, and the id is that row's.
    """
    statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
    if unique:
        # Without a change SQLite would not give the row's id.
        changes = ", ".join(f"{name} = excluded.{name}" for name in update or unique)
        statement += f" ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {changes}"
    # Fetching all rows finishes the statement; an unfinished one would hold back the COMMIT.
    return int(conn.execute(f"{statement} RETURNING id", tuple(values.values())).fetchall()[0][0])


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
