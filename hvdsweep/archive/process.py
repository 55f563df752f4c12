"""Reads an archive of any kind, in this process or in a separate one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hvdsweep.archive.folders import read_folder
from hvdsweep.archive.messages import AlreadyStored, Finished, Message
from hvdsweep.archive.tars import read_tar
from hvdsweep.errors import RunFailed


def open_archive(path: Path, known: AlreadyStored, all_records: bool) -> Iterator[Message]:
    """The messages of a folder or an archive file. `NotAnArchive` if a file is not one."""
    return read_folder(path, known, all_records) if path.is_dir() else read_tar(path, known, all_records)


def read_aside(path: Path, known: AlreadyStored, all_records: bool) -> Iterator[Message]:
    """The same from a separate process, which ends with this generator. RunFailed if it dies."""
    # -P: a module in the working directory must not replace one of ours or of Python.
    command = [sys.executable, "-P", "-m", "hvdsweep.archive.child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            # Where it died at once, the read below says so.
            with suppress(BrokenPipeError):
                pickle.dump((path, known, all_records), child.stdin, protocol=5)
                child.stdin.close()
            while True:
                try:
                    message: Message = pickle.load(child.stdout)
                except (EOFError, pickle.UnpicklingError) as error:
                    code = child.wait()
                    raise RunFailed(
                        f"{path}: reading it ended with exit status {code}; what was imported so far is kept, "
                        "run the same import again to continue"
                    ) from error
                yield message
                if isinstance(message, Finished):
                    return
        finally:
            child.stdout.close()
            child.terminate()
