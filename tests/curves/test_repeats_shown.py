"""What commands, report and interface show of a sweep whose best trials were repeated: a planted store, nothing is trained."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.opening import open_store
from hvdsweep.repeats import repeat_number
from hvdsweep.report import report_page
from hvdsweep.states import Status
from hvdsweep.store.connection import connect
from tui.sweep_rows import study_columns, sweep_columns
from tui.widgets.columns import row_of

from . import database
from .oracle import Study, Trial

SIZES = (8, 16, 32, 64, 128)
LUCK = (1.25, 1.3, 1.2)
"""Steps of the repeats over those of the best trial."""


def reached(number: int, step: int) -> Trial:
    return Trial(
        number, [(0, 0.9), (step - 1, 0.6), (step, 0.4)], steps=4000, parameters={"learning_rate": 0.1}
    )


def best(size: int) -> int:
    return 100 * (1 + 64 // size)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Trial 2 is the best of five of each batch size and has three repeats; one at 64 missed the goal, one at 128 waits, and
    nothing of 8 was repeated."""
    studies = []
    for size in SIZES:
        trials = [reached(n, best(size) + 7 * abs(n - 2)) for n in range(5)]
        if size != 8:
            trials += [reached(repeat_number(2, i), round(best(size) * luck)) for i, luck in enumerate(LUCK)]
        if size == 64:
            trials[-1].measurements = [(0, 0.9), (4000, 0.6)]
        if size == 128:
            trials[-1].measurements, trials[-1].status, trials[-1].steps = [], Status.PENDING, 0
        studies.append(Study(size, trials, train_steps=4000, target_trials=5))
    path = database.write(tmp_path / "x.db", {"digits/fc_128/sgd": studies})
    conn = connect(path)
    conn.execute("UPDATE studies SET repeats = 3")
    conn.execute("UPDATE trials SET repeats = 2 WHERE number >= 1000000000000")
    conn.close()
    return path


def run(*words: str, db: Path) -> str:
    result = CliRunner().invoke(group, [*words, "--db", str(db)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


TABLE = """\
The best trial again with other seeds:
batch size  best trial  reached  mean steps    sd  95 % interval            best took
        16           2      3/3         625    25     565 to 690           20 % fewer
        32           2      3/3         375    15     339 to 414           20 % fewer
        64           2      2/3     > 1,503                       at least 87 % fewer
       128           2      2/2         128  3.54      99 to 163           22 % fewer
95 % interval of the mean over seeds, Student's t; best took: the search's best against that mean
"""


def test_curve_says_how_lucky_the_best_was(db: Path) -> None:
    """Text, JSON and CSV agree: mean, deviation and interval of the repeats that ended, a bound where one missed the goal, and
    nothing without repeats; the points stay those of the search."""
    assert TABLE in run("curve", db=db)
    (curve,) = json.loads(run("curve", "--json", db=db))
    points = {point["batch_size"]: point for point in curve["points"]}
    assert [(point["steps"], point["trials"]) for point in points.values()] == [
        (best(size), 5) for size in SIZES
    ]
    assert points[8]["repeats"] is None
    assert points[16]["repeats"]["steps"] == [625, 650, 600]
    assert points[16]["repeats"]["luck"] == pytest.approx(0.2)
    assert points[64]["repeats"] | {"mean": 0, "interval_of": "", "luck": 0} == {
        "trial": 2,
        "repeats": 3,
        "reached": 2,
        "steps": [250, 260, None],
        "mean": 0,
        "at_least": True,
        "sd": None,
        "interval": None,
        "interval_of": "",
        "luck": 0,
    }
    rows = list(csv.DictReader(io.StringIO(run("curve", "--csv", db=db))))
    for row, point in zip(rows, points.values(), strict=True):
        again: dict[str, Any] = point["repeats"] or {}
        said = [row[name] for name in ("repeats", "repeats_reached", "repeats_mean", "repeats_sd", "luck")]
        expected = [again.get(name) for name in ("repeats", "reached", "mean", "sd", "luck")]
        assert said == ["" if value is None else str(value) for value in expected]


def test_budgets_count_for_repeats_too(db: Path) -> None:
    """Within 620 steps one of the three repeats at 16 gets there; within 500 the best trial at 16 itself does."""
    (curve,) = json.loads(run("curve", "--json", "--step-budget", "620", db=db))
    again = curve["points"][1]["repeats"]
    assert (again["steps"], again["mean"], again["at_least"]) == (
        [None, None, 600],
        (620 + 620 + 600) / 3,
        True,
    )


def test_status_trials_and_report_count_repeats(db: Path) -> None:
    """They are counted separately from the trials of the search."""
    text = run("status", db=db)
    assert "25 of 25 trials ended · 11 of 12 repeats ended" in text
    assert [line.split()[-4] for line in text.splitlines() if line.strip().startswith("32 ")] == ["3/3"]
    assert "2 repeat 3" in run("trials", db=db)
    with open_store(db) as reader:
        page = re.sub("<[^>]+>", " ", report_page(reader, reader.sweeps()[0]))
    assert "25 of 25 trials and 11 of 12 repeats ended" in page
    assert "The best trials again, with other seeds" in page
    assert re.search(r"16\s+2\s+3 of 3\s+625\s+25\s+565 to 690\s+500\s+\+20\.0%", page)
    assert re.search(r"64\s+2\s+2 of 3\s+more than 1,503", page)


def test_the_sweeps_screen_counts_repeats(db: Path) -> None:
    """`25/25 +11/12` of the sweep, `5/5 +2/3` of a batch size with one to come, `5/5` without any."""
    with open_store(db) as reader:
        (sweep,) = reader.status().sweeps
    assert row_of(sweep_columns(8), 1, sweep).cells[4] == "25/25 +11/12"
    assert [row_of(study_columns(8, {}), 1, study).cells[3] for study in sweep.studies] == [
        "5/5",
        *["5/5 +3/3"] * 3,
        "5/5 +2/3",
    ]
    assert sweep.fraction == pytest.approx(36 / 37)


def test_a_store_from_before_there_were_repeats_is_shown(db: Path) -> None:
    """A reader does not migrate it; it has no such columns."""
    conn = connect(db)
    conn.execute(
        "DELETE FROM measurements WHERE trial_id IN (SELECT id FROM trials WHERE repeats IS NOT NULL)"
    )
    conn.execute(
        "DELETE FROM best_records WHERE trial_id IN (SELECT id FROM trials WHERE repeats IS NOT NULL)"
    )
    conn.execute("DELETE FROM trials WHERE repeats IS NOT NULL")
    for table in ("studies", "trials"):
        conn.execute(f"ALTER TABLE {table} DROP COLUMN repeats")
    conn.execute("DELETE FROM _sqlite_migrations WHERE id > 7")
    conn.execute("DROP TABLE gradient_noise")
    conn.execute("PRAGMA user_version = 7")
    conn.close()
    with open_store(db) as reader:
        (sweep,) = reader.status().sweeps
    assert row_of(sweep_columns(8), 1, sweep).cells[4] == "25/25"
