"""The rows of the form, made from the sweep file's models: a key that is declared there is a field here.

A field's label is its key, or the `title` of its declaration; its meaning, its default and its example are those of the file's
reference; what it is comes from its type. Options of a model or a data set are declared by these.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from tui.composing.toml_text import REMOVED, Change, Path, value_at
from tui.composing.words import (
    FIXED,
    NUMBERS,
    OTHER,
    examples_of,
    how_of,
    number_for,
    space_of,
    used_by,
    value_of,
    words_of,
)

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from hvdsweep.sweep.metaparameters import SweepTable

PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""Names of options that are offered as fields; others are left to the text."""

SHOWN = 3
"""Entries of a list that a note shows."""


@dataclass(frozen=True)
class FieldSpec:
    """What a row of the form shows and edits."""

    key: str
    """`studies.trials`."""
    label: str
    kind: str
    """What is typed: a kind of `words.value_of`. Or what is chosen: `choice`, `ticks`, `amount` (a number and what it counts),
    `space` (a metaparameter); `note` is left to the text, `options` stands for the fields of a model or a data set."""
    choices: Mapping[str, Any] | None = None
    """Word -> value; of an amount word -> key."""
    default: str = ""
    """The value of an empty field, or the word that is chosen where the key is absent."""
    example: Any = None
    meaning: str = ""
    single: str = ""
    """A key that gives the only entry of this list."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys whose mistakes belong to it."""
        units = self.choices.values() if self.kind == "amount" and self.choices else ()
        return (self.key, *(f"{self.key}.{unit}" for unit in units), *([self.single] if self.single else []))

    @property
    def hint(self) -> str:
        """The placeholder of an empty field."""
        return self.default or (f"e.g. {_shown(self.example)}" if self.example not in (None, [], {}) else "")


LAUNCH = (
    FieldSpec(
        "np",
        "ranks per trial",
        "name",
        default="auto",
        meaning="Horovod ranks of one trial (--np): each takes its share of every batch, and their gradients are averaged. "
        "auto: as many for each batch size as finish the sweep soonest.",
    ),
    FieldSpec(
        "gangs",
        "side by side",
        "name",
        default="1",
        meaning="Trials trained at the same time (--gangs), each by its own ranks; nothing is averaged between them. Not with "
        "auto.",
    ),
    FieldSpec(
        "slots",
        "ranks at once",
        "name",
        default="all",
        meaning="How many ranks may train at the same time under auto (--slots); empty: all GPUs of this machine, else all "
        "cores.",
    ),
)
"""Options of the launch; not part of the file."""


def sections() -> list[tuple[str, list[FieldSpec]]]:
    """(heading, fields), in the order of the form."""
    from hvdsweep.sweep.models import TABLES

    top = _fields("", TABLES[""])
    notes = [field for field in top if field.kind == "text"]
    found = [("Workload", [field for field in top if field not in notes])]
    found += [(name.capitalize(), _fields(name, TABLES[name])) for name in TABLES if name and "." not in name]
    return [*found, ("Launch", list(LAUNCH)), ("About", notes)]


def _fields(table: str, model: type[SweepTable]) -> list[FieldSpec]:
    """The fields of a table of the file."""
    from hvdsweep.sweep.models import TABLES

    lists = {key: single for single, key in model.SINGLE.items()}
    found = []
    for key, about in model.model_fields.items():
        name = f"{table}.{key}" if table else key
        if key in model.ONE_OF:
            if key == model.ONE_OF[0]:
                units = {model.model_fields[unit].title or unit: unit for unit in model.ONE_OF}
                meaning = _plain(model.__doc__)
                found.append(FieldSpec(table, table, "amount", units, next(iter(units)), meaning=meaning))
        elif key not in model.SINGLE and (table or name not in TABLES):
            found.append(_field(name, about, lists.get(key, "")))
    return found


def _field(name: str, about: FieldInfo, single: str) -> FieldSpec:
    kind, choices = _kind(about)
    example = about.examples if kind == "space" else (about.examples or [None])[0]
    default = ""
    if kind == "choice" and choices is not None:
        default = next((word for word, value in choices.items() if value == about.default), "default")
    elif kind == "ticks":
        default = ", ".join(about.default)
    elif not about.is_required():
        default = _shown(about.default)
    label = about.title or name.rpartition(".")[2].replace("_", " ")
    if default == "default" and choices is not None:
        choices = {"default": None} | choices
    return FieldSpec(name, label, kind, choices, default, example, _plain(about.description), single)


def _kind(about: FieldInfo) -> tuple[str, dict[str, Any] | None]:
    """What kind of a field takes values of this type, and the words that it offers."""
    from pydantic import BaseModel

    from hvdsweep.sweep.metaparameters import Domain

    if any(isinstance(entry, Domain) for entry in about.metadata):
        return "space", None
    bare = _bare(about.annotation)
    origin, inner = get_origin(bare), get_args(bare)
    if bare is bool:
        return "choice", {"no": False, "yes": True}
    if origin is Literal:
        return "choice", {str(word): word for word in inner}
    if origin is list:
        entry = _bare(inner[0])
        if get_origin(entry) is Literal:
            return "ticks", {str(word): word for word in get_args(entry)}
        return ("note" if isinstance(entry, type) and issubclass(entry, BaseModel) else "sizes"), None
    if origin is dict:
        return "options", None
    if bare is str:
        return ("name" if about.is_required() else "text"), None
    return ("number" if bare in (int, float) else "any"), None


def _bare(annotation: Any) -> Any:
    """A type without None and without what is annotated."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        others = [entry for entry in get_args(annotation) if entry is not type(None)]
        return _bare(others[0]) if len(others) == 1 else annotation
    return annotation


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).replace("`", "")


def _shown(value: Any) -> str:
    return "" if value in (None, [], {}) else words_of(value)


def option_fields(table: str, tables: Mapping[str, Any]) -> list[FieldSpec]:
    """The fields of `model_options` or `dataset_options`: all that the model or data set takes, and all that the text gives."""
    from workloads import architectures, catalogue

    owner, given = str(tables.get(table.removesuffix("_options"), "")), tables.get(table)
    found: list[FieldSpec] = []
    if table == "dataset_options":
        found = [_option(table, name, "number", "") for name in catalogue.dataset_option_names(owner)]
    else:
        try:
            options = architectures.find(owner).options
        except KeyError:
            options = {}
        found = [_option(table, name, one.kind, words_of(one.default)) for name, one in options.items()]
    known = {field.key for field in found}
    others = [name for name in given if PLAIN.fullmatch(name)] if isinstance(given, Mapping) else []
    return found + [_option(table, name, "any", "") for name in others if f"{table}.{name}" not in known]


def _option(table: str, name: str, kind: str, default: str) -> FieldSpec:
    choices: dict[str, Any] | None = None
    if kind == "flag":
        kind, choices = "choice", {"true": True, "false": False}
    elif "|" in kind:
        kind, choices = "choice", {word: word for word in kind.split("|")}
    else:
        kind = {"count": "number", "counts": "numbers", "rate": "number"}.get(kind, kind)
    return FieldSpec(f"{table}.{name}", f"  {name.replace('_', ' ')}", kind, choices, default)


# What the controls of a field hold, and what that says in the text.


def path_of(key: str) -> Path:
    """`goal.metric` -> ("goal", "metric")."""
    return tuple(key.split("."))


def texts_of(spec: FieldSpec, tables: Mapping[str, Any], held: Sequence[str]) -> tuple[str, ...]:
    """What the controls of a field show of the tables; of ticks the words in lines. `held`: what they hold now."""
    value, choices = value_at(tables, path_of(spec.key)), spec.choices or {}
    match spec.kind:
        case "note":
            return ()
        case "choice":
            named = {repr(known): word for word, known in choices.items()}
            return (spec.default if value is None else named.get(repr(value), words_of(value)),)
        case "ticks":
            if value is None and spec.single:
                one = value_at(tables, path_of(spec.single))
                value = None if one is None else [one]
            if value is None and spec.default:
                value = spec.default.split(", ")
            return ("\n".join(map(str, value)) if isinstance(value, list) else "",)
        case "amount":
            there = [word for word, key in choices.items() if isinstance(value, Mapping) and key in value]
            unit = held[1] if held[1] in there or not there else there[0]
            return words_of(value_at(value, (choices.get(unit, ""),))), unit
        case "space":
            how = how_of(value)
            numbers = {"value": value} if how == FIXED else value
            found = {name: words_of(value_at(numbers, (name,))) for name in used_by(how)}
            return how, *(found.get(name, text) for name, text in zip(NUMBERS, held[1:], strict=True))
    return (words_of(value),)


def changes_of(spec: FieldSpec, held: Sequence[str], before: Sequence[str]) -> list[Change]:
    """The changes that write what the controls of a field hold, where they held `before` until now."""
    path, choices = path_of(spec.key), spec.choices or {}
    match spec.kind:
        case "choice":
            value = choices.get(held[0])
            return [Change(path, REMOVED if value is None else value)]
        case "ticks":
            return [Change(path, held[0].splitlines(), (path_of(spec.single),) if spec.single else ())]
        case "amount":
            chosen = choices[held[1]]
            others = tuple((*path, key) for key in choices.values() if key != chosen)
            return [Change((*path, chosen), value_of("number", held[0]), others)]
        case "space":
            typed = dict(zip(NUMBERS, held[1:], strict=True))
            if held[0] != before[0]:
                return [Change(path, space_of(held[0], typed, examples_of(spec.example)))]
            was = dict(zip(NUMBERS, before[1:], strict=True))
            return [
                Change(path if name == "value" else (*path, name), number_for(name, typed[name]))
                for name in used_by(held[0])
                if typed[name] != was[name]
            ]
    return [Change(path, value_of(spec.kind, held[0]))]


def left_to_the_text(spec: FieldSpec, tables: Mapping[str, Any]) -> str:
    """What a note, or a metaparameter that is given in a way of its own, says of the text."""
    value = value_at(tables, path_of(spec.key))
    if spec.kind == "space" and how_of(value) == OTHER:
        return words_of(value)
    if spec.kind != "note" or not isinstance(value, list):
        return ""
    more = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
    return f"in the TOML: {', '.join(map(words_of, value[:SHOWN]))}{more}"


# Lists to choose from.


@dataclass(frozen=True)
class Entry:
    """One line of a list; without a value it is a heading."""

    value: str
    words: str
    about: str = ""


def choices_of(key: str, tables: Mapping[str, Any]) -> list[Entry]:
    """The list of a field; empty if it has none."""
    from workloads import catalogue

    if key == "dataset":
        names = catalogue.dataset_names()
        return [Entry(name, name, f"{catalogue.dataset_info(name).train:,} examples") for name in names]
    if key == "model":
        return _models(tables)
    return _metrics(tables) if key == "goal.metric" else []


def _models(tables: Mapping[str, Any]) -> list[Entry]:
    """Models, those that fit the data set first."""
    from workloads import architectures, catalogue

    info = _dataset(tables)
    found: list[tuple[bool, str, str]] = []
    for name in catalogue.model_names():
        example = "fc_128" if name == architectures.FC.name else name
        fits = info is None or catalogue.check_model(example, {}, info) is None
        about = "any widths: fc_128, fc_1024_1024" if example != name else ""
        if info is not None and fits:
            about = f"{catalogue.parameter_count(example, info):,} weights{' · ' if about else ''}{about}"
        elif not fits:
            about = f"does not go with {tables.get('dataset')}"
        found.append((not fits, example, about))
    return [Entry(name, name, about) for _, name, about in sorted(found, key=lambda entry: entry[0])]


def _metrics(tables: Mapping[str, Any]) -> list[Entry]:
    """The metrics of the data set on the splits that are measured, then on the others."""
    from workloads import catalogue

    info, evaluation = _dataset(tables), tables.get("evaluation")
    names = info.metrics if info is not None else dict.fromkeys(sum(catalogue.METRICS.values(), ()))
    measured = evaluation.get("splits") if isinstance(evaluation, Mapping) else None
    measured = measured if isinstance(measured, list) else ["val"]
    splits = sorted(("val", "test", "train"), key=lambda split: split not in measured)
    return [
        Entry(name := f"{split}/{metric}", name, "" if split in measured else f"{split} is not measured yet")
        for split in splits
        for metric in reversed(list(names))
    ]


def _dataset(tables: Mapping[str, Any]) -> Any:
    """What is known of the data set; None for the user's own."""
    from workloads import catalogue

    try:
        return catalogue.dataset_info(str(tables.get("dataset")))
    except (KeyError, ValueError):
        return None
