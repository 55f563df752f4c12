"""Writes a sweep as TOML that reads back as an equal sweep, laid out for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hvdsweep.sweep.batch_sizes import format_batch_sizes

if TYPE_CHECKING:
    from hvdsweep.sweep.models import Sweep

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def sweep_toml(sweep: Sweep) -> str:
    """The TOML text of `sweep`, without keys left to their defaults; `check_text` reads it back as an
    equal sweep."""
    # Imported here: code that only writes a value does not load pydantic.
    from hvdsweep.sweep.models import KEYS

    written = sweep.model_dump(exclude_unset=True, exclude_none=True)
    written.pop("algorithm", None)
    written["algorithms"] = sweep.algorithms
    top = {key: written[key] for key in KEYS[""] if key in written and key not in KEYS}
    blocks = ["\n".join(f"{key} = {toml_value(value)}" for key, value in top.items() if value != {})]
    for table in KEYS[""]:
        if table in KEYS and table in written:
            blocks += _table(table, written[table])
    return "\n\n".join(blocks) + "\n"


def toml_value(value: object) -> str:
    """One value as TOML. Raises ValueError for what TOML cannot represent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(entry) for entry in value)}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml_value(entry)}" for key, entry in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if value is None:
        raise ValueError("TOML has no null")
    return str(value)


def toml_key(key: str) -> str:
    """A key, in quotes if TOML needs them."""
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)


def _number(value: float) -> str:
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    """A table and its arrays of tables (overrides), each as one block of text."""
    own = {key: value for key, value in values.items() if key != "override"}
    lines = [f"[{name}]", *(f"{key} = {_value(key, value)}" for key, value in own.items())]
    blocks = ["\n".join(lines)] if own or "override" not in values else []
    for entry in values.get("override", []):
        ordered = {"batch_sizes": entry["batch_sizes"], **entry}
        lines = [f"[[{name}.override]]", *(f"{key} = {_value(key, value)}" for key, value in ordered.items())]
        blocks.append("\n".join(lines))
    return blocks


def _value(key: str, value: Any) -> str:
    if key == "batch_sizes":
        return toml_value(format_batch_sizes(value) or value)
    if key == "trials" and isinstance(value, Mapping) and value.keys() <= {"least", "most", "until"}:
        value = {name: value[name] for name in ("least", "most", "until") if name in value}
    if key == "points":
        return "[\n" + "".join(f"    {toml_value(point)},\n" for point in value) + "]"
    return toml_value(value)
