"""The workloads that a command works on: by name, by part of a name, or by sweep file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.errors import UserError
from hvdsweep.states import Status

if TYPE_CHECKING:
    from hvdsweep.store.rows import WorkloadRow
    from hvdsweep.store.store import Store

MOST_NOTES = 3
"""Most workloads of several sweeps that are named one by one."""


def print_note(note: str) -> None:
    """On stderr."""
    click.echo(note, err=True)


def choose(
    reader: Store,
    asked: Sequence[str],
    sweep_id: int | None,
    note: Callable[[str], object] = print_note,
) -> list[WorkloadRow]:
    """The workloads that `asked` names: a full name, a part of one that fits a single workload, or a TOML file.

    Without names, all workloads. A workload in several sweeps is taken from the newest with a finished trial of it,
    unless `sweep_id` is given. `note` is called with a sentence on how they were found. UserError: an empty database, no
    such sweep, no such workload, a part that fits several.
    """
    sweeps = reader.sweeps()
    if not sweeps:
        raise UserError(f"{reader.path}: holds no sweep yet. `hvdsweep launch WORKLOAD` makes one.")
    if sweep_id is not None and sweep_id not in {sweep.id for sweep in sweeps}:
        known = ", ".join(f"{sweep.id} ({sweep.name})" for sweep in sweeps)
        raise UserError(f"{reader.path}: --sweep {sweep_id}: no such sweep; there are {known}")
    held: dict[str, list[WorkloadRow]] = {}
    for row in reader.workloads(sweep_id):
        held.setdefault(row.name, []).append(row)
    chosen: dict[int, WorkloadRow] = {}
    notes: list[str] = []
    finished = _finished(reader) if any(len(rows) > 1 for rows in held.values()) else set()
    if not asked:
        for rows in held.values():
            row = _newest(rows, finished)
            chosen[row.id] = row
        several = [rows for rows in held.values() if len(rows) > 1]
        if len(several) <= MOST_NOTES:
            notes += [_which_sweep(rows, finished) for rows in several]
        else:
            notes.append(
                f"{len(several)} workloads are in several sweeps; shown is the newest sweep with a finished trial"
                " (--sweep ID chooses)"
            )
    for text in asked:
        if _is_file(text) and text not in held:
            chosen |= {row.id: row for row in _of_file(reader, text, sweep_id, held)}
            continue
        rows = held[_named(reader, text, held)]
        row = _newest(rows, finished)
        if len(rows) > 1:
            notes.append(_which_sweep(rows, finished))
        chosen[row.id] = row
    for text in notes:
        note(text)
    return list(chosen.values())


def _finished(reader: Store) -> set[int]:
    """Ids of the workloads with a finished trial."""
    counts = reader.counts()
    return {
        workload
        for study, workload in reader.rows("SELECT id, workload_id FROM studies")
        if counts.get(study, {}).get(Status.COMPLETE)
    }


def _newest(rows: list[WorkloadRow], finished: set[int]) -> WorkloadRow:
    """The same workload in the newest sweep that can answer a question; if none can, in the newest."""
    return next((row for row in reversed(rows) if row.id in finished), rows[-1])


def _which_sweep(rows: list[WorkloadRow], finished: set[int]) -> str:
    row = _newest(rows, finished)
    sweeps = ", ".join(str(one.sweep_id) for one in rows)
    why = "the newest" if row is rows[-1] else "the newest with a finished trial"
    return f"{row.name}: is in sweeps {sweeps}; this is {why}, {row.sweep_id} (--sweep ID chooses)"


def _is_file(text: str) -> bool:
    return text.endswith(".toml") or Path(text).is_file()


def _of_file(
    reader: Store, text: str, sweep_id: int | None, held: dict[str, list[WorkloadRow]]
) -> list[WorkloadRow]:
    """The workloads of the newest sweep that was launched from this file; else those that the file describes."""
    path = str(Path(text).absolute())
    same = [s.id for s in reader.sweeps() if s.file == path and sweep_id in (None, s.id)]
    if same:
        return reader.workloads(same[-1])
    from hvdsweep.plan import workload_name
    from hvdsweep.sweep.load import load_sweep

    sweep = load_sweep(text).sweep
    names = [workload_name(sweep, algorithm) for algorithm in sweep.algorithms]
    found = [held[name][-1] for name in names if name in held]
    if not found:
        raise UserError(
            f"{reader.path}: {text}: none of its workloads is in the database ({', '.join(names)}). "
            f"`hvdsweep launch {text}` trains them."
        )
    return found


def _named(reader: Store, text: str, held: dict[str, list[WorkloadRow]]) -> str:
    if text in held:
        return text
    fitting = [name for name in held if name.startswith(text)] or [name for name in held if text in name]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(f"{reader.path}: workload: {text}: fits several: {', '.join(sorted(fitting))}")
    from difflib import get_close_matches

    close = get_close_matches(text, held, n=3, cutoff=0.4) or sorted(held)[:10]
    there = f"There is {', '.join(close)}." if close else "It holds no workload yet."
    raise UserError(f"{reader.path}: workload: {text}: is not in the database. {there}")
