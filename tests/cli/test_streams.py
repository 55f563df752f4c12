"""Whatever stdout can show, a command ends as it should."""

import os
import subprocess
import sys

import pytest

from tests.archive.generator import files, planted, write_folder


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("arguments", [["status"], ["curve", "mnist/simple_cnn_base/sgd"], ["figure", "1"]])
def test_a_terminal_without_unicode(tmp_path_factory, encoding, arguments):
    """Bars, braille and arrows become question marks where the encoding has them not; no traceback, exit 0."""
    from hvdsweep.archive import import_archive

    folder = tmp_path_factory.mktemp("streams")
    source = write_folder(
        folder, files([study for study in planted(trials=2) if study.model == "simple_cnn_base"])
    )
    import_archive(source, folder / "x.db", aside=False)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from hvdsweep.cli import main; main()",
            *arguments,
            "--db",
            str(folder / "x.db"),
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert run.returncode == 0, run.stderr.decode()
    assert run.stderr == b""
    assert b"simple_cnn" in run.stdout or b"Simple CNN" in run.stdout


PROGRAM = [sys.executable, "-c", "from hvdsweep.cli import main; main()"]


@pytest.mark.parametrize(
    "arguments", [["schema"], ["workloads"], ["--help"], ["datasets"], ["doctor", "--quick"]]
)
def test_a_full_disk_behind_stdout_is_a_sentence(arguments):
    """Whatever command: exit code 1, one line on stderr that says what cannot be written, no traceback."""
    with open("/dev/full", "w") as full:
        run = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    assert run.stderr == "The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed, tmp_path):
    """A command whose streams the shell has closed does its work: none of its files gets their numbers."""
    script = f'"$@" {closed}; echo code $? > done'
    run = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *PROGRAM, "datasets"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (tmp_path / "done").read_text() == "code 0\n"
    assert run.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["events", "--after"],
        ["events", "--last"],
        ["status", "--sweep"],
        ["trials"],
        ["trials", "--limit"],
        ["trials", "--offset"],
        ["curve", "--num-trials"],
        ["curve", "--sweep"],
        ["best", "--step-budget"],
        ["launch", "mnist", "--seed"],
        ["launch", "mnist", "--np"],
        ["launch", "mnist", "--steps"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000], ids=len)
def test_numbers_beyond_64_bits_are_refused(arguments, number, tmp_path):
    """By every command, as bad input."""
    run = subprocess.run([*PROGRAM, *arguments, number], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
