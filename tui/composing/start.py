"""Where a draft can start from: a small template, nothing, a preset, a file, or a sweep of the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import HvdsweepError, UserError
from tui.composing.draft import Draft
from tui.composing.words import AUTO

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


def template() -> Draft:
    """A small sweep that is complete."""
    return Draft(TEMPLATE, name="digits")


def nothing() -> Draft:
    """Every field empty."""
    return Draft("")


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
    np, gangs, slots = (AUTO, "1", str(slots)) if slots else (str(np or 1), str(gangs or 1), "")
    start = _unchanged(file, key, definition)
    if start is not None:
        return replace(start, name=name, np=np, gangs=gangs, slots=slots)
    remark = f"From what the database keeps of sweep {sweep_id}" + (
        f": {Path(file).name} has changed since." if file and Path(file).exists() else "."
    )
    from hvdsweep.sweep.restore import definition_toml

    text = definition_toml(definition, f"sweep {sweep_id}")
    return Draft(text, name=name, np=np, gangs=gangs, slots=slots, remark=remark)


def _unchanged(file: str | None, key: str, definition: Mapping[str, Any]) -> Draft | None:
    """The sweep's file, if launching it would resume that sweep unchanged. A preset's file is only read."""
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep import load_sweep
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
