"""Reads an archive file as a stream: members in any order, bounded memory, nothing is unpacked to disk.

A member that would be unpacked outside its folder, and any link or device, is refused.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from hvdsweep.archive.folders import hidden
from hvdsweep.archive.intake import Intake
from hvdsweep.archive.layout import MEASUREMENTS, METADATA, STUDY, trial_number
from hvdsweep.archive.limits import LARGEST_CSV, LARGEST_JSON, shown
from hvdsweep.archive.messages import (
    AlreadyStored,
    ArchivedStudy,
    ArchiveProblem,
    Finished,
    Message,
    ReadingProgress,
)
from hvdsweep.archive.spill_file import IN_MEMORY, SpillFile
from hvdsweep.archive.stream import ArchiveStream

EVERY = 500
"""Members between two progress messages."""

LIMITS = {STUDY: LARGEST_JSON, METADATA: LARGEST_JSON, MEASUREMENTS: LARGEST_CSV}


@dataclass
class _Folder:
    """What is known of a study's folder so far."""

    study: ArchivedStudy | None = None
    refused: bool = False
    """Whether its study.json is malformed, so that its trials are skipped."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Folder of a trial -> number, for trials that lack a file or whose study.json has not been read yet."""
    broken: set[str] = field(default_factory=set)
    """Trials with a reported problem."""
    taken: set[str] = field(default_factory=set)
    """Trials that were read, or that the store has."""


class NotAnArchive(Exception):
    """The file is not a tar archive, compressed or not."""


def read_tar(
    path: Path, known: AlreadyStored, all_records: bool, *, in_memory: int = IN_MEMORY
) -> Iterator[Message]:
    """Every study in the archive file. NotAnArchive if it is not one.

    A trial is yielded as soon as its study and both of its files have been read; until then its files wait, at most
    `in_memory` bytes of them in memory.
    """
    with closing(ArchiveStream(path)) as stream, closing(SpillFile(in_memory)) as spilled:
        yield from _Reading(stream, spilled, path, known, all_records).messages()


class _Reading:
    def __init__(
        self, stream: ArchiveStream, spilled: SpillFile, path: Path, known: AlreadyStored, all_records: bool
    ) -> None:
        self._stream, self._spilled, self._path = stream, spilled, path
        self._intake = Intake(known, all_records)
        self._folders: dict[str, _Folder] = {}
        self._cut_off = False

    def messages(self) -> Iterator[Message]:
        for count, step in enumerate(self._members()):
            if isinstance(step, ArchiveProblem):
                yield step
            else:
                yield from self._member(*step)
            if count % EVERY == 0:
                yield self._progress()
        yield from self._intake.flush()
        yield from self._left_over()
        try:
            self._stream.drain()
        except EOFError as error:
            if not self._cut_off:
                yield ArchiveProblem(
                    shown(str(self._path)), f"is cut off or damaged after its last file: {error}"
                )
        sha256 = self._stream.sha256()
        yield self._progress()
        yield Finished(self._intake.present, sha256)

    def _progress(self) -> ReadingProgress:
        return ReadingProgress(self._stream.consumed, self._stream.total, "bytes", self._intake.present)

    def _members(self) -> Iterator[tuple[tuple[str, ...], bytes] | ArchiveProblem]:
        """(path, content) of every file of the layout, in the order of the archive."""
        broken = shown(str(self._path))
        try:
            # The stream lives longer, and is closed by `read_tar`.
            archive = tarfile.open(fileobj=cast(IO[bytes], self._stream), mode="r:", errorlevel=2)  # noqa: SIM115
        except (tarfile.TarError, EOFError) as error:
            raise NotAnArchive(str(error)) from error
        while True:
            try:
                member = archive.next()
                if member is None:
                    break
                # The list of members would grow with the archive.
                archive.members = []  # type: ignore[attr-defined]
                found = self._content(member)
            except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
                self._cut_off = True
                yield ArchiveProblem(broken, f"is cut off or damaged: {error}")
                return
            if found is not None:
                yield found
        # A file that was truncated at a member's boundary looks complete, but lacks the final zeros.
        if self._stream.last != bytes(tarfile.BLOCKSIZE):
            self._cut_off = True
            yield ArchiveProblem(broken, "is cut off or damaged: the archive does not end where it should")

    def _content(self, member: tarfile.TarInfo) -> tuple[tuple[str, ...], bytes] | ArchiveProblem | None:
        name = member.name
        path = shown(name)
        if name.startswith("/") or ".." in name.split("/") or "\x00" in name:
            return ArchiveProblem(path, "refused: it would leave the folder it is unpacked into")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if member.isdir() or not parts or any(hidden(part) for part in parts):
            return None
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            return ArchiveProblem(path, "refused: it is a link or a device, not a file")
        limit = LIMITS.get(parts[-1])
        if limit is None:
            return None
        if member.size > limit:
            if parts[-1] != STUDY and len(parts) > 1:
                self._folder(parts[:-2]).broken.add("/".join(parts[:-1]))
            return ArchiveProblem(
                path, f"is longer than the {limit} bytes allowed", trials=int(parts[-1] != STUDY)
            )
        content = self._stream.read(member.size)
        if len(content) < member.size:
            raise EOFError(f"{path} ends after {len(content)} of {member.size} bytes")
        return parts, content

    def _folder(self, parts: tuple[str, ...]) -> _Folder:
        return self._folders.setdefault("/".join(parts), _Folder())

    def _member(self, parts: tuple[str, ...], content: bytes) -> Iterator[Message]:
        if parts[-1] == STUDY:
            yield from self._study(parts[:-1], content)
            return
        if len(parts) < 2:
            yield ArchiveProblem(parts[-1], f"is a trial without a {STUDY} in the folder above", trials=1)
            return
        trial = "/".join(parts[:-1])
        folder = self._folder(parts[:-2])
        if folder.refused or trial in folder.broken or trial in folder.taken:
            if trial in folder.taken and trial not in folder.broken:
                folder.broken.add(trial)
                yield ArchiveProblem(shown("/".join(parts)), "is there twice: the later one is passed over")
            return
        number = trial_number(parts[-2])
        if number is None:
            folder.broken.add(trial)
            yield ArchiveProblem(shown(trial), "is not the number of a trial", trials=1)
            return
        key = "/".join(parts)
        if key in self._spilled:
            folder.broken.add(trial)
            yield ArchiveProblem(shown(key), "is there twice: the later one is passed over")
            return
        folder.waiting[trial] = number
        self._spilled.put(key, content)
        if folder.study is not None:
            yield from self._try(folder, folder.study, trial)

    def _study(self, parts: tuple[str, ...], content: bytes) -> Iterator[Message]:
        where = "/".join(parts)
        folder = self._folder(parts)
        path = shown("/".join((*parts, STUDY)))
        if folder.study is not None or folder.refused:
            yield ArchiveProblem(path, "is there twice: the later one is passed over")
            return
        found = self._intake.study(where, content, parts, trials=len(folder.waiting))
        yield found
        if isinstance(found, ArchiveProblem):
            folder.refused = True
            for trial in list(folder.waiting):
                self._drop(folder, trial)
            return
        folder.study = found
        for trial in sorted(folder.waiting, key=folder.waiting.__getitem__):
            yield from self._try(folder, folder.study, trial)

    def _try(self, folder: _Folder, study: ArchivedStudy, trial: str) -> Iterator[Message]:
        """Yield the trial if both of its files were read."""
        number = folder.waiting[trial]
        files = [f"{trial}/{name}" for name in (METADATA, MEASUREMENTS)]
        if not all(file in self._spilled for file in files):
            return
        del folder.waiting[trial]
        folder.taken.add(trial)
        metadata, measurements = (self._spilled.take(file) for file in files)
        yield from self._intake.trial(study, number, trial, lambda: (metadata, measurements))

    def _drop(self, folder: _Folder, trial: str) -> None:
        del folder.waiting[trial]
        for name in (METADATA, MEASUREMENTS):
            if f"{trial}/{name}" in self._spilled:
                self._spilled.take(f"{trial}/{name}")

    def _left_over(self) -> Iterator[ArchiveProblem]:
        """At the end of the archive: problems for everything that still waits."""
        for where, folder in self._folders.items():
            if folder.study is None and not folder.refused:
                count = len(folder.waiting)
                if count:
                    path = shown("/".join(filter(None, (where, STUDY))))
                    yield ArchiveProblem(path, f"is missing: {count} trials are passed over", count, 1)
                continue
            for trial in folder.waiting:
                missing = next(
                    name for name in (METADATA, MEASUREMENTS) if f"{trial}/{name}" not in self._spilled
                )
                if trial not in folder.broken:
                    yield ArchiveProblem(shown(f"{trial}/{missing}"), "is missing", trials=1)


def is_archive(path: Path) -> str | None:
    """None if the file begins like a tar archive, compressed or not; else what is wrong with it."""
    with closing(ArchiveStream(path)) as stream:
        try:
            tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:").close()
        except (tarfile.TarError, EOFError) as error:
            return str(error) or "is not a tar archive"
    return None
