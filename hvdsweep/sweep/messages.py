"""Turns pydantic's errors in a sweep file into sentences that name the key, show the value and give the
remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hvdsweep.sweep.metaparameters import KINDS, METAPARAMETERS, SCALES, SweepTable
from hvdsweep.sweep.models import TABLES
from hvdsweep.sweep.trial_counts import KINDS as TRIALS_KINDS
from hvdsweep.sweep.write import toml_key, toml_value

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake: its location in the file, and the rest of the sentence."""

    location: Location
    text: str
    meant: Location | None = None
    """The key that was probably meant, if the location does not exist."""


def key_of(location: Location) -> str:
    """`search.override[0].learning_rate`: a location as messages write it. Indices count from 0."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{toml_key(part)}" if text else toml_key(part)
    return text


def shown(value: object) -> str:
    """A value as the file writes it, cut to a readable length."""
    text = toml_value(value) if value is not None else "nothing"
    return text if len(text) <= 60 else text[:57] + "..."


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def one_of(value: object, known: Iterable[str]) -> str:
    """The remedy for a word that is not in `known`."""
    names = list(known)
    meant = closest(value, names) if isinstance(value, str) else None
    *others, last = (f'"{name}"' for name in names)
    return f'did you mean "{meant}"?' if meant else f"use {', '.join(others)}{' or ' if others else ''}{last}"


def problems_of(error: ValidationError) -> list[Problem]:
    """Every mistake of a failed validation, in the order of the file's reference."""
    problems = [_problem(dict(details)) for details in error.errors(include_url=False)]
    meant = {problem.meant for problem in problems}
    return [problem for problem in problems if problem.location not in meant]


def _problem(details: dict[str, Any]) -> Problem:
    raw: Location = details["loc"]
    found, context, kind = details["input"], details.get("ctx", {}), details["type"]
    location = without_tags(raw, keep_last=kind in ("extra_forbidden", "missing"))
    if kind == "missing":
        return Problem(location, f"is missing; write for example `{_example(raw)}`")
    if kind == "extra_forbidden":
        return _unknown_key(raw, location, found)
    if kind == "union_tag_not_found":
        return _not_a_metaparameter(location, found)
    if kind == "value_error":
        return Problem(location, f"{shown(found)}: {context['error']}")
    return Problem(location, f"{shown(found)} {_sentence(kind, context, found)}")


def _sentence(kind: str, context: Mapping[str, Any], found: object) -> str:
    match kind:
        case "literal_error":
            names = [name.strip(" '") for name in context["expected"].replace(" or ", ", ").split(",")]
            return f"is not allowed; {one_of(found, names)}"
        case "int_type":
            whole = isinstance(found, float) and found.is_integer() and abs(found) < 2**63
            return f"is not a whole number; write {int(found) if whole else 'digits only'}"  # type: ignore[call-overload]
        case "float_type":
            return "is not a number" + _as_share(found)
        case "finite_number":
            return "is not a finite number"
        case "bool_type":
            return "is neither true nor false (without quotes)"
        case "string_type":
            return "is not text; put it in quotes"
        case "list_type":
            return "is not a list; put it in square brackets"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "is not a table of keys"
        case "greater_than":
            return f"is not above {context['gt']:g}"
        case "greater_than_equal":
            return f"is below {context['ge']:g}, the least allowed"
        case "less_than":
            return f"is not below {context['lt']:g}"
        case "less_than_equal":
            most = context["le"]
            return f"is above {most if isinstance(most, int) else f'{most:g}'}, the most allowed"
        case "too_short" | "string_too_short":
            return "is empty; leave the key out, or fill it"
        case "string_too_long":
            return f"has {len(str(found))} characters, and {context['max_length']} are the most allowed"
        case _:
            return f"is wrong ({kind.replace('_', ' ')})"


def _as_share(found: object) -> str:
    """The remedy for a percentage."""
    from hvdsweep.sweep.trial_counts import parse_share

    try:
        return f"; write {parse_share(found):g}" if isinstance(found, str) and "%" in found else ""
    except ValueError:
        return ""


def _not_a_metaparameter(location: Location, found: object) -> Problem:
    if isinstance(found, list):
        return Problem(
            location, f'{shown(found)} is a list; write {{ scale = "choice", values = {shown(found)} }}'
        )
    if not isinstance(found, dict):
        return Problem(
            location, f"{shown(found)} is neither a number nor a range; write `{_example(location)}`"
        )
    if "scale" not in found:
        example = _example(location)
        return Problem((*location, "scale"), f"is missing from {shown(found)}; write for example `{example}`")
    return Problem(
        (*location, "scale"), f"{shown(found['scale'])} is no scale; {one_of(found['scale'], SCALES)}"
    )


def _unknown_key(raw: Location, location: Location, found: object) -> Problem:
    name, table = str(raw[-1]), _table_at(raw[:-1])
    known = list(table.model_fields) if table else []
    homes = [key for key, other in TABLES.items() if name in other.model_fields and "." not in key]
    if meant := closest(name, known):
        text = f"{shown(found)}: no such key; did you mean {meant}?"
        return Problem(location, text, meant=(*location[:-1], meant))
    if homes:
        place = f"[{homes[0]}]" if homes[0] else "the top of the file, before the first [table]"
        return Problem(location, f"{shown(found)}: this key belongs in {place}")
    return Problem(location, f"{shown(found)}: no such key; this table has {', '.join(known)}")


def without_tags(raw: Location, *, keep_last: bool) -> Location:
    """The location as in the file: without pydantic's tags for the kind of a metaparameter, or of trials."""
    last = len(raw) - 1
    return tuple(
        part
        for index, part in enumerate(raw)
        if not (index and _is_tag(raw[index - 1], part)) or (keep_last and index == last)
    )


def _is_tag(key: str | int, part: str | int) -> bool:
    if key == "trials":
        return part in TRIALS_KINDS
    return key in METAPARAMETERS and (part == "number" or part in KINDS)


def _table_at(raw: Location) -> type[SweepTable] | None:
    if len(raw) >= 2 and raw[-2] in METAPARAMETERS:
        return KINDS.get(str(raw[-1]))
    if len(raw) >= 2 and raw[-2] == "trials":
        return TRIALS_KINDS.get(str(raw[-1]))
    return TABLES.get(".".join(part for part in raw if isinstance(part, str)))


def example_of(raw: Location) -> object:
    """The example value of a field, by its location in a validation error; None if there is none."""
    table = _table_at(raw[:-1])
    field = table.model_fields.get(str(raw[-1])) if table else None
    return field.examples[0] if field is not None and field.examples else None


def _example(raw: Location) -> str:
    """`key = value` as an example for a location; a whole table for a table's key."""
    name, example = toml_key(str(raw[-1])), example_of(raw)
    if str(raw[-1]) in TABLES and isinstance(example, dict):
        keys = " and ".join(f"{key} = {toml_value(value)}" for key, value in example.items())
        return f"[{name}]` with `{keys}"
    return f"{name} = {toml_value(example) if example is not None else '...'}"
