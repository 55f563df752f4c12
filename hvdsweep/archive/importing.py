"""Imports an archive into a store: resumable at any instant; a repeated import changes nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from hvdsweep.archive.bulk import BulkWriter
from hvdsweep.archive.layout import METADATA, ROOT, STUDY
from hvdsweep.archive.limits import shown
from hvdsweep.archive.messages import (
    AlreadyStored,
    ArchivedStudy,
    ArchiveProblem,
    Finished,
    Message,
    ReadingProgress,
    TrialBatch,
)
from hvdsweep.archive.process import open_archive, read_aside
from hvdsweep.archive.published import FILE_NAME, NAME, SHA256, sha256_of
from hvdsweep.archive.tars import is_archive
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.process_id import ProcessId
from hvdsweep.store.connection import connect, transaction
from hvdsweep.store.events import event
from hvdsweep.store.inserts import insert
from hvdsweep.store.lifecycle import leave_sweep, sign_in
from hvdsweep.store.liveness import TakenOver, vacant
from hvdsweep.store.schema import LONGEST_NAME
from hvdsweep.words import counted

SUFFIXES = (".tar.bz2", ".tar.gz", ".tar.xz", ".tbz2", ".tbz", ".tgz", ".txz", ".tar")


@dataclass
class ImportReport:
    """The result of an import, so far while it is running."""

    path: str
    database: str
    sweep: str
    """Name of the sweep."""
    sweep_id: int = 0
    """0: the archive has no study, and the database is unchanged."""
    studies_new: int = 0
    studies_met: int = 0
    """Valid studies in the archive, new or not."""
    trials_imported: int = 0
    trials_present: int = 0
    """Trials that the store already had."""
    trials_skipped: int = 0
    """Trials left out because they, or their study, have an error."""
    studies_skipped: int = 0
    rows: int = 0
    """Measurements (evaluations of all metrics) written."""
    records: int = 0
    """Rows of running best written."""
    seconds: float = 0.0
    stopped: bool = False
    """Whether it was asked to stop before the end."""
    sha256: str | None = None
    """Hash of the archive file, once all of it was read."""
    checksum: str = ""
    """The result of the checksum test, in words."""
    problems: list[ArchiveProblem] = field(default_factory=list)
    progress: ReadingProgress = field(default_factory=lambda: ReadingProgress(0, 0, "trials"))

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left at the speed so far; None before it is known."""
        done = self.progress.done
        if not done or not self.progress.total:
            return None
        return self.seconds * max(self.progress.total - done, 0) / done

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        hidden = {"problems", "progress"}
        values = {key: value for key, value in vars(self).items() if key not in hidden}
        return values | {"problems": [vars(one) for one in self.problems]}


Watcher = Callable[[ImportReport, ArchiveProblem | None], None]
"""Called for every batch, progress message and problem (passed as second argument)."""


Note = Callable[[ArchiveProblem | None], None]
"""Records a problem, or progress (None), and passes it to the watcher."""


def import_archive(
    path: str | os.PathLike[str],
    database: str | os.PathLike[str],
    *,
    name: str | None = None,
    sha256: str | None = None,
    all_records: bool = False,
    aside: bool = True,
    watch: Watcher | None = None,
) -> ImportReport:
    """Import the archive at `path` (a folder in the published layout, any folder of it, or a tar file of it).

    `name`: of the sweep (default: "published" for the published archive or a part of it, else the file's own name).
    `sha256`: the required hash of the file. `all_records`: keep the running best of every metric, not only of the
    validation metrics. `aside`: read in a separate process. Malformed parts are in the report's `problems`.

    UserError: no such archive, another checksum, not a store. RunFailed: another import of it is at work.
    """
    if name is not None and not (name.isprintable() and 0 < len(name) <= LONGEST_NAME):
        raise UserError(f"--name: {shown(name)[:60]!r}: must be 1 to {LONGEST_NAME} printable characters")
    where = Path(path)
    begun = time.monotonic()
    if not where.exists():
        raise UserError(f"{path}: no such folder or archive")
    if not where.is_file() and not where.is_dir():
        raise UserError(f"{path}: is neither a file nor a folder")
    if where.is_file():
        _check(where, sha256)
    elif sha256 is not None:
        raise UserError(f"{path}: --sha256 is of an archive file, and this is a folder")
    where = Path(os.path.abspath(where))
    report = ImportReport(str(where), str(database), name or sweep_name(where))

    def note(problem: ArchiveProblem | None) -> None:
        if problem is not None:
            report.problems.append(problem)
            report.trials_skipped += problem.trials
            report.studies_skipped += problem.studies
        report.seconds = time.monotonic() - begun
        if watch is not None:
            watch(report, problem)

    read = partial(read_aside if aside else open_archive, where, all_records=all_records)
    with ExitStack() as stack:
        messages: Iterator[Message] | None = None
        if not Path(database).exists():
            # A database is created only for an archive with a study in it.
            reading = stack.enter_context(closing(read(known=AlreadyStored())))  # type: ignore[type-var]
            first, messages = _to_first_study(reading)
            if first is None:
                for message in messages:
                    if isinstance(message, ArchiveProblem):
                        note(message)
                _nothing_there(report, note)
                return report
        conn = stack.enter_context(closing(connect(database, create=True)))
        report.sweep_id = _begin(conn, report)
        state = "IDLE"
        try:
            if _run(conn, report, read, messages, note):
                state = "DONE"
        finally:
            report.seconds = time.monotonic() - begun
            _end(conn, report, state)
    return report


def _to_first_study(reading: Iterator[Message]) -> tuple[ArchivedStudy | None, Iterator[Message]]:
    """The first study, if any, and the complete reading, first study included."""
    seen: list[Message] = []
    for message in reading:
        seen.append(message)
        if isinstance(message, ArchivedStudy):
            return message, chain(seen, reading)
    return None, iter(seen)


def _nothing_there(report: ImportReport, note: Note) -> None:
    if not report.studies_met and not report.problems:
        note(ArchiveProblem(shown(report.path), f"holds no {STUDY}: not an archive in the published layout"))


def _check(where: Path, sha256: str | None) -> None:
    problem = is_archive(where)
    if problem is not None:
        raise UserError(
            f"{where}: is neither a folder nor a tar archive (.tar, .tar.bz2, .tar.gz, .tar.xz): {problem}"
        )
    if sha256 is not None:
        found = sha256_of(where)
        if found != sha256.strip().lower():
            raise UserError(
                f"{where}: --sha256: {sha256}: the file has {found}. Nothing was imported; get the file again."
            )


def sweep_name(path: Path) -> str:
    """The sweep name for the archive at an absolute `path`."""
    if path.is_dir():
        if ROOT in path.parts or (path / ROOT).is_dir():
            return NAME
        folder = path
        while (folder / STUDY).is_file() or (folder / METADATA).is_file():
            folder = folder.parent
        return folder.name or NAME
    if path.name == FILE_NAME:
        return NAME
    stem = next((path.name[: -len(end)] for end in SUFFIXES if path.name.endswith(end)), path.stem)
    return NAME if stem.startswith(ROOT) else stem


def _begin(conn: sqlite3.Connection, report: ImportReport) -> int:
    """The sweep of that name, created if new, marked as being imported by this process."""
    from importlib.metadata import version

    now = time.time()
    values = {
        "name": report.sweep,
        "key": f"import/{report.sweep}",
        "source": "import",
        "file": report.path,
        "definition": json.dumps({"imports": []}),
        "state": "IDLE",
        "created": now,
    }
    with transaction(conn):
        sweep = insert(conn, "sweeps", values, unique=("key",))
    try:
        with vacant(conn, sweep):
            sign_in(conn, sweep, ProcessId.current(), now)
            conn.execute(
                "UPDATE sweeps SET versions = ?, file = ? WHERE id = ?",
                (json.dumps({"hvdsweep": version("hvdsweep")}), report.path, sweep),
            )
    except TakenOver as error:
        raise RunFailed(
            f"{report.path}: the sweep {report.sweep!r} is being imported by {error}; wait for it, or stop it"
        ) from error
    return sweep


def _run(
    conn: sqlite3.Connection,
    report: ImportReport,
    read: Callable[..., Iterator[Message]],
    messages: Iterator[Message] | None,
    note: Note,
) -> bool:
    """Everything between `_begin` and `_end`; True if the end of the archive was reached. `messages`: read already."""
    writer = BulkWriter(conn, report.sweep_id)
    known = writer.known()
    with ExitStack() as stack:
        if messages is None or known:
            messages = stack.enter_context(closing(read(known=known)))  # type: ignore[type-var]
        for message in messages:
            match message:
                case ArchivedStudy():
                    report.studies_met += 1
                    report.studies_new += writer.add_study(message)
                case TrialBatch():
                    trials, rows, records, problems = writer.add_trials(message)
                    report.trials_imported += trials
                    report.rows += rows
                    report.records += records
                    for problem in (*problems, None):
                        note(problem)
                    if writer.stop:
                        report.stopped = True
                        return False
                case ArchiveProblem():
                    note(message)
                case ReadingProgress():
                    report.progress, report.trials_present = message, message.present
                    note(None)
                case Finished():
                    report.trials_present = message.present
                    report.sha256 = message.sha256
                    report.checksum = _verdict(Path(report.path), message.sha256)
    _nothing_there(report, note)
    return True


def _verdict(where: Path, sha256: str | None) -> str:
    if sha256 is None:
        return "a folder has no checksum"
    if sha256 == SHA256:
        return "the published file"
    if where.name == FILE_NAME:
        return f"NOT the published file, whose sha256 is {SHA256}"
    return "not the published file"


def _end(conn: sqlite3.Connection, report: ImportReport, state: str) -> None:
    """Leave the sweep in `state`, and record the import in its definition and as an event."""
    now = time.time()
    words = f"{counted(report.trials_imported, 'trial')} imported, {report.trials_present:,} already there"
    if report.problems:
        words += f", {report.trials_skipped:,} left out, {counted(len(report.problems), 'problem')}"
    noted = {
        "path": report.path,
        "sha256": report.sha256,
        "time": now,
        "trials": report.trials_imported,
        "skipped": report.trials_skipped,
        "problems": len(report.problems),
    }
    with transaction(conn):
        leave_sweep(conn, report.sweep_id, state)
        if report.trials_imported or report.studies_new:
            conn.execute(
                "UPDATE sweeps SET definition = json_set(definition, '$.imports[#]', json(?)) WHERE id = ?",
                (json.dumps(noted), report.sweep_id),
            )
        # A sweep without a study goes; but an import interrupted before its first one can be resumed.
        empty = (
            "DELETE FROM sweeps WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM workloads WHERE sweep_id = ?1)"
        )
        if state == "DONE" and conn.execute(empty, (report.sweep_id,)).rowcount:
            report.sweep_id = 0
        else:
            event(conn, "import", f"{report.path}: {words}", sweep_id=report.sweep_id)
