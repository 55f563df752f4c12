"""The list of what a draft can start from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tui.composing.draft import Draft
from tui.composing.draft_store import DraftStore
from tui.composing.start import file_at, nothing, preset, template
from tui.snapshot import Snapshot
from tui.words import count, plural

SMALL = "small/"
"""Presets small enough for any machine."""

MOST_FILES = 40
"""Files of the working directory that are offered."""


@dataclass(frozen=True)
class Entry:
    """One line of a list; without a value it is a heading."""

    value: str
    words: str
    about: str = ""


def offers(store: DraftStore, current: str, snapshot: Snapshot | None) -> list[Entry]:
    """Everything, under headings: drafts but the `current` one, small things, sweeps of the database, files here, presets."""
    from workloads import catalogue

    drafts = [kept for kept in store.all() if kept.draft.id != current]
    entries = [Entry("", "Drafts that were not saved")] if drafts else []
    for kept in drafts:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.when))
        file = f", {kept.draft.file.name}" if kept.draft.file is not None else ""
        entries.append(
            Entry(f"draft:{kept.draft.id}", kept.title, f"{when}{file}, {_lines(kept.draft.text)}")
        )
    entries += [
        Entry("", "A new sweep"),
        Entry("template:", "a small example", "digits, trained in about a minute"),
        Entry("nothing:", "nothing", "every field empty"),
    ]
    sweeps = [sweep for sweep in snapshot.sweeps if sweep.source == "launch"] if snapshot is not None else []
    if sweeps:
        entries.append(Entry("", "Sweeps of this database"))
    for sweep in reversed(sweeps):
        about = f"sweep {sweep.id}, {plural(len(sweep.studies), 'study', 'studies')}, {count(sweep.done)} trials trained"
        entries.append(Entry(f"sweep:{sweep.id}", sweep.name, about))
    files = _files()
    if files:
        entries.append(Entry("", f"Files in {Path.cwd()}"))
    entries += [Entry(f"file:{path.absolute()}", str(path), "") for path in files]
    entries.append(Entry("", "Presets"))
    for name in sorted(catalogue.presets(), key=lambda name: not name.startswith(SMALL)):
        about = "minutes on a laptop, no download" if name.startswith(SMALL) else ""
        entries.append(Entry(f"preset:{name}", name, about))
    return entries


def _lines(text: str) -> str:
    return plural(len(text.splitlines()), "line")


def _files() -> list[Path]:
    """Sweep files in the working directory and in its `examples`."""
    found: list[Path] = []
    for folder in (Path(), Path("examples")):
        try:
            found += [path for path in sorted(folder.glob("*.toml")) if _is_sweep(path)]
        except OSError:
            continue
    return found[:MOST_FILES]


def _is_sweep(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(20_000)
    except (OSError, ValueError):
        return False
    return "dataset" in text and "[search" in text


def typed(text: str) -> Entry | None:
    """What is typed, where it is a file."""
    path = Path(text).expanduser()
    try:
        return Entry(f"file:{path.absolute()}", str(path), "open this file") if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def taken(store: DraftStore, value: str, database: Path) -> Draft:
    """The start that an entry stands for. UserError if it is gone, or a file of `database`."""
    from hvdsweep.errors import UserError

    kind, _, name = value.partition(":")
    if kind == "draft":
        for kept in store.all():
            if kept.draft.id == name:
                return kept.draft
        raise UserError(f"The draft {name} is gone: it was saved, or opened elsewhere.")
    if kind == "file":
        from tui.composing.files import refuse_open

        refuse_open(Path(name), database)
        return file_at(Path(name))
    if kind == "preset":
        return preset(name)
    return template() if kind == "template" else nothing()
