"""`hvdsweep import` and `hvdsweep export` at the terminal: what they print where, and how they end."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hvdsweep.archive import ImportReport, import_archive
from hvdsweep.cli import group
from hvdsweep.opening import open_store
from tests.archive.compare import differences
from tests.archive.generator import files, planted, write_folder, write_tar
from tests.limits import without_progress

STUDIES = planted(10, trials=3, wide=False)
COMMAND = [sys.executable, "-c", "from hvdsweep.cli import main; main()"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(group, [str(one) for one in arguments], standalone_mode=False)


def test_import_and_export(tmp_path: Path) -> None:
    """A summary on stdout, nothing on stderr, exit 0; as JSON the whole report; and back out again."""
    archive = write_tar(tmp_path / "batch_science_data.tar.gz", files(STUDIES))
    database = tmp_path / "x.db"
    found = subprocess.run([*COMMAND, "import", archive, "--db", database], capture_output=True, text=True)
    assert (found.returncode, without_progress(found.stderr)) == (0, "")
    assert "12 trials imported, 0 already there" in found.stdout
    assert re.search(r"sha256 [0-9a-f]{64}: not the published file", found.stdout)
    assert differences(database, STUDIES) == []
    report = json.loads(run("import", archive, "--db", database, "--json").stdout)
    assert (report["trials_imported"], report["trials_present"], report["problems"]) == (0, 12, [])
    made = run("export", tmp_path / "out", "nesterov", "--db", database, "--json")
    assert json.loads(made.stdout)["studies"] == 4
    assert "already there" in str(run("export", tmp_path / "out", "--db", database).exception)


def test_problems_end_with_1(tmp_path: Path) -> None:
    """Each problem is a line on stderr with its path; the last line of stdout counts them; the exit code is 1."""
    contents = files(STUDIES)
    names = [name for name in contents if name.endswith("metadata.json")]
    for name in names:
        contents[name] = b"{"
    folder = write_folder(tmp_path, contents)
    found = subprocess.run(
        [*COMMAND, "import", folder, "--db", tmp_path / "x.db"], capture_output=True, text=True
    )
    assert found.returncode == 1
    told = without_progress(found.stderr).splitlines()
    assert len(told) == len(names)
    assert all("metadata.json: is not JSON" in line for line in told)
    assert found.stdout.splitlines()[-1] == "left out: 12 trials, 0 studies; 12 problems, named above"


def test_wrong_questions_end_with_2(tmp_path: Path) -> None:
    """An archive that is not there, or is none, is exit code 2 and leaves no database behind."""
    (tmp_path / "x.tar").write_bytes(b"hello")
    for name in ("x.tar", "y.tar"):
        found = subprocess.run(
            [*COMMAND, "import", tmp_path / name, "--db", tmp_path / "x.db"], capture_output=True, text=True
        )
        assert (found.returncode, found.stdout) == (2, "")
        assert name in found.stderr
    assert not (tmp_path / "x.db").exists()


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    """Where stderr is a terminal there is a bar with counts, and problems above it; stdout is the same."""
    contents = files(STUDIES)
    contents[f"{STUDIES[0].path}/study.json"] = b"{"
    folder = write_folder(tmp_path, contents)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "import", folder, "--db", tmp_path / "x.db"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break  # the other end is closed
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.stdout is not None
    with process.stdout as output:
        text = output.read()
    assert process.wait() == 1
    assert b"study.json: is not JSON" in shown.replace(b"\r\n", b"")
    assert b"9 trials" in shown
    assert "left out: 3 trials, 1 study; 1 problem," in text


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves the sweep IDLE with everything committed; the next import continues."""
    monkeypatch.setattr("hvdsweep.archive.batches.BATCH_TRIALS", 4)
    folder = write_folder(tmp_path, files(STUDIES))
    database = tmp_path / "x.db"

    def interrupt(report: ImportReport, _: object) -> None:
        if report.trials_imported >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_archive(folder, database, aside=False, watch=interrupt)
    with open_store(database) as reader:
        (sweep,) = reader.sweeps()
        assert (sweep.state, len(reader.trials().rows)) == ("IDLE", 8)
    assert import_archive(folder, database, aside=False).trials_imported == 4
    assert differences(database, STUDIES) == []


def test_modules_of_the_present_folder_are_none_of_ours(tmp_path: Path) -> None:
    """A csv.py in the working directory does not replace the module that reads the archive."""
    folder = write_folder(tmp_path / "in", files(STUDIES))
    (tmp_path / "csv.py").write_text("raise SystemExit('mistaken for the library')")
    program = Path(sys.executable).with_name("hvdsweep")
    found = subprocess.run(
        [program, "import", folder, "--db", "x.db"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (found.returncode, without_progress(found.stderr)) == (0, "")
    assert differences(tmp_path / "x.db", STUDIES) == []


def test_ctrl_c_says_how_to_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line on stderr, nothing on stdout, exit 130; the same command then continues."""
    import hvdsweep.archive.importing as importing

    def interrupted(*arguments: object) -> bool:
        raise KeyboardInterrupt

    folder = write_folder(tmp_path / "in", files(STUDIES))
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_run", interrupted)
        found = CliRunner().invoke(group, ["import", str(folder), "--db", str(tmp_path / "x.db")])
    assert (found.exit_code, found.stdout) == (130, "")
    assert found.stderr.splitlines() == [
        "Stopped. What was imported is kept; run the same command again to continue."
    ]
    assert run("import", folder, "--db", tmp_path / "x.db").exit_code == 0
    assert differences(tmp_path / "x.db", STUDIES) == []
