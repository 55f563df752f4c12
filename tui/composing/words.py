"""Turns what is typed into a field into a value of the sweep file, and back.

Nothing is checked here. What is not a number where one is wanted is written in quotes as it was typed, and the check of the
sweep file reports it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hvdsweep.sweep.write import toml_value
from tui.composing.toml_text import REMOVED, Literal, parsed

_NUMBER = re.compile(r"([+-]?)0*((?:[0-9](?:_?[0-9])*)?)(\.?)((?:[0-9](?:_?[0-9])*)?)((?:[eE][+-]?[0-9]+)?)")
"""Sign, whole part without zeros in front, point, digits behind it, exponent."""

_MANY = 18
"""Digits of a whole number that TOML readers must hold."""


def words_of(value: Any) -> str:
    """A value as a field shows it: without quotes and brackets; "" for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(entry, list | dict | str) for entry in value):
        return ", ".join(map(toml_value, value))
    return toml_value(value)


def number_of(text: str) -> Any:
    """A whole number, a decimal as it was written, or the text itself where it is neither."""
    text = text.strip()
    found = _NUMBER.fullmatch(text)
    if found is None or not re.match(r"[+-]?\.?[0-9]", text):
        return text
    sign, whole, point, part, exponent = found.groups()
    if not point and not exponent and len(whole) <= _MANY:
        return int(text)
    decimals = "" if exponent and not point else f".{part or 0}"
    return Literal(f"{sign}{whole or 0}{decimals}{exponent}")


def value_of(kind: str, text: str) -> Any:
    """What a field of this kind says: a value for the text, REMOVED where nothing is typed.

    Kinds: `text`; `name` (blanks around it do not count); `number`; `numbers`, a list of them; `sizes`, a list of whole numbers
    or a range; `any`, as in TOML, or a number, or a text.
    """
    stripped = text.strip()
    if not stripped:
        return REMOVED
    if kind in ("text", "name"):
        return text if kind == "text" else stripped
    if kind in ("numbers", "sizes"):
        parts = [part.strip() for part in stripped.removeprefix("[").removesuffix("]").split(",")]
        values = [number_of(part) for part in parts if part]
        whole = bool(values) and all(isinstance(value, int) for value in values)
        return values if whole or kind == "numbers" else stripped
    if kind == "any":
        with contextlib.suppress(ValueError, RecursionError):
            return parsed(f"it = {stripped}")["it"]
    return number_of(stripped)


# How a metaparameter is given.

LEFT_OUT, FIXED, OTHER = "left out", "fixed", "in the TOML"
HOWS = (LEFT_OUT, FIXED, "log", "linear", "reverse_log", "integer", "log integer", "choice")
"""The ways a field offers; OTHER is what only the text can say."""

NUMBERS = ("value", "min", "max", "values")
"""What can be typed for a metaparameter."""


def how_of(value: Any) -> str:
    """One of HOWS, or OTHER."""
    if value is None:
        return LEFT_OUT
    if not isinstance(value, Mapping):
        return OTHER if isinstance(value, list | bool) else FIXED
    scale = value.get("scale")
    if scale == "integer":
        return "log integer" if value.get("log") is True else "integer"
    if scale == "choice" and isinstance(value.get("values", []), list):
        return "choice"
    return str(scale) if scale in ("log", "linear", "reverse_log") else OTHER


def used_by(how: str) -> tuple[str, ...]:
    """Those of NUMBERS that go with a way."""
    ways = {LEFT_OUT: (), FIXED: ("value",), "choice": ("values",), OTHER: ()}
    return ways.get(how, ("min", "max"))


def number_for(name: str, typed: str) -> Any:
    """What is typed for one of NUMBERS."""
    return value_of("numbers" if name == "values" else "number", typed)


def space_of(how: str, typed: Mapping[str, str], examples: Mapping[str, str]) -> Any:
    """A metaparameter given in another way than before: with the numbers `typed` for that way, else those of a range, else
    examples."""
    names = used_by(how)
    if not any(typed[name].strip() for name in names):
        low, high = typed["min"].strip(), typed["max"].strip()
        others = {"value": low, "values": f"{low}, {high}" if low and high else ""}
        typed = {**typed, **{name: others.get(name) or examples[name] for name in names}}
    numbers = {name: number_for(name, typed[name]) for name in names if typed[name].strip()}
    if how in (LEFT_OUT, FIXED):
        return numbers.get("value", REMOVED)
    return {"scale": how.removeprefix("log "), **numbers} | ({"log": True} if how == "log integer" else {})


def examples_of(given: Sequence[Any]) -> dict[str, str]:
    """Numbers to start from: the examples of the file's reference."""
    tables = [entry for entry in given if isinstance(entry, Mapping)]
    ends = next((entry for entry in tables if "min" in entry), {})
    values = next((entry["values"] for entry in tables if "values" in entry), [*ends.values()][1:])
    fixed = next((entry for entry in given if not isinstance(entry, Mapping)), values[0] if values else "")
    shown = {"value": fixed, "min": ends.get("min"), "max": ends.get("max"), "values": values}
    return {name: words_of(value) for name, value in shown.items()}
