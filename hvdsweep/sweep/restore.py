"""Turns a stored sweep back into a sweep: as a file's text, and as one that can be planned without its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import UserError
from hvdsweep.sweep.load import LoadedSweep, Overrides, check_text
from hvdsweep.sweep.models import DEFAULT_COUNT, KEYS, MAX_TRIALS_FACTOR, Sweep
from hvdsweep.sweep.write import sweep_toml

if TYPE_CHECKING:
    from hvdsweep.plan import Plan


def stored_sweep(db: Path, sweep: int, overrides: Overrides | None = None) -> LoadedSweep:
    """Sweep `sweep` of the store at `db`, with its trials and batch sizes changed by `overrides`; its file need not exist.

    UserError if there is no such sweep, if it was imported, or if an override does not fit.
    """
    from hvdsweep.opening import open_store

    if not db.exists():
        raise UserError(f"{db}: does not exist; --sweep names a sweep of a database (--db)")
    with open_store(db) as reader:
        rows = reader.rows("SELECT name, file, definition FROM sweeps WHERE id = ?", (sweep,))
        sources = reader.rows(
            "SELECT s.definition FROM studies s JOIN workloads w ON w.id = s.workload_id WHERE w.sweep_id = ? LIMIT 1",
            (sweep,),
        )
    if not rows:
        raise UserError(f"{db}: sweep {sweep}: there is no such sweep; `hvdsweep status` lists them")
    name, file, written = rows[0]
    source = json.loads(sources[0][0]).get("source") if sources else None
    called = f"{db}: sweep {sweep}"
    text = definition_toml(json.loads(written), called)
    checked = check_text(text, called, source=source, overrides=overrides, name=name)
    return replace(checked.sweep(), name=name, file=file)


def check_same(db: Path, sweep: int, plan: Plan) -> None:
    """UserError if `plan` is not that of sweep `sweep` in the store: the user's code or data may have changed since."""
    from hvdsweep.identity import definition_diff
    from hvdsweep.opening import open_store

    with open_store(db) as reader:
        ((key, written),) = reader.rows("SELECT key, definition FROM sweeps WHERE id = ?", (sweep,))
    if key != plan.key:
        changed = "; ".join(definition_diff(json.loads(written), plan.definition)) or "hvdsweep's version"
        raise UserError(
            f"{db}: sweep {sweep}: is another sweep now ({changed}); undo that change to train it, or launch its "
            "file to begin a new sweep"
        )


def definition_toml(definition: Mapping[str, Any], called: str = "it") -> str:
    """The text of a sweep file that plans the sweep of this definition, with its number of trials.

    UserError, naming the sweep `called`, if the definition is not that of a planned sweep.
    """
    from pydantic import ValidationError

    if "dataset" not in definition:
        raise UserError(f"{called}: was imported: it has results, but no search to train")
    try:
        return sweep_toml(sweep_of(definition))
    except (ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{called}: its definition in the database cannot be read as a sweep: {error}"
        ) from error


def sweep_of(definition: Mapping[str, Any]) -> Sweep:
    """The sweep whose plan has this definition (`Plan.definition`, `sweeps.definition` in the store).

    Its plan has the same key and number of trials. Raises pydantic's ValidationError for a definition that is no
    plan's.
    """
    raw: dict[str, Any] = {
        key: definition[key] for key in KEYS[""] if key not in KEYS and definition.get(key) not in (None, {})
    }
    raw["goal"] = _known(definition["goal"])
    raw["budget"] = _with_overrides(definition["budget"], lambda entry: dict(entry))
    evaluation = _known(definition["evaluation"])
    if evaluation.get("count") == DEFAULT_COUNT:
        del evaluation["count"]
    raw["evaluation"] = evaluation
    search = dict(definition["search"])
    points, widen = search.pop("points", None), search.pop("widen", False)
    raw["search"] = _with_overrides(search, _metaparameters)
    studies = _known(definition["studies"])
    if widen:
        raw["search"]["widen"] = True
    trials = studies["trials"]
    most = trials.get("most") if isinstance(trials, Mapping) else trials
    if most is not None:
        default = MAX_TRIALS_FACTOR * most
        if studies.get("max_trials") == (default if points is None else min(default, len(points))):
            # The default grows with trials and points.
            del studies["max_trials"]
    if points is not None:
        raw["search"]["points"] = [dict(point) for point in points]
        if studies["trials"] == len(points):
            del studies["trials"]
    raw["studies"] = studies
    raw["training"] = _known(definition["training"])
    raw["infeasible"] = _known(definition["infeasible"])
    return Sweep.model_validate({key: value for key, value in raw.items() if value != {}})


def _known(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _with_overrides(table: Mapping[str, Any], entry: Any) -> dict[str, Any]:
    """A table with `override` stored per batch size, as in a file: one override per set of values."""
    own = entry({key: value for key, value in table.items() if key != "override"})
    together: list[tuple[list[int], dict[str, Any]]] = []
    for size, values in sorted(table.get("override", {}).items(), key=lambda item: int(item[0])):
        written = entry(values)
        alike = next((sizes for sizes, other in together if other == written), None)
        if alike is None:
            together.append(([int(size)], written))
        else:
            alike.append(int(size))
    if together:
        own["override"] = [{"batch_sizes": sizes, **written} for sizes, written in together]
    return dict(own)


def _metaparameters(table: Mapping[str, Any]) -> dict[str, Any]:
    """Metaparameters in which the integers of integer ranges are ints again."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and value.get("scale") == "integer":
            found[name] = {**value, "min": int(value["min"]), "max": int(value["max"])}
        elif isinstance(value, int | float):
            found[name] = float(value)
        else:
            found[name] = dict(value)
    return found
