"""A file that SQLite reads but with invalid content: one message that names table, row and column, exit code 1.

Damages are generated from `content.TABLES`: a new column is damaged in every way that its kind allows.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.launch.checks import database
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.content import KEYS, SINCE, TABLES, problems
from hvdsweep.store.schema import quoted
from tests.tui.stores import small_store

WRONG = {
    "a word for a number": "word",
    "an impossible time": 1e300,
    "minus four": -4,
    "broken JSON": '{"a": ',
    "a list": "[1, 2]",
    "bytes": b"\xff\xfe",
    "a fraction": 0.5,
    "nothing": None,
}
"""Values that are invalid in some column; `damages` leaves out those that are valid in a column."""

COMMANDS = {
    "status": ["status"],
    "status --json": ["status", "--json"],
    "trials": ["trials"],
    "trials --json": ["trials", "--json"],
    "trial": ["trials", "1"],
    "events": ["events"],
    "logs": ["logs"],
    "curve": ["curve"],
    "best": ["best"],
    "best --json": ["best", "--json"],
    "figure": ["figure", "curve", "--text"],
    "report": ["report", "--out", "report.html"],
    "export": ["export", "exported"],
    "scale --show": ["scale", "--show"],
    "launch --dry-run": ["launch", "--sweep", "1", "--dry-run"],
}
"""Every command that reads a store."""


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A store with something in every table but `throughput`, closed, in one file."""
    path = small_store(tmp_path_factory.mktemp("content") / "store.db")
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("INSERT INTO gradient_noise VALUES (1, 16, '', 0.5, 2.0)")
        conn.commit()
        conn.execute("PRAGMA journal_mode = delete")
    return path


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "store.db"))


def columns() -> Iterator[tuple[str, str]]:
    for table, kinds in TABLES.items():
        if table != "throughput":
            yield from ((table, column) for column in kinds)


def is_right(conn: sqlite3.Connection, table: str, column: str, value: object) -> bool:
    kind = TABLES[table][column]
    if value is None:
        return kind.nullable
    return bool(conn.execute(f"SELECT ifnull({kind.holds.format(c='?1')}, 0)", (value,)).fetchone()[0])


def damages(table: str, column: str) -> Iterator[tuple[str, object]]:
    """The names and values that may not stand there and that SQLite takes."""
    with closing(sqlite3.connect(":memory:")) as conn:
        for name, value in WRONG.items():
            if not is_right(conn, table, column, value):
                yield name, value


def damage(path: Path, table: str, column: str, value: object) -> bool:
    """Put `value` into the last row, ignoring the table's rules; False if SQLite refuses or changes it."""
    with closing(sqlite3.connect(path)) as conn:
        try:
            conn.execute(
                f"UPDATE {table} SET {quoted(column)} = ?1 WHERE {quoted(column)} IS NOT ?1"
                f" AND ({', '.join(KEYS.get(table, ('id',)))}) = (SELECT {', '.join(KEYS.get(table, ('id',)))} FROM {table}"
                f" ORDER BY 1 DESC LIMIT 1)",
                (value,),
            )
            conn.commit()
        except sqlite3.Error:
            return False
        return bool(list(problems(conn)))


UNREADABLE = {
    "bytes that are not UTF-8": ("text", b"a\xff\xfe"),
    "half a character": ("text", "激".encode()[:2]),
    "bytes in JSON that are not UTF-8": ("JSON", b'{"a": "\xff"}'),
    "a number of 6,000 digits": ("JSON", b'{"a": 1' + b"0" * 6000 + b"}"),
}
"""Text that SQLite takes for text or JSON, and Python does not."""


@pytest.mark.parametrize(("kind", "content"), UNREADABLE.values(), ids=UNREADABLE)
def test_text_that_python_cannot_read_is_named(kind: str, content: bytes, original: Path, tmp_path: Path):
    """In every column: by whatever needs it, by a launch before it writes, and by doctor."""
    for table, column in columns():
        wanted = TABLES[table][column].is_json if kind == "JSON" else TABLES[table][column].is_text
        if not wanted or (kind == "text" and TABLES[table][column].is_json):
            continue
        path = Path(shutil.copy(original, tmp_path / "damaged.db"))
        with closing(sqlite3.connect(path)) as conn:
            key = ", ".join(KEYS.get(table, ("id",)))
            conn.execute(
                f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE ({key}) = (SELECT {key} FROM {table} LIMIT 1)",
                (content,),
            )
            conn.commit()
            (found,) = problems(conn)
        assert found.startswith(f"table {table}, row "), found
        assert f", column {column}: " in found
        with pytest.raises(RunFailed, match=f"table {table}, row .*, column {column}: "):
            connect(path, create=True)


def test_every_column_is_described(original: Path):
    """The description names the columns of a store as it is made, and none that it does not have."""
    with closing(sqlite3.connect(original)) as conn:
        for table, kinds in TABLES.items():
            there = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
            if table in ("measurements", "running_best"):
                there = there[: len(kinds)]
            assert sorted(there) == sorted(kinds), table
        assert set(SINCE) <= {(table, column) for table, kinds in TABLES.items() for column in kinds}
        assert list(problems(conn)) == []


@pytest.mark.parametrize("table", [table for table in TABLES if table not in ("throughput", "running_best")])
def test_a_wrong_value_is_named(table: str, original: Path, tmp_path: Path):
    """Every column with every value it may not hold: table, row, column and value in one sentence, nothing else wrong."""
    tried = 0
    for column in TABLES[table]:
        for name, value in damages(table, column):
            path = Path(shutil.copy(original, tmp_path / "damaged.db"))
            if not damage(path, table, column, value):
                continue
            tried += 1
            with closing(sqlite3.connect(path)) as conn:
                (found,) = problems(conn)
            assert found.startswith(f"table {table}, row "), (name, found)
            assert f"column {column}: " in found, (name, found)
    assert tried >= 2 * len(TABLES[table])


@pytest.mark.parametrize(("table", "column"), list(columns()))
def test_a_missing_column_is_named(table: str, column: str, copy: Path):
    """Reading and writing alike."""
    with closing(sqlite3.connect(copy)) as conn:
        conn.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO renamed")
        conn.commit()
    for opened in (open_store, connect):
        with pytest.raises(RunFailed, match=f"table {table}: has no column {column}"):
            opened(copy)


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_table_is_named(table: str, copy: Path):
    """Reading and writing alike."""
    with closing(sqlite3.connect(copy)) as conn:
        conn.execute(f"DROP {'VIEW' if table == 'running_best' else 'TABLE'} {table}")
        conn.commit()
    for opened in (open_store, connect):
        with pytest.raises(RunFailed, match=f"has no table {table}"):
            opened(copy)


SCHEMA = {
    **{f"a view for {table}": (table, "view") for table, kinds in TABLES.items() if kinds},
    **{f"{table} without keys": (table, "table") for table, kinds in TABLES.items() if kinds},
}
"""A table that another program has put another one in the place of: a view of it, or a copy without its keys."""


@pytest.mark.parametrize(("table", "kind"), SCHEMA.values(), ids=SCHEMA)
def test_a_table_of_another_program_is_named(table: str, kind: str, copy: Path):
    """Reading and writing alike: rows could be there twice, or could not be written."""
    with closing(sqlite3.connect(copy)) as conn:
        conn.execute("DROP VIEW running_best")
        conn.execute(f"ALTER TABLE {table} RENAME TO renamed")
        conn.execute(f"CREATE {kind} {table} AS SELECT * FROM renamed")
        conn.execute("CREATE VIEW running_best AS SELECT 1")
        conn.commit()
    says = f"has a view {table} in the place" if kind == "view" else f"table {table}: nothing keeps .* unique"
    for opened in (open_store, connect):
        with pytest.raises(RunFailed, match=says):
            opened(copy)


def test_a_trigger_of_another_program_is_one_sentence(copy: Path):
    """What it refuses fails as a whole, with its words."""
    with closing(sqlite3.connect(copy)) as conn:
        conn.execute("CREATE TRIGGER t BEFORE UPDATE ON sweeps BEGIN SELECT raise(FAIL, 'not mine'); END")
    with closing(connect(copy)) as conn:
        with (
            pytest.raises(RunFailed, match=r"a trigger that another program put .* refuses: not mine"),
            transaction(conn),
        ):
            conn.execute("UPDATE sweeps SET request = 'stop'")
        assert conn.execute("SELECT count(*) FROM sweeps WHERE request = 'stop'").fetchone() == (0,)


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_every_command_says_the_same(arguments: list[str], original: Path, tmp_path: Path, monkeypatch):
    """Any damaged small table: exit code 1 and the sentence, from every command that reads."""
    from hvdsweep.cli import group

    monkeypatch.chdir(tmp_path)
    for table, column, value in (
        ("studies", "batch_size", -4),
        ("trials", "parameters", '{"learning_rate": '),
        ("trials", "status", "LOST"),
        ("events", "time", 1e300),
        ("sweeps", "versions", "7"),
    ):
        path = Path(shutil.copy(original, tmp_path / "damaged.db"))
        assert damage(path, table, column, value)
        run = CliRunner().invoke(group, [*arguments, "--db", str(path)])
        assert isinstance(run.exception, RunFailed), (table, column, run.output)
        assert f"table {table}, row " in str(run.exception)
        assert f"column {column}: " in str(run.exception)


WRONG_JSON = {
    "studies are a number": ("sweeps", "definition", "$.studies", "7"),
    "a goal is a list": ("sweeps", "definition", "$.goal", "[]"),
    "an evaluation is a word": ("studies", "definition", "$.evaluation", '"often"'),
    "a scale is unknown": ("studies", "search", "$.learning_rate.scale", '"cubic"'),
    "a range has a word for an end": ("studies", "search", "$.learning_rate.min", '"a"'),
    "a range is upside down": ("studies", "search", "$.learning_rate.min", "1e9"),
    "a metaparameter is a list": ("studies", "search", "$.learning_rate", "[1]"),
    "points are a number": ("studies", "search", "$.points", "7"),
}
"""Table, column, path in its JSON, and what is put there."""


@pytest.mark.parametrize(("table", "column", "path", "value"), WRONG_JSON.values(), ids=WRONG_JSON)
def test_wrong_json_is_named_by_doctor_and_by_whatever_fails(
    table, column, path, value, copy: Path, monkeypatch
):
    """A command answers, or names table, row and column."""
    from hvdsweep.cli import group

    monkeypatch.chdir(copy.parent)
    with closing(sqlite3.connect(copy)) as conn:
        conn.execute(f"UPDATE {table} SET {column} = json_set({column}, ?, json(?))", (path, value))
        conn.commit()
    says = f"table {table}, row 1, column {column}: "
    for name in ("status", "trial", "curve", "export"):
        run = CliRunner().invoke(group, [*COMMANDS[name], "--db", str(copy)])
        if run.exception is not None:
            with pytest.raises(RunFailed, match=says), open_store(copy) as reader:
                reader.explain(run.exception)
    assert any(says in check.found for check in database(copy))


def test_large_tables_are_looked_at_when_an_answer_fails(copy: Path, monkeypatch):
    """They are not checked at every start; the message is the same."""
    from hvdsweep.store import content

    monkeypatch.setattr(content, "ROWS_AT_ONCE", 1)
    assert damage(copy, "trials", "status", "LOST")
    with (
        open_store(copy) as reader,
        pytest.raises(RunFailed, match=r"table trials, row .* column status: 'LOST'"),
    ):
        reader.counts()


def test_a_text_among_losses_is_named(copy: Path):
    """Losses and measurements are never checked at the start."""
    assert damage(copy, "losses", "loss", "word")
    with closing(sqlite3.connect(copy)) as conn:
        trial = conn.execute("SELECT trial_id FROM losses WHERE loss = 'word'").fetchone()[0]
    with (
        open_store(copy) as reader,
        pytest.raises(RunFailed, match=rf"trial_id {trial}, step .* column loss: 'word'"),
    ):
        reader.losses(trial)


def _value(path: Path) -> None:
    assert damage(path, "losses", "loss", "word")


def _page(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn:
        page, size = (
            conn.execute(query).fetchone()[0]
            for query in ("SELECT rootpage FROM sqlite_master WHERE name = 'losses'", "PRAGMA page_size")
        )
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x0d" + b"\xff" * 100)


@pytest.mark.parametrize(
    ("harm", "words"),
    [(_value, "column loss: 'word'"), (_page, "SQLite: |is damaged")],
    ids=["a value", "a page"],
)
def test_commands_that_write_check_the_file(harm, words: str, copy: Path):
    """Commands that write (a launch of a finished sweep too) refuse a damaged file, a gang's writer opens it quickly;
    doctor names the damage."""
    harm(copy)
    with pytest.raises((RunFailed, UserError), match=words):
        connect(copy, create=True)
    connect(copy).close()
    (found,) = (check for check in database(copy) if check.name == "database content")
    assert found.status == "failed"
    assert re.search(words, found.found)


def test_the_program_ends_with_a_message(copy: Path):
    """`hvdsweep` as a user starts it: one sentence on stderr, no traceback, exit code 1."""
    assert damage(copy, "gangs", "np", "many")
    code = "from hvdsweep.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "status", "--db", str(copy)], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1
    assert "table gangs, row " in run.stderr


def test_an_older_store_lacks_nothing(copy: Path):
    """Columns of later versions are not missed in a store of the first one."""
    with closing(sqlite3.connect(copy)) as conn:
        conn.execute("DROP TABLE gradient_noise")
        conn.execute("DROP INDEX trials_with_checkpoint")
        for table, column in SINCE:
            if table != "gradient_noise":
                conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        conn.execute("PRAGMA user_version = 1")
        conn.execute("DELETE FROM _sqlite_migrations WHERE name NOT LIKE '1:%'")
        conn.commit()
        assert list(problems(conn)) == []
    with open_store(copy) as reader:
        assert len(reader.sweeps()) == 3
    connect(copy).close()
