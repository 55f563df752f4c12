"""`hvdsweep` as a shell runs it, in a fork of the test: its own streams and exit code, without the start of another Python."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.cli import COMMANDS, main, python_name


@dataclass(frozen=True)
class Ended:
    """How a command has ended."""

    code: int
    out: str
    err: str


def run(
    arguments: Sequence[str | bytes],
    cwd: Path,
    *,
    out: str | None = None,
    err: str | None = None,
    before: Callable[[], object] = lambda: None,
) -> Ended:
    """Run `hvdsweep ARGUMENTS` in `cwd`, with stdout and stderr in files, or in those named. `before`: called in the fork."""
    for name in COMMANDS:
        importlib.import_module(f"hvdsweep.cli.{python_name(name)}")
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.chdir(cwd)
                for number, (name, file) in enumerate(((out, said), (err, told)), start=1):
                    os.dup2(os.open(name, os.O_WRONLY) if name else file.fileno(), number)
                sys.stdin = open(os.devnull)  # noqa: SIM115
                sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
                sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
                sys.argv = ["hvdsweep", *map(os.fsdecode, arguments)]
                before()
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = []
        for file in (said, told):
            file.seek(0)
            texts.append(file.read().decode(errors="backslashreplace"))
        return Ended(code, *texts)


def without_privileges() -> None:
    """Give up what root may do beyond others: the rights on files count for this process from now on."""
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, nothing) == 0
