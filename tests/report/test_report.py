"""The report is one well-formed page that fetches nothing and gives the source of every number."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hvdsweep import curves
from hvdsweep.archive import import_archive
from hvdsweep.cli import group
from hvdsweep.opening import open_store
from hvdsweep.report import report_page
from hvdsweep.store.connection import connect, transaction
from tests.archive.generator import files, planted, write_folder

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Checks that tags are balanced, and collects ids, links and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.handle_starttag(tag, attrs)
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an imported sweep, and one of our own whose names are hostile, half done, with speeds and events."""
    root = tmp_path_factory.mktemp("report")
    path = root / "x.db"
    import_archive(write_folder(root, files(planted(3))), path, aside=False)
    conn = connect(path)
    definition = {"stop": "budget", "model": HOSTILE}
    search = {"learning_rate": {"scale": "log", "min": 0.1, "max": 1.0}}
    with transaction(conn):
        conn.execute(
            "INSERT INTO sweeps (id, name, key, source, file, definition, state, created, started, np, gangs, versions)"
            " VALUES (2, ?, 'k', 'launch', '/x/own.toml', ?, 'RUNNING', 0, 1, 3, 2, ?)",
            (
                f"own {HOSTILE}",
                json.dumps(definition),
                json.dumps({"hvdsweep": "9.9", "tensorflow": "2.18.1"}),
            ),
        )
        conn.execute(
            "INSERT INTO workloads VALUES (100, 2, ?, 'd', 'm', 'sgd', 'val/classification_error', 0.3, 0, 1000, 77)",
            (f"d/{HOSTILE}/sgd",),
        )
        conn.execute(
            "INSERT INTO workloads VALUES (101, 2, 'd/nothing/sgd', 'd', 'nothing', 'sgd', NULL, NULL, 0, NULL, NULL)"
        )
        for study, size in enumerate((8, 16, 32), 1000):
            conn.execute(
                "INSERT INTO studies"
                " (id, workload_id, batch_size, train_steps, target_trials, max_trials, seed, definition, search)"
                " VALUES (?, 100, ?, 100, 4, 8, 4711, ?, ?)",
                (study, size, json.dumps(definition), json.dumps(search)),
            )
            for number in range(4):
                trial = study * 10 + number
                status = ("COMPLETE", "COMPLETE", "INFEASIBLE", "PENDING")[number]
                conn.execute(
                    "INSERT INTO trials (id, study_id, number, key, status, parameters, seed, steps, stop_reason)"
                    " VALUES (?, ?, ?, 'k', ?, ?, 1, 100, NULL)",
                    (trial, study, number, status, json.dumps({"learning_rate": 0.1})),
                )
                if status == "COMPLETE":
                    conn.execute(
                        "INSERT INTO best_records VALUES (1, ?, ?, 0.2)", (trial, 800 // size + number)
                    )
        metric = conn.execute("SELECT id FROM metrics WHERE name = 'val/classification_error'").fetchone()[0]
        conn.execute("UPDATE best_records SET metric_id = ? WHERE trial_id >= 10000", (metric,))
        conn.execute(
            "INSERT INTO gangs (sweep_id, np, host, state, started) VALUES (2, 3, 'node-7', 'STOPPED', 1)"
        )
        conn.execute(
            "INSERT INTO throughput (time, workload, batch_size, np, gangs, host, steps, seconds, steps_per_second,"
            " examples_per_second, source) VALUES (1, ?, 8, 3, 2, 'node-8', 10, 2, 5, 40, 'scale')",
            (f"d/{HOSTILE}/sgd",),
        )
        conn.execute("INSERT INTO events (time, sweep_id, kind, message) VALUES (1, 2, 'run', ?)", (HOSTILE,))
    conn.close()
    return path


def page(database: Path, sweep: int) -> str:
    with open_store(database) as reader:
        return report_page(reader, reader.sweeps()[sweep - 1])


@pytest.mark.parametrize("sweep", [1, 2])
def test_whole_and_self_contained(database: Path, sweep: int) -> None:
    """Tags balance, ids are unique, links stay on the page, pictures are part of it, no script runs."""
    text = page(database, sweep)
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    links = [link for link in found.links if not link.startswith("data:image/png;base64,")]
    assert [link for link in links if link[:1] != "#" or link[1:] not in found.ids] == []
    assert "script" not in found.tags
    assert not re.search(r"@import|url\((?!#)", text)
    assert text.startswith("<!doctype html>")


def test_provenance_and_plan(database: Path) -> None:
    """Versions, hosts, np, gangs, seed, search, goal and counts of the sweep, and its state as it really is."""
    text = Page(page(database, 2)).text
    for words in (
        "hvdsweep 9.9, tensorflow 2.18.1",
        "node-7, node-8",
        "4711",
        "learning_rate 0.1 to 1 (log)",
        "val/classification_error < 0.3",
        "/x/own.toml",
        "interrupted",
        "9 of 12 trials ended",
        f"own {HOSTILE}",
    ):
        assert words in text


def test_answers(database: Path) -> None:
    """The curve's numbers, its warnings, and time to the goal by measured speed are on the page."""
    text = Page(page(database, 2)).text
    with open_store(database) as reader:
        curve = curves.curve(reader.workload_table(f"d/{HOSTILE}/sgd"))
    assert [point.steps for point in curve.points] == [100, 50, 25]
    assert "only 2 trials count" in text
    assert "best learning_rate 0.1 is within 5% of the lower end of its range (0.1 to 1)" in text
    assert "20 s" in text  # 100 steps at 5 a second
    assert "no goal" in text  # of the workload without one


def test_every_workload_and_batch_size(database: Path) -> None:
    """A published sweep has a section with its curve for every workload."""
    found = Page(page(database, 1))
    with open_store(database) as reader:
        workloads = reader.workloads(1)
    assert found.tags.count("svg") == len(workloads)
    assert all(workload.name in found.text for workload in workloads)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["report", *arguments], standalone_mode=False)


def test_command(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, name or file; the newest where none is named; a name that is safe for a file."""
    monkeypatch.chdir(tmp_path)
    db = ("--db", str(database))
    assert run(*db).exception is None
    (made,) = tmp_path.iterdir()
    assert made.name == "own-script-alert-1-script.html"
    assert "<title>own" in made.read_text()
    monkeypatch.setattr("hvdsweep.report.report_page", lambda reader, row: f"{row.id} {row.name}\n")
    assert [
        run(name, *db, "--out", "-").stdout[0] for name in ("1", "published", "/x/own.toml", "2")
    ] == list("1122")
    found = json.loads(run("1", *db, "--out", str(tmp_path / "a.html"), "--json").stdout)
    assert found["bytes"] == (tmp_path / "a.html").stat().st_size
    assert "is not in the database. There is 1 (published)" in str(run("nobody", *db).exception)
    assert "cannot be written" in str(run(*db, "--out", str(tmp_path / "no" / "a.html")).exception)
