"""The tables of keys in docs/sweep-file.md, from the models: `python -m hvdsweep.sweep.reference docs/sweep-file.md`
renews them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from hvdsweep.sweep.metaparameters import METAPARAMETERS, ChoiceRange, IntegerRange, ScaledRange, SweepTable
from hvdsweep.sweep.models import TABLES
from hvdsweep.sweep.schema import sweep_schema
from hvdsweep.sweep.trial_counts import TrialsUntil
from hvdsweep.sweep.write import toml_value


def reference() -> str:
    """Every key of every table: the section "Keys" of docs/sweep-file.md."""
    schema = sweep_schema()
    parts = ["## Keys\n"]
    for name, table in TABLES.items():
        title = f"`[{name}]`" if name else "Top of the file"
        if name in ("search.override", "budget.override"):
            title = f"`[[{name}]]`"
        elif name == "search.points":
            title = "`points` of `[search]`"
        node = schema if table is TABLES[""] else schema["$defs"][table.__name__]
        parts.append(f"### {title}\n\n{' '.join(node['description'].split())}\n")
        parts.append(_rows(table, node, schema))
    parts.append("### Ranges\n\nA metaparameter is a number, or one of these tables.\n")
    for kind in (ScaledRange, IntegerRange, ChoiceRange):
        node = schema["$defs"][kind.__name__]
        parts.append(f"{node['description']}\n")
        parts.append(_rows(kind, node, schema))
    node = schema["$defs"][TrialsUntil.__name__]
    parts.append(f"### Numbers of trials\n\n{node['description']}\n")
    parts.append(_rows(TrialsUntil, node, schema))
    return "\n".join(parts)


def renewed(page: str) -> str:
    """The text of docs/sweep-file.md with its section "Keys" as the models give it now."""
    before, after = re.split(r"^## Keys\n.*?(?=^## )", page, flags=re.DOTALL | re.MULTILINE)
    return f"{before}{reference()}\n{after}"


def _rows(table: type[SweepTable], node: dict[str, Any], schema: dict[str, Any]) -> str:
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    if table.__name__ == "SearchOverride":
        lines.append(
            "| *metaparameters* | number or [range](#ranges) | that of `[search]` | As in `[search]`. |"
        )
    # Keys that have a section of their own.
    elsewhere = set(TABLES) if table is TABLES[""] else set()
    for key, field in table.model_fields.items():
        if (table.__name__ == "SearchOverride" and key in METAPARAMETERS) or key in elsewhere:
            continue
        default = "required" if field.is_required() else ""
        if not field.is_required() and field.default not in (None, [], {}):
            default = f"`{toml_value(field.default)}`"
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `{key}` | {_value(node['properties'][key], schema)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _value(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """What is allowed after the equals sign."""
    if "enum" in node or "const" in node:
        return " or ".join(f'`"{word}"`' for word in node.get("enum", [node.get("const")]))
    if "oneOf" in node and any("patternProperties" in entry for entry in node["oneOf"]):
        return "whole number or [table](#numbers-of-trials)"
    if "oneOf" in node:
        return "number or [range](#ranges)"
    if "anyOf" in node:
        is_batch_sizes = any(entry.get("type") == "array" for entry in node["anyOf"])
        return "[batch sizes](#batch-sizes)" if is_batch_sizes else "name or `module:function`"
    kind = node.get("type")
    if kind == "array":
        items = node["items"]
        if "$ref" in items:
            return "list of tables"
        return f"list of {_value(items, schema)}"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
    bounds = [
        f"{word} {node[key]:g}"
        for key, word in (("minimum", "at least"), ("exclusiveMinimum", "above"))
        if key in node and kind in ("integer", "number")
    ]
    return ", ".join([words.get(str(kind), "table"), *bounds])


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
