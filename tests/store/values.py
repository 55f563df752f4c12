"""Values that a store can hold and a program may stumble over: one store for each, trained as far as `small_store` goes.

To add a case: an entry in NUMBERS, METAPARAMETERS, HOSTILE (text for every name) or CHANGES (anything else). Commands and screens
that must show every one of them are listed in tests/cli/test_values.py and tests/tui/test_values.py.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

NUMBERS: dict[str, float] = {
    "zero": 0.0,
    "minus zero": -0.0,
    "smallest denormal": 5e-324,
    "a denormal": 1e-310,
    "smallest normal": 2.2250738585072014e-308,
    "largest": 1.7976931348623157e308,
    "most negative": -1.7976931348623157e308,
    "minus a denormal": -5e-324,
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "one and a bit": 1.0000000000000002,
    "just below one": 0.9999999999999999,
}
"""Floats that SQLite keeps as they are."""

METAPARAMETERS: dict[str, object] = {
    "a word": "relu",
    "an empty word": "",
    "a word in markup": "[bold]$x_1$<b>&amp;",
    "an escape sequence": "\x1b[31m\x1b]0;owned\x07\x9b2J",
    "a Chinese word": "激活",
    "truth": True,
    "a whole number": 7,
    "beyond 64 bits": 10**30,
    "beyond floats": 10**400,
    "null": None,
    **{f"the number {name}": value for name, value in NUMBERS.items() if abs(value) < float("inf")},
}
"""Values of a metaparameter, as JSON keeps them."""

Change = Callable[[sqlite3.Connection], None]


def _metaparameter(name: str, value: object, some: str) -> Change:
    def change(conn: sqlite3.Connection) -> None:
        for trial, text in conn.execute(f"SELECT id, parameters FROM trials WHERE {some}").fetchall():
            parameters = {**json.loads(text), name: value}
            conn.execute("UPDATE trials SET parameters = ? WHERE id = ?", (json.dumps(parameters), trial))

    return change


def _run(*statements: str, **values: object) -> Change:
    def change(conn: sqlite3.Connection) -> None:
        for statement in statements:
            conn.execute(statement, values)

    return change


ONE_RECORD = (
    "DELETE FROM best_records WHERE EXISTS (SELECT 1 FROM best_records b"
    " WHERE b.metric_id = best_records.metric_id AND b.trial_id = best_records.trial_id AND b.step < best_records.step)",
    "UPDATE best_records SET value = :x WHERE metric_id ="
    " (SELECT id FROM metrics WHERE name = 'val/classification_error')",
    # An infinite value is no record.
    "DELETE FROM best_records WHERE abs(value) > 1.7976931348623157e308",
)
"""One record a trial, as measurements that are all the same leave it."""

HOSTILE: dict[str, str] = {
    "escape sequences": "\x1b[31mred\x1b]0;owned\x07\x9b2J\x1b[2J\u202egnp.exe\r\n<script>alert(1)</script>[bold]$x$",
    "markup": "[@click=app.quit]quit[/] [/bold] [[ ]] [red [on blue] [$error]{x} \\[link=file:///etc/passwd]",
    "very long text": "0123456789 " * 300 + "\u05d0\u200f\U0001f9ea\u0301" * 50,
}
"""Text for every name, event and message."""


def _everywhere(text: str) -> Change:
    return _run(
        "UPDATE sweeps SET name = :x, file = :x, supervisor_host = :x",
        "UPDATE workloads SET name = :x || id, dataset = :x, model = :x, algorithm = :x",
        "UPDATE trials SET message = :x, chosen = :x, parameters = json_set(parameters, '$.\"odd\"', :x)",
        "UPDATE trials SET parameters = json_patch(parameters, json_object(:x, 1.5)) WHERE id % 2",
        "UPDATE gangs SET message = :x, host = :x, state = 'DEAD' WHERE id % 2",
        "UPDATE gangs SET message = :x, host = :x WHERE NOT id % 2",
        "UPDATE events SET message = :x, kind = :x",
        "UPDATE throughput SET host = :x",
        x=text,
    )


CHANGES: dict[str, Change] = {
    **{
        f"activation is {name}": _metaparameter("activation", value, "TRUE")
        for name, value in METAPARAMETERS.items()
    },
    **{
        f"one learning rate is {name}": _metaparameter("learning_rate", value, "id % 5 = 1")
        for name, value in METAPARAMETERS.items()
    },
    **{
        f"every learning rate is {name}": _metaparameter("learning_rate", value, "TRUE")
        for name, value in METAPARAMETERS.items()
    },
    **{
        f"every momentum is {name}": _metaparameter("momentum", value, "TRUE")
        for name, value in METAPARAMETERS.items()
    },
    **{
        f"the goal is {name}": _run("UPDATE workloads SET goal = :x", x=value)
        for name, value in NUMBERS.items()
    },
    **{
        f"measurements are {name}": _run(
            'UPDATE measurements SET "val/classification_error" = :x, "val/cross_entropy_error" = 1',
            *ONE_RECORD,
            x=value,
        )
        for name, value in NUMBERS.items()
    },
    **{
        f"one measurement is {name}": _run(
            'UPDATE measurements SET "val/classification_error" = :x WHERE step = 20',
            'UPDATE measurements SET "val/classification_error" = NULL WHERE step != 20',
            *ONE_RECORD,
            x=value,
        )
        for name, value in NUMBERS.items()
    },
    **{
        f"losses are {name}": _run("UPDATE losses SET loss = :x WHERE step % 2", x=value)
        for name, value in NUMBERS.items()
    },
    "nothing was searched": _run("UPDATE studies SET search = '{}'", "UPDATE trials SET parameters = '{}'"),
    "a huge batch size": _run("UPDATE studies SET batch_size = 9223372036854775807 - id"),
    "the longest budget": _run("UPDATE studies SET train_steps = 4294967295"),
    "a wall-time budget": _run("UPDATE studies SET train_steps = 0"),
    "times at the epoch": _run("UPDATE trials SET started = 0, ended = 0", "UPDATE events SET time = 0"),
    "times in the year 5138": _run(
        "UPDATE trials SET ended = 1e11", "UPDATE events SET time = 1e11", "UPDATE sweeps SET created = 1e11"
    ),
    "ends before beginnings": _run(
        "UPDATE trials SET started = 1e9, ended = 1e8", "UPDATE sweeps SET heartbeat = 1e10"
    ),
    "no trials": _run(
        *(f"DELETE FROM {table}" for table in ("losses", "measurements", "best_records", "trials"))
    ),
    "no metaparameters": _run("UPDATE trials SET parameters = '{}'"),
    **{f"{name} everywhere": _everywhere(text) for name, text in HOSTILE.items()},
}
"""What -> how a store comes to hold it."""


def merged(*names: str) -> Change:
    """Several of them in one store."""

    def change(conn: sqlite3.Connection) -> None:
        for name in names:
            CHANGES[name](conn)

    return change


def changed(original: Path, path: Path, change: Change) -> Path:
    """A copy of the store with the change."""
    shutil.copy(original, path)
    with closing(sqlite3.connect(path)) as conn:
        change(conn)
        conn.commit()
        conn.execute("PRAGMA journal_mode = delete")
    return path
