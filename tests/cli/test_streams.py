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
