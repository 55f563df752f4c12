"""An import has every trial and value of the archive, for every container, order and line end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hvdsweep.archive import import_archive
from hvdsweep.archive.messages import AlreadyStored, TrialBatch
from hvdsweep.archive.published import NAME
from hvdsweep.archive.tars import read_tar
from hvdsweep.curves import curve
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.inserts import insert_rows
from hvdsweep.store.maintenance import check
from hvdsweep.store.schema import quoted
from hvdsweep.store.store import Store
from tests.archive import slow
from tests.archive.compare import differences
from tests.archive.generator import METRICS, Study, Trial, files, planted, write_folder, write_tar


def test_folder(imported: Path, studies: list[Study]) -> None:
    """An unpacked archive is imported exactly, special roots and folders out of order included."""
    assert differences(imported, studies) == []


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends(tmp_path: Path, newline: str) -> None:
    """Windows and old Mac line ends make no difference."""
    studies = planted(1, trials=4)
    folder = write_folder(tmp_path, files(studies, newline))
    assert not import_archive(folder, tmp_path / "x.db", aside=False).problems
    assert differences(tmp_path / "x.db", studies) == []


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("a.tar", "path"),
        ("a.tar", "random"),
        ("a.tar", "measurements first"),
        ("a.tar", "metadata first"),
        ("a.tar.bz2", "random"),
        ("a.tar.gz", "path"),
        ("a.tar.xz", "path"),
    ],
)
def test_archive_files(tmp_path: Path, name: str, order: str) -> None:
    """A tar archive in any compression, its members in any order."""
    studies = planted(2, trials=4)
    archive = write_tar(tmp_path / name, files(studies), order)
    report = import_archive(archive, tmp_path / "x.db", aside=False)
    assert not report.problems
    assert differences(tmp_path / "x.db", studies) == []


def test_a_process_of_its_own(tmp_path: Path) -> None:
    """Reading in another process gives the same."""
    studies = planted(3, trials=3)
    archive = write_tar(tmp_path / "a.tar.bz2", files(studies), "random")
    assert not import_archive(archive, tmp_path / "x.db").problems
    assert differences(tmp_path / "x.db", studies) == []


def test_waiting_files_go_to_disk(tmp_path: Path) -> None:
    """With no room in memory the files that wait for their other half are kept on disk, and nothing is lost."""
    studies = planted(2, trials=4)
    archive = write_tar(tmp_path / "a.tar", files(studies), "measurements first")

    def trials(in_memory: int) -> list[tuple[int, int, int]]:
        return sorted(
            (trial.study, trial.number, sum(len(group.steps) for group in batch.groups))
            for batch in read_tar(archive, AlreadyStored(), True, in_memory=in_memory)
            if isinstance(batch, TrialBatch)
            for trial in batch.trials
        )

    assert trials(0) == trials(1 << 30) != []


def test_again_changes_nothing(tmp_path: Path, folder: Path, studies: list[Study]) -> None:
    """A second import finds everything there, whether from the folder or from the tar, and writes nothing."""
    database = tmp_path / "x.db"
    first = import_archive(folder, database, aside=False)
    archive = write_tar(tmp_path / "batch_science_data.tar", files(studies))
    for again in (folder, archive):
        second = import_archive(again, database, aside=False)
        assert (second.trials_imported, second.studies_new, second.rows) == (0, 0, 0)
        assert second.trials_present == first.trials_imported == sum(len(study.trials) for study in studies)
    assert differences(database, studies) == []


@pytest.mark.parametrize("depth", range(5))
def test_any_folder_of_it(tmp_path: Path, folder: Path, studies: list[Study], depth: int) -> None:
    """A sub-folder gives its part of the same sweep, under the same names; the rest may follow later."""
    study = next(study for study in studies if study.dataset == "mnist_subsets/mnist_6875")
    inside = Path(*folder.joinpath(study.path).parts[: len(folder.parts) + 1 + depth])
    database = tmp_path / "x.db"
    report = import_archive(inside, database, aside=False)
    part = [one for one in studies if folder.joinpath(one.path).is_relative_to(inside)]
    assert report.sweep == NAME
    assert differences(database, part) == []
    import_archive(folder, database, aside=False)
    assert differences(database, studies) == []


def test_one_trial(tmp_path: Path, folder: Path, studies: list[Study]) -> None:
    """The folder of a trial is a folder of it too."""
    study = studies[0]
    trial = study.trials[0]
    import_archive(folder / study.path / str(trial.number), tmp_path / "x.db", aside=False)
    alone = Study(**{**vars(study), "trials": [trial]})
    assert differences(tmp_path / "x.db", [alone]) == []


def test_the_sweep_is_marked_as_imported(reader: Store) -> None:
    """One sweep, DONE, with source `import`, its archive's name and an event."""
    (sweep,) = reader.sweeps()
    assert (sweep.name, sweep.source, sweep.state, sweep.live) == (NAME, "import", "DONE", False)
    assert [event.kind for event in reader.events()] == ["import"]


def test_goals(reader: Store) -> None:
    """Workloads have the paper's goal, direction and number of training examples."""
    found = {row.name: (row.metric, row.goal, row.maximize, row.train_examples) for row in reader.workloads()}
    error = "val/classification_error"
    assert found == {
        "mnist/simple_cnn_base/nesterov_momentum": (error, 0.01, False, 55000),
        "mnist/simple_cnn_base/sgd": (error, 0.01, False, 55000),
        "mnist_subsets/mnist_6875/simple_cnn_base/nesterov_momentum": (error, 0.02, False, 6875),
        "open_images_v4/resnet_50/nesterov_momentum": ("val/average_precision", 0.31, True, 4526492),
        "solution_quality/mnist/simple_cnn_base/nesterov_momentum": (error, 0.01, False, 55000),
    }


@pytest.mark.parametrize("all_records", [True, False])
def test_running_best(tmp_path: Path, folder: Path, studies: list[Study], all_records: bool) -> None:
    """The running best is that of a slow loop over the files: of validation metrics, or of all; `check` agrees."""
    database = tmp_path / "x.db"
    import_archive(folder, database, all_records=all_records, aside=False)
    conn = connect(database)
    everything = ("COMPLETE", "INFEASIBLE", "INCOMPLETE")
    for workload in sorted({study.workload for study in studies}):
        metrics = next(study.metrics for study in studies if study.workload == workload)
        _, table = slow.load_workload(folder / workload, everything)
        for metric in metrics:
            maximize = "precision" in metric
            stored = {
                tuple(row)
                for row in conn.execute(
                    "SELECT s.batch_size, t.number, r.step, r.value FROM running_best r JOIN trials t ON t.id = r.trial_id"
                    " JOIN studies s ON s.id = t.study_id JOIN workloads w ON w.id = s.workload_id"
                    " WHERE w.name = ? AND r.metric = ? AND r.maximize = ?",
                    (workload, metric, maximize),
                )
            }
            kept = all_records or metric.startswith("val/")
            assert stored == (slow.running_best(table, metric, maximize) if kept else set())
    # Planted trials may stop measuring before the steps they claim, never after.
    assert check(conn) == []
    conn.close()


def test_every_digit(tmp_path: Path) -> None:
    """Numbers are read correctly rounded: 17 digits, subnormals, the largest, and far too many digits."""
    texts = [
        "0.1",
        "0.30000000000000004",
        "5e-324",
        "1.7976931348623157e308",
        "9007199254740993",
        "1e400",
        "-0.0",
    ]
    texts += ["0." + "123456789" * 12, "2.2250738585072011e-308", "100000000000000000000000"]
    study = Study("mnist", "simple_cnn_base", "sgd", 8, 100, [Trial(1, "COMPLETE", 100, {}, [])], METRICS[:1])
    contents = files([study])
    rows = "".join(f"{step},{text}\n" for step, text in enumerate(texts))
    contents[f"{study.path}/1/measurements.csv"] = f"step,{METRICS[0]}\n{rows}".encode()
    import_archive(write_folder(tmp_path, contents), tmp_path / "x.db", aside=False)
    with open_store(tmp_path / "x.db") as reader:
        assert reader.measurements(1).values[METRICS[0]].tolist() == [float(text) for text in texts]


def test_columns_differ_between_trials(tmp_path: Path) -> None:
    """Trials of one study with other columns, in other orders, each get what is theirs."""
    study = Study(
        "mnist", "simple_cnn_base", "sgd", 8, 100, [Trial(n, "COMPLETE", 9, {}, []) for n in (1, 2, 3)]
    )
    contents = files([study])
    contents[f"{study.path}/1/measurements.csv"] = b"val/a,step\n0.5,0\n0.25,9\n"
    contents[f"{study.path}/2/measurements.csv"] = b"step,val/b,val/a\n0,1,2\n9,,4\n"
    contents[f"{study.path}/3/measurements.csv"] = b'"step","val/b"\n9,"4"\n0,3\n\n'
    report = import_archive(write_folder(tmp_path, contents), tmp_path / "x.db", aside=False)
    assert not report.problems
    with open_store(tmp_path / "x.db") as reader:
        found = []
        for trial in reader.trials(sort="number").rows:
            measured = reader.measurements(trial.id)
            found.append((measured.steps.tolist(), {k: repr(v.tolist()) for k, v in measured.values.items()}))
    assert found == [
        ([0, 9], {"val/a": "[0.5, 0.25]"}),
        ([0, 9], {"val/a": "[2.0, 4.0]", "val/b": "[1.0, nan]"}),
        ([0, 9], {"val/b": "[3.0, 4.0]"}),
    ]


def test_search_spaces(reader: Store) -> None:
    """parameter_configs become search spaces, so that boundary warnings work on published studies too."""
    study = next(study for study in reader.studies() if study.batch_size == 1024)
    assert study.search == {
        "label_smoothing": {"scale": "choice", "values": [0.0, 0.01, 0.1]},
        "learning_rate": {"scale": "log", "min": 1e-4, "max": 10.0},
        "learning_rate_decay_steps": {"scale": "integer", "min": 300.0, "max": 600.0},
        "momentum": {"scale": "reverse_log", "min": 0.9, "max": 0.9999},
    }


def test_changed_study_is_refused(tmp_path: Path) -> None:
    """An archive whose study differs from the one imported under that name is not mixed into it."""
    study = planted(4, trials=2)[0]
    database = tmp_path / "x.db"
    import_archive(write_folder(tmp_path / "one", files([study])), database, aside=False)
    other = Study(**{**vars(study), "train_steps": study.train_steps + 1})
    report = import_archive(write_folder(tmp_path / "two", files([other])), database, aside=False)
    assert report.trials_imported == 0
    assert [problem.message for problem in report.problems] == [
        f"differs from the {study.workload} at batch size {study.batch_size} that was imported before; "
        "import it under another --name"
    ]
    again = import_archive(tmp_path / "two", database, name="other", aside=False)
    assert again.trials_imported == 2


def test_two_imports_at_once(tmp_path: Path, folder: Path) -> None:
    """While one import of a sweep is at work another is refused."""
    database = tmp_path / "x.db"
    refused: list[str] = []

    def watch(*_: object) -> None:
        if not refused:
            with pytest.raises(RunFailed) as error:
                import_archive(folder, database, aside=False)
            refused.append(str(error.value))

    import_archive(folder, database, aside=False, watch=watch)
    assert "is being imported by process" in refused[0]


def test_asked_to_stop(
    tmp_path: Path, folder: Path, studies: list[Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that is asked to stop, like a run, stops after its batch and continues later."""
    monkeypatch.setattr("hvdsweep.archive.batches.BATCH_TRIALS", 5)
    database = tmp_path / "x.db"

    def watch(*_: object) -> None:
        with sqlite3.connect(database) as conn:
            conn.execute("UPDATE sweeps SET request = 'stop'")

    report = import_archive(folder, database, aside=False, watch=watch)
    assert report.stopped
    assert 0 < report.trials_imported < sum(len(study.trials) for study in studies)
    import_archive(folder, database, aside=False)
    assert differences(database, studies) == []


def test_checksum(tmp_path: Path) -> None:
    """With a wrong --sha256 the file is refused before anything is written; a right one is in the report."""
    archive = write_tar(tmp_path / "a.tar", files(planted(5, trials=1, wide=False)))
    with pytest.raises(UserError, match="the file has"):
        import_archive(archive, tmp_path / "x.db", sha256="0" * 64, aside=False)
    assert not (tmp_path / "x.db").exists()
    report = import_archive(archive, tmp_path / "x.db", aside=False)
    assert report.checksum == "not the published file"
    assert report.sha256 is not None
    import_archive(archive, tmp_path / "x.db", sha256=report.sha256.upper(), aside=False)
    named = archive.rename(tmp_path / "batch_science_data.tar.bz2")
    assert import_archive(named, tmp_path / "x.db", aside=False).checksum.startswith("NOT the published file")


@pytest.mark.parametrize("content", [b"", b"hello", b"BZh9" + b"\x00" * 100, b"\x1f\x8b\x08" + b"junk" * 50])
def test_not_an_archive(tmp_path: Path, content: bytes) -> None:
    """A file that is no archive is refused by name, and no database is made of it."""
    path = tmp_path / "x.tar.bz2"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.tar\.bz2: is neither a folder nor a tar archive"):
        import_archive(path, tmp_path / "x.db", aside=False)
    assert not (tmp_path / "x.db").exists()


def test_nothing_there(tmp_path: Path) -> None:
    """A folder without any study says so."""
    (tmp_path / "in").mkdir()
    report = import_archive(tmp_path / "in", tmp_path / "x.db", aside=False)
    assert [problem.message for problem in report.problems] == [
        "holds no study.json: not an archive in the published layout"
    ]
    with pytest.raises(UserError, match="no such folder or archive"):
        import_archive(tmp_path / "out", tmp_path / "x.db")


def test_the_last_step_that_fits_comes_back(tmp_path: Path) -> None:
    """Trial and step travel through SQLite as one integer: the greatest step allowed is still that step in every answer."""
    rows = [(0, {METRICS[3]: 0.9}), (2**32 - 1, {METRICS[3]: 0.001})]
    trials = [Trial(number, "COMPLETE", 2**32 - 1, {"learning_rate": 0.1}, list(rows)) for number in (1, 2)]
    made = Study("mnist", "simple_cnn_base", "sgd", 8, 2**32 - 1, trials, METRICS[3:4])
    folder = write_folder(tmp_path / "in", files([made]))
    report = import_archive(folder, tmp_path / "x.db", aside=False)
    assert report.problems == []
    with open_store(tmp_path / "x.db") as reader:
        table = reader.workload_table("mnist/simple_cnn_base/sgd", METRICS[3])
    assert table.record_step.tolist() == [0, 2**32 - 1] * 2
    assert curve(table, 0.01).steps == [2**32 - 1]


def test_rows_of_any_number_and_width_arrive(tmp_path: Path) -> None:
    """Many rows go into one statement: 0, 1 or 100 rows of 1 to 300 columns are all there, in their columns."""
    conn = connect(tmp_path / "x.db", create=True)
    for width in (1, 3, 300):
        names = ["step", *(f"m/{index}" for index in range(width))]
        conn.execute(f"CREATE TABLE t{width} ({', '.join(map(quoted, names))})")
        for count in (0, 1, 31, 32, 33, 100):
            conn.execute(f"DELETE FROM t{width}")
            columns = [[row * 1000 + place for row in range(count)] for place in range(width + 1)]
            insert_rows(conn, f"t{width}", names, columns)
            found = conn.execute(f"SELECT * FROM t{width} ORDER BY step").fetchall()
            assert found == list(zip(*columns, strict=True))
    conn.close()


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb"])
def test_a_name_that_no_table_can_show_is_refused(tmp_path: Path, name: str) -> None:
    """A sweep's name is 1 to 100 printable characters; otherwise nothing is written."""
    folder = write_folder(tmp_path / "in", files(planted(trials=2)[:1]))
    with pytest.raises(UserError, match="must be 1 to 100 printable characters"):
        import_archive(folder, tmp_path / "x.db", name=name)
    assert not (tmp_path / "x.db").exists()
