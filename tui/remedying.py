"""Acting on the warnings of a curve: a changed sweep file next to the original, what it would train, and its launch.

Knows no Textual. It may take a while: call it from a thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hvdsweep.errors import UserError
from hvdsweep.replacing import free_path, write_whole
from tui.launching import AUTO

if TYPE_CHECKING:
    from hvdsweep.curves.curve_data import Curve
    from hvdsweep.curves.warnings import WarningKind
    from hvdsweep.search import Space
    from hvdsweep.store.store import Store


@dataclass(frozen=True)
class Proposal:
    """A changed sweep that is not written yet."""

    sweep: int
    name: str
    changes: tuple[str, ...]
    path: Path
    """Where it would be written; nothing is there yet."""
    text: str
    trials: int
    """That it asks for, all together."""
    known: int
    """Those among them that are trained already."""
    extends: bool
    """Whether it resumes the same sweep; else it is a new one that takes over the trials both share."""
    np: int | str
    """Or `auto`."""
    gangs: int
    slots: int | None
    """Of `auto`."""


def propose(
    sweep: int,
    curve: Curve,
    spaces: Mapping[int, Space],
    only: Collection[tuple[int, WarningKind]] | None,
    store: Store,
) -> Proposal:
    """The changed sweep that answers the warnings `only` of a curve (None: all). UserError if nothing can be changed."""
    from hvdsweep.curves.remedies import remedy
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep.load import check_text
    from hvdsweep.sweep.restore import definition_toml

    rows = store.rows(
        f"SELECT name, file, definition, key, source, np, gangs, {store.column('sweeps', 'slots')}"
        " FROM sweeps WHERE id = ?",
        (sweep,),
    )
    if not rows:
        raise UserError(f"{store.path}: sweep {sweep}: is not in the database any more.")
    name, file, definition, key, source, np, gangs, slots = rows[0]
    if source != "launch":
        raise UserError(f"sweep {sweep}: was imported, so it cannot be extended from here.")
    found = remedy(json.loads(definition), curve, spaces, only)
    if found is None:
        raise UserError(f"sweep {sweep}: no change of the sweep file answers this warning.")
    path = _free_path(file, name, store.path)
    text = definition_toml(found.definition, f"sweep {sweep}")
    folder = None if file is None else str(Path(file).parent)
    checked = check_text(text, path.name, source=folder, name=name)
    if checked.loaded is None:
        raise UserError(*checked.problems)
    plan = make_plan(checked.loaded)
    keys = [trial.key for study in plan.studies for trial in study.trials]
    ((known,),) = store.rows(
        "SELECT count(DISTINCT key) FROM trials WHERE status IN ('COMPLETE', 'INFEASIBLE')"
        " AND key IN (SELECT value FROM json_each(?))",
        (json.dumps(keys),),
    )
    return Proposal(
        sweep,
        name,
        found.changes,
        path,
        text,
        len(keys),
        known,
        plan.key == key,
        AUTO if slots else np or 1,
        gangs or 1,
        slots,
    )


def _free_path(file: str | None, name: str, db: Path) -> Path:
    """A free name in the folder of the sweep's file if that is writable, else in that of the database."""
    folder, stem = db.absolute().parent, name.replace("/", "_")
    if file is not None:
        stem = Path(file).stem
        beside = Path(file).parent
        # Presets lie inside the package.
        if beside.is_dir() and os.access(beside, os.W_OK) and "presets" not in beside.parts:
            folder = beside
    return free_path(folder / f"{stem}-extended.toml")


def write(proposal: Proposal) -> Path:
    """Write the file, whole or not at all. UserError if it cannot be."""
    try:
        write_whole(proposal.path, proposal.text.encode(), new=True)
    except OSError as error:
        raise UserError(f"{proposal.path}: cannot be written: {error.strerror or error}") from error
    return proposal.path
