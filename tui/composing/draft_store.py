"""Drafts that were not saved, kept in the state directory until they are: nothing that was typed is lost."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

from hvdsweep.replacing import write_whole
from tui.composing.draft import Draft

VERSION = 1
MOST = 30
"""Drafts kept; the oldest go first."""

STORED = tuple(one.name for one in fields(Draft) if one.name not in ("id", "remark", "tables"))
"""What a file holds of a draft."""


class DraftStore:
    """The drafts of one state directory. If it cannot be written, nothing is kept, without an error."""

    def __init__(self, directory: Path | None) -> None:
        """None: nothing is kept."""
        self._directory = None if directory is None else directory / "drafts"
        self._made = 0
        self._there: set[str] = set()
        """Drafts that were written or read here."""

    def new_id(self) -> str:
        self._made += 1
        return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{self._made}"

    def follow(self, draft: Draft) -> Callable[[], None] | None:
        """The job that stores a changed draft, or drops one that was saved; None if there is nothing to do."""
        if draft.changed:
            draft.id = draft.id or self.new_id()
            self._there.add(draft.id)
            return partial(self.keep, draft.id, copy.copy(draft))
        if draft.id not in self._there:
            return None
        self._there.discard(draft.id)
        return partial(self.drop, draft.id)

    def keep(self, name: str, draft: Draft) -> None:
        """Write a draft, whole or not at all."""
        if self._directory is not None:
            content = {"version": VERSION} | {key: getattr(draft, key) for key in STORED}
            text = json.dumps(content, indent=1, default=str)
            with contextlib.suppress(OSError):
                self._directory.mkdir(parents=True, exist_ok=True)
                write_whole(self._directory / f"{name}.json", text.encode())

    def drop(self, name: str) -> None:
        """A draft is saved, or not wanted any more."""
        if self._directory is not None:
            with contextlib.suppress(OSError):
                (self._directory / f"{name}.json").unlink(missing_ok=True)

    def all(self) -> list[tuple[float, Draft]]:
        """(unix seconds of the last change, draft), the newest first; what cannot be read is passed over, what is too old is
        dropped."""
        if self._directory is None:
            return []
        read = (_read(path) for path in self._directory.glob("*.json"))
        found = sorted(filter(None, read), key=lambda entry: entry[0], reverse=True)
        for _, draft in found[MOST:]:
            self.drop(draft.id)
        self._there |= {draft.id for _, draft in found[:MOST]}
        return found[:MOST]


def _read(path: Path) -> tuple[float, Draft] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION or "text" not in found:
            return None
        # Files of earlier versions have no slots.
        values = {key: None if (value := found.get(key, "")) is None else str(value) for key in STORED}
        draft = Draft(**values, id=path.stem)  # type: ignore[arg-type]
        draft.file = None if draft.file is None else Path(draft.file)
        return path.stat().st_mtime, draft
    except (OSError, ValueError, KeyError, TypeError):
        return None
