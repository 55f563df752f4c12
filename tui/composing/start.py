"""What a draft can start from: another draft, a small template, nothing, a preset, a file, or a sweep of the database."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import HvdsweepError, UserError
from tui.composing.draft import Draft
from tui.composing.draft_store import DraftStore
from tui.composing.fields import Entry
from tui.composing.files import refuse_open
from tui.launching import AUTO
from tui.snapshot import Snapshot
from tui.words import count, plural

if TYPE_CHECKING:
    from hvdsweep.store.store import Store

TEMPLATE = """\
dataset = "digits"
model = "fc_128"
algorithms = ["sgd"]

[goal]
metric = "val/classification_error"
value = 0.1

[budget]
steps = 300

[evaluation]
every = 10

[studies]
batch_sizes = "2^3..2^8"
trials = 6
seed = 1

[search]
learning_rate = { scale = "log", min = 0.01, max = 3.0 }

[training]
stop = "beaten"
"""
"""Trains in about a minute on one core."""

SMALL = "small/"
"""Presets small enough for any machine."""

MOST_FILES = 40
"""Files of the working directory that are offered."""


def template() -> Draft:
    """A small sweep that is complete."""
    return Draft(TEMPLATE, name="digits")


def preset(name: str) -> Draft:
    """A preset, as its file says it."""
    from workloads import catalogue

    return Draft(catalogue.presets()[name].read_text(encoding="utf-8"), name=name)


def file_at(path: Path) -> Draft:
    """A file. UserError if it cannot be read."""
    from hvdsweep.sweep.load import read_toml

    return Draft(read_toml(path), name=path.stem, file=path.absolute())


def stored(sweep_id: int, store: Store) -> Draft:
    """A sweep of the store: its file where that still describes it, else what the store keeps of it. Not on the interface's
    thread. UserError if there is no such sweep, or it was imported."""
    rows = store.rows(
        f"SELECT name, key, file, definition, np, gangs, {store.column('sweeps', 'slots')} FROM sweeps WHERE id = ?",
        (sweep_id,),
    )
    if not rows:
        raise UserError(f"{store.path}: sweep {sweep_id}: is not in the database any more.")
    name, key, file, written, np, gangs, slots = rows[0]
    definition = json.loads(written)
    start = _unchanged(file, key, definition)
    if start is None:
        from hvdsweep.sweep.restore import definition_toml

        start = Draft(definition_toml(definition, f"sweep {sweep_id}"))
        changed = file and Path(file).exists()
        start.remark = f"From what the database keeps of sweep {sweep_id}"
        start.remark += f": {Path(file).name} has changed since." if changed else "."
    np, gangs, slots = (AUTO, "1", str(slots)) if slots else (str(np or 1), str(gangs or 1), "")
    return replace(start, name=name, np=np, gangs=gangs, slots=slots)


def _unchanged(file: str | None, key: str, definition: Mapping[str, Any]) -> Draft | None:
    """The sweep's file, if launching it would resume that sweep unchanged. A preset's file is only read."""
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep.load import load_sweep
    from workloads import catalogue

    if file is None or not Path(file).is_file():
        return None
    try:
        plan = make_plan(load_sweep(file))
        start = file_at(Path(file))
    except HvdsweepError:
        return None
    if plan.key != key or plan.definition["studies"] != definition.get("studies"):
        return None
    if Path(file) in catalogue.presets().values():
        start.file = None
    return start


# The list


def offers(store: DraftStore, current: str, snapshot: Snapshot | None) -> list[Entry]:
    """Everything, under headings: drafts but the `current` one, small things, sweeps of the database, files here, presets."""
    from workloads import catalogue

    drafts = [_draft_entry(when, draft) for when, draft in store.all() if draft.id != current]
    small = [
        Entry("template:", "a small example", "digits, trained in about a minute"),
        Entry("nothing:", "nothing", "every field empty"),
    ]
    sweeps = [
        Entry(
            f"sweep:{sweep.id}",
            sweep.name,
            f"sweep {sweep.id}, {plural(len(sweep.studies), 'study', 'studies')}, {count(sweep.done)} trials trained",
        )
        for sweep in reversed(snapshot.sweeps if snapshot is not None else ())
        if sweep.source == "launch"
    ]
    files = [Entry(f"file:{path.absolute()}", str(path)) for path in _files()]
    presets = [
        Entry(f"preset:{name}", name, "minutes on a laptop, no download" if name.startswith(SMALL) else "")
        for name in sorted(catalogue.presets(), key=lambda name: not name.startswith(SMALL))
    ]
    lists = {
        "Drafts that were not saved": drafts,
        "A new sweep": small,
        "Sweeps of this database": sweeps,
        f"Files in {Path.cwd()}": files,
        "Presets": presets,
    }
    return [entry for title, entries in lists.items() if entries for entry in (Entry("", title), *entries)]


def _draft_entry(when: float, draft: Draft) -> Entry:
    about = [
        time.strftime("%Y-%m-%d %H:%M", time.localtime(when)),
        *([draft.file.name] if draft.file is not None else []),
        plural(len(draft.text.splitlines()), "line"),
    ]
    return Entry(f"draft:{draft.id}", draft.title, ", ".join(about))


def _files() -> list[Path]:
    """Sweep files in the working directory and in its `examples`."""
    found = [path for folder in (Path(), Path("examples")) for path in sorted(folder.glob("*.toml"))]
    return [path for path in found if _is_sweep(path)][:MOST_FILES]


def _is_sweep(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError), path.open(encoding="utf-8") as file:
        text = file.read(20_000)
        return "dataset" in text and "[search" in text
    return False


def typed(text: str) -> Entry | None:
    """What is typed, where it is a file."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        path = Path(text).expanduser()
        return Entry(f"file:{path.absolute()}", str(path), "open this file") if path.is_file() else None
    return None


def taken(store: DraftStore, value: str, database: Path) -> Draft:
    """The start that an entry stands for. UserError if it is gone, or a file of `database`."""
    kind, _, name = value.partition(":")
    match kind:
        case "draft":
            found = next((draft for _, draft in store.all() if draft.id == name), None)
            if found is None:
                raise UserError(f"The draft {name} is gone: it was saved, or opened elsewhere.")
            return found
        case "file":
            refuse_open(Path(name), database)
            return file_at(Path(name))
        case "preset":
            return preset(name)
    return template() if kind == "template" else Draft("")
