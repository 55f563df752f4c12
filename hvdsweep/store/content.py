"""What every row of a store must hold: a file that SQLite can read but hvdsweep cannot use gets a clear message.

A store that another program changed, or a disk fault that SQLite did not notice, may lack a table or a column, or hold
text for a number, broken JSON, an unknown status or an impossible time. `TABLES` lists all rules for the content of a
store. Small tables are checked whenever a store is opened; large ones when a query fails, and by `hvdsweep doctor
--db`.

A new column gets an entry in `TABLES`; `tests/store/test_content.py` then damages it in every way that its kind allows.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.store.schema import LARGEST_STEP, MIGRATIONS, quoted

LATEST_TIME = 1e11
"""Unix seconds (in the year 5138); later times are taken for damage."""

ROWS_AT_ONCE = 5000
"""Tables with at most so many rows are checked whenever a store is opened, which takes some milliseconds."""


@dataclass(frozen=True)
class Kind:
    """What a column may hold."""

    words: str
    """For the message: `is not WORDS`."""
    holds: str
    """SQL that is true for a valid value `{c}`."""
    nullable: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it holds any text, or JSON."""
        return self.words in ("text", "a name") or self.is_json

    @property
    def is_json(self) -> bool:
        return self.words.startswith("a JSON")


def _or_null(kind: Kind) -> Kind:
    return Kind(kind.words, kind.holds, nullable=True)


def _one_of(*words: str) -> Kind:
    listed = ", ".join(f"'{word}'" for word in words)
    return Kind(f"one of {', '.join(words)}", f"{{c}} IN ({listed})")


def _whole(words: str, least: int, most: int = 2**63 - 1) -> Kind:
    return Kind(words, f"typeof({{c}}) = 'integer' AND {{c}} BETWEEN {least} AND {most}")


WHOLE = _whole("a whole number", -(2**63))
ID = _whole("a number of a row", 1)
COUNT = _whole("a whole number from 0", 0)
AT_LEAST_1 = _whole("a whole number from 1", 1)
STEPS = _whole(f"a number of steps (0 to {LARGEST_STEP})", 0, LARGEST_STEP)
FLAG = _whole("0 or 1", 0, 1)
NUMBER = Kind("a number", "typeof({c}) IN ('real', 'integer')")
POSITIVE = Kind("a finite number above 0", "typeof({c}) IN ('real', 'integer') AND {c} > 0 AND {c} < 9e999")
TIME = Kind(
    "a time in unix seconds", f"typeof({{c}}) IN ('real', 'integer') AND {{c}} BETWEEN 0 AND {LATEST_TIME}"
)
TEXT = Kind("text", "typeof({c}) = 'text'")
NAME = Kind("a name", "typeof({c}) = 'text' AND length({c}) > 0")
JSON = Kind(
    "a JSON object",
    # CASE, since SQLite may evaluate both sides of AND, and most JSON functions raise an error for invalid JSON.
    "CASE WHEN typeof({c}) = 'text' AND json_valid({c}) THEN json_type({c}) = 'object' ELSE 0 END",
)
VALUES = Kind(
    "a JSON object of numbers, words and truth values",
    "CASE WHEN typeof({c}) = 'text' AND json_valid({c}) THEN json_type({c}) = 'object' AND NOT EXISTS (SELECT 1"
    " FROM json_each({c}) WHERE type NOT IN ('integer', 'real', 'text', 'true', 'false', 'null')) ELSE 0 END",
)

TABLES: dict[str, dict[str, Kind]] = {
    "sweeps": {
        "id": ID,
        "name": NAME,
        "key": TEXT,
        "source": _one_of("launch", "import"),
        "file": _or_null(TEXT),
        "definition": JSON,
        "state": _one_of("IDLE", "RUNNING", "STOPPING", "DONE", "FAILED"),
        "request": _or_null(_one_of("stop")),
        "created": TIME,
        "started": _or_null(TIME),
        "ended": _or_null(TIME),
        "heartbeat": _or_null(TIME),
        "supervisor_pid": _or_null(ID),
        "supervisor_host": _or_null(TEXT),
        "np": _or_null(AT_LEAST_1),
        "gangs": _or_null(AT_LEAST_1),
        "versions": _or_null(JSON),
        "trial_order": _or_null(TEXT),
        "supervisor": _or_null(TEXT),
        "slots": _or_null(AT_LEAST_1),
        "shard": _or_null(JSON),
    },
    "workloads": {
        "id": ID,
        "sweep_id": ID,
        "name": NAME,
        "dataset": TEXT,
        "model": TEXT,
        "algorithm": TEXT,
        "metric": _or_null(NAME),
        "goal": _or_null(NUMBER),
        "maximize": FLAG,
        "train_examples": _or_null(COUNT),
        "parameters": _or_null(COUNT),
    },
    "studies": {
        "id": ID,
        "workload_id": ID,
        "batch_size": AT_LEAST_1,
        "train_steps": STEPS,
        "target_trials": COUNT,
        "max_trials": COUNT,
        "seed": _or_null(WHOLE),
        "definition": JSON,
        "search": JSON,
        "np": _or_null(AT_LEAST_1),
        "gangs": _or_null(AT_LEAST_1),
        "repeats": _or_null(COUNT),
    },
    "trials": {
        "id": ID,
        "study_id": ID,
        "number": COUNT,
        "key": _or_null(TEXT),
        "status": _one_of("PENDING", "RUNNING", "COMPLETE", "INFEASIBLE", "INCOMPLETE"),
        "parameters": VALUES,
        "seed": _or_null(WHOLE),
        "steps": STEPS,
        "attempts": COUNT,
        "gang_id": _or_null(ID),
        "started": _or_null(TIME),
        "ended": _or_null(TIME),
        "stop_reason": _or_null(_one_of("budget", "goal", "beaten", "diverged", "failed")),
        "message": _or_null(TEXT),
        "chosen": _or_null(TEXT),
        "origin": _or_null(TEXT),
        "checkpoint": _or_null(STEPS),
        "checkpoint_seconds": _or_null(NUMBER),
        "repeats": _or_null(COUNT),
    },
    "metrics": {"id": ID, "name": NAME, "maximize": FLAG},
    "gangs": {
        "id": ID,
        "sweep_id": ID,
        "np": AT_LEAST_1,
        "host": _or_null(TEXT),
        "pid": _or_null(ID),
        "state": _one_of("STARTING", "IDLE", "TRAINING", "STOPPED", "DEAD"),
        "trial_id": _or_null(ID),
        "started": TIME,
        "heartbeat": _or_null(TIME),
        "ended": _or_null(TIME),
        "message": _or_null(TEXT),
        "log_dir": _or_null(TEXT),
        "stage": _or_null(TEXT),
        "first_step": _or_null(TIME),
        "process": _or_null(TEXT),
        "lost_seconds": _or_null(NUMBER),
    },
    "events": {
        "id": ID,
        "time": TIME,
        "sweep_id": _or_null(ID),
        "gang_id": _or_null(ID),
        "trial_id": _or_null(ID),
        "kind": TEXT,
        "message": TEXT,
    },
    "throughput": {
        "id": ID,
        "time": TIME,
        "workload": TEXT,
        "batch_size": AT_LEAST_1,
        "np": AT_LEAST_1,
        "gangs": AT_LEAST_1,
        "host": _or_null(TEXT),
        "steps": AT_LEAST_1,
        "seconds": POSITIVE,
        "steps_per_second": POSITIVE,
        "examples_per_second": POSITIVE,
        "source": _one_of("scale", "trial"),
        "origin": _or_null(TEXT),
    },
    "losses": {"trial_id": ID, "step": STEPS, "loss": _or_null(NUMBER)},
    "measurements": {"trial_id": ID, "step": STEPS},
    "gradient_noise": {
        "trial_id": ID,
        "step": STEPS,
        "layer": TEXT,
        "grad_sq": _or_null(NUMBER),
        "trace_sigma": _or_null(NUMBER),
    },
    "best_records": {"metric_id": ID, "trial_id": ID, "step": STEPS, "value": NUMBER},
    "running_best": {},
}
"""Table -> column -> its content. `measurements` has further columns, one per metric, of numbers or NULL."""

KEYS = {
    "losses": ("trial_id", "step"),
    "measurements": ("trial_id", "step"),
    "gradient_noise": ("trial_id", "step", "layer"),
    "best_records": ("metric_id", "trial_id", "step"),
}
"""The key of tables without an `id`."""

UNIQUE = {
    "sweeps": ("key",),
    "workloads": ("sweep_id", "name"),
    "studies": ("workload_id", "batch_size"),
    "trials": ("study_id", "number"),
    "metrics": ("name", "maximize"),
}
"""What else identifies a row."""

SINCE = {
    column: version
    for version, statements in enumerate(MIGRATIONS.values(), 1)
    for column in re.findall(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", "; ".join(statements))
} | dict.fromkeys((("gradient_noise", column) for column in TABLES["gradient_noise"]), 9)
"""(table, column) -> the schema version that added it; 1 for all others."""


def problems(conn: sqlite3.Connection, *, small: bool = False) -> Iterator[str]:
    """What is wrong, one sentence per table and column, naming the first bad row. `small`: skip large tables."""
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    kinds: dict[str, str] = dict(
        conn.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
    )
    # A view of a missing table has no columns that SQLite could name.
    there: dict[str, list[str]] = {name: [] for name in kinds}
    for table, column in conn.execute(
        "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'"
    ):
        there[table].append(column)
    keys = _unique_columns(conn, kinds)
    for table, columns in TABLES.items():
        if table not in there:
            if all(SINCE.get((table, column), 1) <= version for column in columns):
                yield f"has no table {table}"
            continue
        if columns and kinds[table] != "table":
            yield f"has a view {table} in the place of the table"
            continue
        wanted = {
            column: kind for column, kind in columns.items() if SINCE.get((table, column), 1) <= version
        }
        for column in [column for column in wanted if column not in there[table]]:
            yield f"table {table}: has no column {column}"
        for unique in (KEYS.get(table, ("id",)), UNIQUE.get(table)) if columns else ():
            if unique is not None and set(unique) not in keys[table]:
                yield f"table {table}: nothing keeps {', '.join(unique)} unique, so that rows may be there twice"
        wanted = {column: kind for column, kind in wanted.items() if column in there[table]}
        if table == "measurements":
            wanted |= {column: _or_null(NUMBER) for column in there[table] if column not in wanted}
        if not wanted or (small and (table in KEYS or _is_large(conn, table))):
            continue
        factory, conn.text_factory = conn.text_factory, lambda text: text.decode(errors="backslashreplace")
        try:
            wrong = list(_wrong_values(conn, table, wanted))
        finally:
            conn.text_factory = factory
        yield from wrong
        if not small and not wrong:
            yield from _unreadable(conn, table, [column for column, kind in wanted.items() if kind.is_text])


def _unique_columns(conn: sqlite3.Connection, names: Iterable[str]) -> dict[str, list[set[str]]]:
    """Table -> the sets of columns that identify a row."""
    found: dict[str, list[set[str]]] = {name: [] for name in names}
    for table, columns in conn.execute(
        "SELECT m.name, json_group_array(p.name) FROM sqlite_master m JOIN pragma_table_info(m.name) p"
        " WHERE m.type = 'table' AND p.pk GROUP BY m.name UNION ALL"
        " SELECT m.name, json_group_array(c.name) FROM sqlite_master m JOIN pragma_index_list(m.name) i"
        " JOIN pragma_index_info(i.name) c WHERE m.type = 'table' AND i.\"unique\" GROUP BY m.name, i.name"
    ):
        found[table].append(set(json.loads(columns)))
    return found


def _is_large(conn: sqlite3.Connection, table: str) -> bool:
    # Ids are never reused, so the last one bounds the number of rows; asking for it costs nothing.
    last = conn.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0]
    return last is not None and last > ROWS_AT_ONCE


def _wrong_values(conn: sqlite3.Connection, table: str, columns: dict[str, Kind]) -> Iterator[str]:
    def right(column: str, kind: Kind) -> str:
        name = quoted(column)
        # A comparison with NULL is NULL: neither right nor wrong.
        holds = f"ifnull({kind.holds.format(c=name)}, 0)"
        return f"({name} IS NULL OR {holds})" if kind.nullable else f"({name} IS NOT NULL AND {holds})"

    all_right = " AND ".join(right(column, kind) for column, kind in columns.items())
    # One pass finds whether anything is wrong; only then is each column checked alone.
    if conn.execute(f"SELECT 1 FROM {table} WHERE NOT ({all_right}) LIMIT 1").fetchone() is None:
        return
    key = [name for name in KEYS.get(table, ("id",)) if name in columns]
    named = ", ".join(key) or "rowid"
    for column, kind in columns.items():
        row = conn.execute(
            f"SELECT {quoted(column)}, {named} FROM {table} WHERE NOT {right(column, kind)} LIMIT 1"
        ).fetchone()
        if row is not None:
            where = ", ".join(
                str(value) if name == "id" else f"{name} {value}"
                for name, value in zip(key, row[1:], strict=False)
            )
            yield f"table {table}, row {where or row[1]}, column {column}: {_shown(row[0])} is not {kind.words}"


def _unreadable(conn: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[str]:
    """Text that SQLite takes but Python does not: bytes that are not UTF-8, JSON with numbers of thousands of digits."""
    factory, conn.text_factory = conn.text_factory, bytes
    try:
        for column in columns:
            key = ", ".join(KEYS.get(table, ("id",)))
            for content, *row in conn.execute(f"SELECT {quoted(column)}, {key} FROM {table}"):
                try:
                    text = None if content is None else content.decode()
                    if text is not None and TABLES[table][column].is_json:
                        json.loads(text)
                except (ValueError, RecursionError) as error:
                    where = ", ".join(str(part) for part in row)
                    yield f"table {table}, row {where}, column {column}: {_shown(content)} cannot be read: {error}"
                    break
    finally:
        conn.text_factory = factory


def _shown(value: object) -> str:
    text = "NULL" if value is None else ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def explained(path: Path, found: list[str]) -> str:
    """The message for a store with wrong content; `found` is not empty."""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        f"{path}: {found[0]}{more}. Another program changed the file, or it is damaged: take a backup, "
        f"or see all that is wrong with `hvdsweep doctor --quick --db {path}`."
    )
