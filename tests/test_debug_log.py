"""What the program logs: to stderr on request, to a file in every run, and never at the cost of the work."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep import debug_log
from hvdsweep.cli import group

LOG = logging.getLogger("hvdsweep.somewhere")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loggers and the environment as they were."""
    monkeypatch.setenv(debug_log.VARIABLE, "error")
    loggers = [logging.getLogger(name) for name in ("hvdsweep", "tui", "workloads")]
    before = [(logger, list(logger.handlers), logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def test_stderr_gets_what_the_level_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines from the level on, on the stderr of the moment; processes started from here inherit the level."""
    debug_log.configure("info")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    LOG.debug("too small")
    LOG.info("what was %s", "decided")
    assert sys.stderr.getvalue().endswith("hvdsweep.somewhere: what was decided\n")
    assert "too small" not in sys.stderr.getvalue()
    assert debug_log.os.environ[debug_log.VARIABLE] == "info"


@pytest.mark.parametrize("level", [None, "loud"])
def test_nothing_is_logged_unasked(monkeypatch: pytest.MonkeyPatch, level: str | None) -> None:
    """Without a level, or with one that does not exist in the environment of a rank, not even warnings appear."""
    debug_log.configure(level)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    LOG.warning("unasked")
    assert sys.stderr.getvalue() == ""


def test_the_log_of_a_run_holds_everything(tmp_path: Path) -> None:
    """Debug lines, the version of Python and the traceback of an error; after the run nothing is added."""
    file = debug_log.run_log_file(tmp_path / "db.logs" / "sweep-1")

    def run() -> None:
        with debug_log.run_log(file):
            LOG.debug("gang 3 started")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    LOG.error("afterwards")
    text = file.read_text()
    assert "DEBUG" in text
    assert "gang 3 started" in text
    assert f"python {sys.version.split()[0]}" in text
    assert "ZeroDivisionError" in text
    assert "afterwards" not in text


@pytest.mark.parametrize("file", ["/dev/full", "/proc/none/run.log"])
def test_a_log_that_cannot_be_written_costs_no_run(file: str, capfd: pytest.CaptureFixture[str]) -> None:
    """On a full disk, or where no file can be made, the block runs and nothing is printed."""
    done = False
    with debug_log.run_log(Path(file)):
        LOG.info("lost")
        done = True
    assert done
    assert capfd.readouterr().err == ""


def test_a_level_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the option and by the variable: exit code 2, with the levels there are."""
    for arguments, level in ((["--log-level", "loud"], "info"), ([], "loud")):
        monkeypatch.setenv(debug_log.VARIABLE, level)
        done = CliRunner().invoke(group, [*arguments, "schema"])
        assert done.exit_code == 2
        assert "'debug', 'info', 'warning', 'error'" in done.output
