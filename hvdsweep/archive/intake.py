"""What both readers of an archive do with the studies and trials they come across: number them, pass over what the store has
already, check the files and gather trials in batches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hvdsweep.archive.batches import Batches
from hvdsweep.archive.layout import MEASUREMENTS, METADATA, STUDY, StudyFile, parse_study, parse_trial
from hvdsweep.archive.limits import shown
from hvdsweep.archive.messages import AlreadyStored, ArchivedStudy, ArchiveProblem, Message, TrialBatch

Files = tuple[bytes, bytes]
"""A trial's metadata.json and measurements.csv."""


def canonical(document: Mapping[str, Any]) -> str:
    """A document as text that is equal for equal documents, and that SQLite takes."""
    return json.dumps(document, sort_keys=True)


class Intake:
    """One reading of an archive."""

    def __init__(self, known: AlreadyStored, all_records: bool) -> None:
        self._known = known
        self._batches = Batches(all_records)
        self._paths: dict[tuple[str, int], str] = {}
        self._seen: list[set[int]] = []
        self._stored: list[set[int]] = []
        self.present = 0
        """Trials passed over because the store has them."""

    def study(
        self, path: str, content: bytes, parts: Sequence[str], above: Sequence[str] = (), *, trials: int
    ) -> ArchivedStudy | ArchiveProblem:
        """The study of a study.json in the folder `path`, see `parse_study`; a Problem, of so many trials, where it is malformed,
        or another folder or the store has another study of that name."""
        try:
            return self._add(path, parse_study(content, parts, above))
        except ValueError as error:
            return ArchiveProblem(
                shown("/".join(filter(None, (path, STUDY)))), str(error), trials=trials, studies=1
            )

    def trial(
        self, study: ArchivedStudy, number: int, path: str, read: Callable[[], Files | ArchiveProblem]
    ) -> Iterator[TrialBatch | ArchiveProblem]:
        """The trial in the folder `path`, whose files are read only where the store does not have it."""
        place = path
        try:
            if not self._wants(study.index, number):
                return
            files = read()
            if isinstance(files, ArchiveProblem):
                yield files
                return
            place = f"{path}/{METADATA}"
            file = parse_trial(files[0], number)
        except ValueError as error:
            yield ArchiveProblem(shown(place), str(error), trials=1)
            return
        yield from self._batches.add(
            study, number, shown(path), file, files[1], shown(f"{path}/{MEASUREMENTS}")
        )

    def flush(self) -> Iterator[Message]:
        """The trials that are left."""
        yield from self._batches.flush()

    def _add(self, path: str, file: StudyFile) -> ArchivedStudy:
        key = (file.workload, file.batch_size)
        other = self._paths.get(key)
        if other is not None:
            raise ValueError(f"{file.workload} at batch size {file.batch_size} is also in {shown(other)}")
        document, numbers = self._known.get(key, (None, set()))
        if document is not None and document != canonical(file.document):
            raise ValueError(
                f"differs from the {file.workload} at batch size {file.batch_size} that was imported before; "
                "import it under another --name"
            )
        self._paths[key] = path
        self._seen.append(set())
        self._stored.append(numbers)
        return ArchivedStudy(len(self._seen) - 1, file)

    def _wants(self, study: int, number: int) -> bool:
        """False if the store has it. ValueError if this reading has met it before."""
        seen = self._seen[study]
        if number in seen:
            raise ValueError(f"trial {number} is there twice")
        seen.add(number)
        if number in self._stored[study]:
            self.present += 1
            return False
        return True
