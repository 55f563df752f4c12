"""What is exported is the published layout: it reads as the imported files did, and imports again as the same."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from hvdsweep.archive import export_studies, import_archive
from hvdsweep.archive.layout import configs_of, search_of
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.search import Choice, Fixed, Range, Space
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.store import Store
from tests.archive import slow
from tests.archive.compare import differences
from tests.archive.generator import Study

STATUSES = ("COMPLETE", "INCOMPLETE", "INFEASIBLE")


def test_export_after_import(tmp_path: Path, reader: Store, folder: Path, studies: list[Study]) -> None:
    """Read by pandas as the authors' code reads it, with its default parser, every number is what it was."""
    report = export_studies(reader, tmp_path)
    assert (report.studies, report.trials) == (len(studies), sum(len(study.trials) for study in studies))
    for study in studies:
        before, after = folder / study.path, tmp_path / study.path
        assert json.loads((after / "study.json").read_text()) == json.loads(
            (before / "study.json").read_text()
        )
        for trial in study.trials:
            old, new = before / str(trial.number), after / str(trial.number)
            metadata = json.loads((old / "metadata.json").read_text())
            kept = {key: value for key, value in metadata.items() if not key.startswith("_internal")}
            assert json.loads((new / "metadata.json").read_text()) == kept
            # Without any row pandas cannot know a column's type.
            wanted = pd.read_csv(old / "measurements.csv", index_col="step")
            got = pd.read_csv(new / "measurements.csv", index_col="step")
            pd.testing.assert_frame_equal(got, wanted, check_exact=True, check_dtype=bool(trial.rows))
    for workload in {study.workload for study in studies}:
        pd.testing.assert_frame_equal(
            slow.load_workload(tmp_path / workload, STATUSES)[1],
            slow.load_workload(folder / workload, STATUSES)[1],
        )


def test_import_after_export(tmp_path: Path, reader: Store, studies: list[Study]) -> None:
    """An export imports again as the same trials and values."""
    export_studies(reader, tmp_path / "out")
    report = import_archive(tmp_path / "out", tmp_path / "x.db", aside=False)
    assert not report.problems
    assert report.sweep == "out"
    assert differences(tmp_path / "x.db", studies) == []


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A store with a sweep of our own: trials in every state, one with a NaN, one still running."""
    path = tmp_path / "own.db"
    conn = connect(path, create=True)
    search = {"learning_rate": {"scale": "log", "min": 0.001, "max": 1.0}, "momentum": 0.9}
    definition = {"stop": "budget", "source": "/home/me", "schedule": "constant"}
    with transaction(conn):
        conn.execute(
            "INSERT INTO sweeps (id, name, key, source, definition, state, created)"
            " VALUES (1, 'own', 'k', 'launch', '{}', 'IDLE', 0)"
        )
        conn.execute(
            "INSERT INTO workloads VALUES (1, 1, 'digits/fc_128/momentum', 'digits', 'fc_128', 'momentum',"
            " 'val/score', 0.8, 1, 1400, 9610)"
        )
        conn.execute(
            "INSERT INTO studies (id, workload_id, batch_size, train_steps, target_trials, max_trials, seed, definition, search)"
            " VALUES (1, 1, 64, 300, 2, 8, 7, ?, ?)",
            (json.dumps(definition), json.dumps(search)),
        )
        for number, status in enumerate(["COMPLETE", "INFEASIBLE", "INCOMPLETE", "RUNNING", "PENDING"]):
            conn.execute(
                "INSERT INTO trials (id, study_id, number, key, status, parameters, seed, steps)"
                " VALUES (?, 1, ?, ?, ?, ?, 1, 20)",
                (
                    number + 1,
                    number,
                    f"k{number}",
                    status,
                    json.dumps({"learning_rate": 0.1 * (number + 1), "momentum": 0.9}),
                ),
            )
        conn.execute('ALTER TABLE measurements ADD COLUMN "val/score" REAL')
        conn.execute('ALTER TABLE measurements ADD COLUMN "train/cross_entropy_error" REAL')
        for trial in (1, 2, 3, 4):
            conn.execute("INSERT INTO measurements VALUES (?, 0, 0.1, 2.5)", (trial,))
            conn.execute("INSERT INTO measurements VALUES (?, 20, NULL, ?)", (trial, 1 / 3))
    conn.close()
    return path


def test_own_sweep(tmp_path: Path, own: Path) -> None:
    """A sweep of our own becomes studies with the layout's types and scales; trials that have not ended are left out."""
    with open_store(own) as reader:
        report = export_studies(reader, tmp_path / "out", ["digits/fc_128/momentum"])
    assert (report.trials, report.unfinished, report.rows) == (3, 2, 6)
    study = tmp_path / "out/digits/fc_128/momentum/64"
    document = json.loads((study / "study.json").read_text())
    assert {key: value for key, value in document.items() if key != "_hvdsweep"} == {
        "batch_size": 64,
        "dataset": "digits",
        "early_stopping": False,
        "model": "fc_128",
        "optimizer": "momentum",
        "parameter_configs": {
            "learning_rate": {"type": "DOUBLE", "min_value": 0.001, "max_value": 1.0, "scale": "LOG_SCALE"},
            "momentum": {"type": "DISCRETE", "feasible_points": [0.9]},
        },
        "train_steps": 300,
    }
    assert "/home/me" not in (study / "study.json").read_text()
    assert (study / "0/measurements.csv").read_text() == (
        "step,train/cross_entropy_error,val/score\n0,2.5,0.1\n20,0.3333333333333333,\n"
    )
    documents, table = slow.load_workload(study.parent)
    assert list(documents[64]["trials"]) == [0]
    assert table["train/cross_entropy_error"].tolist() == [2.5, 1 / 3]


def test_own_sweep_and_back(tmp_path: Path, own: Path) -> None:
    """Goal, direction, training examples and weights survive a way through the layout; so does the answer."""
    with open_store(own) as reader:
        export_studies(reader, tmp_path / "out")
        before = reader.workloads()[0]
    import_archive(tmp_path / "out", tmp_path / "back.db", aside=False)
    with open_store(tmp_path / "back.db") as reader:
        after = reader.workloads()[0]
        table = reader.workload_table(after.name)
    for name in ("name", "metric", "goal", "maximize", "train_examples", "parameters"):
        assert getattr(after, name) == getattr(before, name)
    # The goal turns the metric round, and the records are kept in its direction.
    assert (table.maximize, table.record_value.tolist()) == (True, [0.1, 0.1, 0.1])


def test_spaces_there_and_back() -> None:
    """Every kind of dimension survives parameter_configs; what is fixed becomes a choice of one."""
    space = Space(
        {
            "a": Range("linear", 0.0, 1.0),
            "b": Range("log", 1e-4, 1.0),
            "c": Range("reverse_log", 0.9, 0.9999),
            "d": Range("integer", 1, 100),
            "e": Range("integer", 1, 100, log=True),
            "f": Choice((0.0, 0.01, 0.1)),
            "g": Fixed(0.5),
        }
    )
    configs = configs_of(space.to_json())
    assert {config["type"] for config in configs.values()} == {"DOUBLE", "INTEGER", "DISCRETE"}
    back = search_of(configs)
    assert back == {**space.to_json(), "g": {"scale": "choice", "values": [0.5]}}


def test_listed_points() -> None:
    """A list of points becomes the values that it holds."""
    configs = configs_of(
        {"momentum": 0.9, "points": [{"learning_rate": 0.1}, {"learning_rate": 0.01, "momentum": 0.5}]}
    )
    assert configs == {
        "learning_rate": {"type": "DISCRETE", "feasible_points": [0.01, 0.1]},
        "momentum": {"type": "DISCRETE", "feasible_points": [0.5, 0.9]},
    }


def test_what_is_there_is_kept(tmp_path: Path, reader: Store) -> None:
    """A study that is there is not touched unless asked; asked, it is replaced whole."""
    name = "mnist/simple_cnn_base/sgd"
    export_studies(reader, tmp_path, [name])
    place = tmp_path / name / "8"
    (place / "study.json").write_text("mine")
    with pytest.raises(UserError, match="already there"):
        export_studies(reader, tmp_path, [name])
    assert (place / "study.json").read_text() == "mine"
    export_studies(reader, tmp_path, [name], overwrite=True)
    assert json.loads((place / "study.json").read_text())["batch_size"] == 8
    assert sorted(entry.name for entry in place.parent.iterdir()) == ["64", "8"]


def test_names_that_make_no_path(tmp_path: Path, own: Path) -> None:
    """A workload whose name would leave the folder is refused, and so is an unknown one."""
    conn = connect(own)
    conn.execute("UPDATE workloads SET name = '../../up/fc/sgd'")
    conn.close()
    with open_store(own) as reader:
        with pytest.raises(UserError, match="cannot be a folder"):
            export_studies(reader, tmp_path / "out")
        with pytest.raises(UserError, match="workload: nobody: is not in the database"):
            export_studies(reader, tmp_path / "out", ["nobody"])
    assert not (tmp_path / "out").exists()
