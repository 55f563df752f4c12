"""The studies and trials of an archive found so far, and which of them the store already has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hvdsweep.archive.layout import StudyFile
from hvdsweep.archive.limits import shown
from hvdsweep.archive.messages import Known, Study


def canonical(document: Mapping[str, Any]) -> str:
    """A document as text: equal for equal documents, and accepted by SQLite."""
    return json.dumps(document, sort_keys=True)


class Registry:
    """Numbers the studies of one reading and decides which trials to read."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._paths: dict[tuple[str, int], str] = {}
        self._seen: list[set[int]] = []
        self._stored: list[set[int]] = []
        self.present = 0
        """Trials skipped because the store has them."""

    def add(self, path: str, file: StudyFile) -> Study:
        """Add a new study. ValueError if another folder, or the store, has a different study of that name."""
        key = (file.workload, file.batch_size)
        other = self._paths.get(key)
        if other is not None:
            raise ValueError(f"{file.workload} at batch size {file.batch_size} is also in {shown(other)}")
        document, numbers = self._known.studies.get(key, (None, set()))
        if document is not None and document != canonical(file.document):
            raise ValueError(
                f"differs from the {file.workload} at batch size {file.batch_size} that was imported before; "
                "import it under another --name"
            )
        self._paths[key] = path
        self._seen.append(set())
        self._stored.append(numbers)
        return Study(len(self._seen) - 1, shown(path), file)

    def wants(self, study: int, number: int) -> bool:
        """Whether to read it: False if the store has it. ValueError if it occurred in this reading before."""
        seen = self._seen[study]
        if number in seen:
            raise ValueError(f"trial {number} is there twice")
        seen.add(number)
        if number in self._stored[study]:
            self.present += 1
            return False
        return True
