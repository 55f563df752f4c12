"""Turns what is typed into a field into a value of the sweep file, and back.

Nothing is checked here. What is not a number where one is wanted is written in quotes as it was typed, and the check of the
sweep file reports it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from hvdsweep.sweep.write import toml_value
from tui.composing.toml_text import REMOVED, Literal, parsed

_WHOLE = re.compile(r"[+-]?[0-9](_?[0-9])*")
_DECIMAL = re.compile(r"[+-]?([0-9](_?[0-9])*)?(\.([0-9](_?[0-9])*)?)?([eE][+-]?[0-9]+)?")
_MANY = 18
"""Digits of a whole number that TOML readers must hold."""

MAXIMUM = 4096
"""Ranks per trial, and trials side by side, at most."""


def words_of(value: Any) -> str:
    """A value as a field shows it: without quotes and brackets; "" for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(entry, list | dict | str) for entry in value):
        return ", ".join(map(toml_value, value))
    try:
        return toml_value(value)
    except (ValueError, TypeError):
        return str(value)


def number_of(text: str) -> Any:
    """A whole number, a decimal as it was written, or the text itself where it is neither."""
    text = text.strip()
    if _WHOLE.fullmatch(text) and len(text.lstrip("+-")) <= _MANY:
        return int(text)
    if _DECIMAL.fullmatch(text) and any(character.isdigit() for character in text.lower().partition("e")[0]):
        mantissa, exponent = re.split("(?=[eE])", text, maxsplit=1) if "e" in text.lower() else (text, "")
        sign = mantissa[0] if mantissa[0] in "+-" else ""
        before, _, after = mantissa.removeprefix(sign).partition(".")
        before = re.sub(r"^0+(?=[0-9])", "", before) or "0"
        if exponent and not after and "." not in mantissa:
            return Literal(f"{sign}{before}{exponent}")
        return Literal(f"{sign}{before}.{after or '0'}{exponent}")
    return text


def value_of(kind: str, text: str) -> Any:
    """What a field of this kind says: a value for the text, REMOVED where nothing is typed.

    Kinds: `text`; `name` (blanks around it do not count); `number`; `numbers`, a list of them; `sizes`, a list of whole numbers
    or a range; `flag`; `any`.
    """
    stripped = text.strip()
    if not stripped:
        return REMOVED
    if kind == "text":
        return text
    if kind == "any" and stripped.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            return parsed(f"it = {stripped}")["it"]
    if kind == "name":
        return stripped
    if kind == "number":
        return number_of(stripped)
    if kind == "flag":
        return {"true": True, "false": False}.get(stripped, stripped)
    if kind in ("numbers", "sizes"):
        parts = [part.strip() for part in stripped.removeprefix("[").removesuffix("]").split(",")]
        values = [number_of(part) for part in parts if part]
        if kind == "sizes" and not (values and all(isinstance(value, int) for value in values)):
            return stripped
        return values
    number = number_of(stripped)
    if isinstance(number, str):
        return {"true": True, "false": False}.get(stripped, stripped)
    return number


def ranks_of(text: str) -> int | None:
    """A number of ranks, or of trials side by side; None if it is none."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAXIMUM)) and 1 <= int(text) <= MAXIMUM:
        return int(text)
    return None


AUTO = "auto"
"""Ranks per trial: as many for each batch size as finish the sweep soonest (`--np auto`)."""


def is_ranks(key: str, text: str) -> bool:
    """Whether a field of a launch has a valid value: `np` may be auto, `slots` may be empty (all there are)."""
    text = text.strip()
    return ranks_of(text) is not None or (key, text) in (("np", AUTO), ("slots", ""))


def rank_options(np: str | int, gangs: str | int, slots: str | int | None) -> list[str]:
    """The options for `hvdsweep launch`: ranks and gangs, or `--np auto`."""
    np, gangs, slots = (str("" if value is None else value).strip() for value in (np, gangs, slots))
    if np == AUTO:
        return ["--np", AUTO, *(["--slots", slots] if slots else [])]
    return ["--np", np, "--gangs", gangs]


# How a metaparameter is given.

LEFT_OUT, FIXED, OTHER = "left out", "fixed", "in the TOML"
HOWS = (LEFT_OUT, FIXED, "log", "linear", "reverse_log", "integer", "log integer", "choice")
"""The ways a field offers; OTHER is what only the text can say."""


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


def range_of(how: str, low: str, high: str, values: str) -> dict[str, Any]:
    """The table of a range or a choice, with what is typed of it."""
    if how == "choice":
        return {"scale": "choice", "values": value_of("numbers", values) if values.strip() else []}
    table: dict[str, Any] = {"scale": "integer" if how == "log integer" else how}
    for key, text in (("min", low), ("max", high)):
        if text.strip():
            table[key] = number_of(text)
    return table | ({"log": True} if how == "log integer" else {})
