"""The debug log: to stderr as `--log-level` asks, and to one file per run.

Modules log to `logging.getLogger(__name__)`. Nothing is printed unless HVDSWEEP_LOG or `--log-level` asks for it.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

VARIABLE = "HVDSWEEP_LOG"
"""Environment variable with the level if `--log-level` gives none; inherited by ranks and other launches."""

LEVELS = ("debug", "info", "warning", "error")

MOST_BYTES = 20_000_000
"""Largest size of a run's log, so that a million trials do not fill the disk. The previous file is kept as `.1`."""

_ROOTS = ("hvdsweep", "tui", "workloads")
for _name in _ROOTS:
    # Without a handler Python prints warnings of a logger that nobody configured.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _Lines(logging.Formatter):
    """UTC time, level, process, module, message."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(process)d %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )


class _Stderr(logging.StreamHandler[Any]):
    """Writes to the current stderr: progress bars replace it with their own, to print lines above the bars."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


def configure(level: str | None, file: Path | None = None) -> None:
    """Log from `level` on (one of LEVELS; None: nothing) to stderr, or to `file`; child processes do the same."""
    if level not in LEVELS:
        return
    os.environ[VARIABLE] = level
    number = logging.getLevelNamesMapping()[level.upper()]
    _add(_Stderr() if file is None else _opened(file), number)


@contextmanager
def run_log(file: Path) -> Iterator[None]:
    """Inside the block, log all levels to `file`. If it cannot be created the run continues without it."""
    try:
        handler = _opened(file)
    except OSError as error:
        logging.getLogger(__name__).warning("no log of this run: %s", error)
        yield
        return
    before = {name: logging.getLogger(name).level for name in _ROOTS}
    _add(handler, logging.DEBUG)
    log = logging.getLogger(__name__)
    log.info("python %s on %s, arguments %s", platform.python_version(), platform.platform(), sys.argv[1:])
    try:
        yield
    except BaseException:
        log.exception("the run ends by an error")
        raise
    finally:
        for name, level in before.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(level)
        handler.close()


def run_log_file(folder: Path) -> Path:
    """The log file of a run that starts now; the names sort by time."""
    return folder / f"run-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.log"


def _opened(file: Path) -> logging.Handler:
    # Imported here only: it loads sockets, queues and pickle, which added a fifth to the time of `--help`.
    from logging.handlers import RotatingFileHandler

    class File(RotatingFileHandler):
        """A log that never stops the program: what cannot be written (a full disk) is dropped."""

        def handleError(self, record: logging.LogRecord) -> None:
            pass

        def close(self) -> None:
            with suppress(OSError):
                super().close()

    file.parent.mkdir(parents=True, exist_ok=True)
    return File(file, maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace")


def _add(handler: logging.Handler, level: int) -> None:
    handler.setLevel(level)
    handler.setFormatter(_Lines())
    for name in _ROOTS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(min(level, logger.level or level))
