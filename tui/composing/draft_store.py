"""Drafts that were not saved, kept in the state directory until they are: nothing that was typed is lost."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hvdsweep.replacing import write_whole
from tui.composing.start import Start

if TYPE_CHECKING:
    from tui.composing.draft import Draft

VERSION = 1
MOST = 30
"""Drafts kept; the oldest go first."""


@dataclass(frozen=True)
class StoredDraft:
    """A draft on disk."""

    id: str
    when: float
    """Unix seconds of the last change."""
    title: str
    start: Start


class DraftStore:
    """The drafts of one state directory. A directory that may not be written is no reason to complain."""

    def __init__(self, directory: Path | None) -> None:
        """None: nothing is kept."""
        self._directory = None if directory is None else directory / "drafts"
        self._made = 0

    def new_id(self) -> str:
        """A name that no other draft has."""
        self._made += 1
        return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{self._made}"

    def keep(self, name: str, draft: Start, title: str) -> None:
        """Write a draft, whole or not at all."""
        if self._directory is None:
            return
        content = {
            "version": VERSION,
            "when": time.time(),
            "title": title,
            "text": draft.text,
            "saved": draft.saved,
            "file": None if draft.file is None else str(draft.file),
            "name": draft.name,
            "np": draft.np,
            "gangs": draft.gangs,
            "slots": draft.slots,
        }
        with contextlib.suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            write_whole(self._directory / f"{name}.json", json.dumps(content, indent=1).encode())

    def drop(self, name: str) -> None:
        """A draft is saved, or not wanted any more."""
        if self._directory is not None:
            with contextlib.suppress(OSError):
                (self._directory / f"{name}.json").unlink(missing_ok=True)

    def all(self) -> list[StoredDraft]:
        """The newest first; what cannot be read is passed over, what is too old is dropped."""
        if self._directory is None:
            return []
        found = []
        with contextlib.suppress(OSError):
            for path in self._directory.glob("*.json"):
                kept = _read(path)
                if kept is not None:
                    found.append(kept)
        found.sort(key=lambda kept: kept.when, reverse=True)
        for kept in found[MOST:]:
            self.drop(kept.id)
        return found[:MOST]


class OpenDraft:
    """The draft that is being composed: it is stored while it has changes that are in no file."""

    def __init__(self, store: DraftStore, start: Start) -> None:
        self._store = store
        self.id = start.draft or store.new_id()
        self._stored = start.draft is not None

    def kept(self, draft: Draft, title: str) -> Callable[[], None] | None:
        """What stores it, or drops it once it is saved; None where there is nothing to do."""
        if draft.changed:
            self._stored = True
            return partial(self._store.keep, self.id, draft.start(), title)
        if not self._stored:
            return None
        self._stored = False
        return partial(self._store.drop, self.id)


def _read(path: Path) -> StoredDraft | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            return None
        texts = {key: str(found[key]) for key in ("text", "saved", "name", "np", "gangs")}
        texts["slots"] = str(found.get("slots", ""))
        file = None if found["file"] is None else Path(found["file"])
        return StoredDraft(
            path.stem,
            float(found["when"]),
            str(found["title"]),
            Start(**texts, file=file, draft=path.stem),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
