"""A stored sweep's definition as a sweep again, so that it can be written as a file where the file has changed or is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvdsweep.sweep.models import DEFAULT_COUNT, KEYS, MAX_TRIALS_FACTOR, Sweep


def sweep_of(definition: Mapping[str, Any]) -> Sweep:
    """The sweep whose plan has this definition (`Plan.definition`, `sweeps.definition` in the store).

    Its plan has the same key, trials and all. Raises pydantic's ValidationError for what no plan has written.
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
    if most is not None and studies.get("max_trials") == MAX_TRIALS_FACTOR * most:
        del studies["max_trials"]
    if points is not None:
        raw["search"]["points"] = [dict(point) for point in points]
        if studies["trials"] == len(points):
            studies = {key: value for key, value in studies.items() if key not in ("trials", "max_trials")}
    raw["studies"] = studies
    raw["training"] = _known(definition["training"])
    raw["infeasible"] = _known(definition["infeasible"])
    return Sweep.model_validate({key: value for key, value in raw.items() if value != {}})


def _known(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _with_overrides(table: Mapping[str, Any], entry: Any) -> dict[str, Any]:
    """A table whose `override` is told by batch size, as the file tells it: batch sizes of one kind together."""
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
    """Metaparameters with the whole numbers of integer ranges as such."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and value.get("scale") == "integer":
            found[name] = {**value, "min": int(value["min"]), "max": int(value["max"])}
        elif isinstance(value, int | float):
            found[name] = float(value)
        else:
            found[name] = dict(value)
    return found
