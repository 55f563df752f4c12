"""Whatever is wrong with an archive, the rest of it is imported, and what is left out is named with its path."""

from __future__ import annotations

import contextlib
import json
import random
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.archive import ImportReport, import_archive
from hvdsweep.archive.layout import parse_study, parse_trial
from hvdsweep.archive.measurements import parse, split
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.maintenance import check
from tests.archive.compare import differences
from tests.archive.generator import METRICS, Study, Trial, add, files, planted, write_folder, write_tar

HEAD = b"step,val/classification_error\n"


def study(trials: int = 3) -> Study:
    """A study whose files are whole."""
    rows = [(step, dict.fromkeys(METRICS[2:4], 1.0 / (step + 1))) for step in (0, 5, 9)]
    made = [Trial(n, "COMPLETE", 9, {"learning_rate": 0.5}, list(rows)) for n in range(1, trials + 1)]
    return Study("mnist", "simple_cnn_base", "sgd", 8, 9, made, METRICS[2:4])


def imported(tmp_path: Path, contents: dict[str, bytes], container: str) -> ImportReport:
    """The report of importing these files from a folder or a tar; the store must be sound afterwards."""
    database = tmp_path / "x.db"
    if container == "folder":
        source = write_folder(tmp_path / "in", contents)
    else:
        source = write_tar(tmp_path / "in.tar", contents, order=container)
    report = import_archive(source, database, aside=False)
    conn = connect(database)
    assert check(conn) == []
    conn.close()
    return report


TRIAL_DAMAGE = {
    "metadata is no JSON": ("2/metadata.json", b"{", "2/metadata.json", "is not JSON"),
    "metadata is a list": ("2/metadata.json", b"[]", "2/metadata.json", "must be a JSON object"),
    "metadata is no text": ("2/metadata.json", b"\xff\xfe{}", "2/metadata.json", "is not UTF-8 text"),
    "metadata is too deep": ("2/metadata.json", b"[" * 100_000, "2/metadata.json", "nested too deeply"),
    "unknown status": (
        "2/metadata.json",
        b'{"status": "DONE", "steps": 1}',
        "2/metadata.json",
        "status: 'DONE'",
    ),
    "no status": ("2/metadata.json", b'{"steps": 1}', "2/metadata.json", "status: None"),
    "no steps": ("2/metadata.json", b'{"status": "COMPLETE"}', "2/metadata.json", "steps: is missing"),
    "steps below 0": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": -1}',
        "2/metadata.json",
        "steps: -1",
    ),
    "steps as text": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": "9"}',
        "2/metadata.json",
        "steps: '9'",
    ),
    "huge steps": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": 1' + b"0" * 400 + b"}",
        "2/metadata.json",
        "steps: a huge number",
    ),
    "more digits than Python reads": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": 1' + b"0" * 5000 + b"}",
        "2/metadata.json",
        "is not JSON",
    ),
    "steps as truth": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": true}',
        "2/metadata.json",
        "steps: True",
    ),
    "steps not a number": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": NaN}',
        "2/metadata.json",
        "steps: None",
    ),
    "another trial's": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": 9, "trial_id": 3}',
        "2/metadata.json",
        "trial_id: 3: but the folder is named 2",
    ),
    "a list as parameter": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": 9, "parameters": {"learning_rate": []}}',
        "2/metadata.json",
        "parameters.learning_rate: []: must be a number",
    ),
    "a huge parameter": (
        "2/metadata.json",
        b'{"status": "COMPLETE", "steps": 9, "parameters": {"x": 1' + b"0" * 400 + b"}}",
        "2/metadata.json",
        "parameters.x: a huge number: is too large",
    ),
    "no metadata": ("2/metadata.json", None, "2/metadata.json", "is missing"),
    "no measurements": ("2/measurements.csv", None, "2/measurements.csv", "is missing"),
    "empty measurements": ("2/measurements.csv", b"", "2/measurements.csv", "line 1: no column named step"),
    "no column step": (
        "2/measurements.csv",
        b"a,b\n1,2\n",
        "2/measurements.csv",
        "no column named step; there is a, b",
    ),
    "a column twice": (
        "2/measurements.csv",
        b"step,a,a\n",
        "2/measurements.csv",
        "the column 'a' is there twice",
    ),
    "a column without name": (
        "2/measurements.csv",
        b"step,,a\n",
        "2/measurements.csv",
        "'' is no name for a metric",
    ),
    "a column with NUL": ("2/measurements.csv", b"step,a\x00b\n1,2\n", "2/measurements.csv", "line 1:"),
    "too many columns": (
        "2/measurements.csv",
        ("step," + ",".join(f"m{i}" for i in range(3000)) + "\n").encode(),
        "2/measurements.csv",
        "3001 columns are more than the 200 allowed",
    ),
    "columns that differ by case": (
        "2/measurements.csv",
        b"step,val/Classification_Error\n0,1\n",
        "simple_cnn_base/sgd/8/2",
        "differs from another column by case alone",
    ),
    "the database's own column": (
        "2/measurements.csv",
        b"step,trial_id\n0,1\n",
        "sgd/8/2",
        "one of the database's own",
    ),
    "a short line": ("2/measurements.csv", HEAD + b"0,1\n5\n", "2/measurements.csv", "line 3: 1 fields"),
    "a long line": ("2/measurements.csv", HEAD + b"0,1,2\n", "2/measurements.csv", "line 2: 3 fields"),
    "no number": (
        "2/measurements.csv",
        HEAD + b"0,1\n5,abc\n",
        "2/measurements.csv",
        "line 3: val/classification_error: 'abc'",
    ),
    "a step that is none": (
        "2/measurements.csv",
        HEAD + b"0.5,1\n",
        "2/measurements.csv",
        "line 2: step: '0.5'",
    ),
    "a step below 0": ("2/measurements.csv", HEAD + b"-1,1\n", "2/measurements.csv", "line 2: step: '-1'"),
    "no step": ("2/measurements.csv", HEAD + b"0,1\n,2\n", "2/measurements.csv", "line 3: step: ''"),
    "a huge step": ("2/measurements.csv", HEAD + b"1e300,1\n", "2/measurements.csv", "line 2: step: '1e300'"),
    "a step beyond what the database packs": (
        "2/measurements.csv",
        HEAD + b"0,1\n4294967296,1\n",
        "2/measurements.csv",
        "line 3: step: '4294967296' is not a whole number from 0 to 4294967295",
    ),
    "an infinite step": (
        "2/measurements.csv",
        HEAD + b"inf,1\n",
        "2/measurements.csv",
        "line 2: step: 'inf'",
    ),
    "a step twice": (
        "2/measurements.csv",
        HEAD + b"5,1\n5,2\n",
        "2/measurements.csv",
        "line 3: step 5 is there twice",
    ),
    "no text": ("2/measurements.csv", HEAD + b"0,\xff\n", "2/measurements.csv", "is not UTF-8 text"),
    "digits grouped": (
        "2/measurements.csv",
        HEAD + b"0,1_0\n",
        "2/measurements.csv",
        "'1_0' is not a number",
    ),
}


@pytest.mark.parametrize("container", ["folder", "path"])
@pytest.mark.parametrize("damage", TRIAL_DAMAGE)
def test_one_trial(tmp_path: Path, damage: str, container: str) -> None:
    """A malformed trial is left out and named; its neighbours are imported; once repaired, it is all that a second
    import adds."""
    name, content, path, message = TRIAL_DAMAGE[damage]
    whole = study()
    contents = files([whole])
    mended = contents[f"{whole.path}/{name}"]
    if content is None:
        del contents[f"{whole.path}/{name}"]
    else:
        contents[f"{whole.path}/{name}"] = content
    report = imported(tmp_path, contents, container)
    (problem,) = report.problems
    assert problem.path.endswith(path)
    assert message in problem.message
    assert (report.trials_imported, report.trials_skipped, report.studies_skipped) == (2, 1, 0)
    left = Study(**{**vars(whole), "trials": [trial for trial in whole.trials if trial.number != 2]})
    assert differences(tmp_path / "x.db", [left]) == []
    contents[f"{whole.path}/{name}"] = mended
    again = imported(tmp_path, contents, container)
    assert (again.trials_imported, again.trials_present, again.problems) == (1, 2, [])
    assert differences(tmp_path / "x.db", [whole]) == []


STUDY_DAMAGE = {
    "no JSON": (b"{", "is not JSON"),
    "no batch size": (
        b'{"dataset": "a", "model": "b", "optimizer": "c", "train_steps": 1}',
        "batch_size: is missing",
    ),
    "batch size 0": (b'{"batch_size": 0}', "batch_size: 0: must be a whole number from 1"),
    "batch size as text": (b'{"batch_size": "8"}', "batch_size: '8'"),
    "half a batch size": (b'{"batch_size": 8.5}', "batch_size: 8.5"),
    "another batch size": (
        b'{"batch_size": 16, "dataset": "mnist", "model": "b", "optimizer": "c", "train_steps": 1}',
        "batch_size: 16: but the folder is named 8",
    ),
    "no train_steps": (b'{"batch_size": 8}', "train_steps: is missing"),
    "a name that climbs": (
        b'{"batch_size": 8, "train_steps": 1, "dataset": "../..", "model": "b", "optimizer": "c"}',
        "dataset: '../..': must not have an empty part, '.' or '..'",
    ),
    "a name that is half a character": (
        b'{"batch_size": 8, "train_steps": 1, "dataset": "\\ud800", "model": "b", "optimizer": "c"}',
        "dataset: '\\ud800': must be at most 200 printable characters",
    ),
    "no space": (
        b'{"batch_size": 8, "train_steps": 1, "dataset": "a", "model": "b", "optimizer": "c", "parameter_configs": []}',
        "parameter_configs: must map",
    ),
    "missing": (None, "is missing"),
}


@pytest.mark.parametrize("container", ["folder", "path", "measurements first"])
@pytest.mark.parametrize("damage", STUDY_DAMAGE)
def test_one_study(tmp_path: Path, damage: str, container: str) -> None:
    """A malformed study is left out with its trials, and named; the next study is whole."""
    content, message = STUDY_DAMAGE[damage]
    broken, whole = study(), Study(**{**vars(study()), "batch_size": 16})
    contents = files([broken, whole])
    if content is None:
        del contents[f"{broken.path}/study.json"]
    else:
        contents[f"{broken.path}/study.json"] = content
    report = imported(tmp_path, contents, container)
    assert message in report.problems[0].message or "without a study.json" in report.problems[0].message
    assert all(f"{broken.path}" in problem.path for problem in report.problems)
    assert differences(tmp_path / "x.db", [whole]) == []
    assert report.trials_imported == 3


REFUSED: dict[str, Callable[[tarfile.TarInfo], None]] = {
    "an absolute name": lambda member: setattr(member, "name", "/batch_science/x/study.json"),
    "a name that climbs": lambda member: setattr(member, "name", "batch_science/../../x/study.json"),
    "a symbolic link": lambda member: (
        setattr(member, "type", tarfile.SYMTYPE),
        setattr(member, "linkname", "/etc/passwd"),
    )[0],
    "a hard link": lambda member: (
        setattr(member, "type", tarfile.LNKTYPE),
        setattr(member, "linkname", "x"),
    )[0],
    "a device": lambda member: setattr(member, "type", tarfile.CHRTYPE),
    "a pipe": lambda member: setattr(member, "type", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_members_that_escape(tmp_path: Path, kind: str) -> None:
    """A member that would leave its folder, a link or a device is refused by name; the rest is imported."""
    whole = study()
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("batch_science/mnist/x/y/8/study.json")
        REFUSED[kind](member)
        archive.addfile(member)
        for name, content in files([whole]).items():
            add(archive, f"batch_science/{name}", content)
    report = import_archive(path, tmp_path / "x.db", aside=False)
    (problem,) = report.problems
    assert problem.path == member.name
    assert problem.message.startswith("refused: ")
    assert differences(tmp_path / "x.db", [whole]) == []
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("x.db")] == ["in.tar"]


@pytest.mark.parametrize("suffix", ["tar", "bz2", "gz", "xz"])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9, 0.999])
def test_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    """From a truncated archive every complete trial is imported, with a message; importing the whole archive then
    adds the others."""
    studies = planted(6, trials=25)
    whole = write_tar(tmp_path / f"whole.{suffix}", files(studies), "random")
    content = whole.read_bytes()
    if suffix == "tar":
        # Zeros beyond the two blocks that end an archive are no loss.
        content = content.rstrip(b"\x00")
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(content[: int(len(content) * share)])
    report = import_archive(cut, tmp_path / "x.db", name="a", aside=False)
    assert any("cut off" in problem.message and problem.path == str(cut) for problem in report.problems)
    if report.sweep_id:
        with closing(connect(tmp_path / "x.db")) as conn:
            assert check(conn) == []
    report = import_archive(whole, tmp_path / "x.db", name="a", aside=False)
    assert not report.problems
    assert differences(tmp_path / "x.db", studies) == []


def test_cut_off_between_members(tmp_path: Path) -> None:
    """A tar that ends after a member but without its final zeros is recognised as incomplete."""
    contents = files([study()])
    whole = write_tar(tmp_path / "whole.tar", contents).read_bytes()
    length = sum(512 + (len(content) + 511) // 512 * 512 for content in contents.values())
    (tmp_path / "cut.tar").write_bytes(whole[:length])
    report = import_archive(tmp_path / "cut.tar", tmp_path / "x.db", aside=False)
    assert [problem.message for problem in report.problems] == [
        "is cut off or damaged: the archive does not end where it should"
    ]
    assert report.trials_imported == 3


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 and characters that move the cursor are shown escaped, and other programs' litter ignored."""
    whole = study()
    contents = files([whole])
    contents[f"{whole.path}/\x1b[2J/metadata.json"] = b"{}"
    contents[".git/study.json"] = b"nonsense"
    contents["__MACOSX/mnist/study.json"] = b"nonsense"
    contents["mnist/README"] = b"hello"
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            add(archive, f"batch_science/{name}", content)
        add(archive, f"batch_science/{whole.path}/\udcff/measurements.csv", b"")
    report = import_archive(path, tmp_path / "x.db", aside=False)
    assert sorted(problem.path for problem in report.problems) == [
        f"batch_science/{whole.path}/\\udcff",
        f"batch_science/{whole.path}/\\x1b[2J",
    ]
    json.dumps(report.to_json()).encode()
    assert differences(tmp_path / "x.db", [whole]) == []


@pytest.mark.parametrize("container", ["folder", "path"])
def test_a_trial_twice(tmp_path: Path, container: str) -> None:
    """Folders `2` and `02` are the same trial: one is imported, the other named."""
    whole = study()
    contents = files([whole])
    for name in ("metadata.json", "measurements.csv"):
        contents[f"{whole.path}/02/{name}"] = contents[f"{whole.path}/2/{name}"]
    report = imported(tmp_path, contents, container)
    assert [problem.message for problem in report.problems] == ["trial 2 is there twice"]
    assert differences(tmp_path / "x.db", [whole]) == []


@given(st.data())
def test_bytes_at_random(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes of an archive are changed, removed or repeated: no crash, no partial trial, a sound store."""
    tmp_path = tmp_path_factory.mktemp("fuzz")
    whole = planted(7, trials=2, wide=False)[:2]
    content = bytearray(write_tar(tmp_path / "a.tar", files(whole), "random").read_bytes())
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 6))):
        place = rng.randrange(len(content))
        match data.draw(st.sampled_from(["flip", "cut", "repeat", "text"])):
            case "flip":
                content[place] = rng.randrange(256)
            case "cut":
                del content[place : place + rng.randrange(1, 700)]
            case "repeat":
                content[place:place] = content[place : place + rng.randrange(1, 1500)]
            case "text":
                content[place : place + 4] = rng.choice(
                    [b"NaN,", b"1e99", b"../.", b"\x00\x00\x00\x00", b"9999", b",,,,"]
                )
    (tmp_path / "a.tar").write_bytes(content)
    try:
        report = import_archive(tmp_path / "a.tar", tmp_path / "x.db", aside=False)
    except UserError:
        return  # not even the beginning is a tar's
    if not report.sweep_id:
        assert not (tmp_path / "x.db").exists()
        return
    with open_store(tmp_path / "x.db") as reader:
        for trial in reader.trials().rows:
            assert trial.status.name in ("COMPLETE", "INFEASIBLE", "INCOMPLETE")
        assert len(reader.trials().rows) == report.trials_imported
    conn = connect(tmp_path / "x.db")
    # Changed steps may contradict the measurements; everything else must hold.
    assert [one for one in check(conn) if "beyond its trial's steps" not in one] == []
    conn.close()


@given(st.binary(max_size=300), st.integers(0, 10**6))
def test_any_json(text: bytes, trial: int) -> None:
    """Any bytes as study.json or metadata.json are understood or refused with a ValueError, nothing else."""
    for reading in (lambda: parse_study(text, ("a", "b", "c", "8")), lambda: parse_trial(text, trial)):
        with contextlib.suppress(ValueError):
            reading()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "batch_size",
    "train_steps",
    "dataset",
    "model",
    "optimizer",
    "parameter_configs",
    "status",
    "steps",
    "parameters",
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_wrong_types(document: dict[str, object]) -> None:
    """Any value in the place of any other is understood or refused with a ValueError, and what is understood is storable."""
    text = json.dumps(document).encode()
    for reading in (lambda: parse_study(text, ("8",)).search, lambda: parse_trial(text, 1).parameters):
        with contextlib.suppress(ValueError):
            json.dumps(reading(), allow_nan=False).encode()


FIELDS = st.sampled_from(
    ["", " ", "0", "7", "1e3", "-1", "0.5", "nan", "NA", "inf", '"3"', "x", "1_0", "1e400", "\t4"]
)


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_fast_reader_agrees_with_the_slow_one(rows: list[list[str]], newline: str) -> None:
    """A file read together with others gives what it gives read alone, or the same complaint."""
    from hvdsweep.archive.measurements import _each

    text = newline.join(["step,val/a,val/b", *(",".join(row) for row in rows)]).encode()
    neighbour = b"step,val/a,val/b\n1,2,3\n4,5,6\n"
    together = parse([split(neighbour), split(text), split(neighbour)])
    alone = _each(split(text))
    for table in (together[0], together[2]):
        assert not isinstance(table, ValueError)
        assert table.steps.tolist() == [1, 4]
    if isinstance(alone, ValueError):
        assert str(together[1]) == str(alone)
    else:
        assert not isinstance(together[1], ValueError)
        assert together[1].steps.tolist() == alone.steps.tolist()
        assert repr(together[1].values.tolist()) == repr(alone.values.tolist())


def test_a_file_beyond_all_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file longer than any trial's is named, and not read into memory."""
    monkeypatch.setattr("hvdsweep.archive.folders.LARGEST_CSV", 1000)
    monkeypatch.setattr(
        "hvdsweep.archive.tars.LIMITS",
        {"study.json": 10**6, "metadata.json": 10**6, "measurements.csv": 1000},
    )
    whole = study()
    contents = files([whole])
    contents[f"{whole.path}/2/measurements.csv"] += b"\n" * 2000
    for container in ("folder", "path"):
        (tmp_path / container).mkdir()
        report = imported(tmp_path / container, contents, container)
        assert [problem.message for problem in report.problems] == ["is longer than the 1000 bytes allowed"]
        assert report.trials_imported == 2


def test_a_header_that_claims_the_moon(tmp_path: Path) -> None:
    """A pax header of 8 GB in an archive of a few kilobytes is refused before it is read."""
    contents = files([study()])
    whole = write_tar(tmp_path / "whole.tar", contents).read_bytes()
    length = sum(512 + (len(content) + 511) // 512 * 512 for content in contents.values())
    header = tarfile.TarInfo("batch_science/x")
    header.type, header.size = tarfile.XHDTYPE, 8 << 30
    (tmp_path / "a.tar").write_bytes(whole[:length] + header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    report = import_archive(tmp_path / "a.tar", tmp_path / "x.db", aside=False)
    assert [problem.message.partition(":")[0] for problem in report.problems] == ["is cut off or damaged"]
    assert report.trials_imported == 3


def test_an_archive_without_a_study_changes_nothing(tmp_path: Path) -> None:
    """The problem is named; no database is made, and one that is there keeps its rows, its sweep of that name included."""
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "empty.tar", "w") as tar:
        tar.add(tmp_path / "empty", "empty")
    for name in ("empty", "empty.tar"):
        report = import_archive(tmp_path / name, tmp_path / "x.db", name="mine", aside=False)
        assert "holds no study.json" in report.problems[0].message
        assert report.sweep_id == 0
        assert not list(tmp_path.glob("x.db*"))
    import_archive(
        write_folder(tmp_path / "in", files([study()])), tmp_path / "x.db", name="mine", aside=False
    )
    with closing(connect(tmp_path / "x.db")) as conn:
        before = list(conn.iterdump())
        import_archive(tmp_path / "empty", tmp_path / "x.db", name="other", aside=False)
        assert list(conn.iterdump()) == before
    import_archive(tmp_path / "empty", tmp_path / "x.db", name="mine", aside=False)
    with open_store(tmp_path / "x.db") as reader:
        assert [sweep.name for sweep in reader.sweeps()] == ["mine"]
        assert len(reader.studies()) == 1
    conn = connect(tmp_path / "x.db")
    assert check(conn) == []
    conn.close()
