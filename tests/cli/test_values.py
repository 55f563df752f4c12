"""Every command shows every value that a store can hold: no traceback, no raw escape sequence, valid JSON.

The values are in tests/store/values.py; a new command gets an entry here. The report draws what
`figure --out` writes.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.errors import HvdsweepError
from tests.store.values import CHANGES, METAPARAMETERS, NUMBERS, Change, changed, merged
from tests.tui.stores import small_store

FIGURES = {
    **{kind: [] for kind in ("curve", "goals", "metaparameters", "scatter", "best-error", "best-of")},
    "stability": ["--parameter", "learning_rate"],
    "split": ["--parameter", "learning_rate", "--edge", "0.1"],
    "compare": ["--sweep", "1"],
}

COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["trials", "--limit", "0"],
    ["trials", "--limit", "0", "--json"],
    ["trials", "1", "2", "5"],
    ["trials", "1", "2", "5", "--json"],
    ["trials", "--sort", "parameters.learning_rate", "--filter", "learning_rate>=0.01"],
    ["events"],
    ["events", "--json"],
    ["curve"],
    ["curve", "--json"],
    ["best"],
    ["best", "--json"],
    ["report", "--out", "report.html"],
    *(["figure", kind, "--text", *options] for kind, options in FIGURES.items()),
    ["figure", "scatter", "--text", "--json"],
    ["figure", "scatter", "--csv"],
    ["curve", "--csv"],
    ["logs"],
    ["export", "out"],
    ["scale", "--show"],
    ["launch", "--sweep", "1", "--dry-run"],
]

TOGETHER = [
    *((f"activation is {name}", f"every learning rate is {name}") for name in METAPARAMETERS),
    *((f"one learning rate is {name}", f"every momentum is {name}") for name in METAPARAMETERS),
    *((f"the goal is {name}", f"losses are {name}") for name in NUMBERS),
]
"""Values that do not keep each other from being shown share a store."""


def stores() -> dict[str, Change]:
    """What -> how a store comes to hold it."""
    alone = CHANGES.keys() - {name for names in TOGETHER for name in names}
    return {" and ".join(names): merged(*names) for names in [*TOGETHER, *zip(sorted(alone), strict=True)]}


RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    path = small_store(tmp_path_factory.mktemp("values") / "store.db")
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode = delete")
    return path


@pytest.mark.parametrize("change", stores().values(), ids=stores())
def test_every_command_shows_it(change, original: Path, tmp_path: Path, monkeypatch):
    """What it cannot answer it refuses with a message; what it prints is valid text, JSON or HTML."""
    monkeypatch.chdir(tmp_path)
    path = changed(original, tmp_path / "store.db", change)
    for arguments in COMMANDS:
        run = CliRunner().invoke(group, [*arguments, "--db", str(path)])
        words = " ".join(arguments)
        if run.exception is not None:
            assert isinstance(run.exception, HvdsweepError), (words, run.exception)
            assert "damaged" not in str(run.exception), (words, run.exception)
            continue
        assert RAW.search(run.output) is None, (words, run.output)
        if "--json" in arguments:
            json.loads(run.stdout)
    page = tmp_path / "report.html"
    if page.exists():
        assert RAW.search(page.read_text()) is None
        assert "<script>alert" not in page.read_text()
